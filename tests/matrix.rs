//! Every shipped scenario, and every one that must be caught, in both modes on every engine.

use std::process::ExitCode;

fn main() -> ExitCode {
    shellproof::testing::Matrix::new(["scenarios", "tests/scenarios"])
        .env_file("scenarios/fixtures.env")
        .run()
}
