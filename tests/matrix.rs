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
            let matrix = |files: &[&str]| Matrix::new(files).env_file("scenarios/fixtures.env");
            let common = ["scenarios", "tests/scenarios"];
            let mut ended = Vec::new();
            if !with.is_empty() {
                // The wire sees nothing of some.
                let all = [&common[..], &["tests/scenarios-of-the-kernel"]].concat();
                ended.push(matrix(&all).engines(choices::of(with)).run());
            }
            if !without.is_empty() {
                let options = RunOptions {
                    kernel: Some(Need::IfAvailable),
                    ..RunOptions::default()
                };
                ended.push(
                    matrix(&common)
                        .engines(choices::of(without))
                        .options(options)
                        .run(),
                );
            }
            // `FAILURE` is more than a failed test: nothing may hide it.
            let worst = ended.iter().find(|code| **code == ExitCode::FAILURE);
            let failed = worst.or(ended.iter().find(|code| **code != ExitCode::SUCCESS));
            failed.copied().unwrap_or(ExitCode::SUCCESS)
        },
    )
}
