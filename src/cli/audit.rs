//! `shellproof audit`: any program behind a recorder. The one place where a program that is no engine is started.

mod child;
mod watch;

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{ArgGroup, Args, ValueEnum};
use serde_json::{Value, json};
use shellproof_api::{Engine, EngineKind, Seccomp, labels};
use shellproof_wire::{EventStream, Events, Options, Recorder, Recording};
use tokio::signal::unix::{SignalKind, signal};

use super::{Engines, Failure, Format, need, platform, tell_notes};
use crate::engines::{self, EngineError, EngineSpec};
use crate::exit::ExitCode;
use crate::invocation::Invocation;
use crate::policy::{Exit, ExpectedExit, ProgramResult, Seen, Testimony, judge_program, wire};
use crate::report;
use crate::run;
use crate::vocabulary::{Mode, Need};
use watch::Watches;

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["command", "listen", "replay"]))]
pub(super) struct Audit {
    #[command(flatten)]
    engines: Engines,
    /// Which policy holds: nothing is forbidden in layered mode [default: the platform's IMAGE_MODE]
    #[arg(long, value_enum)]
    mode: Option<OneMode>,
    /// The platform's env file [default: platform-bootstrap/.env if it exists]
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
    /// Answer requests that violate the policy, or that cannot be judged, in the engine's place
    #[arg(long)]
    deny: bool,
    /// How much the kernel witness is needed [default: required in prebuilt mode, off in layered mode]
    #[arg(long, value_name = "NEED", value_parser = need, conflicts_with = "replay")]
    kernel: Option<Need>,
    /// Answer shells and package managers inside the containers with EACCES, as if they could not be executed
    #[arg(long, conflicts_with = "replay")]
    deny_shells: bool,
    /// The exit code that the program is to end with, or `any`
    #[arg(long, value_name = "CODE", default_value = "0")]
    expect_exit: ExpectedExit,
    /// Record whoever comes to this socket, until Ctrl-C
    #[arg(long, value_name = "PATH")]
    listen: Option<PathBuf>,
    /// Write the requests to a file of JSON lines, without secrets
    #[arg(long, value_name = "FILE", conflicts_with = "replay")]
    record: Option<PathBuf>,
    /// Judge such a file again, with no engine
    #[arg(long, value_name = "FILE", conflicts_with_all = ["deny", "choices", "expect_exit"])]
    replay: Option<PathBuf>,
    /// How to report: on stderr for a person, since stdout is the program's; with `json`, stdout is the report's, and
    /// what the program prints goes to stderr
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// The program and its arguments
    #[arg(last = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// One image mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OneMode {
    Layered,
    Prebuilt,
}

impl From<OneMode> for Mode {
    fn from(mode: OneMode) -> Self {
        match mode {
            OneMode::Layered => Self::Layered,
            OneMode::Prebuilt => Self::Prebuilt,
        }
    }
}

impl Audit {
    pub(super) async fn run(self) -> Result<ExitCode, Failure> {
        if let Some(file) = &self.replay {
            return self.replay(file);
        }
        let mode = match self.mode {
            Some(mode) => mode.into(),
            None => platform(self.env_file.as_deref())?.mode(),
        };
        if self.deny && mode == Mode::Layered {
            return Err(Failure::Input(
                "nothing is forbidden in layered mode, so `--deny` has nothing to deny\nhelp: add `--mode prebuilt`".into(),
            ));
        }
        let invocation = Invocation::start().map_err(Failure::machine("no private directory can be made"))?;
        let program = self.command.first().map(OsString::as_os_str);
        let found = engines::find_for_program(program, &self.engines.choices, &invocation.path("")).await?;
        tell_notes(&found);
        let [spec] = found.engines.as_slice() else {
            return Err(Failure::Input(
                "one program is audited on one engine\nhelp: name it with `--engine NAME=unix:///path`"
                    .into(),
            ));
        };
        let (engine, kernel) = self.prove_alive(spec, &invocation, mode).await?;
        let socket = self
            .listen
            .clone()
            .unwrap_or_else(|| invocation.path("audit.sock"));
        let options = Options {
            gate: self.deny.then(wire::gate),
            prepare: kernel.as_ref().ok().map(Watches::prepare),
            changes: (mode == Mode::Prebuilt).then(|| invocation.id().to_owned()),
        };
        let label = (labels::RUN, invocation.id());
        let marker = format!("shellproof-{}-marker", invocation.id());
        let events = match mode {
            Mode::Prebuilt => Some(EventStream::open(&spec.endpoint, &marker, label).await),
            Mode::Layered => None,
        };
        let recorder = Recorder::start_with(&spec.endpoint, &socket, options)
            .await
            .map_err(Failure::machine("the recorder's socket cannot be made"))?;
        let began = Instant::now();
        let exit = if self.command.is_empty() {
            listen(&socket).await?;
            None
        } else {
            let to_stderr = self.format == Format::Json;
            let code = child::run(&self.command, &socket, to_stderr).await?;
            Some(Exit {
                code,
                expected: self.expect_exit,
            })
        };
        let duration = began.elapsed();
        // First: what has ended by now is looked at before it is removed.
        let left = recorder.left().await;
        let mut recording = recorder.finish().await;
        recording.events = match events {
            None => None,
            Some(Ok(stream)) => Some(stream.close(label).await),
            Some(Err(gap)) => Some(Events {
                gap: Some(gap),
                ..Events::default()
            }),
        };
        if let Some(events) = &mut recording.events {
            // Podman tells what happened within the second before, too.
            let canary = run::canary::name(&invocation);
            events.seen.retain(|event| event.name != canary);
        }
        let mut result = self.result(mode, engine, exit, duration, &recording, &kernel);
        result.leftovers = left.into_iter().map(leftover).collect();
        if let Some(file) = &self.record {
            write(file, &recording, &about(&result, invocation.id()))?;
        }
        self.report(&result, invocation.id())
    }

    /// Who the engine is, and what the kernel witness can do there: neither counts before a canary was seen.
    async fn prove_alive(
        &self,
        spec: &EngineSpec,
        invocation: &Invocation,
        mode: Mode,
    ) -> Result<(Engine, Watching), Failure> {
        let need = self.kernel.unwrap_or(match mode {
            Mode::Prebuilt => Need::Required,
            Mode::Layered => Need::Off,
        });
        let connection = engines::connect(spec, &invocation.path("engine.sock")).await?;
        let engine = connection.runtime.engine().clone();
        if need == Need::Off {
            if self.deny_shells {
                return Err(Failure::Input(
                    "without the kernel witness nothing in a container can be denied\nhelp: leave out `--deny-shells`, or \
                     add `--kernel required`"
                        .into(),
                ));
            }
            return Ok((engine, Err((need, "it was not asked for".to_owned()))));
        }
        let images = run::Images::new(connection.runtime.clone(), PathBuf::new(), true);
        let kernel = run::prove_alive(spec, &connection, &images, invocation, Some(need)).await?;
        let watching = match kernel {
            Ok(kernel) => Ok(Watches::new(
                kernel,
                engine.clone(),
                self.deny || self.deny_shells,
                self.deny_shells,
            )),
            Err(reason) if self.deny_shells => {
                return Err(Failure::Engine(EngineError::Machine(format!(
                    "`--deny-shells` cannot be kept on engine `{}`: {reason}",
                    engine.name
                ))));
            }
            Err(reason) => Err((need, reason)),
        };
        Ok((engine, watching))
    }

    fn result(
        &self,
        mode: Mode,
        engine: Engine,
        exit: Option<Exit>,
        duration: Duration,
        recording: &Recording,
        kernel: &Watching,
    ) -> ProgramResult {
        let name = self.command.first().map(|program| {
            let name = Path::new(program).file_name().unwrap_or(program);
            name.to_string_lossy().into_owned()
        });
        let traced = kernel
            .as_ref()
            .map_or_else(|_| Vec::new(), |watches| watches.traced(recording));
        let kernel = match kernel {
            Ok(_) => Testimony::Traced(&traced),
            Err((need, reason)) => Testimony::absent(*need, reason),
        };
        ProgramResult {
            name,
            mode,
            engine,
            judgement: judge_program(mode, seen(recording, kernel)),
            traced,
            exit,
            has_started: wire::has_started(recording),
            requests: recording.records.len(),
            leftovers: Vec::new(),
            duration,
        }
    }

    fn report(&self, result: &ProgramResult, run_id: &str) -> Result<ExitCode, Failure> {
        let written = match self.format {
            Format::Json => anstream::stdout()
                .write_all(format!("{:#}\n", report::program_json(result, run_id)).as_bytes()),
            Format::Human if self.command.is_empty() => {
                anstream::stdout().write_all(report::program_human(result).as_bytes())
            }
            Format::Human => anstream::stderr().write_all(report::program_human(result).as_bytes()),
        };
        written.map_err(Failure::machine("the report cannot be written"))?;
        Ok(report::program_exit_code(result))
    }

    fn replay(&self, file: &Path) -> Result<ExitCode, Failure> {
        let wrong =
            |reason: String| Failure::Input(format!("`{}` is no recording: {reason}", file.display()));
        let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
        let (recording, about) = Recording::from_lines(&text).map_err(|error| wrong(error.to_string()))?;
        let (result, run_id) = read_about(&about, self.mode.map(Mode::from), &recording)
            .ok_or_else(|| wrong("its first line".into()))?;
        self.report(&result, &run_id)
    }
}

fn leftover(container: String) -> String {
    format!(
        "container `{container}` was made with `--rm` and is still there; nothing removes it when it ends, but `shellproof \
         clean` does"
    )
}

/// What watches the containers, or how much that was needed and why nothing does.
type Watching = Result<Arc<Watches>, (Need, String)>;

fn seen<'a>(recording: &'a Recording, kernel: Testimony<'a>) -> Seen<'a> {
    Seen {
        recording,
        started: &[],
        kernel,
    }
}

/// Waits for Ctrl-C or SIGTERM.
async fn listen(socket: &Path) -> Result<(), Failure> {
    let failed = Failure::machine("signals cannot be handled");
    let mut interrupt = signal(SignalKind::interrupt()).map_err(&failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(&failed)?;
    anstream::eprintln!(
        "recording on unix://{0}\nhelp: set DOCKER_HOST=unix://{0} and CONTAINER_HOST=unix://{0}; Ctrl-C judges",
        socket.display()
    );
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// The first line of a record file.
fn about(result: &ProgramResult, run_id: &str) -> Value {
    json!({
        "run_id": run_id,
        "program": result.name,
        "mode": result.mode.as_str(),
        "engine": {
            "name": result.engine.name,
            "kind": result.engine.kind.as_str(),
            "version": result.engine.version,
            "rootless": result.engine.rootless,
        },
        "exit": result.exit.map(|exit| exit.code),
        "expected_exit": result.exit.map(|exit| exit.expected.to_string()),
        "duration_ms": u64::try_from(result.duration.as_millis()).unwrap_or(u64::MAX),
    })
}

fn read_about(about: &Value, mode: Option<Mode>, recording: &Recording) -> Option<(ProgramResult, String)> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let recorded = Mode::ALL.iter().find(|mode| about["mode"] == mode.as_str());
    let mode = mode.or(recorded.copied())?;
    let kinds = [EngineKind::Docker, EngineKind::Podman];
    let engine = &about["engine"];
    let exit = match (about["exit"].as_i64(), about["expected_exit"].as_str()) {
        (Some(code), Some(expected)) => Some(Exit {
            code: i32::try_from(code).ok()?,
            expected: expected.parse().ok()?,
        }),
        _ => None,
    };
    let kernel = Testimony::Off("a record file holds requests alone");
    let result = ProgramResult {
        name: text(&about["program"]),
        mode,
        engine: Engine {
            name: text(&engine["name"])?,
            kind: kinds.into_iter().find(|kind| engine["kind"] == kind.as_str())?,
            version: text(&engine["version"])?,
            rootless: engine["rootless"].as_bool()?,
            seccomp: Seccomp::Off,
        },
        judgement: judge_program(mode, seen(recording, kernel)),
        traced: Vec::new(),
        exit,
        has_started: wire::has_started(recording),
        requests: recording.records.len(),
        leftovers: Vec::new(),
        duration: Duration::from_millis(about["duration_ms"].as_u64()?),
    };
    Some((result, text(&about["run_id"])?))
}

/// Writes the record, readable by its owner alone.
fn write(file: &Path, recording: &Recording, about: &Value) -> Result<(), Failure> {
    let failed = Failure::machine("the record cannot be written");
    let text = recording
        .to_lines(about)
        .map_err(|error| failed(std::io::Error::other(error)))?;
    let mut options = OpenOptions::new();
    let opened = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(file);
    opened
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(failed)
}
