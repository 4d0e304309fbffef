//! One client's connection: two directions, each copied byte for byte and followed by a scanner.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::{Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use shellproof_api::EngineKind;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{oneshot, watch};

use crate::changes::Changes;
use crate::record::{Client, Log, Subject};
use crate::recorder::Options;
use crate::relay::answers::Answers;
use crate::relay::requests::Requests;
use crate::route::Action;
use crate::scan::ScanError;
use crate::{Endpoint, http};

mod answers;
mod requests;

/// The size of one read, in bytes.
const BUFFER: usize = 64 << 10;
/// The longest answer to an inspect that is read, in bytes.
const INSPECT: usize = 4 << 20;
/// How long an engine may take to say what it is about to run.
const PATIENCE: Duration = Duration::from_secs(30);

/// What all connections of one recorder share.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) engine: Endpoint,
    pub(crate) log: Log,
    pub(crate) options: Options,
    /// Containers that were kept and started: they are to be removed when they end.
    pub(crate) kept: UnboundedSender<String>,
}

/// What the two directions of one connection tell each other.
struct Exchange {
    queue: Mutex<VecDeque<Pending>>,
    /// How many requests were passed on whose answer has not ended.
    unanswered: watch::Sender<usize>,
    /// The way to the client, which a refusal takes too.
    to_client: tokio::sync::Mutex<OwnedWriteHalf>,
}

/// A request whose answer has not begun.
struct Pending {
    place: usize,
    is_head: bool,
    action: Action,
    /// Tells the request direction whether the connection leaves HTTP, when the client offered to.
    leaves_http: Option<oneshot::Sender<bool>>,
}

impl Exchange {
    fn queue(&self) -> std::sync::MutexGuard<'_, VecDeque<Pending>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn asked(&self, pending: Pending) {
        self.unanswered.send_modify(|number| *number += 1);
        self.queue().push_back(pending);
    }

    fn answered(&self) {
        self.unanswered
            .send_modify(|number| *number = number.saturating_sub(1));
    }

    /// Nothing will be answered any more.
    fn silent(&self) {
        // Drops the senders, so that a request direction which waits for word goes on.
        self.queue().clear();
        self.unanswered.send_replace(0);
    }

    async fn to_client(&self, bytes: &[u8]) -> io::Result<()> {
        self.to_client.lock().await.write_all(bytes).await
    }
}

#[derive(Debug, thiserror::Error)]
enum RelayError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("a request cannot be followed: {0}")]
    Request(ScanError),
    #[error("an answer cannot be followed: {0}")]
    Response(ScanError),
    #[error("an answer to no request")]
    Unasked,
    #[error("the connection left HTTP though nobody offered to")]
    LeftHttp,
}

impl Relay {
    /// Serves one client until either side has ended.
    pub(crate) async fn serve(self: Arc<Self>, connection: u64, client: UnixStream) {
        let who = peer(&client);
        let engine = match UnixStream::connect(&self.engine.socket).await {
            Ok(engine) => engine,
            // The client sees its connection close, which is what a dead engine looks like.
            Err(_) => return,
        };
        let (from_client, to_client) = client.into_split();
        let (from_engine, to_engine) = engine.into_split();
        let exchange = Exchange {
            queue: Mutex::default(),
            unanswered: watch::Sender::new(0),
            to_client: tokio::sync::Mutex::new(to_client),
        };
        let answers = Answers {
            relay: &self,
            exchange: &exchange,
        };
        let requests = Requests {
            relay: &self,
            connection,
            who,
            exchange: &exchange,
        };
        let directions = tokio::try_join!(
            fault_only(requests.copy(from_client, to_engine)),
            fault_only(answers.copy(from_engine))
        );
        if let Err(fault) = directions {
            self.log.fault(connection, fault);
        }
    }

    /// Asks the engine what a container would run if it were started now.
    pub(crate) async fn subject(&self, container: &str) -> Result<Option<Subject>, String> {
        let prefix = if self.engine.kind == EngineKind::Podman {
            "/v4.0.0/libpod"
        } else {
            ""
        };
        let path = format!(
            "{prefix}/containers/{}/json",
            utf8_percent_encode(container, NON_ALPHANUMERIC)
        );
        let failed = |why: String| format!("container `{container}` could not be inspected: {why}");
        let asked = http::call(&self.engine.socket, Method::GET, &path, None, INSPECT);
        let (status, body) = tokio::time::timeout(PATIENCE, asked)
            .await
            .map_err(|_| failed(format!("no answer within {} s", PATIENCE.as_secs())))?
            .map_err(|error| failed(error.to_string()))?;
        match status {
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::OK => {
                let inspect = serde_json::from_slice(&body).unwrap_or_default();
                let subject = Subject::from_inspect(&inspect);
                subject
                    .map(Some)
                    .ok_or_else(|| format!("the engine does not say what container `{container}` runs"))
            }
            status => Err(failed(status.to_string())),
        }
    }

    /// Notes what a container has changed.
    pub(crate) async fn read_changes(&self, container: &str) {
        let unknown = match self.subject(container).await {
            Ok(Some(subject)) => return self.note_changes(&subject).await,
            Ok(None) => "the container is gone".to_owned(),
            Err(reason) => reason,
        };
        self.log.changes(Changes::unknown(container, unknown));
    }

    /// The same of one that the engine has just described.
    pub(crate) async fn note_changes(&self, subject: &Subject) {
        let at = self.log.elapsed();
        self.log.changes(Changes::of(&self.engine, subject, at).await);
    }

    /// Notes what all containers that were started here have changed.
    pub(crate) async fn read_all_changes(&self) {
        for container in self.log.started() {
            self.read_changes(&container).await;
        }
    }
}

/// A broken connection is no fault of the record, what was sent before is in it, and the other direction may still
/// have an answer to deliver. Anything else ends both directions at once.
async fn fault_only(direction: impl Future<Output = Result<(), RelayError>>) -> Result<(), RelayError> {
    match direction.await {
        Err(RelayError::Io(_)) => Ok(()),
        result => result,
    }
}

fn peer(client: &UnixStream) -> Client {
    let pid = client.peer_cred().ok().and_then(|credentials| credentials.pid());
    let program = pid.and_then(|pid| {
        let program = std::fs::read_link(PathBuf::from(format!("/proc/{pid}/exe"))).ok()?;
        Some(program.to_string_lossy().into_owned())
    });
    Client { pid, program }
}
