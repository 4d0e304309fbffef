//! A supervisor under real engines.
//!
//! | variable | what |
//! |---|---|
//! | `SHELLPROOF_ENGINES` | `NAME=unix:///path`, separated by commas; a name starts with `docker` or `podman` |
//! | `SHELLPROOF_SHARED` | a directory that this process and the engines see at the same path |
//! | `SHELLPROOF_SECCOMP` | Podman's default profile, where it is not at its usual place |
//! | `SHELLPROOF_FIXTURES` | where `tiny.tar`, `python.tar` and `layered.tar` are, for engines that do not have them |
//!
//! Run it as root, or as the user of a rootless engine. `-- --ignored --nocapture` runs the measurements.

mod engine;
mod trials;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};

use engine::Engine;

const ENGINES: &str = "SHELLPROOF_ENGINES";
const REQUIRE_ENGINES: &str = "SHELLPROOF_REQUIRE_ENGINES";

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let variable = std::env::var(ENGINES).unwrap_or_default();
    let mut trials = Vec::new();
    for entry in variable
        .split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
    {
        let Some((name, socket)) = entry.split_once("=unix://") else {
            eprintln!("error: `{entry}` in {ENGINES}: expected `NAME=unix:///path`");
            return ExitCode::FAILURE;
        };
        let engine = Arc::new(Engine {
            name: name.to_owned(),
            socket: PathBuf::from(socket),
        });
        trials.extend(trials::of(&engine));
    }
    if trials.is_empty() {
        trials.push(no_engine());
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn no_engine() -> Trial {
    let set = |variable| std::env::var_os(variable).is_some_and(|value| !value.is_empty());
    let required = std::env::var("CI").is_ok_and(|ci| ci == "true") || set(REQUIRE_ENGINES);
    let fail = || {
        Err(Failed::from(format!(
            "{ENGINES} names no engine: nothing was tested"
        )))
    };
    Trial::test(format!("no_engine_is_named_in_{ENGINES}"), fail).with_ignored_flag(!required)
}
