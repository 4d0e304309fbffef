//! Python: `python -m pip`, `python …/pip/__main__.py`, `python -c "import pip …"`.

use super::super::managers;
use super::super::name::base_name;
use super::super::options::{CUT, Item, Options, Scan, is_cut};
use super::super::{Reading, package_manager};
use super::told;

pub(super) const NAMES: &[&str] = &["python", "pypy", "micropython", "graalpy"];

/// As CPython's `Python/getopt.c` has them.
const PYTHON: Options = Options {
    flags: "bBdEhiIJOPqRsStuvVx?",
    valued: "cmWX",
    long_flags: "help help-all help-env help-xoptions version",
    long_valued: "check-hash-based-pycs",
};

/// Modules that run what their arguments name, as Python itself would read it: how many words come before.
const RUNNERS: &[(&str, usize, Options)] = &[
    ("runpy", 0, Options::NONE),
    ("cProfile", 0, PROFILE),
    ("profile", 0, PROFILE),
    (
        "pdb",
        0,
        Options {
            valued: "cm",
            ..Options::NONE
        },
    ),
    (
        "trace",
        0,
        Options {
            flags: "tcrTlgRsh",
            valued: "Cf",
            long_flags: "trace count report trackcalls listfuncs no-report summary missing timing module",
            long_valued: "file coverdir ignore-module ignore-dir",
        },
    ),
    (
        "coverage",
        1,
        Options {
            flags: "aLmpq",
            valued: "",
            long_flags: "append branch parallel-mode pylib timid module",
            long_valued: "concurrency context data-file include omit rcfile source",
        },
    ),
    (
        "debugpy",
        0,
        Options {
            flags: "",
            valued: "m",
            long_flags: "wait-for-client configure-subProcess",
            long_valued: "listen connect pid log-to",
        },
    ),
];

const PROFILE: Options = Options {
    valued: "osm",
    long_valued: "outfile sort",
    ..Options::NONE
};

/// Modules and scripts that install something whatever they are told, but for help.
const INSTALLERS: &[&str] = &[
    "ensurepip",
    "get-pip",
    "get_pip",
    "ez_setup",
    "virtualenv",
    "install-poetry",
    "get-poetry",
];
/// Modules that are shells.
const SHELLS: &[&str] = &["xonsh", "lshell"];
/// Package managers that are Python modules.
const MODULES: &[&str] = &[
    "conda",
    "easy_install",
    "hatch",
    "mamba",
    "pdm",
    "pip",
    "pipenv",
    "pipx",
    "poetry",
    "rye",
    "uv",
];
/// What code says that makes one of them, or `ensurepip`, do something.
const CALLS: &[&str] = &[
    "_internal",
    "_main",
    "bootstrap",
    "create_command",
    "easy_install",
    "exec_module",
    "install",
    "main",
    "run_module",
    "run_path",
];
/// Calls that load the module that their first argument names.
const LOADS: &[&str] = &[
    "__import__(",
    "_run_module_as_main(",
    "import_module(",
    "run_module(",
    "run_path(",
];

pub(super) fn read(program: &str, arguments: &[&str]) -> Reading {
    let cut = || Reading::Cut(program.to_owned());
    let mut scan = Scan::new(&PYTHON, arguments);
    while let Some(item) = scan.next() {
        match item {
            Item::Cut => return cut(),
            Item::Option { name: "c", value, .. } => {
                let code = value.unwrap_or_default();
                return match read_code(code, scan.rest) {
                    Reading::Other if is_cut(code) => cut(),
                    reading => reading,
                };
            }
            Item::Option { name: "m", value, .. } => {
                return read_module(value.unwrap_or_default(), scan.rest);
            }
            // It prints, and ends.
            Item::Option {
                name: "h" | "V" | "?" | "help" | "version",
                ..
            } => return Reading::Other,
            Item::Option { .. } => {}
            Item::Operand => {
                let script = scan.operand().unwrap_or_default();
                return match script {
                    "-" => Reading::Unreadable(program.to_owned()),
                    script => read_script(script, scan.rest),
                };
            }
        }
    }
    Reading::Other
}

fn read_module(module: &str, arguments: &[&str]) -> Reading {
    if is_cut(module) {
        return Reading::Cut(module.trim_end_matches(CUT).to_owned());
    }
    let top = module.split('.').next().unwrap_or(module);
    if SHELLS.contains(&top) {
        return Reading::Shell(module.to_owned());
    }
    if let Some((_, operands, options)) = RUNNERS.iter().find(|(runner, ..)| *runner == top) {
        return read_runner(module, arguments, *operands, options);
    }
    // `setuptools.command.easy_install`, `setuptools.launch`.
    let last = module.rsplit('.').next().unwrap_or(module);
    match top {
        "venv" => read_venv(module, arguments),
        "setuptools" if last == "easy_install" => read_named(module, last, arguments),
        // Other languages' package managers are no modules of this one.
        top if MODULES.contains(&top) || INSTALLERS.contains(&top) => read_named(module, top, arguments),
        _ => Reading::Other,
    }
}

/// A package manager by the name of its package or script.
fn read_named(shown: &str, name: &str, arguments: &[&str]) -> Reading {
    if INSTALLERS.contains(&name) {
        return match arguments {
            ["-h" | "--help" | "--version", ..] => Reading::Other,
            _ => package_manager(shown),
        };
    }
    match managers::find(name) {
        Some((manager, _)) => told(shown, manager.told(arguments)),
        None => Reading::Other,
    }
}

/// It installs pip, unless it is told not to.
fn read_venv(module: &str, arguments: &[&str]) -> Reading {
    match arguments {
        [] | ["-h" | "--help", ..] => Reading::Other,
        _ if arguments.contains(&"--without-pip") => Reading::Other,
        _ => package_manager(module),
    }
}

fn read_runner(module: &str, arguments: &[&str], operands: usize, options: &Options) -> Reading {
    let mut scan = Scan::new(options, arguments.get(operands..).unwrap_or_default());
    let mut is_module = module == "runpy";
    while let Some(item) = scan.next() {
        match item {
            Item::Cut => return Reading::Cut(module.to_owned()),
            Item::Option {
                name: "m",
                value: Some(module),
                ..
            } => return read_module(module, scan.rest),
            Item::Option {
                name: "m",
                value: None,
                ..
            } => is_module = true,
            Item::Option { name: "module", .. } => is_module = true,
            Item::Option {
                is_known: false,
                value: None,
                ..
            } => return Reading::Unreadable(module.to_owned()),
            Item::Option { .. } => {}
            Item::Operand => {
                let next = scan.operand().unwrap_or_default();
                return match is_module {
                    true => read_module(next, scan.rest),
                    false => read_script(next, scan.rest),
                };
            }
        }
    }
    Reading::Other
}

/// A script, a folder or an archive: what matters is the package that its path names.
fn read_script(script: &str, arguments: &[&str]) -> Reading {
    if is_cut(script) {
        return Reading::Cut(script.trim_end_matches(CUT).to_owned());
    }
    let name = base_name(script);
    if name == "setup.py" {
        return read_setup(script, arguments);
    }
    // `pip/__main__.py`, `pip/__pip-runner__.py`, `pip/_internal/cli/main.py`, `pip.pyz`, `pip-24.0-py3-none-any.whl`.
    let mut parts = script.trim_end_matches('/').rsplit('/');
    let last = parts.next().unwrap_or_default();
    let last = [".pyz", ".pyc", ".py"]
        .iter()
        .find_map(|suffix| last.strip_suffix(suffix))
        .unwrap_or(last);
    let package = match last {
        _ if last.starts_with("__") => parts.next().unwrap_or_default(),
        _ if last.ends_with(".whl") => last.split('-').next().unwrap_or_default(),
        _ => last,
    };
    let is_own = MODULES.contains(&package) || INSTALLERS.contains(&package);
    if script.ends_with(".py") && !is_own && !is_inner(script) {
        return Reading::Other;
    }
    match read_named(script, package, arguments) {
        Reading::Other if is_inner(script) => read_named(script, "pip", arguments),
        reading => reading,
    }
}

/// Only pip's own files are so deep.
fn is_inner(script: &str) -> bool {
    script.contains("pip/_internal/") || script.contains("pip/_vendor/")
}

/// `setup.py install`, in any place among its commands.
fn read_setup(script: &str, arguments: &[&str]) -> Reading {
    let installs = [
        "install",
        "develop",
        "easy_install",
        "install_lib",
        "install_scripts",
    ];
    match arguments.iter().any(|word| installs.contains(word)) {
        true => package_manager(script),
        false if arguments.iter().any(|word| is_cut(word)) => Reading::Cut(script.to_owned()),
        false => Reading::Other,
    }
}

/// Code installs something if it loads a package manager's module and calls into it.
fn read_code(code: &str, arguments: &[&str]) -> Reading {
    let words: Vec<&str> = code.split(|any: char| !is_of_word(any)).collect();
    let is_loaded = |module: &&str| match *module {
        "setuptools" => words.contains(&"easy_install"),
        module => module == "ensurepip" || MODULES.contains(&module),
    };
    let Some(module) = loaded(code).find(is_loaded) else {
        return Reading::Other;
    };
    if !words.iter().any(|word| CALLS.contains(word)) {
        return Reading::Other;
    }
    // Arguments in the code itself, or else those behind it.
    let is_argument = |text: &&str| *text != "__main__" && text.split('.').next() != Some(module);
    let literals: Vec<&str> = literals(code).filter(is_argument).collect();
    let known = match literals.is_empty() {
        false => literals.as_slice(),
        true if code.contains("main()") || code.contains("run_module(") => arguments,
        true => return package_manager(module),
    };
    match managers::find(module) {
        Some((manager, _)) => told(module, manager.told(known)),
        None => package_manager(module),
    }
}

fn is_of_word(any: char) -> bool {
    any.is_alphanumeric() || any == '_'
}

/// The modules that code loads, also in code within its texts.
fn loaded(code: &str) -> impl Iterator<Item = &str> {
    let statements = code.split([';', '\n', ':', '\'', '"']).map(str::trim_start);
    let imports = statements.flat_map(|statement| {
        let all = statement.strip_prefix("import ").map(|names| names.split(','));
        let one = statement.strip_prefix("from ");
        all.into_iter().flatten().chain(one)
    });
    let calls = LOADS
        .iter()
        .flat_map(move |call| code.split(*call).skip(1))
        .map(|argument| {
            argument.trim_start_matches(|any: char| any.is_whitespace() || any == '\'' || any == '"')
        });
    imports.chain(calls).map(|text| {
        let text = text.trim_start();
        text.split(|any: char| !is_of_word(any))
            .next()
            .unwrap_or_default()
    })
}

/// What stands between quotes.
fn literals(code: &str) -> impl Iterator<Item = &str> {
    let mut rest = code;
    std::iter::from_fn(move || {
        let start = rest.find(['\'', '"'])?;
        let quote = &rest[start..=start];
        let after = &rest[start + 1..];
        let end = after.find(quote)?;
        rest = &after[end + 1..];
        Some(&after[..end])
    })
}
