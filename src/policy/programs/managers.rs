//! Package managers: which program is one, and whether its arguments make it do more than answer.

mod languages;
mod system;

use super::name::{By, Name, base_name};
use super::options::{Item, Options, Scan, has, is_cut};

/// One package manager.
#[derive(Debug)]
pub(super) struct Manager {
    pub(super) names: &'static [Name],
    options: Options,
    /// Options with which it only answers, in place of or before a command; a letter is a short one.
    asks: &'static str,
    /// Options with which it only says what it would do, anywhere.
    dry: &'static str,
    style: Style,
}

/// How the arguments of a package manager decide.
#[derive(Debug)]
enum Style {
    /// By a command.
    Commands {
        /// Those that only answer, parted by spaces; `env:list` is a command below another.
        asks: &'static str,
        /// Those that do more, where there are other commands than these two kinds.
        does: Option<&'static str>,
        /// Whether it does something without any.
        bare: bool,
    },
    /// By an option.
    Modes {
        /// Those with which it only answers.
        asks: &'static str,
        /// Whether a word that is no option is enough to make it do something.
        operands: bool,
    },
    /// As pacman: `-Q`, `-S` and the like, refined by other letters.
    Pacman {
        /// Whether it does something without any.
        bare: bool,
    },
    /// It always does something, unless it was only asked for help.
    Always { bare: bool },
}

/// What a package manager was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Only to answer.
    Ask,
    /// To do something.
    Act,
    /// Something that this package manager does not know, or that is none of its business as one.
    Other,
    /// It depends on arguments that were not kept.
    Cut,
}

/// Commands with which package managers do something, whatever they are called.
const ACTS: &str = "add build-dep ci dist-upgrade download fetch full-upgrade get i in install reinstall remove require sync \
    uninstall unpack up update upgrade";

/// Options with which they do. Those of one letter may have others behind it, as in `-Uvh` and `-Syu`.
const ACT_OPTIONS: &str = "install unpack configure upgrade sync remove purge erase";
const ACT_LETTERS: &str = "iUSP";
/// How many letters such an option has at most.
const LETTERS: usize = 5;

const fn manager(names: &'static [Name], style: Style) -> Manager {
    Manager {
        names,
        options: Options::NONE,
        asks: "h help V version",
        dry: "help",
        style,
    }
}

/// One whose commands all do more than answer, but these.
const fn but(asks: &'static str) -> Style {
    Style::Commands {
        asks,
        does: None,
        bare: false,
    }
}

/// One that has other commands too.
const fn either(does: &'static str, asks: &'static str) -> Style {
    Style::Commands {
        asks,
        does: Some(does),
        bare: false,
    }
}

/// One that only answers with these options.
const fn modes(asks: &'static str) -> Style {
    Style::Modes {
        asks,
        operands: false,
    }
}

/// All that are known.
fn all() -> impl Iterator<Item = &'static Manager> {
    system::MANAGERS.iter().chain(languages::MANAGERS)
}

/// The names of all of them, without versions.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    all().flat_map(|manager| manager.names).map(|name| name.name)
}

/// The package manager of a base name, and how much the name says.
pub(super) fn find(name: &str) -> Option<(&'static Manager, By)> {
    all().find_map(|manager| {
        let found = manager.names.iter().find(|one| one.is(name))?;
        Some((manager, found.by))
    })
}

/// What a program was told that is a package manager by its content and has nobody's name.
pub(super) fn told_nameless(arguments: &[&str]) -> Told {
    let is_act = |word: &str| {
        let long = word.strip_prefix("--");
        let short = word.strip_prefix('-').filter(|letters| {
            letters.starts_with(|first| ACT_LETTERS.contains(first))
                && letters.len() <= LETTERS
                && letters.bytes().all(|letter| letter.is_ascii_alphabetic())
        });
        has(ACTS, word) || long.is_some_and(|option| has(ACT_OPTIONS, option)) || short.is_some()
    };
    if arguments.iter().any(|word| is_act(word)) {
        Told::Act
    } else if arguments.iter().any(|word| is_cut(word)) {
        Told::Cut
    } else {
        Told::Other
    }
}

impl Manager {
    pub(super) fn told(&self, arguments: &[&str]) -> Told {
        match &self.style {
            Style::Commands { asks, does, bare } => self.told_by_command(arguments, asks, *does, *bare),
            Style::Modes { asks, operands } => self.told_by_modes(arguments, asks, *operands),
            Style::Pacman { bare } => told_as_pacman(arguments, *bare),
            Style::Always { bare } => self.told_anything(arguments, *bare),
        }
    }

    fn scan<'a>(&'a self, arguments: &'a [&'a str]) -> Scan<'a> {
        Scan::new(&self.options, arguments)
    }

    fn told_by_command(&self, words: &[&str], asks: &str, does: Option<&str>, bare: bool) -> Told {
        let mut scan = self.scan(words);
        let mut is_dry = false;
        let mut is_unknown = false;
        while let Some(item) = scan.next() {
            match item {
                Item::Cut => return Told::Cut,
                Item::Option { name, value, .. } if self.is_asked(&scan, self.asks, name, value) => {
                    return Told::Ask;
                }
                Item::Option {
                    name,
                    is_known,
                    value,
                    ..
                } => {
                    is_dry |= self.is_asked(&scan, self.dry, name, value);
                    is_unknown = !is_known && value.is_none();
                }
                Item::Operand => {
                    let mut command = scan.operand().unwrap_or_default();
                    // `cargo +nightly …`
                    if command.starts_with('+') && matches!(scan.clone().next(), Some(Item::Operand)) {
                        command = scan.operand().unwrap_or_default();
                    }
                    let below = operands(scan.clone()).next().unwrap_or_default();
                    let both = format!("{command}:{below}");
                    let is_of = |commands: &str| has(commands, command) || has(commands, &both);
                    // The option that nobody knows may have taken the first operand as its value.
                    let is_value = is_unknown && has(ACTS, below);
                    let is_below = does.is_some_and(|does| has(does, &both));
                    return match does {
                        _ if !is_below && is_of(asks) && !is_value => {
                            match is_cut(&both) && has_below(asks, command) {
                                true => Told::Cut,
                                false => Told::Ask,
                            }
                        }
                        Some(does) if !is_of(does) && !is_value => {
                            match is_cut(&both) && has_below(does, command) {
                                true => Told::Cut,
                                false => Told::Other,
                            }
                        }
                        _ if is_dry || self.is_dry(scan.clone()) => Told::Ask,
                        _ if is_cut(&both) && has_below(asks, command) => Told::Cut,
                        _ => Told::Act,
                    };
                }
            }
        }
        if bare && !is_dry { Told::Act } else { Told::Ask }
    }

    /// Whether this is one of these options, and stays so to the end.
    fn is_asked(&self, scan: &Scan<'_>, options: &str, name: &str, value: Option<&str>) -> bool {
        has(options, name) && scan.is_on(name, value) && !scan.clone().switches_off(options)
    }

    /// Whether an option among the rest says that nothing is to be done.
    fn is_dry(&self, mut scan: Scan<'_>) -> bool {
        // It may be the value of an unknown option before it.
        let mut is_sure = true;
        while let Some(item) = scan.next() {
            match item {
                Item::Cut => return false,
                Item::Operand => {
                    scan.operand();
                    is_sure = true;
                }
                Item::Option { name, value, .. }
                    if is_sure && self.is_asked(&scan, self.dry, name, value) =>
                {
                    return true;
                }
                Item::Option { is_known, value, .. } => is_sure = is_known || value.is_some(),
            }
        }
        false
    }

    fn told_by_modes(&self, words: &[&str], asks: &str, operands: bool) -> Told {
        let mut scan = self.scan(words);
        let mut does = false;
        while let Some(item) = scan.next() {
            match item {
                Item::Cut if does => return Told::Act,
                Item::Cut => return Told::Cut,
                Item::Operand => {
                    scan.operand();
                    does |= operands;
                }
                Item::Option { name, value, .. }
                    if [asks, self.asks, self.dry]
                        .iter()
                        .any(|options| self.is_asked(&scan, options, name, value)) =>
                {
                    return Told::Ask;
                }
                Item::Option { is_known, .. } => does |= !is_known,
            }
        }
        if does { Told::Act } else { Told::Ask }
    }

    fn told_anything(&self, words: &[&str], bare: bool) -> Told {
        let mut scan = self.scan(words);
        while let Some(item) = scan.next() {
            match item {
                Item::Cut => return Told::Cut,
                Item::Operand => return Told::Act,
                Item::Option { name, value, .. }
                    if [self.asks, self.dry]
                        .iter()
                        .any(|options| self.is_asked(&scan, options, name, value)) =>
                {
                    return Told::Ask;
                }
                Item::Option { is_known: false, .. } => return Told::Act,
                Item::Option { .. } => {}
            }
        }
        if bare { Told::Act } else { Told::Ask }
    }
}

/// The operands of what is left.
fn operands(mut scan: Scan<'_>) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        loop {
            match scan.next()? {
                Item::Operand => return scan.operand(),
                Item::Cut => return Some("\0"),
                Item::Option { .. } => {}
            }
        }
    })
}

/// Whether some of these commands are below this one.
fn has_below(commands: &str, command: &str) -> bool {
    let is_below = |both: &str| both.split_once(':').is_some_and(|(above, _)| above == command);
    commands.split(' ').any(is_below)
}

/// `-Q`, `-T`, `-V` and `-h` only answer; `-S` and `-F` do so with some letters, unless they also refresh.
fn told_as_pacman(words: &[&str], bare: bool) -> Told {
    let mut letters = String::new();
    for word in words {
        match (word.strip_prefix("--"), word.strip_prefix('-')) {
            _ if is_cut(word) => return Told::Cut,
            (Some(""), _) => break,
            (Some("query" | "deptest" | "version" | "help"), _) => return Told::Ask,
            (Some("sync"), _) => letters.push('S'),
            (Some("files"), _) => letters.push('F'),
            (Some("search"), _) => letters.push('s'),
            (Some("info"), _) => letters.push('i'),
            (Some("list"), _) => letters.push('l'),
            (Some("groups"), _) => letters.push('g'),
            (Some("print"), _) => letters.push('p'),
            (Some("refresh"), _) => letters.push('y'),
            (Some("sysupgrade"), _) => letters.push('u'),
            (Some(_), _) => {}
            (None, Some(short)) => letters.push_str(short),
            (None, None) => {}
        }
    }
    let any = |of: &str| letters.contains(|letter: char| of.contains(letter));
    let is_search = any("S") && any("silg") && !any("yu") || any("F") && !any("y");
    let is_act = match letters.is_empty() {
        true => bare,
        false => !any("QTVhp") && !is_search,
    };
    if is_act { Told::Act } else { Told::Ask }
}

/// Whether a program is a package manager by its name, whatever it is told to do.
pub fn is_package_manager(program: &str) -> bool {
    find(base_name(program)).is_some()
}
