//! The direction from the client to the engine.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::oneshot;

use crate::action::Action;
use crate::body::{KEPT, Kept, said};
use crate::container::InspectedContainer;
use crate::dialect::Dialect;
use crate::json;
use crate::options::Prepared;
use crate::record::{Client, Refusal};
use crate::redact;
use crate::relay::calls;
use crate::relay::exchange::{BUFFER, Exchange, Pending, RelayError};
use crate::route::{Route, is_id};
use crate::scan::{BodyLength, Piece, RequestHead, Scanner};
use crate::shared::{Described, Shared};

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
    action: Action,
    /// Its head as it is passed on.
    head: Vec<u8>,
    /// Its body so far, when that says what will run.
    body: Option<Kept>,
    /// What is not passed on before it is decided whether and how: its bytes so far.
    held: Option<Vec<u8>>,
    /// The client offers to leave HTTP.
    upgrade: bool,
    /// Its body may be changed.
    may_change: bool,
    /// The word whether the connection leaves HTTP with the answer.
    leaves_http: Option<oneshot::Receiver<bool>>,
    pending: Option<Pending>,
    /// The places of the starts that the engine makes of its own accord before this one.
    implied: Vec<usize>,
    /// What the engine said of a container that it does not know.
    missing: Option<Vec<u8>>,
}

/// An answer that is given in the engine's place.
struct InPlace {
    status: &'static str,
    code: u16,
    body: Vec<u8>,
    refusal: Option<Refusal>,
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
                let mut answer = None;
                match piece {
                    Piece::Head(raw) => {
                        let head = RequestHead::parse(&raw).map_err(RelayError::Request)?;
                        scanner.body(head.body);
                        // What came before is on its way before the engine is asked about this one.
                        to.write_all(&std::mem::take(&mut out)).await?;
                        let mut request = self.record(&head, raw).await;
                        answer = request.missing.take().map(InPlace::missing);
                        if answer.is_none() && request.held.is_some() && head.expects_continue {
                            self.exchange.to_client(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
                        }
                        if answer.is_none() && request.held.is_none() {
                            answer = self.refused(&request);
                        }
                        if answer.is_none() {
                            let head = request.head.clone();
                            request.pass(&mut out, &head, self.exchange);
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
                            answer = request.too_long();
                        }
                    }
                    Piece::Framing(raw) => {
                        if let Some(request) = &mut current {
                            request.pass(&mut out, &raw, self.exchange);
                            answer = request.too_long();
                        }
                    }
                    Piece::End => {
                        if let Some(mut request) = current.take() {
                            self.note_body(&request);
                            if let Some(held) = request.held.take() {
                                match self.decide(&request, held) {
                                    Ok(bytes) => request.pass(&mut out, &bytes, self.exchange),
                                    Err(in_place) => answer = Some(in_place),
                                }
                            }
                            if answer.is_none()
                                && let Some(word) = request.leaves_http.take()
                            {
                                // Whatever follows an offer to leave HTTP is a request only if the engine declined.
                                to.write_all(&std::mem::take(&mut out)).await?;
                                if word.await.unwrap_or(false) {
                                    to.write_all(input).await?;
                                    tokio::io::copy(&mut from, &mut to).await?;
                                    to.shutdown().await?;
                                    return Ok(());
                                }
                            }
                            current = answer.is_some().then_some(request);
                        }
                    }
                }
                if let (Some(answer), Some(request)) = (answer, &current) {
                    return self.answer(request, answer, from, to).await;
                }
            }
            to.write_all(&out).await?;
            out.clear();
        }
    }

    /// Records a request, with what the engine says about it.
    async fn record(&self, head: &RequestHead, raw: Vec<u8>) -> Current {
        let log = &self.shared.log;
        let options = &self.shared.options;
        let target = redact::target(&head.target);
        let mut route = Route::parse(&head.method, &target);
        let has_body = !matches!(head.body, BodyLength::Empty | BodyLength::Exactly(0));
        let is_pull_by_form = head.is_form && has_body && route.path == "/images/create";
        if is_pull_by_form {
            route.action = Action::Build;
        }
        let (action, dialect) = (route.action, route.dialect);
        let place = log.add(self.connection, &self.who, &head.method, &target, route.clone());
        if is_pull_by_form {
            log.doubt(place, "what is in a form wins over the query".to_owned());
        }
        let says_what_runs = matches!(
            action,
            Action::CreateContainer | Action::CreateExec | Action::Update
        ) || action == Action::StartContainer && has_body;
        let may_change =
            action == Action::CreateContainer && (options.prepare.is_some() || options.changes.is_some());
        let may_leave =
            head.upgrade || action.is_build_stream() || matches!(action, Action::Attach | Action::StartExec);
        let (sender, receiver) = may_leave.then(oneshot::channel).unzip();
        let mut request = Current {
            place,
            dialect,
            action,
            head: raw,
            body: says_what_runs.then(Kept::default),
            held: (may_change || says_what_runs && options.gate.is_some()).then(Vec::new),
            upgrade: head.upgrade,
            may_change,
            leaves_http: receiver,
            pending: None,
            implied: Vec::new(),
            missing: None,
        };
        if action.runs_container() {
            self.inspect(&mut request, &route, &head.target).await;
        } else if action == Action::Remove && options.changes.is_some() {
            match route.object.filter(|_| !route.path.starts_with("/pods/")) {
                Some(object) => self.shared.read_before_removal(&object, &route.query).await,
                // Nobody says which.
                None => self.shared.read_all_changes().await,
            }
        }
        request.pending = Some(Pending {
            place,
            implied: request.implied.clone(),
            is_head: head.method == "HEAD",
            action,
            leaves_http: sender,
        });
        request
    }

    /// Asks the engine what the container of a request runs, and makes the request one of that container's id: a name may
    /// be another container's by the time that the engine reads it.
    async fn inspect(&self, request: &mut Current, route: &Route, target: &str) {
        let log = &self.shared.log;
        let Some(object) = &route.object else { return };
        // The engine does one after the other too, and what is before may change what a name stands for.
        self.all_answered().await;
        let starts = matches!(request.action, Action::StartContainer | Action::Attach);
        let container = match self.shared.ask(object, starts).await {
            Ok(Described::Container(container)) => *container,
            Ok(Described::Missing(answer)) => {
                // It may be there by the time that the engine would look for it, and then run unjudged.
                let runs = matches!(request.action, Action::StartContainer | Action::RunHealthCheck);
                request.missing = runs.then_some(answer);
                return;
            }
            // An exec is one, whatever its container is.
            Err(_) if matches!(request.action, Action::CreateExec | Action::ListPrograms) => return,
            Err(fault) => return log.fault(self.connection, fault),
        };
        if request.action == Action::StartContainer {
            log.goes_on(&container.id);
        }
        if container.id != *object {
            if !self.shared.is_found_by_id(&container).await {
                let fault = format!("the id of container `{object}` leads to another container");
                return log.fault(self.connection, fault);
            }
            let query = target.split_once('?').map_or("", |(_, query)| query);
            request.head = with_target(&request.head, &route.by_id(&container.id, query));
        }
        if starts && !container.running {
            for dependency in self.shared.dependencies(&container).await {
                match dependency {
                    Ok(dependency) => request.implied.push(self.record_implied(dependency)),
                    Err(fault) => log.fault(self.connection, fault),
                }
            }
        }
        log.update(request.place, |record| record.subject = Some(container));
    }

    /// Records the start of a container that the engine starts before the one that it is asked to.
    fn record_implied(&self, container: InspectedContainer) -> usize {
        let log = &self.shared.log;
        let target = format!("/containers/{}/start", container.id);
        let route = Route::parse("POST", &target);
        log.goes_on(&container.id);
        let place = log.add(self.connection, &self.who, "POST", &target, route);
        log.update(place, |record| record.subject = Some(container));
        place
    }

    /// Waits until the client has all answers to what it asked before on this connection.
    async fn all_answered(&self) {
        let mut unanswered = self.exchange.unanswered.subscribe();
        // The sender lives as long as the connection.
        let _ = unanswered.wait_for(|number| *number == 0).await;
    }

    /// Notes what a body says, and why it does not say the same to everybody, if so.
    fn note_body(&self, request: &Current) {
        let Some(body) = &request.body else { return };
        let log = &self.shared.log;
        let shown = redact::body(body.whole());
        log.update(request.place, |record| record.body = shown);
        if let Some(doubt) = request.doubt() {
            log.doubt(request.place, doubt);
        }
    }

    /// Asks the gate about a request and what it implies.
    fn refused(&self, request: &Current) -> Option<InPlace> {
        let gate = self.shared.options.gate.as_ref()?;
        let places = request.implied.iter().chain([&request.place]);
        let refusal = places.into_iter().find_map(|place| {
            let record = self.shared.log.update(*place, |record| record.clone());
            gate.refuse(&record)
        });
        refusal.map(|refusal| InPlace::refusal(request.dialect, refusal))
    }

    /// What is passed on of a request that was held: all of it, unless it is changed or refused.
    fn decide(&self, request: &Current, held: Vec<u8>) -> Result<Vec<u8>, InPlace> {
        let options = &self.shared.options;
        if let Some(answer) = self.refused(request) {
            return Err(answer);
        }
        if options.gate.is_some()
            && let Some(doubt) = request.doubt()
        {
            let message = format!("shellproof: refused, since its body cannot be judged: {doubt}");
            return Err(InPlace::refusal(request.dialect, Refusal { message }));
        }
        let (true, Some(sent)) = (request.may_change, &request.body) else {
            return Ok(held);
        };
        let log = &self.shared.log;
        let mut changed = None;
        if let Some(prepare) = &options.prepare {
            let record = log.update(request.place, |record| record.clone());
            changed = match prepare.prepare(&record, sent.whole()) {
                Prepared::AsSent => None,
                Prepared::Changed(body) => Some(body),
                Prepared::Refused(refusal) => return Err(InPlace::refusal(request.dialect, refusal)),
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
        Ok(with_body(&request.head, &body))
    }

    /// Answers a request in the engine's place, behind all answers that the client still waits for, and closes.
    async fn answer(
        &self,
        request: &Current,
        answer: InPlace,
        mut from: OwnedReadHalf,
        mut to: OwnedWriteHalf,
    ) -> Result<(), RelayError> {
        let head = format!(
            "HTTP/1.1 {} {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            answer.code,
            answer.status,
            answer.body.len()
        );
        for place in request.implied.iter().chain([&request.place]) {
            self.shared.log.update(*place, |record| {
                record.status = Some(answer.code);
                record.refused.clone_from(&answer.refusal);
            });
        }
        if answer.refusal.is_none() {
            let said = said(&answer.body);
            self.shared
                .log
                .update(request.place, |record| record.answer = Some(said));
        }
        self.all_answered().await;
        if let (Action::BuildCalls, true, Some(refusal)) = (request.action, request.upgrade, &answer.refusal)
        {
            // Before the engine's side ends, which would end the client's.
            let mut to_client = self.exchange.to_client.lock().await;
            to.shutdown().await?;
            return Ok(calls::refuse(from, &mut *to_client, &refusal.message).await?);
        }
        self.exchange
            .to_client(&[head.as_bytes(), &answer.body].concat())
            .await?;
        self.exchange.to_client.lock().await.shutdown().await?;
        to.shutdown().await?;
        // Closing on a client that still sends would take the answer from it.
        tokio::io::copy(&mut from, &mut tokio::io::sink()).await?;
        Ok(())
    }
}

impl InPlace {
    fn refusal(dialect: Dialect, refusal: Refusal) -> Self {
        Self {
            status: "Forbidden",
            code: 403,
            body: dialect.error(403, &refusal.message).to_string().into_bytes(),
            refusal: Some(refusal),
        }
    }

    /// What the engine says of a container that it does not know.
    fn missing(body: Vec<u8>) -> Self {
        Self {
            status: "Not Found",
            code: 404,
            body,
            refusal: None,
        }
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

    /// Why its body does not say the same to all who read it, if so.
    fn doubt(&self) -> Option<String> {
        let body = self.body.as_ref()?;
        let says_nothing = matches!(body.whole().trim_ascii(), b"" | b"{}" | b"null");
        if self.action == Action::StartContainer && !says_nothing {
            return Some("engines with an old interface take another configuration from it".to_owned());
        }
        if let Some(doubt) = body.doubt() {
            return Some(doubt);
        }
        let value = json::read(body.whole()).ok()?;
        let name = json::member(value.as_object()?, "name").ok()??.as_str()?;
        let is_doubtful = self.action == Action::CreateContainer && is_id(name);
        is_doubtful.then(|| "it names the container like an id".to_owned())
    }

    /// What is held has a bound.
    fn too_long(&self) -> Option<InPlace> {
        let held = self.held.as_ref()?;
        (held.len() > 2 * KEPT).then(|| {
            let message = format!(
                "shellproof: a request of more than {} bytes is not judged, so it is refused",
                2 * KEPT
            );
            InPlace::refusal(self.dialect, Refusal { message })
        })
    }
}

/// A request's head with another target.
fn with_target(head: &[u8], target: &str) -> Vec<u8> {
    let line_end = head.iter().position(|byte| *byte == b'\r').unwrap_or(head.len());
    let (line, rest) = head.split_at(line_end);
    let mut words = line.split(|byte| *byte == b' ');
    let method = words.next().unwrap_or_default();
    let version = words.next_back().unwrap_or_default();
    [method, b" ", target.as_bytes(), b" ", version, rest].concat()
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
    fn another_target_leaves_the_rest_of_a_head() {
        let head = b"POST /containers/x/start?a=b HTTP/1.0\r\nX: POST /containers/x HTTP/1.0\r\n\r\n";
        assert_eq!(
            with_target(head, "/containers/ID/start?a=b"),
            b"POST /containers/ID/start?a=b HTTP/1.0\r\nX: POST /containers/x HTTP/1.0\r\n\r\n"
        );
    }

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
