use std::path::Path;
use std::sync::Arc;

use shellproof_api::{EngineKind, OneId, Runtime};
use shellproof_docker::Docker;
use shellproof_embedded::{Embedded, Options};
use shellproof_kernel::profile::DOCKER_DEFAULT;
use shellproof_podman::Podman;
use shellproof_store::Store;
use shellproof_userns::Wanted;
use shellproof_wire::{Recorder, RecorderOptions};

use super::choice::EngineSpec;
use super::error::EngineError;

/// An engine behind a recorder of its own.
pub(crate) struct Connection {
    /// None where there is no wire.
    pub(crate) recorder: Option<Recorder>,
    pub(crate) runtime: Arc<dyn Runtime>,
    /// What it cannot do on this machine, in words for a person.
    pub(crate) note: Option<String>,
}

/// Starts a recorder on `socket` and builds the engine's backend on it. The one in this binary has neither, and takes a
/// directory of that name.
pub(crate) async fn connect(engine: &EngineSpec, socket: &Path) -> Result<Connection, EngineError> {
    let failed = |reason: String| engine.unconnected(reason);
    if engine.kind() == EngineKind::Embedded {
        return embedded(engine, socket).await;
    }
    let recorder = record(engine, socket, RecorderOptions::default()).await?;
    let endpoint = recorder.endpoint();
    let runtime: Arc<dyn Runtime> = match engine.kind() {
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
        EngineKind::Embedded | EngineKind::Fake | EngineKind::None => {
            return Err(failed("this engine listens nowhere".into()));
        }
    };
    Ok(Connection {
        recorder: Some(recorder),
        runtime,
        note: None,
    })
}

async fn embedded(engine: &EngineSpec, directory: &Path) -> Result<Connection, EngineError> {
    let (name, directory) = (engine.name.clone(), directory.with_extension("run"));
    let opened = tokio::task::spawn_blocking(move || {
        let options = Options {
            name,
            directory,
            store: Store::open().map_err(|error| error.to_string())?,
            on_disk: false,
            ids: Wanted::Many,
            profile: DOCKER_DEFAULT.to_owned(),
        };
        Embedded::open(options).map_err(|error| error.to_string())
    });
    let opened = opened.await.unwrap_or_else(|error| Err(error.to_string()));
    let runtime = opened.map_err(|reason| engine.unconnected(reason))?;
    let note = runtime.one_id().map(|OneId { cause, help }| {
        let help = help.iter().map(|help| format!("\nhelp: {help}"));
        format!(
            "containers of engine `{}` have one id only, so that users are not told apart there, and what changes its user or the \
             owner of files fails, package managers among it: {cause}{}",
            engine.name,
            help.collect::<String>()
        )
    });
    Ok(Connection {
        recorder: None,
        runtime: Arc::new(runtime),
        note,
    })
}

/// As [`connect`], for an engine that has said already who it is: then nothing but a scenario's own requests is in its
/// record, and none of its time goes to asking. Without a wire it is the same runtime again.
pub(crate) async fn connect_again(
    engine: &EngineSpec,
    known: &Arc<dyn Runtime>,
    socket: &Path,
    options: RecorderOptions,
) -> Result<Connection, EngineError> {
    if engine.kind() == EngineKind::Embedded {
        return Ok(Connection {
            recorder: None,
            runtime: known.clone(),
            note: None,
        });
    }
    let recorder = record(engine, socket, options).await?;
    let (endpoint, known) = (recorder.endpoint(), known.engine().clone());
    let runtime: Arc<dyn Runtime> = match known.kind {
        EngineKind::Podman => Arc::new(Podman::connect_again(&endpoint, known)),
        EngineKind::Docker => Arc::new(
            Docker::connect_again(&endpoint, known).map_err(|error| engine.unconnected(error.to_string()))?,
        ),
        EngineKind::Embedded | EngineKind::Fake | EngineKind::None => {
            return Err(engine.unconnected("this engine listens nowhere".into()));
        }
    };
    Ok(Connection {
        recorder: Some(recorder),
        runtime,
        note: None,
    })
}

async fn record(
    engine: &EngineSpec,
    socket: &Path,
    options: RecorderOptions,
) -> Result<Recorder, EngineError> {
    let recorder = Recorder::start_with(engine.listens()?, socket, options).await;
    recorder.map_err(|error| engine.unconnected(error.to_string()))
}
