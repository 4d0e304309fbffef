//! The commands, one file each.

mod audit;
mod check;
mod clean;
mod config;
mod doctor;
mod files;
mod manual;
mod run;
mod verify;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Args, Parser, Subcommand, ValueEnum};
use tokio::sync::watch;

use crate::engines::Choice;
use crate::exit::ExitCode;
use crate::failure::Failure;
use crate::keeper;
use crate::platform::Platform;
use crate::report::{self, Document, Styles};
use crate::scenario::{self, Scenario};
use crate::source::{Color, Diagnostics};
use crate::vocabulary::{Mode, Need};

/// Prove that a data platform runs on locked-down container images.
///
/// No shell, no exec, no run-time installs: shellproof runs declarative scenarios against the platform's images, in
/// both image modes, on Docker and Podman, and judges what the engine was really asked to do.
#[derive(Debug, Parser)]
#[command(name = "shellproof", version, about, long_about, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 all clean, 1 violated or an expectation failed, 2 bad input, 3 unproven, \
4 the engine or the machine failed, 5 nothing ran, 130 interrupted.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run scenarios and judge them.
    Run(run::Run),
    /// Run any program behind a recorder, and judge what it asked of an engine.
    Audit(Box<audit::Audit>),
    /// Read images and judge what they are and contain, without starting anything.
    Verify(verify::Verify),
    /// Read scenarios and the env file, with no engine, and say what is wrong with them.
    Check(check::Check),
    /// Show which image each role resolves to, and from where.
    Config(config::Config),
    /// Show which engines are here, and the cure for each that is not.
    Doctor(doctor::Doctor),
    /// Remove what interrupted runs have left.
    Clean(clean::Clean),
    /// Write the manual pages, and the completions for shells, into a directory.
    #[command(hide = true)]
    Manual(manual::Manual),
}

/// How to report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a person.
    #[default]
    Human,
    /// One JSON document on stdout, and nothing else.
    Json,
}

/// Which engines.
#[derive(Debug, Args)]
struct Engines {
    /// auto, all, docker, podman, embedded or NAME=unix:///path; may be given several times
    #[arg(long = "engine", value_name = "ENGINE", default_value = "auto")]
    choices: Vec<Choice>,
}

/// Whether this process is one of those that the program starts of itself, and has done its work. To be called before
/// anything else.
pub fn is_stub() -> bool {
    shellproof_userns::run_if_meant(&[
        shellproof_embedded::STUB,
        shellproof_embedded::PROBE,
        shellproof_store::STUB,
    ])
}

/// Reads the command line and runs the command.
pub fn main() -> ExitCode {
    // Before anything else is read into memory, which it would keep as long as it lives.
    if keeper::is_meant() {
        return end(keeper::main()
            .map(|()| ExitCode::Clean)
            .map_err(|error| Failure::Input(error.to_string())));
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; a closed stdout is nobody's loss.
            let _ = error.print();
            return if error.use_stderr() {
                ExitCode::BadInput
            } else {
                ExitCode::Clean
            };
        }
    };
    let ended = match cli.command {
        Command::Check(check) => check.run(),
        Command::Config(config) => config.run(),
        Command::Manual(manual) => manual.run(),
        Command::Run(run) => block_on(run.run()),
        Command::Audit(audit) => block_on(audit.run()),
        Command::Verify(verify) => block_on(verify.run()),
        Command::Doctor(doctor) => block_on(doctor.run()),
        Command::Clean(clean) => block_on(clean.run()),
    };
    end(ended)
}

fn end(ended: Result<ExitCode, Failure>) -> ExitCode {
    ended.unwrap_or_else(|failure| {
        tell(&failure);
        failure.exit_code()
    })
}

fn tell(failure: &Failure) {
    let text = failure.to_string();
    // Diagnostics of files come with their own heading.
    if text.starts_with("error") || text.starts_with('\u{1b}') {
        anstream::eprintln!("{}", text.trim_end());
    } else {
        anstream::eprintln!("error: {text}");
    }
}

/// What a command ends with whose verdicts have been reported, when its report or a file could not be written: all that is
/// told, and what was seen was seen.
fn reported(code: ExitCode, written: impl IntoIterator<Item = Result<(), Failure>>) -> ExitCode {
    let failures: Vec<_> = written.into_iter().filter_map(Result::err).collect();
    failures.iter().for_each(tell);
    match (code, failures.first()) {
        (ExitCode::Violated | ExitCode::Interrupted, _) | (_, None) => code,
        (_, Some(failure)) => failure.exit_code(),
    }
}

fn block_on(command: impl Future<Output = Result<ExitCode, Failure>>) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Failure::machine("the runtime does not start"))?;
    let done = runtime.block_on(command);
    // A thread that still reads a file which has no end is not waited for.
    runtime.shutdown_timeout(ENDS);
    done
}

/// Prints a report, on stdout or on stderr.
fn print(document: &Document, format: Format, to_stdout: bool) -> Result<(), Failure> {
    let failed = Failure::machine("the report cannot be written");
    let text = match format {
        Format::Json => document
            .to_json()
            .map_err(std::io::Error::other)
            .map_err(&failed)?,
        Format::Human => report::human(document, &Styles::COLOURED),
    };
    let written = if to_stdout {
        anstream::stdout().write_all(text.as_bytes())
    } else {
        anstream::stderr().write_all(text.as_bytes())
    };
    written.map_err(failed)
}

/// How long threads have that nobody waits for any longer.
const ENDS: Duration = Duration::from_millis(100);

/// Signals that come so soon after the first are the same wish: `timeout` sends two within a millisecond, to the program and
/// to its group, and so does who holds the key.
const ONE_WISH: Duration = Duration::from_secs(1);

/// Becomes true at Ctrl-C, SIGTERM or SIGHUP. A second wish ends the program at once.
fn interrupt() -> Result<watch::Receiver<bool>, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let failed = Failure::machine("signals cannot be handled");
    let mut interrupt = signal(SignalKind::interrupt()).map_err(&failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(&failed)?;
    let mut hang_up = signal(SignalKind::hangup()).map_err(&failed)?;
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        let mut first: Option<Instant> = None;
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hang_up.recv() => {}
            }
            match first {
                None => {
                    anstream::eprintln!("interrupted: cleaning up; once more to leave at once");
                    first = Some(Instant::now());
                    sender.send_replace(true);
                }
                Some(first) if first.elapsed() < ONE_WISH => {}
                Some(_) => {
                    anstream::eprintln!("interrupted again: `shellproof clean` removes what is left");
                    std::process::exit(i32::from(ExitCode::Interrupted as u8));
                }
            }
        }
    });
    Ok(receiver)
}

/// Mistakes in files, with their places.
fn mistakes(mistakes: &Diagnostics) -> Failure {
    let color = if std::io::stderr().is_terminal() {
        Color::Always
    } else {
        Color::Never
    };
    Failure::Input(mistakes.render(color))
}

/// Reads the scenarios below `paths`; all their mistakes are one failure.
fn load(paths: &[PathBuf]) -> Result<Vec<Arc<Scenario>>, Failure> {
    let all = scenario::load_all(paths).map_err(|error| mistakes(&error))?;
    crate::policy::check_scenarios(&all).map_err(|error| mistakes(&error))?;
    Ok(all.into_iter().map(Arc::new).collect())
}

/// Reads the platform's configuration, and warns about what is probably not meant.
fn platform(env_file: Option<&Path>) -> Result<Platform, Failure> {
    let platform = Platform::load(env_file).map_err(|error| mistakes(&error))?;
    for warning in platform.warnings() {
        anstream::eprintln!("warning: {} ({})", warning.title, warning.place);
        if let Some(help) = &warning.help {
            anstream::eprintln!("help: {help}");
        }
    }
    Ok(platform)
}

/// `layered`, `prebuilt` or `both`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Modes {
    Layered,
    Prebuilt,
    Both,
}

impl Modes {
    fn modes(self) -> &'static [Mode] {
        match self {
            Self::Layered => &[Mode::Layered],
            Self::Prebuilt => &[Mode::Prebuilt],
            Self::Both => Mode::ALL,
        }
    }
}

/// A duration with its unit: `500ms`, `20s`, `2m`.
fn duration(text: &str) -> Result<Duration, String> {
    scenario::duration(text)
        .ok_or_else(|| format!("expected a number with a unit, such as `30s` or `5m`, found `{text}`"))
}

/// `required`, `if-available` or `off`.
fn need(text: &str) -> Result<Need, String> {
    text.parse::<Need>().map_err(|error| error.to_string())
}

/// The scenarios that ship with the project.
const SHIPPED: &str = "scenarios";
