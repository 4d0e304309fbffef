//! Each scenario of this project, in each of its modes, on each engine: a test of its own.

use std::process::ExitCode;

use shellproof::run::RunOptions;
use shellproof::testing::Matrix;

fn main() -> ExitCode {
    let mut options = RunOptions::default();
    // A platform with images of its own needs no such line: this one runs on shellproof's test images, which are built
    // in the repository around it.
    if std::env::var_os("SHELLPROOF_FIXTURES").is_none() {
        options.fixtures = "../../target/fixtures".into();
    }
    Matrix::new(["scenarios"])
        .env_file("platform.env")
        .options(options)
        .run()
}
