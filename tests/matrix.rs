//! Every shipped scenario, and every one that must be caught, in both modes on every engine.

#[path = "support/listeners.rs"]
mod listeners;

use std::process::ExitCode;

use shellproof::run::RunOptions;
use shellproof::testing::{self, Matrix};
use shellproof::vocabulary::Need;

fn main() -> ExitCode {
    let engines = testing::engines().unwrap_or_else(|error| panic!("{error}"));
    let (with, without): (Vec<_>, Vec<_>) = engines.into_iter().partition(listeners::are_given_by);
    let matrix = || Matrix::new(["scenarios", "tests/scenarios"]).env_file("scenarios/fixtures.env");
    let mut ended = Vec::new();
    if !with.is_empty() {
        ended.push(matrix().engines(with).run());
    }
    if !without.is_empty() {
        let options = RunOptions {
            kernel: Some(Need::IfAvailable),
            ..RunOptions::default()
        };
        ended.push(matrix().engines(without).options(options).run());
    }
    let failed = ended.into_iter().find(|code| *code != ExitCode::SUCCESS);
    failed.unwrap_or(ExitCode::SUCCESS)
}
