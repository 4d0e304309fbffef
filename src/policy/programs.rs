//! Which program an argument vector runs: shells and package managers, seen through their wrappers.
//!
//! What is a shell, a package manager or a wrapper is data, in `lists.rs`.

mod lists;

use lists::{
    LOADER, MULTI_CALL, ONLY_ASKS, PACKAGE_MANAGERS, RUN_SHELLS, SHELLS, UNREADABLE_WRAPPERS, WRAPPERS,
    Wrapper,
};

/// What an argument vector runs, as far as it can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// A program that is neither shell nor package manager.
    Other,
    /// A shell, as named in the arguments.
    Shell(String),
    /// A package manager that does more than answer, as named in the arguments.
    PackageManager(String),
    /// A wrapper that cannot be seen through, as named in the arguments.
    Unreadable(String),
}

/// Reads an argument vector as an engine gives it to the kernel.
pub fn read(argv: &[String]) -> Reading {
    let words: Vec<&str> = argv.iter().map(String::as_str).collect();
    read_words(&words)
}

/// Reads an argument vector as the kernel was given it.
///
/// A wrapper is nothing by itself, since the kernel is given what it runs too. What a loader loads never is: it must be
/// read here, and where it is no shell by name, nobody knows what it is.
pub fn read_started(argv: &[&str]) -> Reading {
    let Some((program, arguments)) = argv.split_first() else {
        return Reading::Other;
    };
    if is_loader(base_name(program)) {
        read_loader(program, arguments)
    } else {
        read_itself(program, arguments, read_started).unwrap_or(Reading::Other)
    }
}

/// Reads what a dynamic loader was told to load, whatever it is called itself.
pub fn read_loader(program: &str, arguments: &[&str]) -> Reading {
    match after_options(arguments, &LOADER) {
        Some([]) => Reading::Other,
        Some(loaded) => match read_started(loaded) {
            Reading::Other => unreadable(program),
            reading => reading,
        },
        None => unreadable(program),
    }
}

/// Whether a program is one that holds many others, and is what it is called by. BusyBox takes any name that begins like
/// its own: `busybox.static`, `busybox-x86_64`.
pub fn is_multi_call(program: &str) -> bool {
    let name = base_name(program);
    MULTI_CALL.iter().any(|multi| name.starts_with(multi))
}

fn read_words(argv: &[&str]) -> Reading {
    let Some((program, arguments)) = argv.split_first() else {
        return Reading::Other;
    };
    if let Some(reading) = read_itself(program, arguments, read_words) {
        return reading;
    }
    let name = base_name(program);
    if RUN_SHELLS.iter().any(|runner| is_called(name, runner)) {
        return Reading::Shell((*program).to_owned());
    }
    if is_loader(name) {
        return after_options(arguments, &LOADER).map_or_else(|| unreadable(program), read_words);
    }
    if UNREADABLE_WRAPPERS.contains(&name) {
        return unreadable(program);
    }
    let Some(wrapper) = WRAPPERS.iter().find(|wrapper| wrapper.name == name) else {
        return Reading::Other;
    };
    match wrapper.name {
        "env" => read_env(program, wrapper, arguments),
        "sudo" => {
            after_options(arguments, wrapper).map_or_else(|| unreadable(program), read_after_assignments)
        }
        _ => after_options(arguments, wrapper).map_or_else(|| unreadable(program), read_words),
    }
}

/// Reads a program that is what it is by itself; `None` where it may be a wrapper. `applet` reads what a multi-call
/// program is told to be.
fn read_itself(program: &str, arguments: &[&str], applet: fn(&[&str]) -> Reading) -> Option<Reading> {
    let name = base_name(program);
    if is_multi_call(program) {
        return Some(applet(arguments));
    }
    if is_shell(name) {
        return Some(Reading::Shell(program.to_owned()));
    }
    let is_manager = |(manager, _): &&(&str, &[&str])| is_called(name, manager);
    if let Some((_, asks)) = PACKAGE_MANAGERS.iter().find(is_manager) {
        return Some(read_package_manager(program, asks, arguments));
    }
    is_called(name, "python").then(|| read_python(arguments))
}

fn unreadable(program: &str) -> Reading {
    Reading::Unreadable(program.to_owned())
}

/// The last component of a path, without the dash of a login shell.
pub fn base_name(program: &str) -> &str {
    program
        .rsplit('/')
        .next()
        .unwrap_or(program)
        .trim_start_matches('-')
}

/// Whether a program is a package manager, whatever it is told to do.
pub fn is_package_manager(program: &str) -> bool {
    let name = base_name(program);
    PACKAGE_MANAGERS
        .iter()
        .any(|(manager, _)| is_called(name, manager))
}

/// Whether a base name is a shell's.
pub fn is_shell(name: &str) -> bool {
    SHELLS.iter().any(|shell| is_called(name, shell))
}

/// Whether `name` is `program`, perhaps with a version or `-static` behind it: `bash`, `bash5`, `bash-5.2`, `pip3.11`.
fn is_called(name: &str, program: &str) -> bool {
    let Some(rest) = name.strip_prefix(program) else {
        return false;
    };
    let rest = rest.strip_suffix("-static").unwrap_or(rest);
    let version = rest.strip_prefix('-').unwrap_or(rest);
    rest.is_empty()
        || version.starts_with(|first: char| first.is_ascii_digit())
            && version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

fn read_package_manager(program: &str, asks: &[&str], arguments: &[&str]) -> Reading {
    // Without arguments it prints its usage.
    let only_asks = arguments
        .first()
        .is_none_or(|first| asks.contains(first) || ONLY_ASKS.contains(first));
    if only_asks {
        Reading::Other
    } else {
        Reading::PackageManager(program.to_owned())
    }
}

fn read_python(mut arguments: &[&str]) -> Reading {
    loop {
        match arguments {
            ["-m", module, rest @ ..] => return read_python_module(module, rest),
            ["-c" | "-", ..] | [] => return Reading::Other,
            ["-X" | "-W" | "--check-hash-based-pycs", _, rest @ ..] => arguments = rest,
            [option, rest @ ..] if option.starts_with('-') => {
                // `-Im pip` and `-mpip` are spellings of `-m pip`.
                if let Some((flags, module)) = option[1..].split_once('m')
                    && flags.bytes().all(|flag| b"bBdEiIOPqsSuvx".contains(&flag))
                {
                    return match (module, rest) {
                        ("", [module, rest @ ..]) => read_python_module(module, rest),
                        (module, rest) => read_python_module(module, rest),
                    };
                }
                arguments = rest;
            }
            [script, rest @ ..] => return read_python_module(script.trim_end_matches("/__main__.py"), rest),
        }
    }
}

/// A module or a script: pip is run either way.
fn read_python_module(module: &str, arguments: &[&str]) -> Reading {
    let name = base_name(module).trim_end_matches(".py");
    let name = name.trim_end_matches(".pyz").trim_end_matches(".__main__");
    match PACKAGE_MANAGERS
        .iter()
        .find(|(manager, _)| is_called(name, manager))
    {
        Some((_, asks)) => read_package_manager(module, asks, arguments),
        None if name == "ensurepip" => Reading::PackageManager(module.to_owned()),
        None => Reading::Other,
    }
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

fn read_env(program: &str, wrapper: &Wrapper, arguments: &[&str]) -> Reading {
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
    after_options(arguments, wrapper).map_or_else(|| unreadable(program), read_after_assignments)
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

/// What follows a wrapper's options and operands; `None` when an option is unknown, since it may take a value.
fn after_options<'a>(mut arguments: &'a [&'a str], wrapper: &Wrapper) -> Option<&'a [&'a str]> {
    while let [word, rest @ ..] = arguments {
        if *word == "--" {
            arguments = rest;
            break;
        }
        if let Some(long) = word.strip_prefix("--") {
            let (name, attached) = long
                .split_once('=')
                .map_or((long, false), |(name, _)| (name, true));
            arguments =
                if wrapper.long_flags.contains(&name) || (attached && wrapper.long_valued.contains(&name)) {
                    rest
                } else if wrapper.long_valued.contains(&name) {
                    rest.get(1..)?
                } else {
                    return None;
                };
        } else if let Some(short) = word.strip_prefix('-').filter(|short| !short.is_empty()) {
            arguments = match short
                .char_indices()
                .find(|(_, flag)| !wrapper.flags.contains(*flag))
            {
                None => rest,
                Some((at, flag)) if wrapper.valued.contains(flag) => {
                    if at + flag.len_utf8() == short.len() {
                        rest.get(1..)?
                    } else {
                        rest
                    }
                }
                Some(_) => return None,
            };
        } else {
            break;
        }
    }
    arguments.get(wrapper.operands..)
}

#[cfg(test)]
#[path = "programs_tests.rs"]
mod tests;
