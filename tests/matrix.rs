//! Every shipped scenario, and every one that must be caught, in both modes on every engine.

use std::process::ExitCode;

use shellproof::engines::Choice;
use shellproof::run::Options;
use shellproof::scenario::Need;
use shellproof::testing::{self, Matrix};

/// No container can have a listener on it, so that the kernel cannot be asked: `tests/engines` shows what comes of it
/// where nobody gives in.
const WITHOUT_KERNEL: &str = "docker-20";

fn main() -> ExitCode {
    let engines = testing::engines().unwrap_or_else(|error| panic!("{error}"));
    let has_none = |choice: &Choice| matches!(choice, Choice::Named { name, .. } if name == WITHOUT_KERNEL);
    let (without, with): (Vec<_>, Vec<_>) = engines.into_iter().partition(has_none);
    let matrix = || Matrix::new(["scenarios", "tests/scenarios"]).env_file("scenarios/fixtures.env");
    let mut ended = Vec::new();
    if !with.is_empty() {
        ended.push(matrix().engines(with).run());
    }
    if !without.is_empty() {
        let options = Options {
            kernel: Some(Need::IfAvailable),
            ..Options::default()
        };
        ended.push(matrix().engines(without).options(options).run());
    }
    let failed = ended.into_iter().find(|code| *code != ExitCode::SUCCESS);
    failed.unwrap_or(ExitCode::SUCCESS)
}
