//! The direction from the client to the engine.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::oneshot;

use super::{BUFFER, Exchange, Pending, Relay, RelayError};
use crate::record::{Client, KEPT, Kept, Refusal};
use crate::redact;
use crate::route::{Action, Dialect, Route};
use crate::scan::{Piece, RequestHead, Scanner};

pub(super) struct Requests<'a> {
    pub(super) relay: &'a Relay,
    pub(super) connection: u64,
    pub(super) who: Client,
    pub(super) exchange: &'a Exchange,
}

/// The request that is being read.
struct Current {
    place: usize,
    dialect: Dialect,
    /// Its body so far, when that says what will run.
    body: Option<Kept>,
    /// What is not passed on before the gate has decided: its bytes so far.
    held: Option<Vec<u8>>,
    /// The word whether the connection leaves HTTP with the answer.
    leaves_http: Option<oneshot::Receiver<bool>>,
    pending: Option<Pending>,
}

impl Requests<'_> {
    pub(super) async fn copy(
        self,
        mut from: OwnedReadHalf,
        mut to: OwnedWriteHalf,
    ) -> Result<(), RelayError> {
        let mut scanner = Scanner::default();
        let mut buffer = vec![0; BUFFER];
        let mut out = Vec::new();
        let mut current: Option<Current> = None;
        loop {
            let read = from.read(&mut buffer).await?;
            if read == 0 {
                to.shutdown().await?;
                return Ok(());
            }
            let mut input = &buffer[..read];
            while let Some(piece) = scanner.next(&mut input).map_err(RelayError::Request)? {
                let mut refusal = None;
                match piece {
                    Piece::Head(raw) => {
                        let head = RequestHead::parse(&raw).map_err(RelayError::Request)?;
                        scanner.body(head.body);
                        // What came before is on its way before the engine is asked about this one.
                        to.write_all(&std::mem::take(&mut out)).await?;
                        let mut request = self.record(&head).await;
                        if request.held.is_some() && head.expects_continue {
                            self.exchange.to_client(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
                        }
                        if request.held.is_none() {
                            refusal = self.refusal(request.place);
                        }
                        if refusal.is_none() {
                            request.pass(&mut out, &raw, self.exchange);
                        }
                        current = Some(request);
                    }
                    Piece::Data(data) => {
                        if let Some(request) = &mut current {
                            let bytes = data.len() as u64;
                            self.relay
                                .log
                                .update(request.place, |record| record.body_bytes += bytes);
                            if let Some(body) = &mut request.body {
                                body.push(data);
                            }
                            request.pass(&mut out, data, self.exchange);
                            refusal = request.too_long();
                        }
                    }
                    Piece::Framing(raw) => {
                        if let Some(request) = &mut current {
                            request.pass(&mut out, &raw, self.exchange);
                            refusal = request.too_long();
                        }
                    }
                    Piece::End => {
                        if let Some(mut request) = current.take() {
                            if let Some(body) = &request.body {
                                let body = redact::body(body.whole());
                                self.relay.log.update(request.place, |record| record.body = body);
                            }
                            if let Some(held) = request.held.take() {
                                refusal = self.refusal(request.place);
                                if refusal.is_none() {
                                    request.pass(&mut out, &held, self.exchange);
                                }
                            }
                            if refusal.is_none()
                                && let Some(answer) = request.leaves_http.take()
                            {
                                // Whatever follows an offer to leave HTTP is a request only if the engine declined.
                                to.write_all(&std::mem::take(&mut out)).await?;
                                if answer.await.unwrap_or(false) {
                                    to.write_all(input).await?;
                                    tokio::io::copy(&mut from, &mut to).await?;
                                    to.shutdown().await?;
                                    return Ok(());
                                }
                            }
                            current = refusal.is_some().then_some(request);
                        }
                    }
                }
                if let (Some(refusal), Some(request)) = (refusal, &current) {
                    return self.refuse(request, refusal, from, to).await;
                }
            }
            to.write_all(&out).await?;
            out.clear();
        }
    }

    /// Records a request, with what the engine says about it.
    async fn record(&self, head: &RequestHead) -> Current {
        let log = &self.relay.log;
        let target = redact::target(&head.target);
        let route = Route::parse(&head.method, &target);
        let (action, dialect, object) = (route.action, route.dialect, route.object.clone());
        let is_pod = route.path.starts_with("/pods/");
        let place = log.add(self.connection, &self.who, &head.method, &target, route);
        match (action, object) {
            (Action::StartContainer | Action::Attach | Action::RunHealthCheck, Some(container)) => {
                match self.relay.subject(&container).await {
                    Ok(subject) => log.update(place, |record| record.subject = subject),
                    Err(fault) => log.fault(self.connection, fault),
                }
            }
            (Action::Remove, object) if self.relay.options.changes => {
                match object.filter(|_| !is_pod) {
                    Some(object) => {
                        self.relay
                            .read_changes(|subject| subject.is_called(&object))
                            .await
                    }
                    // Nobody says which.
                    None => self.relay.read_changes(|_| true).await,
                }
            }
            _ => {}
        }
        let may_leave = head.upgrade || matches!(action, Action::Attach | Action::StartExec | Action::Opaque);
        let (sender, receiver) = may_leave.then(oneshot::channel).unzip();
        let says_what_runs = matches!(
            action,
            Action::CreateContainer | Action::CreateExec | Action::Update
        );
        Current {
            place,
            dialect,
            body: says_what_runs.then(Kept::default),
            held: (says_what_runs && self.relay.options.gate.is_some()).then(Vec::new),
            leaves_http: receiver,
            pending: Some(Pending {
                place,
                is_head: head.method == "HEAD",
                action,
                leaves_http: sender,
            }),
        }
    }

    /// Asks the gate about a request, and notes its answer.
    fn refusal(&self, place: usize) -> Option<Refusal> {
        let gate = self.relay.options.gate.as_ref()?;
        let record = self.relay.log.update(place, |record| record.clone());
        gate.refuse(&record)
    }

    /// Answers a request in the engine's place, behind all answers that the client still waits for, and closes.
    async fn refuse(
        &self,
        request: &Current,
        refusal: Refusal,
        mut from: OwnedReadHalf,
        mut to: OwnedWriteHalf,
    ) -> Result<(), RelayError> {
        let message = &refusal.message;
        let body = match request.dialect {
            Dialect::Docker => json!({ "message": message }),
            Dialect::Libpod => json!({ "cause": message, "message": message, "response": 403 }),
        };
        let body = body.to_string();
        let answer = format!(
            "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        self.relay.log.update(request.place, |record| {
            record.status = Some(403);
            record.refused = Some(refusal);
        });
        // The receiver cannot outlive its sender here.
        let _ = self
            .exchange
            .unanswered
            .subscribe()
            .wait_for(|number| *number == 0)
            .await;
        self.exchange.to_client(answer.as_bytes()).await?;
        self.exchange.to_client.lock().await.shutdown().await?;
        to.shutdown().await?;
        // Closing on a client that still sends would take the answer from it.
        tokio::io::copy(&mut from, &mut tokio::io::sink()).await?;
        Ok(())
    }
}

impl Current {
    /// Passes bytes on, or holds them until the gate has decided.
    fn pass(&mut self, out: &mut Vec<u8>, bytes: &[u8], exchange: &Exchange) {
        match &mut self.held {
            Some(held) => held.extend_from_slice(bytes),
            None => {
                if let Some(pending) = self.pending.take() {
                    exchange.asked(pending);
                }
                out.extend_from_slice(bytes);
            }
        }
    }

    /// What is held has a bound.
    fn too_long(&self) -> Option<Refusal> {
        let held = self.held.as_ref()?;
        (held.len() > 2 * KEPT).then(|| Refusal {
            message: format!(
                "shellproof: a request of more than {} bytes is not judged, so it is refused",
                2 * KEPT
            ),
        })
    }
}
