//! Every shipped scenario, and every one that must be caught, in both modes on every engine.

use std::process::ExitCode;

use shellproof::run::RunOptions;
use shellproof::testing::Matrix;
use shellproof::vocabulary::Need;
use shellproof_conformance::lab;

#[path = "support/choices.rs"]
mod choices;

fn main() -> ExitCode {
    if shellproof::cli::is_stub() {
        return ExitCode::SUCCESS;
    }
    lab::main(
        |_| true,
        |_, engines| {
            let (with, without): (Vec<_>, Vec<_>) =
                engines.into_iter().partition(lab::Engine::has_kernel_witness);
            let matrix = || Matrix::new(["scenarios", "tests/scenarios"]).env_file("scenarios/fixtures.env");
            let mut ended = Vec::new();
            if !with.is_empty() {
                ended.push(matrix().engines(choices::of(with)).run());
            }
            if !without.is_empty() {
                let options = RunOptions {
                    kernel: Some(Need::IfAvailable),
                    ..RunOptions::default()
                };
                ended.push(matrix().engines(choices::of(without)).options(options).run());
            }
            // `FAILURE` is more than a failed test: nothing may hide it.
            let worst = ended.iter().find(|code| **code == ExitCode::FAILURE);
            let failed = worst.or(ended.iter().find(|code| **code != ExitCode::SUCCESS));
            failed.copied().unwrap_or(ExitCode::SUCCESS)
        },
    )
}
