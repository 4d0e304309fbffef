//! The scenario of a role, run on an image.

use std::io;

use shellproof_api::ImageReference;
use shellproof_image::Source;
use shellproof_store::Store;
use tokio::sync::watch;

use super::named::{Named, Wanted};
use super::registry;
use crate::engines::EngineSpec;
use crate::failure::Failure;
use crate::invocation::Invocation;
use crate::platform::{Platform, variable};
use crate::result::Report;
use crate::run::{self, RunOptions, Runner};
use crate::scenario::{self, Scenario};
use crate::vocabulary::{Mode, Role, Status};

/// What a file is called while it is in the store.
const NAME: &str = "localhost/shellproof/verified";

/// Runs it in prebuilt mode: on the engine that has the image, or on the embedded one; `is_debug` where the image is a debug
/// variant.
///
/// # Errors
/// The image cannot be taken, the engine or the machine failed, or nothing can be proven there.
pub(super) async fn run(
    role: Role,
    wanted: &Wanted,
    engine: Option<&EngineSpec>,
    is_debug: bool,
    interrupt: watch::Receiver<bool>,
) -> Result<Report, Failure> {
    let invocation = Invocation::start().map_err(Failure::machine("no private directory can be made"))?;
    match (&wanted.image, engine) {
        (Named::OfEngine(reference), Some(engine)) => {
            on(engine, role, reference, invocation, interrupt).await
        }
        (Named::OfEngine(reference) | Named::OfRegistry(reference), _) => {
            on(&EngineSpec::embedded(), role, reference, invocation, interrupt).await
        }
        (Named::File(source), _) => {
            // No criterion rests on it under another name either.
            let debug = if is_debug { "-debug" } else { "" };
            let name = format!("{NAME}:{}{debug}", invocation.id());
            let name: ImageReference = name.parse().map_err(io::Error::other).map_err(failed)?;
            let store = import(source.clone(), name.clone()).await?;
            let ran = on(&EngineSpec::embedded(), role, &name, invocation, interrupt).await;
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
    role: Role,
    image: &ImageReference,
    invocation: Invocation,
    interrupt: watch::Receiver<bool>,
) -> Result<Report, Failure> {
    let platform = Platform::from_parts(None, [(variable(role).to_owned(), image.to_string())])
        .map_err(|mistakes| Failure::Input(mistakes.to_string()))?;
    let engines = [engine.clone()];
    let jobs = run::jobs(&[scenario(role)?.into()], &[Mode::Prebuilt], &engines);
    let runner = Runner::open(&engines, platform, invocation, RunOptions::default()).await?;
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

/// The shipped scenario, which is in the binary: it mounts nothing of the machine.
fn scenario(role: Role) -> Result<Scenario, Failure> {
    macro_rules! shipped {
        ($name:literal) => {
            (
                concat!("scenarios/roles/", $name, ".yaml"),
                include_str!(concat!("../../scenarios/roles/", $name, ".yaml")),
            )
        };
    }
    let (path, text) = match role {
        Role::Python => shipped!("python"),
        Role::KerberosTest => shipped!("kerberos-test"),
        Role::Postgres => shipped!("postgres"),
        Role::OpenmetadataServer => shipped!("openmetadata-server"),
        Role::Opensearch => shipped!("opensearch"),
    };
    scenario::parse(path, text).map_err(|mistakes| Failure::Input(mistakes.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_has_a_scenario_of_prebuilt_mode_that_runs_its_image() {
        for role in Role::ALL {
            let scenario = scenario(*role).unwrap();
            assert_eq!(scenario.name.value, format!("role-{role}"));
            assert!(scenario.for_mode(Mode::Prebuilt).is_some());
        }
    }
}
