//! The direction from the client to the engine.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::oneshot;

use crate::action::Action;
use crate::body::{KEPT, Kept};
use crate::dialect::Dialect;
use crate::options::Prepared;
use crate::record::{Client, Refusal};
use crate::redact;
use crate::relay::exchange::{BUFFER, Exchange, Pending, RelayError};
use crate::route::Route;
use crate::scan::{Piece, RequestHead, Scanner};
use crate::shared::Shared;

pub(super) struct Requests<'a> {
    pub(super) shared: &'a Shared,
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
    /// What is not passed on before it is decided whether and how: its bytes so far.
    held: Option<Vec<u8>>,
    /// Its head, when its body may be changed.
    head: Option<Vec<u8>>,
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
                        let mut request = self.record(&head, &raw).await;
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
                            self.shared
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
                                self.shared.log.update(request.place, |record| record.body = body);
                            }
                            if let Some(held) = request.held.take() {
                                match self.decide(&request, held) {
                                    Ok(bytes) => request.pass(&mut out, &bytes, self.exchange),
                                    Err(refused) => refusal = Some(refused),
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
    async fn record(&self, head: &RequestHead, raw: &[u8]) -> Current {
        let log = &self.shared.log;
        let target = redact::target(&head.target);
        let route = Route::parse(&head.method, &target);
        let (action, dialect, object) = (route.action, route.dialect, route.object.clone());
        let is_pod = route.path.starts_with("/pods/");
        let query = route.query.clone();
        let place = log.add(self.connection, &self.who, &head.method, &target, route);
        match (action, object) {
            (Action::StartContainer | Action::Attach | Action::RunHealthCheck, Some(container)) => {
                match self.shared.inspect(&container).await {
                    Ok(subject) => {
                        if let (Action::StartContainer, Some(subject)) = (action, &subject) {
                            log.goes_on(&subject.id);
                        }
                        log.update(place, |record| record.subject = subject);
                    }
                    Err(fault) => log.fault(self.connection, fault),
                }
            }
            (Action::Remove, object) if self.shared.options.changes.is_some() => {
                match object.filter(|_| !is_pod) {
                    Some(object) => self.shared.read_before_removal(&object, &query).await,
                    // Nobody says which.
                    None => self.shared.read_all_changes().await,
                }
            }
            _ => {}
        }
        let options = &self.shared.options;
        let may_change =
            action == Action::CreateContainer && (options.prepare.is_some() || options.changes.is_some());
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
            held: (may_change || says_what_runs && options.gate.is_some()).then(Vec::new),
            head: may_change.then(|| raw.to_vec()),
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
        let gate = self.shared.options.gate.as_ref()?;
        let record = self.shared.log.update(place, |record| record.clone());
        gate.refuse(&record)
    }

    /// What is passed on of a request that was held: all of it, unless it is changed or refused.
    fn decide(&self, request: &Current, held: Vec<u8>) -> Result<Vec<u8>, Refusal> {
        if let Some(refusal) = self.refusal(request.place) {
            return Err(refusal);
        }
        let (Some(head), Some(sent)) = (&request.head, &request.body) else {
            return Ok(held);
        };
        let log = &self.shared.log;
        let options = &self.shared.options;
        let mut changed = None;
        if let Some(prepare) = &options.prepare {
            let record = log.update(request.place, |record| record.clone());
            changed = match prepare.prepare(&record, sent.whole()) {
                Prepared::AsSent => None,
                Prepared::Changed(body) => Some(body),
                Prepared::Refused(refusal) => return Err(refusal),
            };
        }
        if let Some(run) = &options.changes {
            let body = changed.as_deref().unwrap_or(sent.whole());
            changed = request.dialect.kept(body, run).or(changed);
        }
        let Some(body) = changed else {
            return Ok(held);
        };
        let forwarded = redact::body(&body);
        log.update(request.place, |record| record.forwarded = forwarded);
        Ok(with_body(head, &body))
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
        let body = request.dialect.error(403, message).to_string();
        let answer = format!(
            "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        self.shared.log.update(request.place, |record| {
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

/// A request with another body, and the headers that go with it.
fn with_body(head: &[u8], body: &[u8]) -> Vec<u8> {
    /// What says how long a body is, or that somebody waits to be asked for it.
    const FRAMING: [&str; 4] = ["content-length", "transfer-encoding", "trailer", "expect"];
    let is_framing = |line: &[u8]| {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        FRAMING
            .iter()
            .any(|framing| name.eq_ignore_ascii_case(framing.as_bytes()))
    };
    let mut request = Vec::with_capacity(head.len() + body.len() + 64);
    // The scanner took no head whose lines end in anything but CR LF, the last one empty.
    let lines = head
        .split_inclusive(|byte| *byte == b'\n')
        .filter(|line| *line != b"\r\n");
    for line in lines.filter(|line| !is_framing(line)) {
        request.extend_from_slice(line);
    }
    request.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
    request.extend_from_slice(body);
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_body_has_another_length_and_the_same_headers() {
        let head = b"POST /containers/create?name=x HTTP/1.1\r\nHost: d\r\ncontent-Length: 3\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\nX: content-length: 9\r\n\r\n";
        let changed = String::from_utf8(with_body(head, b"{}")).unwrap();
        assert_eq!(
            changed,
            "POST /containers/create?name=x HTTP/1.1\r\nHost: d\r\nX: content-length: 9\r\nContent-Length: 2\r\n\r\n{}"
        );
    }
}
