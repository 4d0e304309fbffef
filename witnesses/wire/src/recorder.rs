//! The socket in front of an engine.

use std::collections::{BTreeSet, HashSet};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::UnixListener;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::task::{AbortHandle, JoinSet};

use crate::changes::Changes;
use crate::endpoint::{Endpoint, RecordedEndpoint};
use crate::log::Log;
use crate::options::RecorderOptions;
use crate::record::Recording;
use crate::relay;
use crate::shared::Shared;

/// The longest path of a unix socket on Linux, in bytes.
const MAX_SOCKET_PATH: usize = 107;

/// A recording socket in front of one engine. Dropping it closes the socket, its connections and its file.
#[derive(Debug)]
pub struct Recorder {
    socket: PathBuf,
    shared: Arc<Shared>,
    accepting: AbortHandle,
}

impl Recorder {
    /// Listens on `socket` and relays to `engine`. The socket has mode 0600; put it into a directory of mode 0700,
    /// since a recorder is as powerful as the engine's own socket.
    ///
    /// # Errors
    /// The socket cannot be made: its path is longer than 107 bytes, exists already or cannot be written.
    pub async fn start(engine: &Endpoint, socket: &Path) -> io::Result<Self> {
        Self::start_with(engine, socket, RecorderOptions::default()).await
    }

    /// As [`Recorder::start`], with options.
    ///
    /// # Errors
    /// As [`Recorder::start`].
    pub async fn start_with(engine: &Endpoint, socket: &Path, options: RecorderOptions) -> io::Result<Self> {
        let length = socket.as_os_str().len();
        if length > MAX_SOCKET_PATH {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "socket path `{}` has {length} bytes, at most {MAX_SOCKET_PATH} are possible",
                    socket.display()
                ),
            ));
        }
        let named =
            |error: io::Error| io::Error::new(error.kind(), format!("`{}`: {error}", socket.display()));
        let listener = UnixListener::bind(socket).map_err(named)?;
        std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600)).map_err(named)?;
        let (kept, to_remove) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            engine: engine.clone(),
            socket: socket.to_owned(),
            log: Log::new(),
            options,
            kept,
        });
        let accepting = tokio::spawn(accept(listener, shared.clone(), to_remove)).abort_handle();
        Ok(Self {
            socket: socket.to_owned(),
            shared,
            accepting,
        })
    }

    /// The endpoint that a backend is built from.
    pub fn endpoint(&self) -> RecordedEndpoint {
        RecordedEndpoint::new(self.socket.clone())
    }

    /// The socket, for clients that are no backend.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// What was recorded so far. A request is in it before the engine's answer reaches the client.
    pub fn recording(&self) -> Recording {
        self.shared.log.snapshot()
    }

    /// The ids of the images, `sha256:…`, of the containers that were to be started so far: all that is needed of the recording
    /// while it goes on, without a copy of the rest.
    pub fn images(&self) -> BTreeSet<String> {
        self.shared.log.images()
    }

    /// Asks what the containers that are still there have changed, if that is wanted, and gives the recording.
    pub async fn finish(&self) -> Recording {
        if self.shared.options.changes.is_some() {
            self.shared.read_all_changes().await;
            // A start that came meanwhile.
            for container in self.shared.log.unread() {
                let reason = "the recording ended before it was looked at".to_owned();
                self.shared.log.changes(Changes::unknown(&container, reason));
            }
        }
        self.recording()
    }

    /// The names of containers that wanted to be removed as soon as they had ended (`--rm`) and are still there: the engine
    /// was not told of that wish, and once the recorder is gone nobody removes them but `shellproof clean`.
    pub async fn left(&self) -> Vec<String> {
        self.shared.left().await
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.accepting.abort();
        // The directory is removed by its owner; a file that is gone already is no loss.
        let _ = std::fs::remove_file(&self.socket);
    }
}

async fn accept(listener: UnixListener, shared: Arc<Shared>, mut to_remove: UnboundedReceiver<String>) {
    // Owns the connections and what waits for containers: they end with this task.
    let mut tasks = JoinSet::new();
    let mut kept = HashSet::new();
    let mut number = 0;
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => {
                    number += 1;
                    tasks.spawn(relay::serve(shared.clone(), number, client));
                }
                Err(error) => {
                    shared.log.fault(number, format_args!("the recorder cannot accept connections: {error}"));
                    return;
                }
            },
            Some(container) = to_remove.recv() => {
                if kept.insert(container.clone()) {
                    tasks.spawn(shared.clone().remove_when_ended(container));
                }
            }
            Some(_) = tasks.join_next() => {}
        }
    }
}
