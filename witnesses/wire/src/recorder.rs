use std::collections::HashSet;
use std::fmt;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use shellproof_api::facts::Fact;
use tokio::net::UnixListener;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::task::{AbortHandle, JoinSet};

use crate::record::{Log, Record, Recording, Refusal};
use crate::relay::Relay;
use crate::{Endpoint, RecordedEndpoint};

/// The longest path of a unix socket on Linux, in bytes.
const MAX_SOCKET_PATH: usize = 107;

/// Decides whether a request may reach the engine. The policy lives with whoever makes one; nothing here judges.
///
/// It is asked when the request's body is known, or what a container will run for a start.
#[derive(Clone)]
pub struct Gate(Arc<Refuse>);

type Refuse = dyn Fn(&Fact) -> Option<String> + Send + Sync;

impl Gate {
    /// A gate that asks `refuse` about what each request asks for, and is told why it may not be passed on.
    pub fn new(refuse: impl Fn(&Fact) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(refuse))
    }

    pub(crate) fn refuse(&self, record: &Record) -> Option<Refusal> {
        let message = (self.0)(&record.fact()?)?;
        Some(Refusal { message })
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gate")
    }
}

/// Changes requests to make a container before the engine sees them. What is changed, and why, is decided where the
/// policy is.
///
/// It is given the record and the body as it was sent.
#[derive(Clone)]
pub struct Prepare(Arc<Prepares>);

type Prepares = dyn Fn(&Record, &[u8]) -> Prepared + Send + Sync;

/// What becomes of a request to make a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prepared {
    /// It is passed on as it was sent.
    AsSent,
    /// This body is passed on in its place.
    Changed(Vec<u8>),
    /// It is not passed on.
    Refused(Refusal),
}

impl Prepare {
    /// Asks `prepare` about each request.
    pub fn new(prepare: impl Fn(&Record, &[u8]) -> Prepared + Send + Sync + 'static) -> Self {
        Self(Arc::new(prepare))
    }

    pub(crate) fn prepare(&self, record: &Record, body: &[u8]) -> Prepared {
        (self.0)(record, body)
    }
}

impl fmt::Debug for Prepare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Prepare")
    }
}

/// How to record.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Decides which requests reach the engine; all without one.
    pub gate: Option<Gate>,
    /// Changes requests to make a container; none without one.
    pub prepare: Option<Prepare>,
    /// Ask what each container has changed in its file system: before it is removed, and in [`Recorder::finish`]. One that
    /// its engine would remove as soon as it has ended is made without that, and removed by the recorder: it carries the
    /// labels of the run whose id this is.
    pub changes: Option<String>,
}

/// A recording socket in front of one engine. Dropping it closes the socket, its connections and its file.
#[derive(Debug)]
pub struct Recorder {
    socket: PathBuf,
    relay: Arc<Relay>,
    accepting: AbortHandle,
}

impl Recorder {
    /// Listens on `socket` and relays to `engine`. The socket has mode 0600; put it into a directory of mode 0700,
    /// since a recorder is as powerful as the engine's own socket.
    ///
    /// # Errors
    /// The socket cannot be made: its path is longer than 107 bytes, exists already or cannot be written.
    pub async fn start(engine: &Endpoint, socket: &Path) -> io::Result<Self> {
        Self::start_with(engine, socket, Options::default()).await
    }

    /// As [`Recorder::start`], with options.
    ///
    /// # Errors
    /// As [`Recorder::start`].
    pub async fn start_with(engine: &Endpoint, socket: &Path, options: Options) -> io::Result<Self> {
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
        let (kept, to_remove) = mpsc::unbounded_channel();
        let relay = Arc::new(Relay {
            engine: engine.clone(),
            log: Log::new(),
            options,
            kept,
        });
        let accepting = tokio::spawn(accept(listener, relay.clone(), to_remove)).abort_handle();
        Ok(Self {
            socket: socket.to_owned(),
            relay,
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
        self.relay.log.snapshot()
    }

    /// Asks what the containers that are still there have changed, if that is wanted, and gives the recording.
    pub async fn finish(&self) -> Recording {
        if self.relay.options.changes.is_some() {
            self.relay.read_all_changes().await;
        }
        self.recording()
    }

    /// The names of containers that wanted to be removed as soon as they had ended (`--rm`) and are still there: the engine
    /// was not told of that wish, and once the recorder is gone nobody removes them but `shellproof clean`.
    pub async fn left(&self) -> Vec<String> {
        self.relay.left().await
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.accepting.abort();
        // The directory is removed by its owner; a file that is gone already is no loss.
        let _ = std::fs::remove_file(&self.socket);
    }
}

async fn accept(listener: UnixListener, relay: Arc<Relay>, mut to_remove: UnboundedReceiver<String>) {
    // Owns the connections and what waits for containers: they end with this task.
    let mut tasks = JoinSet::new();
    let mut kept = HashSet::new();
    let mut number = 0;
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => {
                    number += 1;
                    tasks.spawn(relay.clone().serve(number, client));
                }
                Err(error) => {
                    relay.log.fault(number, format_args!("the recorder cannot accept connections: {error}"));
                    return;
                }
            },
            Some(container) = to_remove.recv() => {
                if kept.insert(container.clone()) {
                    tasks.spawn(relay.clone().remove_when_ended(container));
                }
            }
            Some(_) = tasks.join_next() => {}
        }
    }
}
