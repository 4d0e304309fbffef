//! Scenarios, run on an image that is verified.

use std::io;
use std::sync::Arc;

use shellproof_api::ImageReference;
use shellproof_image::Source;
use shellproof_store::Store;
use tokio::sync::watch;

use super::named::{Named, Wanted};
use super::registry;
use crate::engines::EngineSpec;
use crate::failure::Failure;
use crate::invocation::Invocation;
use crate::platform::Platform;
use crate::result::Report;
use crate::run::{self, RunOptions, Runner};
use crate::scenario::Scenario;
use crate::vocabulary::{Mode, Status};

/// What a file is called while it is in the store.
const NAME: &str = "localhost/shellproof/verified";

/// Runs them in prebuilt mode. `mark` ends the name under which a file is taken into the store, and
/// `platform` says what configuration holds for an image of that name.
///
/// # Errors
/// The image cannot be taken, the engine or the machine failed, or nothing can be proven there.
pub(super) async fn run(
    scenarios: Vec<Arc<Scenario>>,
    wanted: &Wanted,
    engine: &EngineSpec,
    mark: &str,
    interrupt: watch::Receiver<bool>,
    platform: impl FnOnce(&ImageReference) -> Result<Platform, Failure>,
) -> Result<Report, Failure> {
    let invocation = Invocation::start().map_err(Failure::machine("no private directory can be made"))?;
    match &wanted.image {
        Named::OfEngine(reference) | Named::OfRegistry(reference) => {
            on(engine, &scenarios, platform(reference)?, invocation, interrupt).await
        }
        Named::File(source) => {
            let name = format!("{NAME}:{}{mark}", invocation.id());
            let name: ImageReference = name.parse().map_err(io::Error::other).map_err(failed)?;
            let platform = platform(&name)?;
            let store = import(source.clone(), name.clone()).await?;
            let ran = on(engine, &scenarios, platform, invocation, interrupt).await;
            let removing = tokio::task::spawn_blocking(move || store.remove(name.as_str()));
            let removed = removing.await.map_err(io::Error::other).map_err(failed)?;
            let mut report = ran?;
            report
                .leftovers
                .extend(removed.err().map(|error| error.to_string()));
            Ok(report)
        }
    }
}

fn failed(error: io::Error) -> Failure {
    Failure::Machine {
        what: "an image cannot be run",
        error,
    }
}

/// Takes an image from a file.
async fn import(source: Source, name: ImageReference) -> Result<Store, Failure> {
    let importing = tokio::task::spawn_blocking(move || {
        let store = Store::open()?;
        store.import_as(&source, &name)?;
        Ok(store)
    });
    importing
        .await
        .map_err(io::Error::other)
        .map_err(failed)?
        .map_err(registry::failure)
}

async fn on(
    engine: &EngineSpec,
    scenarios: &[Arc<Scenario>],
    platform: Platform,
    invocation: Invocation,
    interrupt: watch::Receiver<bool>,
) -> Result<Report, Failure> {
    let engines = [engine.clone()];
    let jobs = run::jobs(scenarios, &[Mode::Prebuilt], &engines);
    let options = RunOptions {
        jobs: 1,
        ..RunOptions::default()
    };
    let runner = Runner::open(&engines, platform, invocation, options).await?;
    let mut report = runner.run(&jobs, interrupt, &|_| {}).await;
    let unfit = runner.unfit().await;
    report.leftovers.extend(runner.close().await);
    let is_violated = report
        .results
        .iter()
        .any(|result| result.status() == Status::Violated);
    match unfit {
        // What was seen was seen, whatever else a dead witness missed.
        Some(unfit) if !is_violated && !report.interrupted => Err(unfit.into()),
        _ => Ok(report),
    }
}
