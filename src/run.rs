//! Running scenarios: every scenario in every wanted mode on every engine, side by side, and cleaning up behind them.
//!
//! ```text
//! engine ─ images ─┬─ recorder ─ backend ─ execution ─ judgement     one column per scenario × mode × engine
//!                  └─ recorder ─ backend ─ execution ─ judgement
//! ```

mod archive;
mod clean;
mod credentials;
mod execute;
mod expect;
mod images;
mod output;
mod result;
mod session;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use shellproof_api::{ResourceKind, Runtime, labels};
use tokio::sync::watch;

pub use clean::{Cleaned, clean};
pub use images::{Image, ImageError};
pub use result::{Expectation, Failure, ScenarioResult, Status};
pub use session::Session;

use crate::audit;
use crate::engines::{self, EngineError, EngineSpec};
use crate::platform::Platform;
use crate::scenario::{Mode, Scenario};
use execute::{Context, Execution, Stop};
use images::Images;

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
    /// A job does something that may take a while.
    Progress(&'a Job, String),
    /// A job ended.
    Finished(&'a Job, &'a ScenarioResult),
}

/// What a run amounts to.
#[derive(Debug)]
pub struct Report {
    /// The run's id.
    pub run_id: String,
    /// One result per job, in the order of the jobs; fewer when the run was interrupted.
    pub results: Vec<ScenarioResult>,
    /// The run was interrupted before all jobs had run.
    pub interrupted: bool,
    /// What could not be removed at the end.
    pub leftovers: Vec<String>,
}

/// Runs jobs. `interrupt` ends the run early: what runs is cleaned up, what did not begin does not.
///
/// # Errors
/// An engine cannot be connected to. What fails later is in the results.
pub async fn run(
    jobs: &[Job],
    platform: &Platform,
    session: &Session,
    options: &Options,
    interrupt: watch::Receiver<bool>,
    observe: &(dyn Fn(Event<'_>) + Send + Sync),
) -> Result<Report, EngineError> {
    let mut stores: HashMap<&str, Store> = HashMap::new();
    for job in jobs {
        if !stores.contains_key(job.engine.name.as_str()) {
            stores.insert(
                &job.engine.name,
                Store::open(&job.engine, session, options).await?,
            );
        }
    }
    let (stores, interrupt) = (&stores, &interrupt);
    let running = jobs.iter().enumerate().map(|(number, job)| async move {
        if *interrupt.borrow() {
            return None;
        }
        observe(Event::Started(job));
        let store = &stores[job.engine.name.as_str()];
        let result = run_job(
            number,
            job,
            store,
            platform,
            session,
            options,
            interrupt.clone(),
            observe,
        )
        .await;
        observe(Event::Finished(job, &result));
        Some((number, result))
    });
    let mut results: Vec<_> = futures_util::stream::iter(running)
        .buffer_unordered(options.jobs.max(1))
        .filter_map(async |one| one)
        .collect()
        .await;
    results.sort_by_key(|(number, _)| *number);
    let results: Vec<_> = results.into_iter().map(|(_, result)| result).collect();
    let interrupted = *interrupt.borrow();
    let mut leftovers = Vec::new();
    if interrupted || results.iter().any(|result| result.broken.is_some()) {
        for store in stores.values() {
            leftovers.extend(sweep(&store.runtime, session).await);
        }
    }
    Ok(Report {
        run_id: session.id().to_owned(),
        results,
        interrupted,
        leftovers,
    })
}

/// One engine's images, behind a recorder of their own.
struct Store {
    runtime: Arc<dyn Runtime>,
    images: Images,
    _recorder: shellproof_recorder::Recorder,
}

impl Store {
    async fn open(engine: &EngineSpec, session: &Session, options: &Options) -> Result<Self, EngineError> {
        let connection = engines::connect(engine, &session.path(&format!("{}.sock", engine.name))).await?;
        let images = Images::new(
            connection.runtime.clone(),
            options.fixtures.clone(),
            options.offline,
        );
        Ok(Self {
            runtime: connection.runtime,
            images,
            _recorder: connection.recorder,
        })
    }
}

/// Removes what an interrupted operation may have made after its scenario had cleaned up.
async fn sweep(runtime: &Arc<dyn Runtime>, session: &Session) -> Vec<String> {
    let owned = match runtime.owned().await {
        Ok(owned) => owned,
        Err(error) => return vec![error.to_string()],
    };
    let mut errors = Vec::new();
    for resource in owned {
        let is_ours = resource
            .labels
            .get(labels::RUN)
            .is_some_and(|run| run == session.id());
        if is_ours && resource.kind != ResourceKind::Image {
            errors.extend(
                runtime
                    .remove(&resource)
                    .await
                    .err()
                    .map(|error| error.to_string()),
            );
        }
    }
    errors
}

#[expect(
    clippy::too_many_arguments,
    reason = "called once; the run's parts are not one thing"
)]
async fn run_job(
    number: usize,
    job: &Job,
    store: &Store,
    platform: &Platform,
    session: &Session,
    options: &Options,
    mut interrupt: watch::Receiver<bool>,
    observe: &(dyn Fn(Event<'_>) + Send + Sync),
) -> ScenarioResult {
    let mut result = ScenarioResult {
        scenario: job.scenario.clone(),
        mode: job.mode,
        engine: store.runtime.engine().clone(),
        images: Vec::new(),
        judgement: None,
        expectations: Vec::new(),
        broken: None,
        leftovers: Vec::new(),
        duration: Duration::ZERO,
    };
    let Some(plan) = job.scenario.for_mode(job.mode) else {
        result.broken = Some(format!("the scenario is not meant for {} mode", job.mode));
        return result;
    };
    let connection = match engines::connect(&job.engine, &session.path(&format!("{number}.sock"))).await {
        Ok(connection) => connection,
        Err(error) => {
            result.broken = Some(error.to_string());
            return result;
        }
    };
    let progress = |text| observe(Event::Progress(job, text));
    let mut execution = Execution::new(Context {
        scenario: &job.scenario,
        plan: &plan,
        runtime: &connection.runtime,
        images: &store.images,
        platform,
        session,
        prefix: format!("shellproof-{}-{number}", session.id()),
        progress: &progress,
    });
    let stopped = tokio::select! {
        ended = tokio::time::timeout(options.timeout, execution.run()) => match ended {
            Ok(ended) => ended.err(),
            Err(_) => {
                execution.took_too_long(options.timeout);
                Some(Stop::Failed)
            }
        },
        Ok(_) = interrupt.wait_for(|interrupted| *interrupted) => {
            result.broken = Some("interrupted".to_owned());
            None
        }
    };
    match stopped {
        Some(Stop::Failed) | None => {}
        Some(stop) => result.broken = Some(stop.to_string()),
    }
    let did_not_pass =
        result.broken.is_some() || execution.expectations.iter().any(|one| one.failure.is_some());
    result.leftovers = execution.clean_up(options.keep && did_not_pass).await;
    let recording = connection.recorder.recording();
    if result.broken.is_none() {
        result.judgement = Some(audit::judge(
            job.mode,
            &job.scenario.audit,
            &recording,
            &execution.started,
        ));
    }
    result.images = execution.images;
    result.expectations = execution.expectations;
    result.duration = execution.duration;
    result
}
