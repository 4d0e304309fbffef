//! Every shipped scenario, and every one that must be caught, in both modes on every engine.

use std::process::ExitCode;

use shellproof::engines::Choice;
use shellproof::run::Options;
use shellproof::scenario::Need;
use shellproof::testing::{ENGINES, Matrix};

/// No container can have a listener on it, so that the kernel cannot be asked: `tests/engines` shows what comes of it
/// where nobody gives in.
const WITHOUT_KERNEL: &str = "docker-20=";

fn main() -> ExitCode {
    let engines = std::env::var(ENGINES).unwrap_or_default();
    let (without, with): (Vec<&str>, Vec<&str>) = engines
        .split(',')
        .filter(|engine| !engine.is_empty())
        .partition(|engine| engine.starts_with(WITHOUT_KERNEL));
    let matrix = || Matrix::new(["scenarios", "tests/scenarios"]).env_file("scenarios/fixtures.env");
    let choices = |engines: &[&str]| {
        let read = |engine: &&str| {
            engine
                .parse::<Choice>()
                .unwrap_or_else(|error| panic!("{ENGINES}: {error}"))
        };
        engines.iter().map(read).collect::<Vec<_>>()
    };
    let mut ended = Vec::new();
    if !with.is_empty() || without.is_empty() {
        let engines = if with.is_empty() {
            vec![Choice::Auto]
        } else {
            choices(&with)
        };
        ended.push(matrix().engines(engines).run());
    }
    if !without.is_empty() {
        let options = Options {
            kernel: Some(Need::IfAvailable),
            ..Options::default()
        };
        ended.push(matrix().engines(choices(&without)).options(options).run());
    }
    let failed = ended.into_iter().find(|code| *code != ExitCode::SUCCESS);
    failed.unwrap_or(ExitCode::SUCCESS)
}
