//! Interpreters of programming languages: a package manager is a module or a script of theirs, or a call in code that
//! was given as an argument.

mod python;

use super::managers::{self, Told};
use super::name::base_name;
use super::options::{CUT, Item, Options, Scan, is_cut};
use super::{Reading, package_manager};

/// One interpreter.
struct Interpreter {
    /// Its names; versions and what Debian puts behind them may follow.
    names: &'static [&'static str],
    options: Options,
    /// Options whose value is code.
    code: &'static [&'static str],
    /// Options that name a script.
    file: &'static [&'static str],
    /// What code says that installs something.
    installs: &'static [&'static str],
}

const INTERPRETERS: &[Interpreter] = &[
    // nodejs.
    Interpreter {
        names: &["node", "nodejs"],
        options: Options {
            flags: "cihv",
            valued: "eprC",
            long_flags: "check interactive no-warnings trace-warnings enable-source-maps expose-gc inspect inspect-brk \
            preserve-symlinks use-openssl-ca use-system-ca no-deprecation abort-on-uncaught-exception",
            long_valued: "eval print require import conditions loader experimental-loader input-type title icu-data-dir \
            stack-trace-limit env-file max-old-space-size unhandled-rejections",
        },
        code: &["e", "eval", "p", "print"],
        file: &[],
        installs: &[
            "require('npm')",
            "require(\"npm\")",
            "npm-cli",
            "npx-cli",
            "yarn.js",
            "pnpm.cjs",
            "@npmcli/arborist",
        ],
    },
    // ruby.
    Interpreter {
        names: &["ruby", "jruby"],
        options: Options {
            flags: "acdhlnpsSvwy",
            valued: "CeEFIrTWx",
            long_flags: "verbose version yjit jit disable-gems",
            long_valued: "encoding external-encoding internal-encoding",
        },
        code: &["e"],
        file: &[],
        installs: &[
            "GemRunner",
            "Gem.install",
            "Gem::DependencyInstaller",
            "Bundler::CLI",
            "Bundler::Installer",
            "gemfile(",
        ],
    },
    // perl. `-i`, `-0` and others may have a value behind them, never in the next word.
    Interpreter {
        names: &["perl"],
        options: Options {
            flags: "acdflnpsStTuUvwWXCDFVix0",
            valued: "eEIMm",
            ..Options::NONE
        },
        code: &["e", "E", "M", "m"],
        file: &[],
        installs: &["CPAN", "App::cpanminus", "App::Cpan", "App::cpm"],
    },
    // php-cli.
    Interpreter {
        names: &["php"],
        options: Options {
            flags: "aCehHilmnqsvw",
            valued: "bcdfFBRErtSz",
            ..Options::NONE
        },
        code: &["r", "B", "R", "E"],
        file: &["f", "F"],
        installs: &["Composer\\", "composer.phar", "pearcmd"],
    },
    // lua5.4.
    Interpreter {
        names: &["lua", "luajit"],
        options: Options {
            flags: "ivEW",
            valued: "elbjO",
            ..Options::NONE
        },
        code: &["e", "l"],
        file: &[],
        installs: &["luarocks.cmd", "luarocks.loader.install", "luarocks.core.install"],
    },
];

/// Reads the arguments of an interpreter, if the program is one.
pub(super) fn read(program: &str, arguments: &[&str]) -> Option<Reading> {
    let name = base_name(program);
    if python::NAMES.iter().any(|one| is_called(name, one)) {
        return Some(python::read(program, arguments));
    }
    let interpreter = INTERPRETERS
        .iter()
        .find(|one| one.names.iter().any(|called| is_called(name, called)))?;
    Some(interpreter.read(program, arguments))
}

/// `python3.11`, `python3.11d`, `perl5.36-x86_64-linux-gnu`, `python3-intel64`.
pub(super) fn is_called(name: &str, interpreter: &str) -> bool {
    name.strip_prefix(interpreter).is_some_and(|rest| {
        let version = rest.trim_start_matches(|any: char| any.is_ascii_digit() || any == '.');
        version.is_empty() || version.len() < rest.len() && (version.starts_with('-') || version.len() == 1)
    })
}

impl Interpreter {
    fn read(&self, program: &str, arguments: &[&str]) -> Reading {
        let mut scan = Scan::new(&self.options, arguments);
        let mut is_unknown = false;
        let mut has_code = false;
        while let Some(item) = scan.next() {
            match item {
                Item::Cut => return Reading::Cut(program.to_owned()),
                Item::Option { name, value, .. } if self.code.contains(&name) => {
                    let code = value.unwrap_or_default();
                    has_code = true;
                    if self.installs.iter().any(|word| code.contains(word)) {
                        return package_manager(program);
                    }
                    if is_cut(code) {
                        return Reading::Cut(program.to_owned());
                    }
                }
                Item::Option {
                    name,
                    value: Some(file),
                    ..
                } if self.file.contains(&name) => {
                    return read_script(file, scan.rest);
                }
                Item::Option { is_known, value, .. } => is_unknown = !is_known && value.is_none(),
                Item::Operand => {
                    let script = scan.operand().unwrap_or_default();
                    if script == "-" && !has_code {
                        return Reading::Unreadable(program.to_owned());
                    }
                    if has_code {
                        return Reading::Other;
                    }
                    return match (read_script(script, scan.rest), scan.rest) {
                        // It may have been the value of an option that is not known.
                        (Reading::Other, [script, rest @ ..]) if is_unknown => read_script(script, rest),
                        (reading, _) => reading,
                    };
                }
            }
        }
        Reading::Other
    }
}

/// A script that is a package manager by its path.
fn read_script(script: &str, arguments: &[&str]) -> Reading {
    if is_cut(script) {
        return Reading::Cut(script.trim_end_matches(CUT).to_owned());
    }
    let name = base_name(script);
    let name = [".rb", ".pl", ".php", ".lua"]
        .iter()
        .find_map(|suffix| name.strip_suffix(suffix))
        .unwrap_or(name);
    match managers::find(name) {
        Some((manager, _)) => told(script, manager.told(arguments)),
        None => Reading::Other,
    }
}

/// What it means that a package manager was told something, where its name is sure.
fn told(program: &str, told: Told) -> Reading {
    match told {
        Told::Ask | Told::Other => Reading::Other,
        Told::Act => package_manager(program),
        Told::Cut => Reading::Cut(program.to_owned()),
    }
}
