//! The second witness: what the engine itself tells about containers while a recording goes on.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::dialect::Dialect;
use crate::endpoint::Endpoint;
use crate::event::{Event, Events};
use crate::http;

/// How long an engine may take to tell of a change.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest event that is read, in bytes.
const LONGEST: usize = 1 << 20;
/// How many events are kept.
const MOST: usize = 100_000;

/// A connection of its own on which the engine tells what happens.
///
/// It counts only between two events that were caused for this purpose: a volume is made and removed at its beginning
/// and at its end.
#[derive(Debug)]
pub struct EventStream {
    engine: Endpoint,
    marker: String,
    told: watch::Receiver<Told>,
    reading: AbortHandle,
}

#[derive(Debug, Default)]
struct Told {
    events: Events,
    markers: usize,
    ended: bool,
}

impl EventStream {
    /// Listens, and returns when the engine has shown that it tells. The marker is the name of a volume that does
    /// not exist.
    ///
    /// # Errors
    /// The engine's events cannot be read.
    pub async fn open(engine: &Endpoint, marker: &str, label: (&str, &str)) -> Result<Self, String> {
        let filters = r#"{"type":["container","volume"]}"#;
        let path = format!(
            "/events?filters={}",
            utf8_percent_encode(filters, NON_ALPHANUMERIC)
        );
        let answer = http::send(&engine.socket, Method::GET, &path, None, http::empty());
        let answer = tokio::time::timeout(PATIENCE, answer)
            .await
            .map_err(|_| "the engine does not answer `GET /events`".to_owned())?
            .map_err(|error| format!("`GET /events`: {error}"))?;
        if !answer.status().is_success() {
            return Err(format!("`GET /events`: {}", answer.status()));
        }
        let (sender, told) = watch::channel(Told::default());
        let mut body = answer.into_body();
        let name = marker.to_owned();
        let dialect = Dialect::of(engine.kind);
        let reading = tokio::spawn(async move {
            let mut lines = Lines::of(dialect);
            while let Some(Ok(frame)) = body.frame().await {
                let Ok(data) = frame.into_data() else { continue };
                sender.send_modify(|told| lines.take(&data, &name, told));
            }
            sender.send_modify(|told| told.ended = true);
        });
        let mut stream = Self {
            engine: engine.clone(),
            marker: marker.to_owned(),
            told,
            reading: reading.abort_handle(),
        };
        stream.mark(label).await?;
        Ok(stream)
    }

    /// Waits until the engine has told all that has happened until now, and gives it.
    pub async fn close(mut self, label: (&str, &str)) -> Events {
        let marked = self.mark(label).await;
        let mut events = self.told.borrow().events.clone();
        events.gap = events.gap.or(marked.err());
        events
    }

    /// Makes and removes a volume, and waits for both events.
    async fn mark(&mut self, (label, value): (&str, &str)) -> Result<(), String> {
        let wanted = self.told.borrow().markers + 2;
        let spec = json!({ "Name": self.marker, "Labels": { label: value } });
        let path = format!("/volumes/{}", self.marker);
        for (method, path, body) in [
            (Method::POST, "/volumes/create", Some(&spec)),
            (Method::DELETE, path.as_str(), None),
        ] {
            let what = format!("`{method} {path}`");
            let (status, _) = http::call(&self.engine.socket, method, path, body, LONGEST)
                .await
                .map_err(|error| format!("{what}: {error}"))?;
            if !status.is_success() {
                return Err(format!("{what}: {status}"));
            }
        }
        let told = self.told.wait_for(|told| told.markers >= wanted || told.ended);
        match tokio::time::timeout(PATIENCE, told).await {
            Ok(Ok(told)) if !told.ended => Ok(()),
            Ok(_) => Err("the engine ended its stream of events".into()),
            Err(_) => Err(format!(
                "the engine did not tell of a marker within {} s",
                PATIENCE.as_secs()
            )),
        }
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// Splits a stream of JSON lines.
struct Lines {
    dialect: Dialect,
    begun: Vec<u8>,
}

impl Lines {
    fn of(dialect: Dialect) -> Self {
        Self {
            dialect,
            begun: Vec::new(),
        }
    }

    fn take(&mut self, data: &Bytes, marker: &str, told: &mut Told) {
        self.begun.extend_from_slice(data);
        while let Some(end) = self.begun.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.begun.drain(..=end).collect();
            match serde_json::from_slice(&line) {
                Ok(event) => told.note(self.dialect, &event, marker),
                Err(_) => told.events.gap = Some("the engine told something that cannot be read".into()),
            }
        }
        if self.begun.len() > LONGEST {
            self.begun.clear();
            told.events.gap = Some(format!("the engine told an event of more than {LONGEST} bytes"));
        }
    }
}

impl Told {
    fn note(&mut self, dialect: Dialect, event: &Value, marker: &str) {
        let actor = &event["Actor"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let name = text(&actor["Attributes"]["name"]);
        match event["Type"].as_str() {
            Some("volume") => self.markers += usize::from(actor["ID"] == marker || name == marker),
            Some("container") if self.events.seen.len() >= MOST => {
                self.events.gap = Some(format!("the engine told of more than {MOST} events"));
            }
            Some("container") => {
                let action = text(&event["Action"]);
                if let Some((kind, program)) = dialect.event(&action) {
                    self.events.seen.push(Event {
                        kind,
                        container: text(&actor["ID"]),
                        name,
                        exec: actor["Attributes"]["execID"].as_str().map(str::to_owned),
                        program: program.map(str::to_owned),
                    });
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventKind;

    fn told(dialect: Dialect, parts: &[&str]) -> Told {
        let (mut lines, mut told) = (Lines::of(dialect), Told::default());
        for part in parts {
            lines.take(&Bytes::from((*part).to_owned()), "mark", &mut told);
        }
        told
    }

    const DOCKER: &str = r#"{"Type":"container","Action":"exec_create: /tiny healthy","Actor":{"ID":"abc","Attributes":{"execID":"8","name":"job"}}}"#;
    const PODMAN: &str =
        r#"{"Type":"container","Action":"exec","Actor":{"ID":"abc","Attributes":{"name":"job"}}}"#;

    #[test]
    fn both_dialects_are_read_however_the_stream_is_split() {
        for (dialect, event, kind, exec, program) in [
            (
                Dialect::Docker,
                DOCKER,
                EventKind::ExecCreate,
                Some("8"),
                Some("/tiny healthy"),
            ),
            (Dialect::Libpod, PODMAN, EventKind::ExecStart, None, None),
        ] {
            let stream = format!("{event}\n");
            let whole = told(dialect, &[&stream]);
            assert_eq!(whole.events.gap, None);
            let [seen] = whole.events.seen.as_slice() else {
                panic!("{whole:?}")
            };
            assert_eq!((seen.kind, seen.name.as_str()), (kind, "job"));
            assert_eq!((seen.exec.as_deref(), seen.program.as_deref()), (exec, program));
            for at in 0..stream.len() {
                let split = told(dialect, &[&stream[..at], &stream[at..]]);
                assert_eq!(split.events, whole.events, "split at {at}");
            }
        }
    }

    #[test]
    fn markers_are_counted_by_either_name() {
        let volume =
            |actor: &str| format!("{{\"Type\":\"volume\",\"Action\":\"create\",\"Actor\":{actor}}}\n");
        let stream = [
            volume(r#"{"ID":"mark"}"#),
            volume(r#"{"ID":"","Attributes":{"name":"mark"}}"#),
            volume(r#"{"ID":"other"}"#),
        ];
        assert_eq!(told(Dialect::Docker, &[&stream.concat()]).markers, 2);
    }

    #[test]
    fn what_cannot_be_read_is_a_gap() {
        assert!(told(Dialect::Docker, &["nonsense\n"]).events.gap.is_some());
        assert!(
            told(Dialect::Docker, &[&"x".repeat(LONGEST + 1)])
                .events
                .gap
                .is_some()
        );
    }
}
