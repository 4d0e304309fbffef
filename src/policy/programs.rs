//! Which program an argument vector runs: shells and package managers, seen through their wrappers.
//!
//! What is a shell, a package manager, an interpreter or a wrapper is data, in the modules below.

mod escapes;
mod interpreters;
mod managers;
mod name;
mod options;
mod shells;
mod wrappers;

use managers::Told;
use name::By;
use options::{CUT, Item, Scan, has, is_cut};
use shells::{MULTI_CALL, RUN_SHELLS, SCRIPTED, SHELLS};
use wrappers::{LOADER, UNREADABLE_WRAPPERS, WRAPPERS, Wrapper};

pub use escapes::has_escape;
pub use managers::is_package_manager;
pub use name::base_name;

/// What an argument vector runs, as far as it can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// A program that is neither shell nor package manager.
    Other,
    /// A program of which arguments matter that were not kept, as named in the arguments.
    Cut(String),
    /// A wrapper that cannot be seen through, or a name that too many programs have, as named in the arguments.
    Unreadable(String),
    /// A package manager that does more than answer, as named in the arguments.
    PackageManager(String),
    /// A shell, as named in the arguments.
    Shell(String),
}

impl Reading {
    /// The graver of two, and the first of equals.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        if other.gravity() > self.gravity() {
            other
        } else {
            self
        }
    }

    fn gravity(&self) -> u8 {
        match self {
            Self::Other => 0,
            Self::Cut(_) => 1,
            Self::Unreadable(_) => 2,
            Self::PackageManager(_) => 3,
            Self::Shell(_) => 4,
        }
    }
}

/// What is known of a program's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Nothing: there is no file, or nobody read it.
    Unknown,
    /// It is a shell.
    Shell,
    /// It is a package manager.
    PackageManager,
    /// It holds many programs, and is what it is called by.
    MultiCall,
    /// It runs what its arguments name.
    Loader,
    /// It is a script that may be a package manager's.
    ManagerScript,
    /// It is a script that has nothing to do with one.
    Script,
    /// It was read, and is none of these.
    Other,
}

/// As many bytes of one argument as a witness keeps at least.
const KEPT: usize = 2048;

/// Reads an argument vector as an engine gives it to the kernel.
pub fn read(argv: &[String]) -> Reading {
    let words: Vec<&str> = argv.iter().map(String::as_str).collect();
    read_words(&words)
}

/// Reads an argument vector as the kernel was given it, of a program with some content. `is_cut` says that there were
/// more or longer arguments than these.
///
/// A wrapper is nothing by itself, since the kernel is given what it runs too. What a loader loads never is: it must be
/// read here, and where it is no shell by name, nobody knows what it is.
pub fn read_started(argv: &[&str], is_cut: bool, content: Content) -> Reading {
    if !is_cut {
        return read_one(argv, content);
    }
    let last = argv.len().saturating_sub(1);
    let words: Vec<String> = argv
        .iter()
        .enumerate()
        .map(
            |(place, word)| match word.len() >= KEPT || (place == last && place > 0) {
                true => format!("{word}{CUT}"),
                false => (*word).to_owned(),
            },
        )
        .chain([CUT.to_string()])
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    read_one(&words, content)
}

/// Whether a program is one that holds many others, and is what it is called by. BusyBox takes any name that begins like
/// its own: `busybox.static`, `busybox-x86_64`.
pub fn is_multi_call(program: &str) -> bool {
    let name = base_name(program);
    MULTI_CALL.iter().any(|multi| name.starts_with(multi))
}

/// What a program is that lies somewhere and that nobody has started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Present {
    /// A shell.
    Shell,
    /// Many programs in one, a shell among them.
    MultiCall,
    /// A package manager.
    PackageManager,
}

/// What a program of this name and content is, whatever it may be told when it is started.
pub fn present(program: &str, content: Content) -> Option<Present> {
    let name = base_name(program);
    let is_script = matches!(content, Content::Script | Content::ManagerScript);
    if content == Content::MultiCall || is_multi_call(program) && !is_script {
        return Some(Present::MultiCall);
    }
    let is_shell = || matches!(read_shell(program, name, content), Some(Reading::Shell(_)));
    if content == Content::Shell || is_shell() {
        return Some(Present::Shell);
    }
    let is_named = managers::find(name).is_some_and(|(_, by)| {
        let is_another = matches!(
            (by, content),
            (By::Content, Content::Script | Content::Other) | (By::NameUnlessScript, Content::Script)
        );
        !is_another
    });
    (content == Content::PackageManager || is_named).then_some(Present::PackageManager)
}

/// Whether a program runs what its arguments name, by its own name.
pub fn is_wrapper(program: &str) -> bool {
    let name = base_name(program);
    is_loader(name)
        || RUN_SHELLS.contains(&name)
        || UNREADABLE_WRAPPERS.contains(&name)
        || WRAPPERS.iter().any(|wrapper| wrapper.name == name)
}

/// What a wrapper starts, as far as it can be seen through; none for what is no wrapper.
pub fn wrapped(argv: &[String]) -> Option<Vec<String>> {
    let words: Vec<&str> = argv.iter().map(String::as_str).collect();
    let (program, arguments) = words.split_first()?;
    let name = base_name(program);
    let wrapper = match is_loader(name) {
        true => &LOADER,
        false => WRAPPERS.iter().find(|wrapper| wrapper.name == name)?,
    };
    let After::Words(mut rest) = after_options(arguments, wrapper) else {
        return None;
    };
    if matches!(name, "env" | "sudo") {
        while let [assignment, others @ ..] = rest
            && (assignment.contains('=') || *assignment == "-")
        {
            rest = others;
        }
    }
    Some(rest.iter().map(|&word| word.to_owned()).collect())
}

/// Reads one program that was started.
fn read_one(argv: &[&str], content: Content) -> Reading {
    let Some((program, arguments)) = argv.split_first() else {
        return Reading::Other;
    };
    if is_cut(program) {
        return Reading::Cut(program.trim_end_matches(CUT).to_owned());
    }
    match content {
        Content::Shell => Reading::Shell((*program).to_owned()),
        Content::Loader => read_loader(program, arguments),
        // What it is called by is no file's name.
        Content::MultiCall if is_multi_call(program) => read_one(arguments, Content::MultiCall),
        Content::Unknown | Content::Other if is_loader(base_name(program)) => read_loader(program, arguments),
        _ => read_itself(program, arguments, content, |applet| {
            read_one(applet, Content::MultiCall)
        })
        .unwrap_or(Reading::Other),
    }
}

/// Reads what a dynamic loader was told to load, whatever it is called itself.
fn read_loader(program: &str, arguments: &[&str]) -> Reading {
    match after_options(arguments, &LOADER) {
        After::Answer | After::Words([]) => Reading::Other,
        After::Words(loaded) => match read_one(loaded, Content::Unknown) {
            Reading::Other => unreadable(program),
            reading => reading,
        },
        After::Unknown => unreadable(program),
        After::Cut => Reading::Cut(program.to_owned()),
    }
}

fn read_words(argv: &[&str]) -> Reading {
    let Some((program, arguments)) = argv.split_first() else {
        return Reading::Other;
    };
    if let Some(reading) = read_itself(program, arguments, Content::Unknown, read_words) {
        return reading;
    }
    let name = base_name(program);
    if RUN_SHELLS.contains(&name) {
        return Reading::Shell((*program).to_owned());
    }
    if is_loader(name) {
        return read_after(program, after_options(arguments, &LOADER), read_words);
    }
    if UNREADABLE_WRAPPERS.contains(&name) {
        return unreadable(program);
    }
    let Some(wrapper) = WRAPPERS.iter().find(|wrapper| wrapper.name == name) else {
        return Reading::Other;
    };
    let after = after_options(arguments, wrapper);
    match wrapper.name {
        "env" => read_env(program, wrapper, arguments),
        "sudo" => read_after(program, after, read_after_assignments),
        // Alone, it starts a shell.
        "chroot" if matches!(after, After::Words([])) => Reading::Shell((*program).to_owned()),
        _ => read_after(program, after, read_words),
    }
}

/// Reads a program that is what it is by itself; `None` where it may be a wrapper. `applet` reads what a multi-call
/// program is told to be.
fn read_itself(
    program: &str,
    arguments: &[&str],
    content: Content,
    applet: impl Fn(&[&str]) -> Reading,
) -> Option<Reading> {
    let name = base_name(program);
    let is_script = matches!(content, Content::Script | Content::ManagerScript);
    if is_multi_call(program) && !is_script {
        return Some(applet(arguments));
    }
    if let Some(reading) = read_shell(program, name, content) {
        return Some(reading);
    }
    if let Some((manager, by)) = managers::find(name) {
        return Some(read_manager(program, manager.told(arguments), by, content));
    }
    if content == Content::PackageManager {
        return Some(match managers::told_nameless(arguments) {
            Told::Act => package_manager(program),
            Told::Cut => Reading::Cut(program.to_owned()),
            Told::Ask | Told::Other => Reading::Other,
        });
    }
    interpreters::read(program, arguments)
}

/// Reads a program as a shell by its name; `None` where it has no shell's name.
fn read_shell(program: &str, name: &str, content: Content) -> Option<Reading> {
    let shell = SHELLS.iter().find(|shell| shell.is(name))?;
    Some(match (content, shell.by) {
        (Content::PackageManager, _) => return None,
        (Content::Script | Content::ManagerScript, _) if !SCRIPTED.contains(&shell.name) => Reading::Other,
        (Content::Other, By::Content) => Reading::Other,
        (Content::Unknown, By::Content) => unreadable(program),
        _ => Reading::Shell(program.to_owned()),
    })
}

/// Reads a program that has a package manager's name, and was told something.
fn read_manager(program: &str, told: Told, by: By, content: Content) -> Reading {
    match (told, by) {
        (Told::Ask, _) => Reading::Other,
        (_, By::Content) if matches!(content, Content::Script | Content::Other) => Reading::Other,
        (_, By::NameUnlessScript) if content == Content::Script => Reading::Other,
        (Told::Cut, _) => Reading::Cut(program.to_owned()),
        (Told::Act, _) => package_manager(program),
        (Told::Other, By::Content) if content == Content::Unknown => unreadable(program),
        (Told::Other, _) => Reading::Other,
    }
}

fn unreadable(program: &str) -> Reading {
    Reading::Unreadable(program.to_owned())
}

fn package_manager(program: &str) -> Reading {
    Reading::PackageManager(program.to_owned())
}

/// A dynamic loader or an emulator counts as what it loads.
fn is_loader(name: &str) -> bool {
    // `ld-2.31.so` is what `ld-linux-x86-64.so.2` was a link to; musl's is its C library.
    let loader = name.starts_with("ld-") && name.contains(".so")
        || ["ld64.so", "ld.so", "libc.so", "libc.musl-"]
            .iter()
            .any(|loader| name.starts_with(loader));
    loader || (name.starts_with("qemu-") && !name.starts_with("qemu-system") && !name.starts_with("qemu-img"))
}

fn read_env(program: &str, wrapper: &'static Wrapper, arguments: &[&str]) -> Reading {
    let split = arguments
        .iter()
        .take_while(|word| word.starts_with('-') && **word != "--")
        .find_map(|word| {
            let rest = word.strip_prefix("--split-string").or_else(|| {
                word.strip_prefix("-")
                    .filter(|rest| !rest.starts_with('-'))
                    .and_then(|rest| rest.split_once('S'))
                    .map(|(_, rest)| rest)
            })?;
            Some((rest.trim_start_matches('='), *word))
        });
    if let Some((attached, option)) = split {
        let after = arguments.iter().skip_while(|word| **word != option).skip(1);
        let mut words: Vec<&str> = Vec::new();
        let mut after: Vec<&str> = after.copied().collect();
        let line = if attached.is_empty() && !after.is_empty() {
            after.remove(0)
        } else {
            attached
        };
        // Quotes, escapes and variables are env's own little language.
        if line.contains(['\'', '"', '\\', '$', '#']) {
            return unreadable(program);
        }
        words.extend(line.split_whitespace());
        words.extend(after);
        return read_env(program, wrapper, &words);
    }
    // `env - …` is `env -i …`.
    match after_options(arguments, wrapper) {
        After::Words(["-", words @ ..]) => read_after_assignments(words),
        after => read_after(program, after, read_after_assignments),
    }
}

/// Reads what follows the variables that `env` and `sudo` set.
fn read_after_assignments(mut words: &[&str]) -> Reading {
    while let [assignment, others @ ..] = words
        && assignment.contains('=')
    {
        words = others;
    }
    read_words(words)
}

fn read_after(program: &str, after: After<'_>, read: impl Fn(&[&str]) -> Reading) -> Reading {
    match after {
        After::Words(words) => read(words),
        After::Answer => Reading::Other,
        After::Unknown => unreadable(program),
        After::Cut => Reading::Cut(program.to_owned()),
    }
}

/// What follows a wrapper's options and operands.
enum After<'a> {
    Words(&'a [&'a str]),
    /// Nothing: with these options it only answers.
    Answer,
    /// An option is unknown, and may take a value; or there is too little.
    Unknown,
    /// What was kept ends before.
    Cut,
}

fn after_options<'a>(arguments: &'a [&'a str], wrapper: &'static Wrapper) -> After<'a> {
    let mut scan = Scan::new(&wrapper.options, arguments);
    for item in scan.by_ref() {
        match item {
            Item::Cut => return After::Cut,
            Item::Operand => break,
            Item::Option { name, .. } if has(wrapper.answers, name) => return After::Answer,
            Item::Option {
                name,
                is_known: true,
                value,
                ..
            } => {
                // A value that is missing.
                if value.is_none() && wrapper.options.needs_value(name) {
                    return After::Unknown;
                }
            }
            Item::Option { .. } => return After::Unknown,
        }
    }
    match scan.rest.get(wrapper.operands..) {
        Some(rest) => After::Words(rest),
        None => After::Unknown,
    }
}

#[cfg(test)]
#[path = "programs_tests.rs"]
mod tests;
