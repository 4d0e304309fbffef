//! The scenario matrix as tests of your own project: one named, filterable test per scenario, mode and engine.
//!
//! In `Cargo.toml`:
//!
//! ```toml
//! [[test]]
//! name = "platform"
//! harness = false
//! ```
//!
//! and in `tests/platform.rs`:
//!
//! ```no_run
//! fn main() -> std::process::ExitCode {
//!     shellproof::testing::Matrix::new(["scenarios"]).env_file("platform-bootstrap/.env").run()
//! }
//! ```
//!
//! `cargo test -- prebuilt::docker` then runs what its names say. An engine that is missing is a test that fails. Let `run` be the
//! first thing that `main` does: without an engine, containers are made by processes of this very program.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use tokio::sync::watch;

use crate::engines::{self, Choice, Found};
use crate::invocation::Invocation;
use crate::platform::Platform;
use crate::report::{self, Styles, document::ResultEntry};
use crate::run::{self, Job, RunOptions, Runner};
use crate::scenario;
use crate::vocabulary::{Mode, Status};

/// The engines of a matrix: `NAME=unix:///path` or `auto`, `all`, `embedded`, `docker`, `podman`, separated by commas.
pub const ENGINES: &str = "SHELLPROOF_ENGINES";

/// Scenarios, and the engines and modes in which they are tests.
#[derive(Clone, Debug)]
pub struct Matrix {
    paths: Vec<PathBuf>,
    env_file: Option<PathBuf>,
    modes: Vec<Mode>,
    engines: Option<Vec<Choice>>,
    options: RunOptions,
}

impl Matrix {
    /// A matrix of the scenarios below `paths`, in both modes, on the engines that `SHELLPROOF_ENGINES` names, or else as
    /// [`Choice::Auto`] has it: without an engine, unless the environment names one.
    pub fn new<P: Into<PathBuf>>(paths: impl IntoIterator<Item = P>) -> Self {
        Self {
            paths: paths.into_iter().map(Into::into).collect(),
            env_file: None,
            modes: Mode::ALL.to_vec(),
            engines: None,
            options: RunOptions::default(),
        }
    }

    /// The platform's env file.
    #[must_use]
    pub fn env_file(mut self, path: impl AsRef<Path>) -> Self {
        self.env_file = Some(path.as_ref().to_owned());
        self
    }

    /// Only these image modes.
    #[must_use]
    pub fn modes(mut self, modes: impl IntoIterator<Item = Mode>) -> Self {
        self.modes = modes.into_iter().collect();
        self
    }

    /// These engines, whatever the environment says.
    #[must_use]
    pub fn engines(mut self, engines: impl IntoIterator<Item = Choice>) -> Self {
        self.engines = Some(engines.into_iter().collect());
        self
    }

    /// How to run.
    #[must_use]
    pub fn options(mut self, options: RunOptions) -> Self {
        self.options = options;
        self
    }

    /// Reads the command line as `cargo test` gives it and runs the tests. What keeps the matrix from running at all
    /// is a test that fails.
    pub fn run(self) -> ExitCode {
        if crate::cli::is_stub() {
            return ExitCode::SUCCESS;
        }
        let mut arguments = Arguments::from_args();
        // An engine is the bottleneck, not this process.
        arguments.test_threads.get_or_insert(self.options.jobs);
        match Prepared::new(self) {
            Ok(prepared) => {
                let prepared = Arc::new(prepared);
                prepared.found.tell_notes();
                for engine in &prepared.found.engines {
                    eprintln!("engine: {} {}", engine.name, engine.place());
                }
                let conclusion = libtest_mimic::run(&arguments, trials(&prepared));
                let left = Arc::into_inner(prepared).map(Prepared::close).unwrap_or_default();
                for error in &left {
                    eprintln!("error: {error}");
                }
                if left.is_empty() {
                    conclusion.exit_code()
                } else {
                    ExitCode::FAILURE
                }
            }
            Err(reason) => {
                let trial = Trial::test("matrix", move || Err(Failed::from(reason)));
                // A filter must not hide that nothing could run.
                arguments.filter = None;
                arguments.skip.clear();
                libtest_mimic::run(&arguments, vec![trial]).exit_code()
            }
        }
    }
}

/// A matrix that is ready to run.
struct Prepared {
    runtime: tokio::runtime::Runtime,
    runner: Runner,
    jobs: Vec<Job>,
    found: Found,
}

impl Prepared {
    fn new(matrix: Matrix) -> Result<Self, String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let scenarios = scenario::load_all(&matrix.paths).map_err(|error| text(&error))?;
        crate::policy::check_scenarios(&scenarios).map_err(|error| text(&error))?;
        let scenarios: Vec<_> = scenarios.into_iter().map(Arc::new).collect();
        let platform = Platform::load(matrix.env_file.as_deref()).map_err(|error| text(&error))?;
        let choices = match matrix.engines {
            Some(choices) => choices,
            None => self::engines()?,
        };
        let invocation = Invocation::start().map_err(|error| text(&error))?;
        let runtime = tokio::runtime::Runtime::new().map_err(|error| text(&error))?;
        let found = runtime
            .block_on(engines::find(&choices, &invocation.path("")))
            .map_err(|error| text(&error))?;
        let runner = Runner::open(&found.engines, platform, invocation, matrix.options);
        let runner = runtime.block_on(runner).map_err(|error| text(&error))?;
        let jobs = run::jobs(&scenarios, &matrix.modes, &found.engines);
        if jobs.is_empty() {
            return Err("no scenario is meant for the modes of this matrix".into());
        }
        Ok(Self {
            runtime,
            runner,
            jobs,
            found,
        })
    }
}

/// The engines that [`ENGINES`] names, or else [`Choice::Auto`].
///
/// # Errors
/// Which entry cannot be read, and why.
pub fn engines() -> Result<Vec<Choice>, String> {
    from_environment(std::env::var(ENGINES).ok().as_deref())
}

fn from_environment(value: Option<&str>) -> Result<Vec<Choice>, String> {
    match value {
        None | Some("") => Ok(vec![Choice::Auto]),
        Some(engines) => engines
            .split(',')
            .map(|engine| {
                engine
                    .parse()
                    .map_err(|error| format!("{ENGINES}: `{engine}`: {error}"))
            })
            .collect(),
    }
}

fn trials(prepared: &Arc<Prepared>) -> Vec<Trial> {
    let trial = |(number, job): (usize, &Job)| {
        let name = format!("{}::{}::{}", job.scenario.name, job.mode, job.engine.name);
        let prepared = prepared.clone();
        Trial::test(name, move || prepared.test(number))
    };
    prepared.jobs.iter().enumerate().map(trial).collect()
}

impl Prepared {
    fn close(self) -> Vec<String> {
        self.runtime.block_on(self.runner.close())
    }

    fn test(&self, number: usize) -> Result<(), Failed> {
        let (_sender, never) = watch::channel(false);
        let result = self
            .runtime
            .block_on(self.runner.run_job(number, &self.jobs[number], never, &|_| {}));
        if let Status::Passed | Status::Waived = result.status() {
            return Ok(());
        }
        let entry = ResultEntry::of(&result);
        Err(Failed::from(report::human_result(&entry, &Styles::PLAIN)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_are_read_from_the_environment() {
        assert_eq!(from_environment(None), Ok(vec![Choice::Auto]));
        assert_eq!(from_environment(Some("docker,podman")).unwrap().len(), 2);
        let error = from_environment(Some("docker,fake")).unwrap_err();
        assert!(
            error.starts_with("SHELLPROOF_ENGINES: `fake`: expected `auto`"),
            "{error}"
        );
    }
}
