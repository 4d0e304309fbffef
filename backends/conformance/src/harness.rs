//! Runs the suite: a test per case and engine.

use std::any::Any;
use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use libtest_mimic::{Arguments, Failed, Trial};
use shellproof_api::{EngineKind, Inspect, Resource, Result, labels};
use shellproof_wire::{Endpoint, RecordedEndpoint, Recorder};
use tokio::runtime::Runtime as Tokio;
use tokio::sync::OnceCell;

use crate::network::Network;
use crate::{Bench, Case, Needs, Subject, cases, lab};

/// Longer than any case takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(180);

/// A connection in the making.
pub type Connecting = Pin<Box<dyn Future<Output = Result<Arc<dyn Inspect>>> + Send>>;

/// A backend under test.
#[derive(Clone, Copy)]
pub struct Backend {
    /// Whose engines it drives.
    pub kind: EngineKind,
    /// A folder to keep the suite's image in: `env!("CARGO_TARGET_TMPDIR")`.
    pub scratch: &'static str,
    /// Connects to an engine under a name.
    pub connect: fn(RecordedEndpoint, String) -> Connecting,
    /// Why a case cannot run on the engine of this name, if it cannot.
    pub skip: fn(engine: &str, case: &Case) -> Option<&'static str>,
}

/// A runtime that is made here and listens nowhere.
#[derive(Clone, Copy)]
pub struct Own {
    /// What its tests are called.
    pub name: &'static str,
    /// A folder to keep the suite's image in: `env!("CARGO_TARGET_TMPDIR")`.
    pub scratch: &'static str,
    /// Makes it, within tokio; or says why this machine forbids it.
    pub open: fn() -> std::result::Result<Arc<dyn Inspect>, String>,
    /// Why a case cannot run on it, if it cannot.
    pub skip: fn(name: &str, case: &Case) -> Option<&'static str>,
}

/// Runs every case on such runtimes, with real programs on this machine's kernel.
pub fn main_without_engine(all: &[Own]) -> ExitCode {
    let labs: Vec<_> = all
        .iter()
        .map(|own| Lab::new(own.name, own.skip, Source::Own(*own)))
        .collect();
    run(&Arguments::from_args(), &labs)
}

/// Runs every case on every engine of the backend's kind that the environment names.
pub fn main(backend: Backend) -> ExitCode {
    lab::main(
        |engine| engine.kind == backend.kind,
        |arguments, engines| {
            let source = |engine: lab::Engine| {
                let endpoint = Endpoint {
                    kind: engine.kind,
                    socket: engine.socket,
                };
                Lab::new(&engine.name, backend.skip, Source::Engine { backend, endpoint })
            };
            let labs: Vec<_> = engines.into_iter().map(source).collect();
            run(arguments, &labs)
        },
    )
}

/// Runs the cases that need no kernel on a runtime that is there already.
pub fn main_in_memory(runtime: Arc<dyn Inspect>) -> ExitCode {
    let skip = |_: &str, case: &Case| match case.needs {
        Needs::Contract => None,
        _ => Some("needs a real engine"),
    };
    let name = runtime.engine().name.clone();
    run(
        &Arguments::from_args(),
        &[Lab::new(&name, skip, Source::Ready(runtime))],
    )
}

fn run(arguments: &Arguments, labs: &[Arc<Lab>]) -> ExitCode {
    let mut seen = HashSet::new();
    let trials = labs.iter().flat_map(Lab::trials).collect::<Vec<_>>();
    let twice = trials.iter().find(|trial| !seen.insert(trial.name().to_owned()));
    if let Some(trial) = twice {
        eprintln!("error: `{}` is there twice", trial.name());
        return ExitCode::FAILURE;
    }
    let conclusion = libtest_mimic::run(arguments, trials);
    let mut clean = true;
    for lab in labs {
        for left in lab.left() {
            eprintln!("error: the suite left on `{}`: {left}", lab.name);
            clean = false;
        }
    }
    if clean {
        conclusion.exit_code()
    } else {
        ExitCode::FAILURE
    }
}

enum Source {
    Engine { backend: Backend, endpoint: Endpoint },
    Own(Own),
    Ready(Arc<dyn Inspect>),
}

/// One engine, connected when its first case runs.
struct Lab {
    name: String,
    run: String,
    skip: fn(&str, &Case) -> Option<&'static str>,
    source: Source,
    tokio: Tokio,
    ready: OnceCell<std::result::Result<Ready, String>>,
}

#[derive(Clone)]
struct Ready {
    runtime: Arc<dyn Inspect>,
    subject: Subject,
    network: Network,
    /// The recorder and the folder of its socket: both must outlive the runtime.
    _recorder: Option<Arc<(Recorder, tempfile::TempDir)>>,
}

impl Lab {
    fn new(name: &str, skip: fn(&str, &Case) -> Option<&'static str>, source: Source) -> Arc<Self> {
        let tokio = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("tokio starts");
        Arc::new(Self {
            name: name.to_owned(),
            run: format!("sp{:x}", process::id()),
            skip,
            source,
            tokio,
            ready: OnceCell::new(),
        })
    }

    fn trials(self: &Arc<Self>) -> Vec<Trial> {
        cases().map(|case| self.trial(case)).collect()
    }

    fn trial(self: &Arc<Self>, case: &'static Case) -> Trial {
        let name = format!("{}::{}", self.name, case.name);
        if let Some(reason) = (self.skip)(&self.name, case) {
            // A test's kind is printed before its name, and so the reason is.
            return Trial::test(name, || Ok(()))
                .with_kind(reason)
                .with_ignored_flag(true);
        }
        let lab = Arc::clone(self);
        Trial::test(name, move || {
            lab.tokio.block_on(async {
                let ready = lab.ready().await?;
                run_case(case, ready, &lab.run).await.map_err(Failed::from)
            })
        })
    }

    async fn ready(&self) -> std::result::Result<Ready, Failed> {
        let ready = self.ready.get_or_init(|| self.connect()).await;
        ready.clone().map_err(Failed::from)
    }

    async fn connect(&self) -> std::result::Result<Ready, String> {
        let (backend, endpoint) = match &self.source {
            Source::Ready(runtime) => {
                let (runtime, subject) = (Arc::clone(runtime), Subject::unbuilt());
                return Ok(Ready {
                    runtime,
                    subject,
                    network: Network::OWN,
                    _recorder: None,
                });
            }
            Source::Own(own) => return Self::make(own).await,
            Source::Engine { backend, endpoint } => (backend, endpoint),
        };
        let subject = Subject::build(Path::new(backend.scratch))
            .map_err(|error| format!("failed to build the suite's image: {error}"))?;
        let network = Network::of(endpoint)
            .await
            .map_err(|error| format!("failed to find the engine's network namespace: {error}"))?;
        let dir = tempfile::tempdir().map_err(|error| format!("failed to make a folder: {error}"))?;
        let socket: PathBuf = dir.path().join("engine.sock");
        let recorder = Recorder::start(endpoint, &socket)
            .await
            .map_err(|error| format!("failed to start the recorder: {error}"))?;
        let runtime = (backend.connect)(recorder.endpoint(), self.name.clone())
            .await
            .map_err(|error| error.to_string())?;
        runtime
            .load_image(&subject.archive)
            .await
            .map_err(|error| error.to_string())?;
        let recorder = Some(Arc::new((recorder, dir)));
        Ok(Ready {
            runtime,
            subject,
            network,
            _recorder: recorder,
        })
    }

    async fn make(own: &Own) -> std::result::Result<Ready, String> {
        let subject = Subject::build(Path::new(own.scratch))
            .map_err(|error| format!("failed to build the suite's image: {error}"))?;
        let runtime = (own.open)()?;
        let loaded = runtime.load_image(&subject.archive).await;
        loaded.map_err(|error| error.to_string())?;
        Ok(Ready {
            runtime,
            subject,
            network: Network::OWN,
            _recorder: None,
        })
    }

    /// What is still on the engine after all cases.
    fn left(&self) -> Vec<String> {
        let Some(Ok(ready)) = self.ready.get() else {
            return Vec::new();
        };
        match self.tokio.block_on(ready.runtime.owned()) {
            Ok(owned) => {
                let mine = |resource: &Resource| resource.labels.get(labels::RUN) == Some(&self.run);
                owned
                    .into_iter()
                    .filter(mine)
                    .map(|left| left.to_string())
                    .collect()
            }
            Err(error) => vec![error.to_string()],
        }
    }
}

/// Runs one case, and removes what it made whether it passed or not.
async fn run_case(case: &Case, ready: Ready, run: &str) -> std::result::Result<(), String> {
    let bench = Bench::new(ready.runtime, ready.subject, ready.network, run, case.name);
    let outcome = AssertUnwindSafe((case.run)(&bench)).catch_unwind();
    let outcome = match tokio::time::timeout(DEADLINE, outcome).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(panic)) => Err(panic_message(&*panic)),
        Err(_) => Err(format!("not done within {DEADLINE:?}")),
    };
    let cleaned = clean(&bench).await;
    match (outcome, cleaned) {
        (outcome, Ok(())) => outcome,
        (Ok(()), Err(clean)) => Err(format!("cleaning up: {clean}")),
        (Err(outcome), Err(clean)) => Err(format!("{outcome}\ncleaning up: {clean}")),
    }
}

async fn clean(bench: &Bench) -> std::result::Result<(), String> {
    let mut errors = Vec::new();
    for resource in bench.owned().await.map_err(|error| error.to_string())? {
        if let Err(error) = bench.runtime().remove(&resource).await {
            errors.push(error.to_string());
        }
    }
    match bench.owned().await {
        Ok(left) if left.is_empty() => {}
        Ok(left) => errors.push(format!("still there: {left:?}")),
        Err(error) => errors.push(error.to_string()),
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(errors.join("; "))
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("the case panicked")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_case_has_the_name_of_another() {
        let mut seen = HashSet::new();
        for case in cases() {
            assert!(seen.insert(case.name), "{}", case.name);
        }
    }
}
