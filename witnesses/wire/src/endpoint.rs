use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::{Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use shellproof_api::EngineKind;
use tokio::net::UnixStream;

use crate::dialect::Dialect;
use crate::http;

/// How long an engine may take to say its version.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest version answer that is read, in bytes.
const VERSION: usize = 1 << 20;

/// Where an engine listens. Only the recorder talks to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// What kind of engine listens there.
    pub kind: EngineKind,
    /// Its unix socket.
    pub socket: PathBuf,
}

/// An engine's address that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// `tcp://`, `ssh://` and the like: refused, never ignored.
    #[error("engine address `{0}` is not a unix socket: only `unix:///path` can be recorded")]
    NotUnix(String),
    /// `unix://` with nothing or a relative path behind it.
    #[error("engine address `{0}` names no absolute path: expected `unix:///path`")]
    NoPath(String),
    /// Nothing there answers as an engine does.
    #[error("no engine answers on `{}`: {reason}", .socket.display())]
    Silent {
        /// The socket.
        socket: PathBuf,
        /// What was seen instead.
        reason: String,
    },
}

impl Endpoint {
    /// Reads the socket's path out of an address as `DOCKER_HOST` and `CONTAINER_HOST` have it.
    ///
    /// # Errors
    /// Anything but `unix://` with an absolute path.
    pub fn socket_path(url: &str) -> Result<PathBuf, EndpointError> {
        let path = url
            .strip_prefix("unix://")
            .ok_or_else(|| EndpointError::NotUnix(url.to_owned()))?;
        if !path.starts_with('/') {
            return Err(EndpointError::NoPath(url.to_owned()));
        }
        Ok(PathBuf::from(path))
    }

    /// Whether the engine on a socket, of whichever kind, knows a container.
    ///
    /// # Errors
    /// It does not say so.
    pub async fn has_container(socket: &Path, container: &str) -> io::Result<bool> {
        let path = Dialect::Docker.inspect(&utf8_percent_encode(container, NON_ALPHANUMERIC).to_string());
        let asked = http::call(socket, Method::GET, &path, None, VERSION);
        let (status, _) = tokio::time::timeout(PATIENCE, asked).await??;
        match status {
            StatusCode::OK => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            status => Err(io::Error::other(status.to_string())),
        }
    }

    /// Finds out what kind of engine listens on a socket.
    ///
    /// # Errors
    /// [`EndpointError::Silent`] when nothing there answers within five seconds as an engine does.
    pub async fn identify(socket: &Path) -> Result<Self, EndpointError> {
        let silent = |reason: String| EndpointError::Silent {
            socket: socket.to_owned(),
            reason,
        };
        let kind = tokio::time::timeout(PATIENCE, kind_of(socket))
            .await
            .map_err(|_| silent(format!("no answer within {} s", PATIENCE.as_secs())))?
            .map_err(silent)?;
        Ok(Self {
            kind,
            socket: socket.to_owned(),
        })
    }

    /// The process that listens on the engine's socket, as the kernel tells it.
    ///
    /// # Errors
    /// Nobody listens there.
    pub async fn server(&self) -> io::Result<Server> {
        let stream = UnixStream::connect(&self.socket).await?;
        let credentials = stream.peer_cred()?;
        let address = stream.peer_addr()?;
        let pid = credentials.pid();
        Ok(Server {
            pid: pid.ok_or_else(|| io::Error::other("the kernel does not tell its process id"))?,
            uid: credentials.uid(),
            gid: credentials.gid(),
            socket: address.as_pathname().map(Path::to_owned),
        })
    }
}

/// What kind of engine answers on a socket, or what answers instead.
async fn kind_of(socket: &Path) -> Result<EngineKind, String> {
    // A ping costs nothing, while Podman runs two programs to tell its version.
    let pong = http::send(socket, Method::GET, "/_ping", None, http::empty()).await;
    let pong = pong.map_err(|error| error.to_string())?;
    let server = pong.headers().get("Server").and_then(|value| value.to_str().ok());
    // What stands between may have put its own name there.
    if let Some(kind) = server.and_then(Dialect::engine_of_server) {
        return Ok(kind);
    }
    let (status, body) = http::call(socket, Method::GET, "/version", None, VERSION)
        .await
        .map_err(|error| error.to_string())?;
    let version: Value = serde_json::from_slice(&body).unwrap_or_default();
    Dialect::engine_of_version(&version)
        .ok_or_else(|| format!("`GET /version` gave status {status} and no engine's name"))
}

/// The process that listens on an engine's socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its process id.
    pub pid: i32,
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// What it calls its socket itself, where that is a path: ours may be a link to it.
    pub socket: Option<PathBuf>,
}

/// The recorder's own socket in front of an engine: all that a backend can be built from.
///
/// Only [`crate::Recorder::endpoint`] makes one, so that no backend can go past the recorder.
///
/// ```compile_fail
/// let bypass = shellproof_wire::RecordedEndpoint { socket: "/run/docker.sock".into() };
/// ```
#[derive(Clone, Debug)]
pub struct RecordedEndpoint {
    socket: PathBuf,
}

impl RecordedEndpoint {
    pub(crate) fn new(socket: PathBuf) -> Self {
        Self { socket }
    }

    /// The socket to connect to.
    pub fn socket(&self) -> &Path {
        &self.socket
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unix_sockets_with_an_absolute_path_are_taken() {
        let parse = Endpoint::socket_path;
        assert_eq!(
            parse("unix:///run/docker.sock").unwrap(),
            Path::new("/run/docker.sock")
        );
        for url in ["tcp://127.0.0.1:2375", "ssh://host", "/run/docker.sock", ""] {
            assert_eq!(parse(url), Err(EndpointError::NotUnix(url.into())));
        }
        for url in ["unix://", "unix://docker.sock"] {
            assert_eq!(parse(url), Err(EndpointError::NoPath(url.into())));
        }
    }
}
