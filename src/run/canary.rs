//! Before a run's verdicts count, each witness proves itself alive: a marked request and a marked program must be seen.

use std::time::Duration;

use shellproof_api::{ContainerSpec, Error, Resource, ResourceKind};
use shellproof_wire::{Recorder, Recording};

use super::images::{ImageError, Images};
use crate::engines::{Connection, EngineError, EngineSpec};
use crate::invocation::Invocation;
use crate::kernel::{Kernel, Watch};
use crate::vocabulary::Need;

/// What is said of a kernel witness that was switched off.
pub(super) const NOT_WANTED: &str = "it was switched off";
/// Far longer than the canary's container takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why an engine cannot be used for proofs.
#[derive(Debug, thiserror::Error)]
enum CanaryError {
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error(transparent)]
    Engine(#[from] Error),
    /// A witness did not see what was shown to it.
    #[error("{0}")]
    Dead(String),
}

impl CanaryError {
    /// What it means for the engine.
    fn on(self, engine: &EngineSpec) -> EngineError {
        match self {
            Self::Dead(reason) => EngineError::DeadWitness {
                name: engine.name.clone(),
                reason,
            },
            error => engine.unconnected(error.to_string()),
        }
    }
}

/// What the marked container of an invocation is called.
pub(crate) fn name(invocation: &Invocation) -> String {
    format!("shellproof-{}-canary", invocation.id())
}

/// Whether the witnesses of an engine are alive; and if the kernel witness turned out not to be had there, why.
pub(super) type Proof = Result<Result<(), String>, EngineError>;

/// The kernel witness of an engine, or why it has none, once its witnesses have proven themselves alive.
///
/// # Errors
/// A witness did not see the canary, or the canary could not be run.
pub(crate) async fn prove_alive(
    engine: &EngineSpec,
    connection: &Connection,
    images: &Images,
    invocation: &Invocation,
    need: Option<Need>,
) -> Result<Result<Kernel, String>, EngineError> {
    let kernel = match need {
        Some(Need::Off) => Err(NOT_WANTED.to_owned()),
        _ => Kernel::open(engine.endpoint.as_ref(), images.runtime().engine(), invocation).await,
    };
    let hoped_for = kernel.as_ref().ok();
    let proof = prove(
        engine,
        connection.recorder.as_ref(),
        images,
        invocation,
        hoped_for,
    )
    .await?;
    Ok(kernel.and_then(|kernel| proof.map(|()| kernel)))
}

/// Shows a marked container to the wire, if there is one, and to the kernel witness, if one is hoped for. They must have seen it afterwards.
pub(super) async fn prove(
    engine: &EngineSpec,
    recorder: Option<&Recorder>,
    images: &Images,
    invocation: &Invocation,
    kernel: Option<&Kernel>,
) -> Proof {
    let shown = show(images, invocation, kernel, recorder).await;
    shown.map_err(|error| error.on(engine))
}

async fn show(
    images: &Images,
    invocation: &Invocation,
    kernel: Option<&Kernel>,
    recorder: Option<&Recorder>,
) -> Result<Result<(), String>, CanaryError> {
    let marker = name(invocation);
    let seen_by_kernel = match kernel.map(|kernel| kernel.watch(None)) {
        None => Err("it was not hoped for".to_owned()),
        Some(Err(error)) => Err(format!("no supervisor can be made: {error}")),
        Some(Ok(watch)) => match run(images, invocation, &marker, Some(&watch)).await {
            Ok(()) => {
                seen_by_kernel(&marker, watch).await?;
                Ok(())
            }
            // The engine may know no listeners: then the wire must do without.
            Err(CanaryError::Engine(error)) => Err(format!(
                "the engine does not start a container with a seccomp listener: {}; it takes Docker 23 or newer, or \
                 Podman 4.3 or newer",
                error.message
            )),
            Err(error) => return Err(error),
        },
    };
    if seen_by_kernel.is_err() {
        run(images, invocation, &marker, None).await?;
    }
    if let Some(recorder) = recorder {
        seen_by_wire(&marker, &recorder.recording())?;
    }
    // Without one that was hoped for there is nothing to find out.
    Ok(if kernel.is_none() { Ok(()) } else { seen_by_kernel })
}

async fn seen_by_kernel(marker: &String, watch: Watch) -> Result<(), CanaryError> {
    let trace = tokio::task::spawn_blocking(move || watch.ended()).await;
    let trace = trace.unwrap_or_default();
    let mut programs = trace.sessions.iter().flat_map(|session| &session.programs);
    if programs.any(|program| program.argv.last() == Some(marker)) {
        return Ok(());
    }
    let mut reason = "the kernel witness did not see a marked program".to_owned();
    if let Some(fault) = trace.faults.first() {
        reason.push_str(&format!(": {fault}"));
    }
    Err(CanaryError::Dead(reason))
}

fn seen_by_wire(marker: &String, recording: &Recording) -> Result<(), CanaryError> {
    let mut subjects = recording.starts().filter_map(|record| record.subject.as_ref());
    if subjects.any(|subject| subject.argv.last() == Some(marker)) {
        return Ok(());
    }
    Err(CanaryError::Dead(
        "the wire witness did not see the start of a marked container".into(),
    ))
}

/// Runs the marked container to its end and removes it.
async fn run(
    images: &Images,
    invocation: &Invocation,
    marker: &str,
    watch: Option<&Watch>,
) -> Result<(), CanaryError> {
    let runtime = images.runtime();
    let words = vec!["canary".into(), marker.to_owned()];
    let spec = ContainerSpec {
        seccomp_profile: watch.map(|watch| watch.profile().to_owned()),
        ..images.probe_container(invocation, marker, words).await?
    };
    let ran = async {
        let id = runtime.create_container(&spec).await?;
        runtime.start_container(&id).await?;
        runtime.wait_container(&id).await
    };
    let ran = tokio::time::timeout(PATIENCE, ran).await;
    let removed = runtime
        .remove(&Resource {
            kind: ResourceKind::Container,
            id: marker.to_owned(),
            name: marker.to_owned(),
            labels: invocation.labels(),
        })
        .await;
    match ran {
        Ok(Ok(0)) => Ok(removed?),
        Ok(Ok(code)) => Err(CanaryError::Dead(format!("a marked container ended with {code}"))),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(CanaryError::Dead(format!(
            "a marked container still ran after {} s",
            PATIENCE.as_secs()
        ))),
    }
}
