//! A Podman that listens nowhere.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use shellproof_wire::Endpoint;
use tokio::process::{Child, Command};

use super::choice::EngineSpec;
use super::error::EngineError;

/// A `podman system service` of our own, for a Podman that listens nowhere. It ends when this is dropped, and by
/// itself when nobody has spoken to it for a while.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) engine: EngineSpec,
    _child: Child,
}

/// After how many silent seconds the service ends by itself, should we be killed.
const SERVICE_IDLE: &str = "60";
const SERVICE_START: Duration = Duration::from_secs(20);

impl Service {
    /// Starts the service; `None` when no Podman is installed.
    pub(super) async fn start(directory: &Path) -> Result<Option<Self>, EngineError> {
        let socket = directory.join("podman.sock");
        let log = directory.join("podman.log");
        let failed = |reason: String| EngineError::Service(reason);
        let stderr = std::fs::File::create(&log).map_err(|error| failed(error.to_string()))?;
        let child = Command::new("podman")
            .args(["system", "service", "--time", SERVICE_IDLE])
            .arg(format!("unix://{}", socket.display()))
            // With these it would be a client of another.
            .env_remove("CONTAINER_HOST")
            .env_remove("CONTAINER_CONNECTION")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .kill_on_drop(true)
            .spawn();
        let mut child = match child {
            Ok(child) => child,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error.to_string())),
        };
        let deadline = tokio::time::Instant::now() + SERVICE_START;
        loop {
            let wrong = match Endpoint::identify(&socket).await {
                Ok(endpoint) => {
                    let engine = EngineSpec {
                        name: "podman".to_owned(),
                        endpoint: Some(endpoint),
                    };
                    return Ok(Some(Self {
                        engine,
                        _child: child,
                    }));
                }
                Err(error) => error,
            };
            if let Ok(Some(status)) = child.try_wait() {
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                return Err(failed(format!("it ended with {status}: {}", said.trim())));
            }
            if tokio::time::Instant::now() > deadline {
                return Err(failed(wrong.to_string()));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
