use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::UnixListener;
use tokio::task::{AbortHandle, JoinSet};

use crate::record::{Log, Recording};
use crate::relay::Relay;
use crate::{Endpoint, RecordedEndpoint};

/// The longest path of a unix socket on Linux, in bytes.
const MAX_SOCKET_PATH: usize = 107;

/// A recording socket in front of one engine. Dropping it closes the socket, its connections and its file.
#[derive(Debug)]
pub struct Recorder {
    socket: PathBuf,
    log: Log,
    accepting: AbortHandle,
}

impl Recorder {
    /// Listens on `socket` and relays to `engine`. The socket has mode 0600; put it into a directory of mode 0700,
    /// since a recorder is as powerful as the engine's own socket.
    ///
    /// # Errors
    /// The socket cannot be made: its path is longer than 107 bytes, exists already or cannot be written.
    pub async fn start(engine: &Endpoint, socket: &Path) -> io::Result<Self> {
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
        let listener = UnixListener::bind(socket)?;
        std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600))?;
        let log = Log::new();
        let relay = Arc::new(Relay {
            engine: engine.clone(),
            log: log.clone(),
        });
        let accepting = tokio::spawn(accept(listener, relay)).abort_handle();
        Ok(Self {
            socket: socket.to_owned(),
            log,
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
        self.log.snapshot()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.accepting.abort();
        // The directory is removed by its owner; a file that is gone already is no loss.
        let _ = std::fs::remove_file(&self.socket);
    }
}

async fn accept(listener: UnixListener, relay: Arc<Relay>) {
    // Owns the connections: they end with this task.
    let mut connections = JoinSet::new();
    let mut number = 0;
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => {
                    number += 1;
                    connections.spawn(relay.clone().serve(number, client));
                }
                Err(error) => {
                    relay.log.fault(number, format_args!("the recorder cannot accept connections: {error}"));
                    return;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}
