//! Before a run's verdicts count, each witness proves itself alive: a marked request and a marked program must be seen.

use std::time::Duration;

use shellproof_api::{ContainerSpec, Error, Resource, ResourceKind};
use shellproof_recorder::Recording;

use super::images::{ImageError, Images};
use super::session::Session;
use crate::engines::{EngineError, EngineSpec};
use crate::kernel::{Kernel, Watch};

/// Far longer than the canary's container takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why an engine cannot be used for proofs.
#[derive(Debug, thiserror::Error)]
pub(super) enum CanaryError {
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
    pub(super) fn on(self, engine: &EngineSpec) -> EngineError {
        let name = engine.name.clone();
        match self {
            Self::Dead(reason) => EngineError::DeadWitness { name, reason },
            error => EngineError::Connect {
                name,
                reason: error.to_string(),
            },
        }
    }
}

/// What the marked container of a session is called.
pub(crate) fn name(session: &Session) -> String {
    format!("shellproof-{}-canary", session.id())
}

/// Shows the marked container to the witnesses.
///
/// Gives the kernel witness when it is alive, or why the engine does not let it be.
pub(super) async fn show(
    images: &Images,
    session: &Session,
    kernel: Result<Kernel, String>,
    recording: &(dyn Fn() -> Recording + Sync),
) -> Result<Result<Kernel, String>, CanaryError> {
    let marker = name(session);
    let watch = match &kernel {
        Ok(kernel) => kernel
            .watch(None)
            .map(Some)
            .map_err(|error| format!("no supervisor can be made: {error}")),
        Err(_) => Ok(None),
    };
    let (watch, kernel) = match watch {
        Ok(watch) => (watch, kernel),
        Err(reason) => (None, Err(reason)),
    };
    let kernel = match run(images, session, &marker, watch.as_ref()).await {
        Ok(()) => kernel,
        // The engine may know no listeners: then the wire must do without.
        Err(CanaryError::Engine(error)) if watch.is_some() => {
            run(images, session, &marker, None).await?;
            Err(format!(
                "the engine does not start a container with a seccomp listener: {}; it takes Docker 23 or newer, or \
                 Podman 4.3 or newer",
                error.message
            ))
        }
        Err(error) => return Err(error),
    };
    let is_marked = |argv: &[String]| argv.last() == Some(&marker);
    let heard = recording();
    let mut subjects = heard.starts().filter_map(|record| record.subject.as_ref());
    if !subjects.any(|subject| is_marked(&subject.argv)) {
        return Err(CanaryError::Dead(
            "the wire witness did not see the start of a marked container".into(),
        ));
    }
    if let (Ok(_), Some(watch)) = (&kernel, watch) {
        let trace = tokio::task::spawn_blocking(move || watch.ended()).await;
        let trace = trace.unwrap_or_default();
        let mut programs = trace.sessions.iter().flat_map(|session| &session.programs);
        if !programs.any(|program| is_marked(&program.argv)) {
            let mut reason = "the kernel witness did not see a marked program".to_owned();
            if let Some(fault) = trace.faults.first() {
                reason.push_str(&format!(": {fault}"));
            }
            return Err(CanaryError::Dead(reason));
        }
    }
    Ok(kernel)
}

/// Runs the marked container to its end and removes it.
async fn run(
    images: &Images,
    session: &Session,
    marker: &str,
    watch: Option<&Watch>,
) -> Result<(), CanaryError> {
    let image = images.probe(session).await?;
    let runtime = images.runtime();
    let spec = ContainerSpec {
        name: marker.to_owned(),
        image: image.reference,
        command: Some(vec!["canary".into(), marker.to_owned()]),
        read_only: true,
        cap_drop: vec!["ALL".into()],
        no_new_privileges: true,
        seccomp_profile: watch.map(|watch| watch.profile().to_owned()),
        labels: session.labels(),
        ..ContainerSpec::default()
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
            labels: session.labels(),
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
