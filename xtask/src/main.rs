//! `cargo xtask`: what is done around the project, and is no part of it.
//!
//! Exit codes: 0 done, 2 wrong usage, 4 an engine or something it needs is missing.

mod engines;

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use clap::Parser;

type Error = Box<dyn std::error::Error + Send + Sync>;
type Result<T = (), E = Error> = std::result::Result<T, E>;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "What is done around the project")]
enum Task {
    /// Starts and stops the six real engines of the test matrix
    #[command(subcommand)]
    Engines(Box<engines::Task>),
    /// Measures shellproof against the engines' bare API
    #[command(disable_help_flag = true)]
    Bench {
        /// What `cargo xtask bench --help` says; without an engine, those that are up
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    let done = match Task::parse() {
        Task::Engines(task) => task.run(),
        Task::Bench { words } => bench(words),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(4)
        }
    }
}

/// The repository that this was built in.
fn repository() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

fn call(command: &mut Command) -> Result {
    let ended = command.status()?;
    let error = || format!("{command:?} failed: {ended}").into();
    ended.success().then_some(()).ok_or_else(error)
}

fn bench(mut words: Vec<OsString>) -> Result {
    let engine_or_help = |word: &OsString| word == "--help" || word.to_string_lossy().contains("=unix://");
    if !words.iter().any(engine_or_help) {
        words.extend(engines::list().map(OsString::from));
    }
    let cargo = |task: &str, package: &str| {
        let mut cargo = Command::new("cargo");
        cargo
            .args([task, "--release", "--quiet", "--package", package])
            .current_dir(repository());
        cargo
    };
    // The program that measures finds this one beside itself.
    call(&mut cargo("build", "shellproof"))?;
    let mut measure = cargo("run", "shellproof-bench");
    Err(measure.arg("--").args(words).exec().into())
}
