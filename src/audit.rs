//! Any program behind a recorder. The one place where a program that is no engine is started.

mod child;
mod record_file;
mod watch;

use std::convert::Infallible;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use shellproof_api::facts::{Fact, Traced, What};
use shellproof_api::{Engine, EngineKind, labels};
use shellproof_wire::{EventStream, Events, Gate, Recorder, RecorderOptions, Recording};
use tokio::signal::unix::{SignalKind, signal};

pub(crate) use record_file::replay;

use crate::engines::{self, Choice, Connection, EngineError, EngineSpec};
use crate::failure::Failure;
use crate::invocation::Invocation;
use crate::out_file;
use crate::policy::{Seen, Standing, judge_program, wire};
use crate::result::{Audited, Case, CaseResult, Exit, ExpectedExit, Image, Report};
use crate::run;
use crate::vocabulary::{Mode, Need};
use watch::Watches;

/// How often it is looked which containers have been started.
const GLANCE: Duration = Duration::from_millis(500);

/// What is to be audited, and how.
pub(crate) struct Order {
    /// Which engines may be taken; one must be left.
    pub(crate) engines: Vec<Choice>,
    /// Which policy holds.
    pub(crate) mode: Mode,
    /// Answer requests that violate the policy, or that cannot be judged, in the engine's place.
    pub(crate) deny: bool,
    /// How much the kernel witness is needed, if that was said.
    pub(crate) kernel: Option<Need>,
    /// Answer shells and package managers inside the containers as if they could not be executed.
    pub(crate) deny_shells: bool,
    /// How the program is to end.
    pub(crate) expected_exit: ExpectedExit,
    /// The socket on which whoever comes is recorded.
    pub(crate) listen: Option<PathBuf>,
    /// Where the record goes.
    pub(crate) record: Option<PathBuf>,
    /// The program's stdout goes to stderr.
    pub(crate) to_stderr: bool,
    /// The program and its arguments; none to record whoever comes.
    pub(crate) command: Vec<OsString>,
}

/// Runs a program behind a recorder and judges it. A record that could not be written takes nothing from the report.
///
/// # Errors
/// The order makes no sense, or the engine or the machine failed.
pub(crate) async fn run(order: Order) -> Result<(Report, Result<(), Failure>), Failure> {
    order.run().await
}

impl Order {
    async fn run(self) -> Result<(Report, Result<(), Failure>), Failure> {
        let mode = self.mode;
        if self.deny && mode == Mode::Layered {
            return Err(Failure::Input(
                "nothing is forbidden in layered mode, so `--deny` has nothing to deny\nhelp: add `--mode prebuilt`".into(),
            ));
        }
        if let Some(file) = &self.record {
            out_file::check("--record", file)?;
        }
        let invocation = Invocation::start().map_err(Failure::machine("no private directory can be made"))?;
        let program = self.command.first().map(OsString::as_os_str);
        let found = engines::find_for_program(program, &self.engines, &invocation.path("")).await?;
        found.tell_notes();
        let [spec] = found.engines.as_slice() else {
            return Err(Failure::Input(
                "one program is audited on one engine\nhelp: name it with `--engine NAME=unix:///path`"
                    .into(),
            ));
        };
        let endpoint = spec.listens()?;
        let connection = engines::connect(spec, &invocation.path("engine.sock")).await?;
        let engine = connection.runtime.engine().clone();
        let images = run::Images::new(connection.runtime.clone(), PathBuf::new(), true);
        let kernel = self
            .prove_alive(spec, &connection, &images, &invocation, mode)
            .await?;
        let socket = self
            .listen
            .clone()
            .unwrap_or_else(|| invocation.path("audit.sock"));
        let options = RecorderOptions {
            gate: self.deny.then(|| Gate::new(wire::refuse)),
            prepare: kernel.as_ref().ok().map(Watches::prepare),
            changes: (mode == Mode::Prebuilt).then(|| invocation.id().to_owned()),
        };
        let label = (labels::RUN, invocation.id());
        let marker = format!("shellproof-{}-marker", invocation.id());
        let events = match mode {
            Mode::Prebuilt => Some(EventStream::open(endpoint, &marker, label).await),
            Mode::Layered => None,
        };
        let recorder = Recorder::start_with(endpoint, &socket, options)
            .await
            .map_err(Failure::machine("the recorder's socket cannot be made"))?;
        let began = Instant::now();
        let exit = if self.command.is_empty() {
            tokio::select! {
                ended = listen(&socket) => ended?,
                never = read_beside(&recorder, &images, mode) => match never {},
            }
            None
        } else {
            let code = tokio::select! {
                ended = child::run(&self.command, &socket, self.to_stderr) => ended?,
                never = read_beside(&recorder, &images, mode) => match never {},
            };
            Some(Exit {
                code,
                expected: self.expected_exit,
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
        let mut facts = recording.facts();
        if mode == Mode::Prebuilt {
            run::checks::look(&images, &invocation, &recording, &mut facts).await;
            facts.extend(unchecked(engine.kind, &recording));
        }
        let watched = match &kernel {
            Ok(watches) => {
                let traced = watches.traced(&recording);
                let kept = watches.leave(&recording, &traced, &endpoint.socket, &invocation);
                Watched {
                    facts,
                    images: Vec::new(),
                    standing: Standing::Heard,
                    traced,
                    kept,
                }
            }
            Err((need, reason)) => Watched {
                facts,
                images: Vec::new(),
                standing: Standing::unheard(*need, reason),
                traced: Vec::new(),
                kept: None,
            },
        };
        let images = match mode {
            Mode::Prebuilt => images_of(&images, &watched.facts).await?,
            Mode::Layered => Vec::new(),
        };
        let watched = Watched { images, ..watched };
        let mut result = self.result(mode, engine, exit, duration, &recording, watched);
        result.leftovers = left.into_iter().map(leftover).collect();
        let record = match &self.record {
            Some(file) => record_file::write(file, &recording, &result, invocation.id()),
            None => Ok(()),
        };
        Ok((report(result, invocation.id().to_owned()), record))
    }

    /// What the kernel witness can do on the engine: it counts only once a canary was seen.
    async fn prove_alive(
        &self,
        spec: &EngineSpec,
        connection: &Connection,
        images: &run::Images,
        invocation: &Invocation,
        mode: Mode,
    ) -> Result<Watching, Failure> {
        let need = self.kernel.unwrap_or(match mode {
            Mode::Prebuilt => Need::Required,
            Mode::Layered => Need::Off,
        });
        let engine = connection.runtime.engine().clone();
        if need == Need::Off {
            if self.deny_shells {
                return Err(Failure::Input(
                    "without the kernel witness nothing in a container can be denied\nhelp: leave out `--deny-shells`, or \
                     add `--kernel required`"
                        .into(),
                ));
            }
            return Ok(Err((need, "it was not asked for".to_owned())));
        }
        let kernel = run::prove_alive(spec, connection, images, invocation, Some(need)).await?;
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
        Ok(watching)
    }

    fn result(
        &self,
        mode: Mode,
        engine: Engine,
        exit: Option<Exit>,
        duration: Duration,
        recording: &Recording,
        watched: Watched<'_>,
    ) -> CaseResult {
        let name = self.command.first().map(|program| {
            let name = Path::new(program).file_name().unwrap_or(program);
            name.to_string_lossy().into_owned()
        });
        let Watched {
            mut facts,
            images,
            standing,
            traced,
            kept,
        } = watched;
        let read = images.iter().filter_map(image).collect();
        facts.extend(images);
        facts.extend(traced.iter().flat_map(shellproof_kernel::facts));
        if let Some(kept) = &kept {
            let outlives = |traced| shellproof_kernel::outliving(traced, kept);
            facts.extend(traced.iter().filter_map(outlives));
        }
        CaseResult {
            judgement: Some(judge_program(
                mode,
                Seen {
                    facts: &facts,
                    started: &[],
                    allowed: &[],
                    wire: Standing::Heard,
                    image: match mode {
                        Mode::Prebuilt => Standing::Heard,
                        Mode::Layered => Standing::Off("nothing is forbidden in layered mode"),
                    },
                    kernel: standing,
                },
            )),
            images: read,
            traced,
            duration,
            ..CaseResult::new(case(name, exit, recording, &facts), mode, engine)
        }
    }
}

fn case(name: Option<String>, exit: Option<Exit>, recording: &Recording, facts: &[Fact]) -> Case {
    Case::Audited(Audited {
        name,
        exit,
        has_started: wire::has_started(facts),
        requests: recording.records.len(),
    })
}

/// The health checks that were never run, on an engine that may run none.
fn unchecked(engine: EngineKind, recording: &Recording) -> Vec<Fact> {
    match engine {
        EngineKind::Podman => recording.unchecked(),
        _ => Vec::new(),
    }
}

fn report(result: CaseResult, run_id: String) -> Report {
    Report {
        run_id,
        results: vec![result],
        interrupted: false,
        leftovers: Vec::new(),
    }
}

fn leftover(container: String) -> String {
    format!(
        "container `{container}` was made with `--rm` and is still there; nothing removes it when it ends, but `shellproof \
         clean` does"
    )
}

/// What was seen of the containers.
struct Watched<'a> {
    /// What the wire's witness saw.
    facts: Vec<Fact>,
    /// What the image witness saw.
    images: Vec<Fact>,
    standing: Standing<'a>,
    traced: Vec<Traced>,
    /// The process that keeps what still runs, or why none does; nothing where nothing still runs.
    kept: Option<Result<u32, String>>,
}

/// What watches the containers, or how much that was needed and why nothing does.
type Watching = Result<Arc<Watches>, (Need, String)>;

/// An image that was read.
fn image(fact: &Fact) -> Option<Image> {
    match &fact.what {
        What::Image { content, .. } => Some(Image::read(fact.source.trim_matches('`'), content)),
        _ => None,
    }
}

/// Begins to read the images of containers as they are started: a program may remove them as soon as it has ended.
async fn read_beside(recorder: &Recorder, images: &run::Images, mode: Mode) -> Infallible {
    loop {
        tokio::time::sleep(GLANCE).await;
        if mode == Mode::Prebuilt {
            recorder.images().iter().for_each(|id| images.contents.begin(id));
        }
    }
}

/// What the images of the containers are and contain. Whoever interrupts this does not want to wait for it.
async fn images_of(images: &run::Images, seen: &[Fact]) -> Result<Vec<Fact>, Failure> {
    let failed = Failure::machine("signals cannot be handled");
    let mut interrupt = signal(SignalKind::interrupt()).map_err(&failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(&failed)?;
    tokio::select! {
        facts = run::contents::facts(&images.contents, seen, true) => return Ok(facts),
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(run::contents::facts(&images.contents, seen, false).await)
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
