//! The engines that tests run on: how they are named, and what it means that one is not there. Every test program of
//! this project asks here.
//!
//! - `SHELLPROOF_ENGINES` names them: `NAME=unix:///path`, separated by commas, and `embedded` for the one that is in the binary.
//!   `scripts/engines env` prints such a line.
//! - With none, tests that need one are ignored. With `CI=true` or `SHELLPROOF_REQUIRE_ENGINES` set they fail.
//! - An entry that cannot be read fails, and so does a test that asks for an engine that is not named. Nothing is
//!   skipped in silence.

use std::path::PathBuf;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use shellproof_api::EngineKind;
use shellproof_wire::Endpoint;

/// The engines that `scripts/engines` brings up, in its order.
pub const NAMES: [&str; 6] = crate::on_each_engine!(@all names);

/// Names the engines to test.
pub const ENGINES: &str = "SHELLPROOF_ENGINES";
/// Set it, or `CI=true`, to make it a failure that no engine is named.
pub const REQUIRE_ENGINES: &str = "SHELLPROOF_REQUIRE_ENGINES";

/// An engine under test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Engine {
    /// Its name, which starts with its kind.
    pub name: String,
    /// What it is.
    pub kind: EngineKind,
    /// Where it listens; empty for the one that is in the binary.
    pub socket: PathBuf,
}

impl Engine {
    /// Whether it has a wire to be recorded.
    pub fn listens(&self) -> bool {
        self.kind != EngineKind::Embedded
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// What `--engine` takes.
    pub fn choice(&self) -> String {
        match self.listens() {
            true => format!("{}={}", self.name, self.url()),
            false => self.name.clone(),
        }
    }

    /// Whether it is a Podman.
    pub fn is_podman(&self) -> bool {
        self.kind == EngineKind::Podman
    }

    /// Whether its containers can have a seccomp listener. Docker 20.10 gives nobody one: `tests/engines` shows what
    /// comes of it where nobody gives in.
    pub fn has_kernel_witness(&self) -> bool {
        self.name != "docker-20"
    }
}

/// The engines that [`ENGINES`] names; none where it is not set or empty.
///
/// # Errors
/// Which entry cannot be read, and why.
pub fn engines() -> Result<Vec<Engine>, String> {
    read(&std::env::var(ENGINES).unwrap_or_default())
}

/// The engine of this name.
///
/// # Panics
/// [`ENGINES`] does not name it: a test that cannot run has not passed.
pub fn engine(name: &str) -> Engine {
    assert!(NAMES.contains(&name), "`scripts/engines` has no engine `{name}`");
    let engines = engines().unwrap_or_else(|error| panic!("{error}"));
    let named = engines.into_iter().find(|engine| engine.name == name);
    named.unwrap_or_else(|| panic!("the engine `{name}` is missing: {ENGINES} does not name it"))
}

/// The `main` of a test program that runs on those engines that are `wanted`: `run` gets them, and at least one.
pub fn main(
    wanted: impl Fn(&Engine) -> bool,
    run: impl FnOnce(&Arguments, Vec<Engine>) -> ExitCode,
) -> ExitCode {
    let arguments = Arguments::from_args();
    match engines() {
        Ok(mut engines) => {
            engines.retain(wanted);
            if engines.is_empty() {
                return libtest_mimic::run(&arguments, vec![no_engine(is_required())]).exit_code();
            }
            run(&arguments, engines)
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether it is a failure that something is not there which tests need.
pub fn is_required() -> bool {
    let required = std::env::var_os(REQUIRE_ENGINES).is_some_and(|value| !value.is_empty());
    required || std::env::var("CI").is_ok_and(|ci| ci == "true")
}

/// What stands for all tests where there is no engine for them.
fn no_engine(is_required: bool) -> Trial {
    let fail = || {
        Err(Failed::from(format!(
            "{ENGINES} names no engine for these tests: nothing was tested"
        )))
    };
    Trial::test(format!("no_engine_is_named_in_{ENGINES}"), fail).with_ignored_flag(!is_required)
}

fn read(variable: &str) -> Result<Vec<Engine>, String> {
    let mut engines: Vec<Engine> = Vec::new();
    for entry in variable
        .split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
    {
        if engines.iter().any(|engine| engine.name == entry) {
            return Err(format!("`{entry}` is twice in {ENGINES}"));
        }
        if entry == EngineKind::Embedded.as_str() {
            engines.push(Engine {
                name: entry.to_owned(),
                kind: EngineKind::Embedded,
                socket: PathBuf::new(),
            });
            continue;
        }
        let (name, url) = entry
            .split_once('=')
            .ok_or_else(|| format!("`{entry}` in {ENGINES}: expected `NAME=unix:///path`"))?;
        let kinds = [EngineKind::Docker, EngineKind::Podman];
        let Some(kind) = kinds.into_iter().find(|kind| name.starts_with(kind.as_str())) else {
            return Err(format!(
                "`{name}` in {ENGINES} starts neither with `docker` nor with `podman`"
            ));
        };
        let socket = Endpoint::socket_path(url).map_err(|error| format!("`{name}` in {ENGINES}: {error}"))?;
        if engines.iter().any(|engine| engine.name == name) {
            return Err(format!("`{name}` is twice in {ENGINES}"));
        }
        engines.push(Engine {
            name: name.to_owned(),
            kind,
            socket,
        });
    }
    Ok(engines)
}

/// Makes of `fn some(engine: &str)` a test on each engine, `some::docker_20` and so on; `name => function` gives them
/// another name. They are ignored unless asked for.
#[macro_export]
macro_rules! on_each_engine {
    // The one list of the engines. `$with` is another arm of this macro.
    (@all $with:ident $($given:tt)*) => {
        $crate::on_each_engine! {
            @$with $($given)*
            docker_20 = "docker-20",
            podman_4 = "podman-4",
            podman_4_rootless = "podman-4-rootless",
            docker_26 = "docker-26",
            podman_5 = "podman-5",
            podman_5_rootless = "podman-5-rootless"
        }
    };
    (@names $($ident:ident = $name:literal),*) => { [$($name),*] };
    (@tests $tests:ident $test:expr; $($ident:ident = $name:literal),*) => {
        mod $tests {
            $(
                #[test]
                #[ignore = "needs engines: scripts/test runs it"]
                fn $ident() {
                    let test: fn(&str) = $test;
                    test($name);
                }
            )*
        }
    };
    ($test:ident) => { $crate::on_each_engine! { @all tests $test super::$test; } };
    ($tests:ident => $test:expr) => { $crate::on_each_engine! { @all tests $tests $test; } };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_are_read_with_name_kind_and_socket() {
        let engines = read(" docker-26=unix:///run/d.sock, podman=unix:///run/p.sock,").unwrap();
        let shown: Vec<_> = engines.iter().map(Engine::choice).collect();
        assert_eq!(
            shown,
            ["docker-26=unix:///run/d.sock", "podman=unix:///run/p.sock"]
        );
        assert_eq!(engines[0].kind, EngineKind::Docker);
        assert!(engines[1].is_podman() && engines[1].has_kernel_witness());
        assert!(read("").unwrap().is_empty());
        let embedded = read("embedded").unwrap();
        assert!(embedded[0].choice() == "embedded" && !embedded[0].listens());
        assert!(read("embedded,embedded").is_err());
    }

    #[test]
    fn an_engine_that_cannot_be_meant_is_an_error() {
        for (variable, expected) in [
            (
                "docker",
                "`docker` in SHELLPROOF_ENGINES: expected `NAME=unix:///path`",
            ),
            (
                "auto",
                "`auto` in SHELLPROOF_ENGINES: expected `NAME=unix:///path`",
            ),
            (
                "containerd=unix:///run/c.sock",
                "starts neither with `docker` nor with `podman`",
            ),
            ("docker=tcp://127.0.0.1:1", "`docker` in SHELLPROOF_ENGINES: "),
            (
                "podman=unix:///a,podman=unix:///b",
                "`podman` is twice in SHELLPROOF_ENGINES",
            ),
        ] {
            let error = read(variable).unwrap_err();
            assert!(error.contains(expected), "{variable}: {error}");
        }
    }

    #[test]
    fn with_no_engine_tests_are_ignored_unless_one_is_required() {
        for required in [false, true] {
            let trial = no_engine(required);
            assert_eq!(trial.has_ignored_flag(), !required);
            let conclusion = libtest_mimic::run(&Arguments::default(), vec![trial]);
            assert_eq!(conclusion.has_failed(), required);
        }
    }

    #[test]
    fn these_are_the_engines_that_are_brought_up() {
        let source = include_str!("../../../xtask/src/engines/engine.rs");
        let names = format!("const NAMES: &str = \"{}\";", NAMES.join(" "));
        assert!(source.contains(&names), "no `{names}` in xtask");
    }
}
