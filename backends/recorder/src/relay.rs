//! One client's connection: two directions, each copied byte for byte and followed by a scanner.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Buf;
use hyper::{Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use shellproof_api::EngineKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::oneshot;

use crate::record::{Client, Log, Subject, keep};
use crate::route::{Action, Route};
use crate::scan::{BodyLength, Piece, RequestHead, ResponseHead, ScanError, Scanner};
use crate::{Endpoint, http};

/// The size of one read, in bytes.
const BUFFER: usize = 64 << 10;
/// From how many bytes on a part of a body is written from where it was read, and not gathered with what is around it.
const UNCOPIED: usize = 4 << 10;
/// The longest answer to an inspect that is read, in bytes.
const INSPECT: usize = 4 << 20;

/// What all connections of one recorder share.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) engine: Endpoint,
    pub(crate) log: Log,
}

/// A request whose answer has not begun.
struct Pending {
    place: usize,
    is_head: bool,
    action: Action,
    /// Tells the request direction whether the connection leaves HTTP, when the client offered to.
    leaves_http: Option<oneshot::Sender<bool>>,
}

type Queue = Arc<Mutex<VecDeque<Pending>>>;

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
        let queue = Queue::default();
        let answers = Answers {
            log: self.log.clone(),
            queue: queue.clone(),
        };
        let requests = Requests {
            relay: &self,
            connection,
            who,
            queue,
        };
        let directions = tokio::try_join!(
            fault_only(requests.copy(from_client, to_engine)),
            fault_only(answers.copy(from_engine, to_client))
        );
        if let Err(fault) = directions {
            self.log.fault(connection, fault);
        }
    }

    /// Asks the engine what a container would run if it were started now.
    async fn subject(&self, container: &str) -> Result<Option<Subject>, String> {
        let prefix = if self.engine.kind == EngineKind::Podman {
            "/v4.0.0/libpod"
        } else {
            ""
        };
        let path = format!(
            "{prefix}/containers/{}/json",
            utf8_percent_encode(container, NON_ALPHANUMERIC)
        );
        let (status, body) = http::call(&self.engine.socket, Method::GET, &path, None, INSPECT)
            .await
            .map_err(|error| {
                format!("container `{container}` could not be inspected before its start: {error}")
            })?;
        match status {
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::OK => {
                let inspect = serde_json::from_slice(&body).unwrap_or_default();
                let subject = Subject::from_inspect(&inspect);
                subject
                    .map(Some)
                    .ok_or_else(|| format!("the engine does not say what container `{container}` runs"))
            }
            status => Err(format!(
                "container `{container}` could not be inspected before its start: {status}"
            )),
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

/// The direction from the client to the engine.
struct Requests<'a> {
    relay: &'a Relay,
    connection: u64,
    who: Client,
    queue: Queue,
}

impl Requests<'_> {
    async fn copy(self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> Result<(), RelayError> {
        let mut scanner = Scanner::default();
        let mut buffer = vec![0; BUFFER];
        let mut out = Vec::new();
        let mut current: Option<(usize, bool)> = None;
        let mut leaves_http: Option<oneshot::Receiver<bool>> = None;
        loop {
            let read = from.read(&mut buffer).await?;
            if read == 0 {
                to.shutdown().await?;
                return Ok(());
            }
            let mut input = &buffer[..read];
            while let Some(piece) = scanner.next(&mut input).map_err(RelayError::Request)? {
                match piece {
                    Piece::Head(raw) => {
                        let head = RequestHead::parse(&raw).map_err(RelayError::Request)?;
                        scanner.body(head.body);
                        let (place, kept, receiver) = self.record(&head).await;
                        current = Some((place, kept));
                        leaves_http = receiver;
                        out.extend(raw);
                    }
                    Piece::Data(data) => {
                        if let Some((place, kept)) = current {
                            self.relay.log.update(place, |record| {
                                record.body_bytes += data.len() as u64;
                                if kept {
                                    keep(&mut record.body, data);
                                }
                            });
                        }
                        if data.len() < UNCOPIED {
                            out.extend_from_slice(data);
                        } else {
                            to.write_all_buf(&mut Buf::chain(out.as_slice(), data)).await?;
                            out.clear();
                        }
                    }
                    Piece::Framing(raw) => out.extend(raw),
                    Piece::End => {
                        // Whatever follows an offer to leave HTTP is a request only if the engine declined.
                        if let Some(answer) = leaves_http.take() {
                            to.write_all(&std::mem::take(&mut out)).await?;
                            if answer.await.unwrap_or(false) {
                                to.write_all(input).await?;
                                tokio::io::copy(&mut from, &mut to).await?;
                                to.shutdown().await?;
                                return Ok(());
                            }
                        }
                    }
                }
            }
            to.write_all(&out).await?;
            out.clear();
        }
    }

    /// Records a request; gives its place, whether its body is kept, and the word whether it leaves HTTP.
    async fn record(&self, head: &RequestHead) -> (usize, bool, Option<oneshot::Receiver<bool>>) {
        let log = &self.relay.log;
        let route = Route::parse(&head.method, &head.target);
        let (action, object) = (route.action, route.object.clone());
        let place = log.add(self.connection, &self.who, &head.method, &head.target, route);
        if action == Action::StartContainer
            && let Some(container) = object
        {
            match self.relay.subject(&container).await {
                Ok(subject) => log.update(place, |record| record.subject = subject),
                Err(fault) => log.fault(self.connection, fault),
            }
        }
        let may_leave = head.upgrade || matches!(action, Action::Attach | Action::StartExec | Action::Opaque);
        let (sender, receiver) = may_leave.then(oneshot::channel).unzip();
        let pending = Pending {
            place,
            is_head: head.method == "HEAD",
            action,
            leaves_http: sender,
        };
        self.queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(pending);
        (
            place,
            matches!(
                action,
                Action::CreateContainer | Action::CreateExec | Action::Update
            ),
            receiver,
        )
    }
}

/// The direction from the engine to the client.
struct Answers {
    log: Log,
    queue: Queue,
}

impl Answers {
    async fn copy(self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> Result<(), RelayError> {
        let result = self.follow(&mut from, &mut to).await;
        // Drops the senders, so that a request direction which waits for word goes on.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).clear();
        to.shutdown().await?;
        result
    }

    async fn follow(&self, from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf) -> Result<(), RelayError> {
        let mut scanner = Scanner::default();
        let mut buffer = vec![0; BUFFER];
        let mut kept: Option<usize> = None;
        loop {
            let read = from.read(&mut buffer).await?;
            if read == 0 {
                return Ok(());
            }
            let mut input = &buffer[..read];
            while let Some(piece) = scanner.next(&mut input).map_err(RelayError::Response)? {
                match piece {
                    Piece::Head(raw) => {
                        let head = ResponseHead::parse(&raw).map_err(RelayError::Response)?;
                        if matches!(head.status, 100..=199) && head.status != 101 {
                            scanner.body(BodyLength::Empty);
                            continue;
                        }
                        let pending = self
                            .queue
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .pop_front();
                        let pending = pending.ok_or(RelayError::Unasked)?;
                        let leaves = head.leaves_http() && pending.leaves_http.is_some();
                        if head.status == 101 && !leaves {
                            return Err(RelayError::LeftHttp);
                        }
                        self.log.update(pending.place, |record| {
                            record.status = Some(head.status);
                            record.left_http = leaves;
                        });
                        if let Some(sender) = pending.leaves_http {
                            // The request direction may be gone already; then nobody needs the word.
                            let _ = sender.send(leaves);
                        }
                        if leaves {
                            to.write_all(&buffer[..read]).await?;
                            tokio::io::copy(from, to).await?;
                            return Ok(());
                        }
                        let makes = matches!(pending.action, Action::CreateContainer | Action::CreateExec);
                        kept = makes.then_some(pending.place);
                        let bodiless = pending.is_head || matches!(head.status, 204 | 304);
                        scanner.body(if bodiless {
                            BodyLength::Empty
                        } else {
                            head.body.unwrap_or(BodyLength::UntilEnd)
                        });
                    }
                    Piece::Data(data) => {
                        if let Some(place) = kept {
                            self.log.update(place, |record| keep(&mut record.answer, data));
                        }
                    }
                    Piece::Framing(_) | Piece::End => {}
                }
            }
            // Recorded first: a client that has its answer can rely on the record.
            to.write_all(&buffer[..read]).await?;
        }
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
