//! Which program an argument vector runs: shells and package managers, seen through their wrappers.
//!
//! The lists are data, so that a reader can check them in one place.

/// Command interpreters, by base name.
const SHELLS: &[&str] = &[
    "sh",
    "ash",
    "bash",
    "busybox.static-sh",
    "csh",
    "dash",
    "elvish",
    "fish",
    "hush",
    "ksh",
    "ksh93",
    "lksh",
    "mksh",
    "nu",
    "osh",
    "pdksh",
    "posh",
    "pwsh",
    "powershell",
    "rbash",
    "rksh",
    "rzsh",
    "sash",
    "tcsh",
    "xonsh",
    "yash",
    "zsh",
    // Not interpreters themselves: they hand their command to one, always.
    "su",
    "script",
    "watch",
];

/// Programs that hold many others and choose by their first argument or by the name they are called by.
const MULTI_CALL: &[&str] = &["busybox", "toybox"];

/// Package managers by base name, and the first arguments with which they only answer.
const PACKAGE_MANAGERS: &[(&str, &[&str])] = &[
    (
        "apk",
        &[
            "info", "list", "search", "version", "policy", "stats", "audit", "verify",
        ],
    ),
    (
        "apt",
        &["list", "show", "search", "policy", "depends", "rdepends"],
    ),
    ("apt-get", &["indextargets"]),
    ("aptitude", &["search", "show", "versions", "why", "why-not"]),
    ("conda", &["list", "info", "search"]),
    (
        "dnf",
        &[
            "list",
            "info",
            "search",
            "repoquery",
            "provides",
            "repolist",
            "check",
        ],
    ),
    (
        "dnf5",
        &[
            "list",
            "info",
            "search",
            "repoquery",
            "provides",
            "repolist",
            "check",
        ],
    ),
    (
        "dpkg",
        &[
            "-l",
            "-L",
            "-s",
            "-S",
            "-p",
            "-V",
            "-C",
            "--list",
            "--listfiles",
            "--status",
            "--search",
            "--verify",
            "--audit",
            "--print-avail",
            "--print-architecture",
            "--print-foreign-architectures",
            "--get-selections",
            "--compare-versions",
        ],
    ),
    ("easy_install", &[]),
    ("flatpak", &["list", "info", "search"]),
    ("gem", &["list", "info", "search", "environment"]),
    ("mamba", &["list", "info", "search"]),
    ("microdnf", &["repoquery", "repolist"]),
    ("micromamba", &["list", "info", "search"]),
    ("nix-env", &["-q", "--query"]),
    ("npm", &["ls", "list", "view", "outdated"]),
    ("npx", &[]),
    (
        "opkg",
        &["list", "list-installed", "info", "status", "files", "search"],
    ),
    ("pacman", &["-Q", "-Qi", "-Ql", "-Qo", "-Qs"]),
    (
        "pip",
        &[
            "list", "show", "freeze", "check", "inspect", "debug", "config", "index", "help",
        ],
    ),
    ("pipenv", &["graph", "verify"]),
    ("pipx", &["list"]),
    ("pnpm", &["ls", "list", "why"]),
    ("poetry", &["show", "check"]),
    (
        "rpm",
        &["-q", "-qa", "-qi", "-ql", "-qf", "-V", "--query", "--verify"],
    ),
    ("snap", &["list", "info", "find"]),
    ("tdnf", &["list", "info", "search", "repoquery", "repolist"]),
    ("uv", &["version", "tree"]),
    ("yarn", &["list", "info", "why"]),
    (
        "yum",
        &["list", "info", "search", "repoquery", "provides", "repolist"],
    ),
    ("zypper", &["info", "search", "list-updates", "packages"]),
];

/// First arguments with which every package manager only answers.
const ONLY_ASKS: &[&str] = &["--version", "-V", "--help", "-h", "version", "help"];

/// A program that runs the program named by its arguments.
struct Wrapper {
    name: &'static str,
    /// Short options without and with a value.
    flags: &'static str,
    valued: &'static str,
    /// Long options without and with a value.
    long_flags: &'static [&'static str],
    long_valued: &'static [&'static str],
    /// How many operands come before the program.
    operands: usize,
}

const fn wrapper(name: &'static str, flags: &'static str, valued: &'static str, operands: usize) -> Wrapper {
    Wrapper {
        name,
        flags,
        valued,
        long_flags: &[],
        long_valued: &[],
        operands,
    }
}

const WRAPPERS: &[Wrapper] = &[
    Wrapper {
        long_flags: &["ignore-environment", "debug"],
        long_valued: &["unset", "chdir", "argv0"],
        ..wrapper("env", "iv", "uCa", 0)
    },
    wrapper("tini", "svgw", "pe", 0),
    wrapper("tini-static", "svgw", "pe", 0),
    wrapper("docker-init", "svgw", "pe", 0),
    wrapper("catatonit", "P", "g", 0),
    Wrapper {
        long_flags: &["single-child", "verbose"],
        long_valued: &["rewrite"],
        ..wrapper("dumb-init", "cv", "r", 0)
    },
    Wrapper {
        long_valued: &["adjustment"],
        ..wrapper("nice", "0123456789", "n", 0)
    },
    Wrapper {
        long_valued: &["class", "classdata"],
        ..wrapper("ionice", "t", "cn", 0)
    },
    wrapper("nohup", "", "", 0),
    Wrapper {
        long_flags: &["ctty", "fork", "wait"],
        ..wrapper("setsid", "cfw", "", 0)
    },
    Wrapper {
        long_valued: &["input", "output", "error"],
        ..wrapper("stdbuf", "", "ioe", 0)
    },
    Wrapper {
        long_flags: &["preserve-status", "foreground", "verbose"],
        long_valued: &["kill-after", "signal"],
        ..wrapper("timeout", "vfp", "ks", 1)
    },
    wrapper("taskset", "ac", "", 1),
    wrapper("chrt", "abfior", "TPD", 1),
    Wrapper {
        long_valued: &["userspec", "groups"],
        ..wrapper("chroot", "", "", 1)
    },
    wrapper("su-exec", "", "", 1),
    wrapper("gosu", "", "", 1),
    Wrapper {
        long_flags: &["set-home", "preserve-env", "non-interactive"],
        long_valued: &["user", "group", "host", "chdir"],
        ..wrapper("sudo", "HEnSbk", "ughCDR", 0)
    },
    wrapper("doas", "nL", "uC", 0),
    wrapper("time", "pv", "of", 0),
];

/// Programs that run what their arguments name, in ways that are not followed here.
const UNREADABLE_WRAPPERS: &[&str] = &[
    "at",
    "batch",
    "bwrap",
    "capsh",
    "entr",
    "expect",
    "find",
    "firejail",
    "flock",
    "fork",
    "logsave",
    "ltrace",
    "nsenter",
    "parallel",
    "prlimit",
    "proot",
    "runcon",
    "runuser",
    "setarch",
    "setpriv",
    "s6-setuidgid",
    "start-stop-daemon",
    "strace",
    "systemd-run",
    "unshare",
    "xargs",
];

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

fn read_words(argv: &[&str]) -> Reading {
    let [program, arguments @ ..] = argv else {
        return Reading::Other;
    };
    let name = base_name(program);
    if MULTI_CALL.iter().any(|multi| is_called(name, multi)) {
        return read_words(arguments);
    }
    if is_shell(name) {
        return Reading::Shell((*program).to_owned());
    }
    if let Some((_, asks)) = PACKAGE_MANAGERS
        .iter()
        .find(|(manager, _)| is_called(name, manager))
    {
        return read_package_manager(program, asks, arguments);
    }
    if is_called(name, "python") {
        return read_python(arguments);
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
    if wrapper.name == "env" {
        return read_env(program, wrapper, arguments);
    }
    after_options(arguments, wrapper).map_or_else(|| unreadable(program), read_words)
}

fn unreadable(program: &str) -> Reading {
    Reading::Unreadable(program.to_owned())
}

/// The last component of a path, without the dash of a login shell.
fn base_name(program: &str) -> &str {
    program
        .rsplit('/')
        .next()
        .unwrap_or(program)
        .trim_start_matches('-')
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

const LOADER: Wrapper = Wrapper {
    long_flags: &[
        "inhibit-cache",
        "list",
        "verify",
        "list-tunables",
        "list-diagnostics",
        "help",
        "version",
    ],
    long_valued: &[
        "library-path",
        "inhibit-rpath",
        "preload",
        "audit",
        "argv0",
        "glibc-hwcaps-prepend",
        "glibc-hwcaps-mask",
    ],
    ..wrapper("ld-linux", "", "LE0", 0)
};

/// A dynamic loader or an emulator counts as what it loads.
fn is_loader(name: &str) -> bool {
    let loader = ["ld-linux", "ld-musl", "ld64.so", "ld.so"]
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
    let Some(mut rest) = after_options(arguments, wrapper) else {
        return unreadable(program);
    };
    while let [assignment, others @ ..] = rest
        && assignment.contains('=')
    {
        rest = others;
    }
    read_words(rest)
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
