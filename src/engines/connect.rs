use std::path::Path;
use std::sync::Arc;

use shellproof_api::{Engine, EngineKind, Runtime};
use shellproof_docker::Docker;
use shellproof_podman::Podman;
use shellproof_wire::{Recorder, RecorderOptions};

use super::choice::EngineSpec;
use super::error::EngineError;

/// An engine behind a recorder of its own.
pub(crate) struct Connection {
    pub(crate) recorder: Recorder,
    pub(crate) runtime: Arc<dyn Runtime>,
}

/// Starts a recorder on `socket` and builds the engine's backend on it.
pub(crate) async fn connect(engine: &EngineSpec, socket: &Path) -> Result<Connection, EngineError> {
    let failed = |reason: String| engine.unconnected(reason);
    let recorder = record(engine, socket, RecorderOptions::default()).await?;
    let endpoint = recorder.endpoint();
    let runtime: Arc<dyn Runtime> = match engine.endpoint.kind {
        EngineKind::Podman => Arc::new(
            Podman::connect(&endpoint, &engine.name)
                .await
                .map_err(|error| failed(error.to_string()))?,
        ),
        EngineKind::Docker => Arc::new(
            Docker::connect(&endpoint, &engine.name)
                .await
                .map_err(|error| failed(error.to_string()))?,
        ),
        EngineKind::Fake | EngineKind::None => return Err(failed("this engine listens nowhere".into())),
    };
    Ok(Connection { recorder, runtime })
}

/// As [`connect`], for an engine that has said already who it is: then nothing but a scenario's own requests is in its
/// record, and none of its time goes to asking.
pub(crate) async fn connect_again(
    engine: &EngineSpec,
    known: &Engine,
    socket: &Path,
    options: RecorderOptions,
) -> Result<Connection, EngineError> {
    let recorder = record(engine, socket, options).await?;
    let (endpoint, known) = (recorder.endpoint(), known.clone());
    let runtime: Arc<dyn Runtime> = match known.kind {
        EngineKind::Podman => Arc::new(Podman::connect_again(&endpoint, known)),
        EngineKind::Docker => Arc::new(
            Docker::connect_again(&endpoint, known).map_err(|error| engine.unconnected(error.to_string()))?,
        ),
        EngineKind::Fake | EngineKind::None => {
            return Err(engine.unconnected("this engine listens nowhere".into()));
        }
    };
    Ok(Connection { recorder, runtime })
}

async fn record(
    engine: &EngineSpec,
    socket: &Path,
    options: RecorderOptions,
) -> Result<Recorder, EngineError> {
    let recorder = Recorder::start_with(&engine.endpoint, socket, options).await;
    recorder.map_err(|error| engine.unconnected(error.to_string()))
}
