//! Docker Engine, driven through the recorder's socket with `bollard`.
//!
//! Invariants:
//! - no `bollard` type and no HTTP in a public signature: its errors become [`shellproof_api::Error`] in `error.rs`;
//! - the socket comes from a [`RecordedEndpoint`] and nowhere else;
//! - no call has a timeout of its own, because deadlines are the caller's.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod containers;
mod create;
mod error;
mod files;
mod images;
mod owned;
mod pull;
mod runtime;

use std::path::PathBuf;

use bollard::API_DEFAULT_VERSION;
use bollard::models::SystemVersion;
use shellproof_api::{Engine, EngineKind, ErrorKind, Result, Seccomp};
use shellproof_wire::RecordedEndpoint;

use crate::error::Failing;

/// A Docker Engine.
#[derive(Debug)]
pub struct Docker {
    client: bollard::Docker,
    socket: PathBuf,
    engine: Engine,
}

impl Docker {
    /// Connects to the engine behind `endpoint`, which reports will call `name`.
    ///
    /// # Errors
    /// [`ErrorKind::Unreachable`], or [`ErrorKind::Unsupported`] when a Podman answers: its compatible API keeps
    /// less than the contract, and there is a backend for its own.
    pub async fn connect(endpoint: &RecordedEndpoint, name: &str) -> Result<Self> {
        let (client, failing) = client(endpoint, name)?;
        let version = client.version().await.map_err(|error| failing.from(error))?;
        refuse_podman(&version, &failing)?;
        let info = client.info().await.map_err(|error| failing.from(error))?;
        let security = info.security_options.unwrap_or_default();
        let rootless = security.iter().any(|option| option == "name=rootless");
        let profile = security
            .iter()
            .find_map(|option| option.strip_prefix("name=seccomp,profile="));
        let seccomp = match profile {
            None | Some("unconfined") => Seccomp::Off,
            // What Docker 20.10 called it, and what it is called since.
            Some("default" | "builtin") => Seccomp::BuiltIn,
            Some(path) => Seccomp::File(path.into()),
        };
        let engine = Engine {
            name: name.to_owned(),
            kind: EngineKind::Docker,
            version: version.version.unwrap_or_default(),
            rootless,
            seccomp,
        };
        Ok(Self {
            client,
            socket: endpoint.socket().to_owned(),
            engine,
        })
    }

    /// One more way to an engine that has said already who it is: nothing is asked of it again.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when the socket's path is not UTF-8.
    pub fn connect_again(endpoint: &RecordedEndpoint, engine: Engine) -> Result<Self> {
        let (client, _) = client(endpoint, &engine.name)?;
        Ok(Self {
            client,
            socket: endpoint.socket().to_owned(),
            engine,
        })
    }

    fn failing(&self, operation: &'static str, object: &str) -> Failing {
        Failing::new(operation, &self.engine.name, object)
    }
}

/// A client of the engine behind `endpoint`, and what names both in an error.
fn client(endpoint: &RecordedEndpoint, name: &str) -> Result<(bollard::Docker, Failing)> {
    let socket = endpoint.socket();
    let failing = Failing::new("connect", name, &socket.to_string_lossy());
    let path = socket
        .to_str()
        .ok_or_else(|| failing.with(ErrorKind::Invalid, "the socket's path is not UTF-8"))?;
    let client = bollard::Docker::connect_with_unix(path, u64::MAX, API_DEFAULT_VERSION)
        .map_err(|error| failing.from(error))?;
    Ok((client, failing))
}

fn refuse_podman(version: &SystemVersion, failing: &Failing) -> Result<()> {
    let components = version.components.iter().flatten();
    match components
        .into_iter()
        .find(|component| component.name.starts_with("Podman"))
    {
        None => Ok(()),
        Some(podman) => Err(failing.with(
            ErrorKind::Unsupported,
            format!(
                "this is Podman {}, not Docker: name the engine's kind `podman`",
                podman.version
            ),
        )),
    }
}
