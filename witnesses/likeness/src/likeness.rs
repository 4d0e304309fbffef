//! What a program is by the words in it, whatever it is called.
//!
//! The words are data, measured on the packages that are named beside them; the test `measured` measures again.

use std::collections::{BTreeSet, HashSet};
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, Input, MatchKind};
use shellproof_api::facts::Likeness;

/// What is known by its words.
struct Family {
    likeness: Likeness,
    /// All of them are in it.
    words: &'static [&'static str],
    /// This is not: it is in something that looks the same.
    without: Option<&'static str>,
    /// How large such a program is at most, in bytes, where larger ones of other kinds have its words too.
    largest: u64,
}

const fn family(likeness: Likeness, words: &'static [&'static str]) -> Family {
    Family {
        likeness,
        words,
        without: None,
        largest: u64::MAX,
    }
}

const fn shell(words: &'static [&'static str]) -> Family {
    family(Likeness::Shell, words)
}

const fn manager(words: &'static [&'static str]) -> Family {
    family(Likeness::PackageManager, words)
}

/// ELF programs; the first family that fits counts. The versions are those of Debian 12 and 13, unless said otherwise.
const PROGRAMS: &[Family] = &[
    // A static BusyBox may hold a loader's words too, and has a shell among its programs.
    // busybox 1.35, 1.37; busybox-static.
    family(Likeness::MultiCall, &["BusyBox v", "applet not found"]),
    // toybox 0.8.9.
    family(Likeness::MultiCall, &["Toybox %s multicall binary"]),
    // Any POSIX shell has these: bash, dash, ksh93, mksh, posh, zsh, klibc's sh. So do larger tools that check scripts, and
    // ksh93's compiler, which never runs what it compiles.
    Family {
        without: Some("shcomp"),
        largest: 8 << 20,
        ..shell(&["getopts", "OPTIND", "PS4", "readonly", "umask"])
    },
    // bash 5.2; bash-static.
    shell(&["no function context at current scope", "BASH_VERSINFO"]),
    // dash 0.5.12; klibc-utils 2.0.
    shell(&["turning off NDELAY mode", "Unterminated quoted string"]),
    // ksh93u+m 1.0.
    shell(&["KSH_VERSION", "hist -s", "hist -l"]),
    // mksh 59c, with its builds for klibc, musl and diet libc, and lksh; posh 0.14.
    shell(&["exchild: XPIPEI and no last_job", "wdscan: unknown char"]),
    // zsh 5.9; zsh-static.
    shell(&["increase FUNCNEST?", "temp file for here document"]),
    // yash 2.52, which keeps some of the POSIX words as wide characters.
    shell(&["too many files are opened for yash to handle"]),
    // fish 3.6 (C++), 4.0 (Rust). fish_indent has only one of them.
    shell(&["FISH_DEBUG_OUTPUT", "fish_default_key_bindings"]),
    // tcsh 6.24; csh 20110502, 20240808.
    shell(&[
        "Ambiguous output redirect",
        "Words not parenthesized",
        "Badly placed ()'s",
    ]),
    // rc 1.7.4.
    shell(&[
        "named pipes cannot be executed as commands",
        "multi-word filename in redirection",
    ]),
    // es 0.9 (read in its source).
    shell(&["usage: es [-c command]", "es: -s and -c are incompatible"]),
    // 9base 6.
    shell(&[
        "mismatched list lengths in concatenation",
        "case missing in switch",
    ]),
    // sash 3.8.
    shell(&["Execute another program in place of this sash process"]),
    // elvish 0.19, 0.21: a Go program names its packages even when it is stripped.
    shell(&["src.elv.sh/pkg/shell", "src.elv.sh/pkg/eval"]),
    // mvdan.cc/sh 3.12 (Go); its formatter has no such command.
    shell(&["mvdan.cc/sh/v3/cmd/gosh"]),
    // nushell 0.115 (npm).
    shell(&["crates/nu-cli/src/", "nushell"]),
    // rush 2.3, 2.4 (GNU).
    shell(&["rush - restricted user shell"]),
    // libc6 2.36, 2.41.
    family(Likeness::Loader, &["--inhibit-cache", "--library-path"]),
    // musl 1.2.
    family(Likeness::Loader, &["musl libc", "--library-path"]),
    // apt 2.6 and 3.0; what only asks (apt-cache, apt-config) says something else of itself.
    manager(&["is a commandline package manager"]),
    manager(&["is a command line interface for retrieval of packages"]),
    // dpkg 1.21, 1.22, but not dpkg-deb and dpkg-query.
    manager(&["needs at least one package archive file argument"]),
    // aptitude 0.8, dselect 1.21, synaptic 0.91, packagekit-tools 1.2.
    manager(&["Usage: aptitude [-S fname]"]),
    manager(&["Welcome to dselect's main package listing."]),
    manager(&["There is another synaptic running in interactive mode"]),
    manager(&["PackageKit Console Program"]),
    // rpm 4.18, zypper 1.14, pacman 6.0.
    manager(&["only installation and upgrading may be forced"]),
    manager(&["_ZN13ZypperCommand7INSTALLE"]),
    manager(&["pacman/%s (%s %s) libalpm/%s"]),
    // apk-tools 3.0 (Alpine 3.23).
    manager(&["is not an apk command. See 'apk --help'"]),
    // nix 2.8, flatpak 1.14.
    manager(&["src/nix-env/nix-env.cc"]),
    manager(&["Install an application or runtime"]),
    // cabal-install 3.4, opam 2.1.
    manager(&["cabal-install/", "Do not defer flag choices"]),
    manager(&["camlOpamCommands__"]),
    // uv 0.13 (PyPI), and uvx, which only starts it.
    manager(&["UV_TOOL_DIR", "UV_INDEX_URL"]),
    manager(&["Could not determine the location of the `uvx` binary"]),
    // cargo 0.66, 0.86; 1.95 (upstream).
    manager(&["cargo-credential", "CARGO_REGISTR"]),
    // rustup (upstream), which also stands in for cargo.
    manager(&["RUSTUP_DIST_SERVER", "RUSTUP_UPDATE_ROOT"]),
    // golang-go 1.19; 1.26 (upstream).
    manager(&["cmd/go/internal/modget"]),
    // bun 1.4, deno 2.9 (npm).
    manager(&["BUN_INSTALL_GLOBAL_DIR"]),
    manager(&["DENO_INSTALL_ROOT", "deno upgrade"]),
    // snapd 2.57.
    manager(&["snapcore/snapd/cmd/snap/cmd_snap_op.go"]),
    // haskell-stack 2.7.
    manager(&["STACK_ROOT", "stack-work"]),
];

/// Scripts by which a package manager is started, whatever they are called; one of these is enough.
const STARTERS: &[&str] = &[
    // What pip and distutils write for a command of a Python package: `from pip._internal.cli.main import main`.
    "from pip._internal",
    "from pip.__main__ import",
    "from poetry.console.application import main",
    "from pipx.main import",
    "from pipenv.cli import",
    "from pipenv import cli",
    "from conda.cli",
    "from mamba.mamba import",
    "from pdm.core import",
    "from hatch.cli import",
    "from setuptools.command.easy_install import",
    "require 'rubygems/gem_runner'",
    "require \"rubygems/gem_runner\"",
    // dnf 4.14, nala 0.12.
    "from dnf.cli import main",
    "from nala.__main__ import",
    // cpanm 1.7, cpan (perl 5.36), luarocks 3.8, composer 2.5, pear 1.10.
    "use App::cpanminus",
    "use App::Cpan",
    "require(\"luarocks.cmd\")",
    "use Composer\\Console\\Application",
    "/pearcmd.php",
];

/// Scripts by which a shell is started that another language is the interpreter of; one of these is enough.
const SHELLS: &[&str] = &[
    // xonsh 0.13.
    "from xonsh.main import",
];

/// Words of scripts that may be a package manager's; one of these is enough.
const SCRIPTS: &[&str] = &[
    "pip._internal",
    "from pip ",
    "import pip",
    "pip==",
    "setuptools.command.easy_install",
    "piptools",
    "pipx",
    "pipenv",
    "poetry",
    "pdm",
    "hatch",
    "conda",
    "mamba",
    // npm's, yarn's, pnpm's and corepack's own files, and what Debian has in their place.
    "lib/cli.js",
    "npm-cli",
    "npx",
    "npm",
    "yarn",
    "pnpm",
    "pnpx",
    "corepack",
    "bower",
    "jspm",
    "volta",
    // rubygems, bundler.
    "gem_runner",
    "Gem::",
    "bundle",
    // composer, pear.
    "Composer",
    "composer",
    "PEAR",
    "pearcmd",
    "peclcmd",
    "pickle",
];

static PROGRAM_WORDS: LazyLock<Finder> = LazyLock::new(|| {
    let without = PROGRAMS.iter().filter_map(|family| family.without.as_ref());
    let words = PROGRAMS
        .iter()
        .flat_map(|family| family.words)
        .chain(without)
        .copied();
    Finder::new(words)
});
static SCRIPT_WORDS: LazyLock<Finder> =
    LazyLock::new(|| Finder::new(SCRIPTS.iter().chain(STARTERS).chain(SHELLS).copied()));

/// For how many words at once the places where none can begin are passed over by vector instructions.
const AT_ONCE: usize = 60;

/// Finds all words of a list. Every byte of every program goes through it.
struct Finder {
    parts: Vec<(AhoCorasick, Vec<Vec<&'static str>>)>,
    longest: usize,
}

impl Finder {
    fn new(words: impl Iterator<Item = &'static str>) -> Self {
        let words: BTreeSet<_> = words.collect();
        let words: Vec<_> = words.into_iter().collect();
        let part = |words: &[&'static str]| {
            let finder = AhoCorasick::builder()
                .match_kind(MatchKind::LeftmostLongest)
                .build(words)
                .expect("few and short words");
            // Of the words that begin at one place only the longest is told.
            let told = words.iter().map(|longest| {
                let begins = words.iter().filter(|word| longest.starts_with(**word));
                begins.copied().collect()
            });
            (finder, told.collect())
        };
        Self {
            parts: words.chunks(AT_ONCE).map(part).collect(),
            longest: words.iter().map(|word| word.len()).max().unwrap_or_default(),
        }
    }

    fn find(&self, text: &[u8], found: &mut HashSet<&'static str>) {
        for (finder, told) in &self.parts {
            let mut at = 0;
            while let Some(word) = finder.find(Input::new(text).span(at..text.len())) {
                found.extend(&told[word.pattern().as_usize()]);
                // Another may begin within it.
                at = word.start() + 1;
            }
        }
    }
}

/// What shows in a program's content, which comes in parts.
#[derive(Debug, Default)]
pub struct Signs {
    /// Nothing before the first part.
    kind: Option<Kind>,
    /// How much came.
    size: u64,
    words: HashSet<&'static str>,
    /// The end of what came, which may be a word's beginning.
    end: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Program,
    Script,
    Other,
}

impl Signs {
    /// Looks at the next part; the first has at least four bytes, if the content has.
    pub fn look_at(&mut self, part: &[u8]) {
        let kind = *self.kind.get_or_insert_with(|| match part {
            _ if part.starts_with(b"\x7fELF") => Kind::Program,
            _ if part.starts_with(b"#!") => Kind::Script,
            _ => Kind::Other,
        });
        self.size += part.len() as u64;
        let finder = match kind {
            Kind::Program => &*PROGRAM_WORDS,
            Kind::Script => &*SCRIPT_WORDS,
            Kind::Other => return,
        };
        self.end.extend_from_slice(part);
        finder.find(&self.end, &mut self.words);
        self.end
            .drain(..self.end.len().saturating_sub(finder.longest - 1));
    }

    fn has_one_of(&self, words: &[&'static str]) -> bool {
        words.iter().any(|word| self.words.contains(word))
    }

    /// What it is, after all of it came.
    pub fn likeness(&self) -> Option<Likeness> {
        match self.kind {
            Some(Kind::Script) if self.words.is_empty() => Some(Likeness::Script),
            Some(Kind::Script) if self.has_one_of(SHELLS) => Some(Likeness::Shell),
            Some(Kind::Script) if self.has_one_of(STARTERS) => Some(Likeness::PackageManager),
            Some(Kind::Script) => Some(Likeness::ManagerScript),
            _ => {
                let has = |word: &&str| self.words.contains(word);
                let fits = |family: &&Family| {
                    self.size <= family.largest
                        && family.words.iter().all(has)
                        && !family.without.as_ref().is_some_and(has)
                };
                PROGRAMS.iter().find(fits).map(|family| family.likeness)
            }
        }
    }
}

#[cfg(test)]
#[path = "likeness_tests.rs"]
mod tests;
