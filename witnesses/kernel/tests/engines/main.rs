//! A supervisor under real engines.
//!
//! | variable | what |
//! |---|---|
//! | `SHELLPROOF_ENGINES` | `NAME=unix:///path`, separated by commas |
//! | `SHELLPROOF_SHARED` | a directory that this process and the engines see at the same path |
//! | `SHELLPROOF_SECCOMP` | Podman's default profile, where it is not at its usual place |
//! | `SHELLPROOF_FIXTURES` | where `tiny.tar`, `python.tar` and `layered.tar` are, for engines that do not have them |
//!
//! Run it as root, or as the user of a rootless engine. `-- --ignored --nocapture` runs the measurements.

mod engine;
mod trials;

use std::process::ExitCode;
use std::sync::Arc;

use shellproof_conformance::lab;

use engine::Engine;

fn main() -> ExitCode {
    lab::main(
        |_| true,
        |arguments, engines| {
            let trials = engines
                .into_iter()
                .flat_map(|engine| trials::of(&Arc::new(Engine(engine))));
            libtest_mimic::run(arguments, trials.collect()).exit_code()
        },
    )
}
