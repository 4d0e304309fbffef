//! Command tests, run as scenarios.

use std::sync::Arc;

use shellproof_api::{Engine, ImageReference};
use shellproof_image::Looked;
use tokio::sync::watch;

use super::cst::{Tested, Tests};
use super::named::{Named, Wanted};
use super::start;
use crate::ImageName;
use crate::engines::EngineSpec;
use crate::failure::Failure;
use crate::platform::Platform;
use crate::result::{Case, CaseResult, Expectation, Report};
use crate::scenario::{ImageChoice, Scenario};
use crate::source::Diagnostic;
use crate::vocabulary::Mode;

/// Holds an image to tests, as far as nothing has to be started.
pub(super) fn check(tests: &Tests, wanted: &Wanted, looked: &Looked) -> Tested {
    let configuration = &looked.content.configuration;
    let id = &configuration.id;
    let by_id: Result<ImageReference, _> = id.parse();
    let (reference, called) = match &wanted.image {
        Named::OfEngine(reference) => (Ok(reference.clone()), reference.to_string()),
        Named::OfRegistry(reference) => (by_id, reference.to_string()),
        Named::File(_) => (by_id, configuration.names.first().unwrap_or(id).clone()),
    };
    let reference = reference.unwrap_or_else(|_| unreachable!("a digest reads as a reference"));
    tests.check(
        looked,
        &ImageChoice::Named(ImageName::Reference(reference)),
        &called,
    )
}

/// Runs scenarios, and adds what came of them. Where the engine or the machine fails before anything runs, they are broken.
pub(super) async fn run(
    scenarios: Vec<Scenario>,
    wanted: &Wanted,
    engine: &EngineSpec,
    interrupt: watch::Receiver<bool>,
    report: &mut Report,
) {
    let scenarios: Vec<_> = scenarios.into_iter().map(Arc::new).collect();
    let platform = |_: &ImageReference| {
        Platform::from_parts(None, []).map_err(|mistakes| Failure::Input(mistakes.to_string()))
    };
    match start::run(scenarios.clone(), wanted, engine, "", interrupt, platform).await {
        Ok(ran) => {
            report.leftovers.extend(ran.leftovers);
            report.interrupted |= ran.interrupted;
            report.results.extend(ran.results.into_iter().map(started));
        }
        Err(failure) => {
            let known = Engine {
                name: engine.name.clone(),
                kind: engine.kind(),
                ..super::no_engine()
            };
            let broken = scenarios.into_iter().map(|scenario| CaseResult {
                broken: Some(failure.to_string()),
                ..CaseResult::new(Case::Scenario(scenario), Mode::Prebuilt, known.clone())
            });
            report.results.extend(broken);
        }
    }
}

/// A program that could not be started is a test that failed, whatever code that would have been.
fn started(mut result: CaseResult) -> CaseResult {
    let Some(scenario) = result.scenario().cloned() else {
        return result;
    };
    if result.broken.is_some() {
        return result;
    }
    for container in result.containers.iter().filter(|container| !container.started) {
        let has_failed = |one: &Expectation| {
            let failure = one.failure.as_ref();
            failure.is_some_and(|failure| failure.container.as_ref() == Some(&container.name))
        };
        let Some(declared) = scenario.container(&container.name) else {
            continue;
        };
        if !result.expectations.iter().any(has_failed) {
            let what = format!("expected `{}` to start its command", container.name);
            let diagnostic = Diagnostic::new(&scenario.file, declared.name.span, what);
            result
                .expectations
                .push(Expectation::of_file(diagnostic.label("it could not be started")));
        }
    }
    result
}
