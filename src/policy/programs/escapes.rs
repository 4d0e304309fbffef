//! Programs that are no shells, and start one for whoever tells them to.

use super::base_name;
use super::interpreters::is_called;

/// By what they are called, a version behind it or not. Python is not among them: it is what many images are made for.
const ESCAPES: &[&str] = &[
    // awk
    "awk",
    "gawk",
    "goawk",
    "mawk",
    "nawk",
    "original-awk",
    // interpreters
    "erl",
    "expect",
    "guile",
    "jrunscript",
    "js",
    "lua",
    "luajit",
    "node",
    "nodejs",
    "ocaml",
    "perl",
    "php",
    "R",
    "Rscript",
    "ruby",
    "tclsh",
    "wish",
    // editors
    "ed",
    "elvis",
    "emacs",
    "ex",
    "jed",
    "joe",
    "nano",
    "nvi",
    "nvim",
    "pico",
    "red",
    "vi",
    "view",
    "vim",
    "vim.basic",
    "vim.gtk3",
    "vim.nox",
    "vim.tiny",
    "vimdiff",
    // pagers
    "less",
    "man",
    "more",
    "most",
    "pg",
    // what has a command, an option or a file for it
    "bmake",
    "crontab",
    "dc",
    "ftp",
    "gdb",
    "git",
    "gmake",
    "lftp",
    "m4",
    "mail",
    "mailx",
    "make",
    "mariadb",
    "mutt",
    "mysql",
    "psql",
    "screen",
    "sftp",
    "sqlite3",
    "ssh",
    "tar",
    "telnet",
    "tmux",
    "zip",
];

/// Whether a program of this name has a way to a shell.
pub fn has_escape(program: &str) -> bool {
    let name = base_name(program);
    ESCAPES.iter().any(|one| is_called(name, one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_no_other_program() {
        for name in [
            "/usr/bin/mawk",
            "perl5.36-x86_64-linux-gnu",
            "perl",
            "lua5.4",
            "vim.tiny",
            "R",
        ] {
            assert!(has_escape(name), "{name}");
        }
        for name in [
            "python3",
            "edit",
            "viper",
            "/usr/bin/lessons",
            "makeself",
            "perlbug",
            "r",
        ] {
            assert!(!has_escape(name), "{name}");
        }
    }
}
