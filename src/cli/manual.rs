use std::fs;
use std::io;
use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, Failure};
use crate::exit::ExitCode;

/// The shells that Debian and Fedora have completions for.
const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

#[derive(Debug, Args)]
pub(super) struct Manual {
    /// Where `man1` and `completions` are made
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

impl Manual {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let named = |error: io::Error| io::Error::other(format!("`{}`: {error}", self.directory.display()));
        self.write()
            .map_err(named)
            .map_err(Failure::machine("the manual cannot be written"))?;
        Ok(ExitCode::Clean)
    }

    fn write(&self) -> io::Result<()> {
        let pages = self.directory.join("man1");
        fs::create_dir_all(&pages)?;
        clap_mangen::generate_to(Cli::command(), &pages)?;
        let completions = self.directory.join("completions");
        fs::create_dir_all(&completions)?;
        for shell in SHELLS {
            clap_complete::generate_to(shell, &mut Cli::command(), env!("CARGO_PKG_NAME"), &completions)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_and_is_completed() {
        let directory = tempfile::tempdir().unwrap();
        let manual = Manual {
            directory: directory.path().to_owned(),
        };
        manual.write().unwrap();
        let read = |file: &str| fs::read_to_string(directory.path().join(file)).unwrap();
        let whole = read("man1/shellproof.1");
        assert!(whole.contains("Exit codes: 0 all clean"), "{whole}");
        let completions = ["shellproof.bash", "_shellproof", "shellproof.fish"];
        let completions = completions.map(|file| read(&format!("completions/{file}")));
        for command in Cli::command().get_subcommands().filter(|one| !one.is_hide_set()) {
            let name = command.get_name();
            let page = read(&format!("man1/shellproof-{name}.1"));
            for argument in command.get_arguments().filter_map(|one| one.get_long()) {
                // A hyphen is escaped there.
                let option = format!("\\-\\-{}", argument.replace('-', "\\-"));
                assert!(page.contains(&option), "{name}: {option}");
            }
            for text in &completions {
                assert!(text.contains(name), "{name}");
            }
        }
    }
}
