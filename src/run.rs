//! Running scenarios: every scenario in every wanted mode on every engine, side by side, and cleaning up behind them.
//!
//! ```text
//! engine ─ images ─┬─ recorder ─ backend ─ execution ─ judgement     one column per scenario × mode × engine
//!                  └─ recorder ─ backend ─ execution ─ judgement
//! ```

mod anchor;
mod archive;
pub(crate) mod canary;
mod clean;
mod credentials;
mod execute;
mod expect;
mod images;
mod output;
mod session;
mod shells;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use shellproof_api::{Engine, Resource, ResourceKind, Runtime, labels};
use shellproof_wire::{Recorder, Recording};
use tokio::sync::watch;

pub use clean::{Cleaned, clean};
pub use images::ImageError;
pub use session::Session;

use crate::engines::{self, EngineError, EngineSpec};
use crate::kernel::Kernel;
use crate::platform::Platform;
use crate::policy::{self, NO_IMAGE_WITNESS, Standing};
use crate::result::{Case, CaseResult, Expectation, Report};
use crate::scenario::Scenario;
use crate::vocabulary::{Mode, Need, Status, Witness};
use anchor::Anchor;
use canary::NOT_WANTED;
pub(crate) use canary::prove_alive;
use clean::remove_all;
use execute::{Context, Execution, Stop};
pub(crate) use images::Images;

/// How to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many scenarios run at a time.
    pub jobs: usize,
    /// The longest that one scenario may take.
    pub timeout: Duration,
    /// Leave the containers of a scenario that did not pass.
    pub keep: bool,
    /// Never pull an image.
    pub offline: bool,
    /// The directory of the built fixtures.
    pub fixtures: PathBuf,
    /// How much the kernel witness is needed, whatever the scenarios say.
    pub kernel: Option<Need>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            jobs: std::thread::available_parallelism().map_or(1, usize::from),
            timeout: Duration::from_secs(300),
            keep: false,
            offline: false,
            fixtures: std::env::var_os("SHELLPROOF_FIXTURES")
                .map_or_else(|| "target/fixtures".into(), PathBuf::from),
            kernel: None,
        }
    }
}

/// One scenario in one mode on one engine.
#[derive(Clone, Debug)]
pub struct Job {
    /// The scenario.
    pub scenario: Arc<Scenario>,
    /// The image mode.
    pub mode: Mode,
    /// The engine.
    pub engine: EngineSpec,
}

impl Job {
    /// Its result, in which nothing has happened yet.
    fn result(&self, engine: &Engine) -> CaseResult {
        CaseResult::new(Case::Scenario(self.scenario.clone()), self.mode, engine.clone())
    }
}

/// The jobs of a run: every scenario in each of `modes` that it has, on every engine.
pub fn jobs(scenarios: &[Arc<Scenario>], modes: &[Mode], engines: &[EngineSpec]) -> Vec<Job> {
    let mut jobs = Vec::new();
    for scenario in scenarios {
        for mode in modes.iter().filter(|mode| scenario.modes.contains(mode)) {
            for engine in engines {
                jobs.push(Job {
                    scenario: scenario.clone(),
                    mode: *mode,
                    engine: engine.clone(),
                });
            }
        }
    }
    jobs
}

/// What happens while scenarios run.
#[derive(Debug)]
pub enum Event<'a> {
    /// A job began.
    Started(&'a Job),
    /// A job's recorder listens on this socket; what else talks to it is recorded and judged too.
    Listening(&'a Job, &'a Path),
    /// A job does something that may take a while.
    Progress(&'a Job, String),
    /// A job ended.
    Finished(&'a Job, &'a CaseResult),
}

/// Takes events. Several jobs report at the same time.
pub type Observer<'a> = &'a (dyn Fn(Event<'_>) + Send + Sync);

/// Connected engines with their images, on which jobs run.
#[derive(Debug)]
pub struct Runner {
    platform: Platform,
    session: Session,
    options: Options,
    stores: HashMap<String, Store>,
}

/// One engine's images, behind a recorder of their own.
#[derive(Debug)]
struct Store {
    images: Images,
    anchor: Option<Anchor>,
    /// Or why there is none.
    kernel: Result<Kernel, String>,
    _recorder: Recorder,
}

impl Store {
    async fn open(engine: &EngineSpec, session: &Session, options: &Options) -> Result<Self, EngineError> {
        let socket = session.path(&format!("images-{}.sock", engine.name));
        let connection = engines::connect(engine, &socket).await?;
        let runtime = connection.runtime.clone();
        let images = Images::new(runtime, options.fixtures.clone(), options.offline);
        let kernel = canary::prove_alive(engine, &connection, &images, session, options.kernel).await?;
        let anchor = Anchor::start(&images, session)
            .await
            .map_err(|error| engine.unconnected(error.to_string()))?;
        Ok(Self {
            images,
            anchor,
            kernel,
            _recorder: connection.recorder,
        })
    }
}

impl Runner {
    /// Connects to the engines.
    ///
    /// # Errors
    /// One of them cannot be connected to.
    pub async fn open(
        engines: &[EngineSpec],
        platform: Platform,
        session: Session,
        options: Options,
    ) -> Result<Self, EngineError> {
        let mut runner = Self {
            platform,
            session,
            options,
            stores: HashMap::new(),
        };
        for engine in engines {
            match Store::open(engine, &runner.session, &runner.options).await {
                Ok(store) => drop(runner.stores.insert(engine.name.clone(), store)),
                Err(error) => {
                    // The first error is the one to tell; what is left behind is labelled.
                    let _ = runner.close().await;
                    return Err(error);
                }
            }
        }
        Ok(runner)
    }

    /// Removes what the runner itself has on the engines, and reports what could not be removed.
    pub async fn close(self) -> Vec<String> {
        let mut errors = Vec::new();
        for store in self.stores.into_values() {
            if let Some(anchor) = store.anchor {
                errors.extend(anchor.remove(store.images.runtime()).await);
            }
        }
        errors
    }

    /// Runs jobs side by side. `interrupt` ends the run early: what runs is cleaned up, what did not begin does not.
    pub async fn run(&self, jobs: &[Job], interrupt: watch::Receiver<bool>, observe: Observer<'_>) -> Report {
        let interrupt = &interrupt;
        let running = jobs.iter().enumerate().map(|(number, job)| async move {
            if *interrupt.borrow() {
                return None;
            }
            Some((
                number,
                self.run_job(number, job, interrupt.clone(), observe).await,
            ))
        });
        let running = futures_util::stream::iter(running).buffer_unordered(self.options.jobs.max(1));
        let mut results: Vec<_> = running.filter_map(async |one| one).collect().await;
        results.sort_by_key(|(number, _)| *number);
        let results: Vec<_> = results.into_iter().map(|(_, result)| result).collect();
        let interrupted = *interrupt.borrow();
        let mut leftovers = Vec::new();
        if interrupted || results.iter().any(|result| result.broken.is_some()) {
            for store in self.stores.values() {
                leftovers.extend(sweep(store.images.runtime(), &self.session).await);
            }
        }
        Report {
            run_id: self.session.id().to_owned(),
            results,
            interrupted,
            leftovers,
        }
    }

    /// Runs one job. `number` is unique among the jobs of this runner: it is part of the names on the engine.
    pub async fn run_job(
        &self,
        number: usize,
        job: &Job,
        interrupt: watch::Receiver<bool>,
        observe: Observer<'_>,
    ) -> CaseResult {
        observe(Event::Started(job));
        let result = self.execute(number, job, interrupt, observe).await;
        observe(Event::Finished(job, &result));
        result
    }

    async fn execute(
        &self,
        number: usize,
        job: &Job,
        interrupt: watch::Receiver<bool>,
        observe: Observer<'_>,
    ) -> CaseResult {
        let store = &self.stores[&job.engine.name];
        let mut result = job.result(store.images.runtime().engine());
        let Some(plan) = job.scenario.for_mode(job.mode) else {
            result.broken = Some(format!("the scenario is not meant for {} mode", job.mode));
            return result;
        };
        let socket = self.session.path(&format!("{number}.sock"));
        let known = store.images.runtime().engine();
        let is_audited = job.scenario.audit.need(Witness::Wire, job.mode) != Need::Off;
        let recorded = shellproof_wire::RecorderOptions {
            changes: (job.mode == Mode::Prebuilt && is_audited).then(|| self.session.id().to_owned()),
            ..Default::default()
        };
        let connection = match engines::connect_again(&job.engine, known, &socket, recorded).await {
            Ok(connection) => connection,
            Err(error) => {
                result.broken = Some(error.to_string());
                return result;
            }
        };
        observe(Event::Listening(job, &socket));
        let progress = |text| observe(Event::Progress(job, text));
        let need = self.options.kernel;
        let need = need.unwrap_or_else(|| job.scenario.audit.need(Witness::Kernel, job.mode));
        let kernel = match (need, &store.kernel) {
            (Need::Off, _) => Err(Standing::Off(NOT_WANTED)),
            (_, Ok(kernel)) => Ok(kernel),
            (need, Err(reason)) => Err(Standing::unheard(need, reason)),
        };
        let execution = Execution::new(Context {
            scenario: &job.scenario,
            plan: &plan,
            runtime: &connection.runtime,
            images: &store.images,
            kernel,
            platform: &self.platform,
            session: &self.session,
            prefix: format!("shellproof-{}-{number}", self.session.id()),
            progress: &progress,
        });
        let recording = || connection.recorder.finish().boxed();
        carry_out(execution, result, &self.options, interrupt, &recording).await
    }
}

/// Runs a scenario within its time, judges what was recorded and cleans up. Nothing here knows what kind of runtime
/// it is, nor who records.
async fn carry_out<'a>(
    mut execution: Execution<'_>,
    mut result: CaseResult,
    options: &Options,
    mut interrupt: watch::Receiver<bool>,
    recording: &(dyn Fn() -> BoxFuture<'a, Recording> + Sync),
) -> CaseResult {
    let limit = options.timeout;
    let stopped = tokio::select! {
        ended = tokio::time::timeout(limit, execution.run()) => match ended {
            Ok(ended) => ended.err(),
            Err(_) => {
                execution.took_too_long(limit);
                Some(Stop::Failed)
            }
        },
        Ok(_) = interrupt.wait_for(|interrupted| *interrupted) => {
            result.broken = Some("interrupted".to_owned());
            None
        }
    };
    let is_whole = stopped.is_none() && result.broken.is_none();
    match stopped {
        Some(Stop::Failed) | None => {}
        Some(stop) => result.broken = Some(stop.to_string()),
    }
    result.images = std::mem::take(&mut execution.images);
    result.containers = execution.containers();
    result.expectations = std::mem::take(&mut execution.expectations);
    // What was executed can be read until its container is removed.
    result.traced = execution.traces();
    let keep = options.keep && {
        result.judgement = judge(&result, &execution, &recording().await);
        result.status() != Status::Passed
    };
    result.leftovers = execution.clean_up(keep).await;
    // Only now: what was asked of the engine meanwhile counts too, the last programs are recorded, and what the containers
    // had changed was read when they were removed.
    result.traced = if keep {
        execution.traces()
    } else {
        execution.last_traces().await
    };
    result.judgement = judge(&result, &execution, &recording().await);
    if let (Some(judgement), true) = (&result.judgement, is_whole) {
        let unused = policy::unused_waivers(result.mode, execution.scenario(), judgement);
        result
            .expectations
            .extend(unused.into_iter().map(Expectation::of_file));
    }
    result.duration = execution.duration;
    result
}

/// A run that broke proves nothing, but a violation that was seen before stays one.
fn judge(result: &CaseResult, execution: &Execution<'_>, recording: &Recording) -> Option<policy::Judgement> {
    let audit = &execution.scenario().audit;
    let mut facts = recording.facts();
    facts.extend(result.traced.iter().flat_map(shellproof_kernel::facts));
    let need = |witness| audit.need(witness, result.mode);
    let seen = policy::Seen {
        facts: &facts,
        started: &execution.started,
        wire: match need(Witness::Wire) {
            Need::Off => Standing::Off("the scenario says so"),
            _ => Standing::Heard,
        },
        image: match need(Witness::Image) {
            Need::Off => Standing::Off("the scenario says so"),
            need => Standing::unheard(need, NO_IMAGE_WITNESS),
        },
        kernel: execution.kernel_standing(),
    };
    let judgement = policy::judge(result.mode, execution.scenario(), seen);
    (result.broken.is_none() || judgement.verdict == policy::Verdict::Violated).then_some(judgement)
}

/// Removes what an interrupted operation may have made after its scenario had cleaned up.
async fn sweep(runtime: &Arc<dyn Runtime>, session: &Session) -> Vec<String> {
    let owned = match runtime.owned().await {
        Ok(owned) => owned,
        Err(error) => return vec![error.to_string()],
    };
    let is_ours = |resource: &Resource| {
        let run = resource.labels.get(labels::RUN);
        run.is_some_and(|run| run == session.id()) && resource.kind != ResourceKind::Image
    };
    remove_all(&**runtime, owned.into_iter().filter(is_ours)).await
}

#[cfg(test)]
#[path = "run/run_tests.rs"]
mod tests;
