use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::files::Files;
use super::{
    Engines, Failure, Format, Modes, SHIPPED, duration, interrupt, load, need, platform, print, reported,
};
use crate::engines;
use crate::exit::ExitCode;
use crate::invocation::Invocation;
use crate::report::{Document, Progress};
use crate::run::{self, RunOptions, Runner};
use crate::vocabulary::Need;

#[derive(Debug, Args)]
pub(super) struct Run {
    /// Scenario files and directories
    #[arg(value_name = "PATH", default_value = SHIPPED)]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    engines: Engines,
    /// Which image modes; a scenario runs only in those that it has
    #[arg(long, value_enum, default_value = "both")]
    mode: Modes,
    /// The platform's env file [default: platform-bootstrap/.env if it exists]
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
    /// How many scenarios run at a time [default: twice the number of cores]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// The longest that one scenario may take
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration)]
    timeout: Duration,
    /// Leave the containers of a scenario that does not pass
    #[arg(long)]
    keep: bool,
    /// How much the kernel witness is needed [default: what a scenario says, else required in prebuilt mode]
    #[arg(long, value_name = "NEED", value_parser = need)]
    kernel: Option<Need>,
    /// Never pull an image
    #[arg(long)]
    offline: bool,
    /// How to report
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    files: Files,
    /// The directory of the built fixtures [default: $SHELLPROOF_FIXTURES or target/fixtures]
    #[arg(long, value_name = "DIR")]
    fixtures: Option<PathBuf>,
}

impl Run {
    pub(super) async fn run(self) -> Result<ExitCode, Failure> {
        let scenarios = load(&self.paths)?;
        self.files.check()?;
        let platform = platform(self.env_file.as_deref())?;
        let invocation = Invocation::start().map_err(Failure::machine("no private directory can be made"))?;
        let interrupt = interrupt()?;
        let found = engines::find(&self.engines.choices, &invocation.path("")).await?;
        found.tell_notes();
        let jobs = run::jobs(&scenarios, self.mode.modes(), &found.engines);
        if jobs.is_empty() {
            let modes: Vec<_> = self.mode.modes().iter().map(|mode| format!("`{mode}`")).collect();
            anstream::eprintln!(
                "warning: nothing runs: none of the {} scenarios has the mode {}\nhelp: see `modes:` in the scenarios, or choose \
                 another `--mode`",
                scenarios.len(),
                modes.join(" or ")
            );
        }
        let mut options = RunOptions {
            timeout: self.timeout,
            keep: self.keep,
            offline: self.offline,
            kernel: self.kernel,
            ..RunOptions::default()
        };
        if let Some(number) = self.jobs {
            options.jobs = usize::from(number);
        }
        if let Some(fixtures) = &self.fixtures {
            options.fixtures.clone_from(fixtures);
        }
        let quiet = self.format == Format::Json;
        let progress = Progress::new(jobs.len(), std::io::stderr().is_terminal(), quiet);
        let runner = Runner::open(&found.engines, platform, invocation, options).await?;
        let mut report = runner
            .run(&jobs, interrupt, &|event| progress.observe(&event))
            .await;
        let unfit = runner.unfit().await;
        report.leftovers.extend(runner.close().await);
        progress.finish();
        let document = Document::of(&report);
        let printed = print(&document, self.format, true);
        let written = self.files.write(&document);
        let code = reported(document.exit_code(), [printed].into_iter().chain(written));
        match (code, unfit) {
            // What was seen was seen, whatever else a dead witness missed.
            (ExitCode::Violated | ExitCode::Interrupted, _) | (_, None) => Ok(code),
            (_, Some(unfit)) => Err(unfit.into()),
        }
    }
}
