//! Running scenarios: every scenario in every wanted mode on every engine, side by side, and cleaning up behind them.
//!
//! ```text
//! engine ─ images ─┬─ recorder ─ backend ─ execution ─ judgement     one column per scenario × mode × engine
//!                  └─ recorder ─ backend ─ execution ─ judgement
//! ```

mod anchor;
mod archive;
pub(crate) mod canary;
pub(crate) mod checks;
mod clean;
pub(crate) mod contents;
mod execute;
mod expect;
mod images;
mod job;
pub(crate) mod naming;
mod options;
mod output;
mod program;
mod store;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use futures_util::future::{BoxFuture, join_all};
use futures_util::{FutureExt, StreamExt};
use shellproof_api::{EngineKind, Resource, ResourceKind, Runtime, labels};
use shellproof_wire::Recording;
use tokio::sync::watch;

pub use clean::{Cleaned, clean};
pub use images::ImageError;
pub use job::{Job, jobs};
pub use options::RunOptions;

use crate::engines::{self, EngineError, EngineSpec};
use crate::invocation::Invocation;
use crate::kernel::Kernel;
use crate::platform::Platform;
use crate::policy::{self, Standing, Verdict};
use crate::result::{CaseResult, Expectation, Report};
use crate::vocabulary::{Mode, Need, Status, Witness};
use canary::NOT_WANTED;
pub(crate) use canary::prove_alive;
use clean::remove_all;
use execute::{Context, Execution, Stop};
pub(crate) use images::{Images, pull_step};
use store::Store;

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
    invocation: Arc<Invocation>,
    options: RunOptions,
    stores: HashMap<String, Store>,
}

impl Runner {
    /// Connects to the engines.
    ///
    /// # Errors
    /// One of them cannot be connected to, or cannot keep containers that are to be kept.
    pub async fn open(
        engines: &[EngineSpec],
        platform: Platform,
        invocation: Invocation,
        options: RunOptions,
    ) -> Result<Self, EngineError> {
        let own = engines
            .iter()
            .find(|engine| engine.kind() == EngineKind::Embedded);
        if let (true, Some(own)) = (options.keep, own) {
            return Err(EngineError::KeepsNothing(own.name.clone()));
        }
        let mut runner = Self {
            platform,
            invocation: Arc::new(invocation),
            options,
            stores: HashMap::new(),
        };
        let open = |engine| Store::open(engine, &runner.invocation, &runner.options);
        let stores = join_all(engines.iter().map(open)).await;
        let mut failed = None;
        for (engine, store) in engines.iter().zip(stores) {
            match store {
                Ok(store) => drop(runner.stores.insert(engine.name.clone(), store)),
                Err(error) => {
                    failed.get_or_insert(error);
                }
            }
        }
        match failed {
            None => Ok(runner),
            Some(error) => {
                // The first error is the one to tell; what is left behind is labelled.
                let _ = runner.close().await;
                Err(error)
            }
        }
    }

    /// Why nothing can be proven on one of the engines, if a canary has shown that. Waits for all of them.
    pub async fn unfit(&self) -> Option<EngineError> {
        let proofs = join_all(self.stores.values().map(Store::proof)).await;
        proofs.into_iter().find_map(Result::err)
    }

    /// Removes what the runner itself has on the engines, and reports what could not be removed.
    pub async fn close(self) -> Vec<String> {
        let mut errors = Vec::new();
        for store in self.stores.into_values() {
            errors.extend(store.close().await);
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
                leftovers.extend(sweep(store.images.runtime(), &self.invocation).await);
            }
        }
        Report {
            run_id: self.invocation.id().to_owned(),
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
        if let Some(Err(unfit)) = store.proof_by_now() {
            return self.broken(job, unfit.to_string());
        }
        let need = self.options.kernel;
        let need = need.unwrap_or_else(|| job.scenario.audit.need(Witness::Kernel, job.mode));
        let witness = || match (need, store.kernel()) {
            (Need::Off, _) => Err(Standing::Off(NOT_WANTED)),
            (_, Ok(kernel)) => Ok(kernel),
            (need, Err(reason)) => Err(Standing::unheard(need, reason)),
        };
        let kernel = witness();
        let attempt = async |kernel, is_repeated| {
            self.attempt(number, job, kernel, is_repeated, interrupt.clone(), observe)
                .await
        };
        let first = attempt(kernel, false).await;
        match next(&first, kernel.is_ok(), store.proof().await) {
            Next::Unfit(reason) => unfit(first.result, reason),
            Next::Done => first.result,
            _ if *interrupt.borrow() => first.result,
            Next::WithoutKernel => attempt(witness(), false).await.result,
            Next::ForOutput => {
                observe(Event::Progress(
                    job,
                    "running it again, since the engine may have lost output".into(),
                ));
                let mut result = attempt(witness(), true).await.result;
                if result.expectations.iter().all(|one| one.failure.is_none()) {
                    result.expectations.push(Expectation {
                        what: "the output that a first run lacked, which the engine may have lost".to_owned(),
                        failure: None,
                    });
                }
                result
            }
        }
    }

    fn broken(&self, job: &Job, reason: String) -> CaseResult {
        let engine = self.stores[&job.engine.name].images.runtime().engine();
        CaseResult {
            broken: Some(reason),
            ..job.result(engine)
        }
    }

    /// Runs a job once.
    async fn attempt(
        &self,
        number: usize,
        job: &Job,
        kernel: Result<&Kernel, Standing<'_>>,
        is_repeated: bool,
        interrupt: watch::Receiver<bool>,
        observe: Observer<'_>,
    ) -> Attempt {
        let store = &self.stores[&job.engine.name];
        let broken = |reason| Attempt {
            result: self.broken(job, reason),
            may_have_lost_output: false,
        };
        let Some(plan) = job.scenario.for_mode(job.mode) else {
            return broken(format!("the scenario is not meant for {} mode", job.mode));
        };
        if !job.scenario.networks.is_empty()
            && let Err(reason) = store.prepare_networks(&self.invocation).await
        {
            return broken(reason);
        }
        let socket = self.invocation.path(&format!("{number}.sock"));
        let known = store.images.runtime().engine();
        let is_audited = job.scenario.audit.need(Witness::Wire, job.mode) != Need::Off;
        let recorded = shellproof_wire::RecorderOptions {
            changes: (job.mode == Mode::Prebuilt && is_audited).then(|| self.invocation.id().to_owned()),
            ..Default::default()
        };
        let connection =
            match engines::connect_again(&job.engine, store.images.runtime(), &socket, recorded).await {
                Ok(connection) => connection,
                Err(error) => return broken(error.to_string()),
            };
        if connection.recorder.is_some() {
            observe(Event::Listening(job, &socket));
        }
        let progress = |text| observe(Event::Progress(job, text));
        let mut execution = Execution::new(Context {
            scenario: &job.scenario,
            plan: &plan,
            runtime: &connection.runtime,
            images: &store.images,
            kernel,
            platform: &self.platform,
            invocation: &self.invocation,
            is_repeated,
            prefix: format!("shellproof-{}-{number}", self.invocation.id()),
            progress: &progress,
        });
        let recording = || {
            let finish = async {
                match &connection.recorder {
                    Some(recorder) => recorder.finish().await,
                    None => Recording::default(),
                }
            };
            finish.boxed()
        };
        let result = job.result(known);
        let counts = async {
            match store.proof().await {
                Ok(proof) => proof.is_ok() || kernel.is_err(),
                Err(_) => false,
            }
        };
        let result = carry_out(
            &mut execution,
            result,
            &self.options,
            interrupt,
            &recording,
            counts,
        )
        .await;
        Attempt {
            may_have_lost_output: execution.may_have_lost_output(&result.expectations),
            result,
        }
    }
}

/// What one run of a job came to.
#[derive(Debug)]
struct Attempt {
    result: CaseResult,
    /// Nothing is wrong with it but that output is missing, which the engine may have lost.
    may_have_lost_output: bool,
}

/// What follows a first attempt.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// Nothing: it counts.
    Done,
    /// Another, since it rested on a kernel witness that the engine turned out not to have: what it came to says nothing.
    WithoutKernel,
    /// Another, for the output that is missing.
    ForOutput,
    /// Nothing: the engine's witnesses are not alive, or nobody knows.
    Unfit(String),
}

fn next(first: &Attempt, was_watched: bool, proof: canary::Proof) -> Next {
    match proof {
        Err(unfit) => Next::Unfit(unfit.to_string()),
        Ok(Err(_)) if was_watched => Next::WithoutKernel,
        // Only for its output: a verdict that was not expected stays.
        Ok(_) if first.may_have_lost_output && first.result.is_expected_verdict() => Next::ForOutput,
        Ok(_) => Next::Done,
    }
}

/// A witness that may be dead proves nothing, but what it saw has been.
fn unfit(mut result: CaseResult, reason: String) -> CaseResult {
    result.judgement = result.judgement.filter(|seen| seen.verdict == Verdict::Violated);
    result.broken.get_or_insert(reason);
    result
}

/// Runs a scenario within its time, judges what was recorded and cleans up. Nothing here knows what kind of runtime
/// it is, nor who records. `counts` tells whether it will count: nothing is kept of what does not.
async fn carry_out<'a>(
    execution: &mut Execution<'_>,
    mut result: CaseResult,
    options: &RunOptions,
    mut interrupt: watch::Receiver<bool>,
    recording: &(dyn Fn() -> BoxFuture<'a, Recording> + Sync),
    counts: impl Future<Output = bool>,
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
    let keep = options.keep && !execution.may_have_lost_output(&result.expectations) && counts.await && {
        result.judgement = judge(&result, execution, &recording().await, interrupt.clone()).await;
        result.status() != Status::Passed
    };
    if result.expectations.iter().any(|one| one.failure.is_some()) {
        execution.note_way_out();
    }
    result.leftovers = execution.clean_up(keep).await;
    // Only now: what was asked of the engine meanwhile counts too, the last programs are recorded, and what the containers
    // had changed was read when they were removed.
    result.traced = if keep {
        execution.traces()
    } else {
        execution.last_traces().await
    };
    match result.mode {
        Mode::Prebuilt => execution.note_changes().await,
        Mode::Layered => execution.forget_changes().await,
    }
    result.judgement = judge(&result, execution, &recording().await, interrupt).await;
    execution.name_shells(&mut result.images);
    if let (Some(judgement), true) = (&result.judgement, is_whole) {
        let unused = policy::unused_waivers(result.mode, execution.scenario(), judgement);
        result
            .expectations
            .extend(unused.into_iter().map(Expectation::of_file));
    }
    result.duration = execution.duration;
    result
}

/// Why the wire does not speak of containers that this binary makes itself.
const NO_WIRE: &str = "there is no engine, and nobody but shellproof to ask for containers";

/// A run that broke proves nothing, but a violation that was seen before stays one.
async fn judge(
    result: &CaseResult,
    execution: &Execution<'_>,
    recording: &Recording,
    mut interrupt: watch::Receiver<bool>,
) -> Option<policy::Judgement> {
    let audit = &execution.scenario().audit;
    let mut facts = recording.facts();
    facts.extend(execution.asked.iter().cloned());
    if result.mode == Mode::Prebuilt {
        execution.look_for_checks(recording, &mut facts).await;
    }
    facts.extend(execution.unchecked());
    facts.extend(execution.one_user(&result.expectations));
    // Nobody waits for what broke.
    let waits = result.broken.is_none();
    let images = tokio::select! {
        images = execution.facts_of_images(&facts, waits) => images,
        Ok(_) = interrupt.wait_for(|interrupted| *interrupted) => {
            execution.facts_of_images(&facts, false).await
        }
    };
    facts.extend(images);
    facts.extend(result.traced.iter().flat_map(shellproof_kernel::facts));
    let need = |witness| audit.need(witness, result.mode);
    let seen = policy::Seen {
        facts: &facts,
        started: &execution.started,
        allowed: &execution.allowed(),
        wire: match need(Witness::Wire) {
            Need::Off => Standing::Off("the scenario says so"),
            _ if execution.has_no_wire() => Standing::Absent(NO_WIRE),
            _ => Standing::Heard,
        },
        image: match need(Witness::Image) {
            Need::Off => Standing::Off("the scenario says so"),
            _ => Standing::Heard,
        },
        kernel: execution.kernel_standing(),
    };
    let judgement = policy::judge(result.mode, execution.scenario(), seen);
    (result.broken.is_none() || judgement.verdict == policy::Verdict::Violated).then_some(judgement)
}

/// Removes what an interrupted operation may have made after its scenario had cleaned up.
async fn sweep(runtime: &Arc<dyn Runtime>, invocation: &Invocation) -> Vec<String> {
    let owned = match runtime.owned().await {
        Ok(owned) => owned,
        Err(error) => return vec![error.to_string()],
    };
    let is_ours = |resource: &Resource| {
        let run = resource.labels.get(labels::RUN);
        run.is_some_and(|run| run == invocation.id()) && resource.kind != ResourceKind::Image
    };
    remove_all(&**runtime, owned.into_iter().filter(is_ours)).await
}

#[cfg(test)]
#[path = "run/run_tests.rs"]
mod tests;
