use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::route::{Action, Route};

/// How much of a body is kept, in bytes; the rest is only counted.
pub(crate) const KEPT: usize = 256 << 10;

/// Everything that went over one recorder's socket.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    /// The requests, in the order in which their heads arrived.
    pub records: Vec<Record>,
    /// What could not be followed. With any fault the wire proves nothing.
    pub faults: Vec<String>,
}

/// One request, recorded before the engine saw it.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its number on this recorder, from 1.
    pub number: u64,
    /// When its head was complete, since the recorder started.
    pub at: Duration,
    /// The connection that it came on, from 1.
    pub connection: u64,
    /// Who sent it.
    pub client: Client,
    /// The method as sent.
    pub method: String,
    /// The target as sent.
    pub target: String,
    /// What it means.
    pub route: Route,
    /// The status of the engine's answer, once there is one.
    pub status: Option<u16>,
    /// The connection left HTTP with the answer.
    pub left_http: bool,
    /// The body of a request whose [`Action`] says what will run; empty for all others.
    pub body: Vec<u8>,
    /// How long the request's body was, in bytes.
    pub body_bytes: u64,
    /// The body of the answer to a request that makes a container or an exec.
    pub answer: Vec<u8>,
    /// What the engine was about to run, asked of it before a start was passed on.
    pub subject: Option<Subject>,
}

impl Record {
    /// The id in the answer to a request that made something.
    pub fn created_id(&self) -> Option<String> {
        let answer: Value = serde_json::from_slice(&self.answer).ok()?;
        answer.get("Id")?.as_str().map(str::to_owned)
    }
}

impl Recording {
    /// The ids of the containers that were made on this recorder.
    pub fn created(&self) -> HashSet<String> {
        let made = |record: &&Record| record.route.action == Action::CreateContainer;
        self.records
            .iter()
            .filter(made)
            .filter_map(Record::created_id)
            .collect()
    }
}

/// The program at the other end of a connection, by the socket's credentials.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// Its process id, when the kernel knows it.
    pub pid: Option<i32>,
    /// The path of its program, as far as it can be read.
    pub program: Option<String>,
}

/// What an engine says that a container will run: the image's configuration merged in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// The container's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its image's id.
    pub image: String,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Its health check's `Test`, empty when there is none.
    pub health_test: Vec<String>,
}

impl Subject {
    /// Reads the answer to an inspect of either dialect.
    pub fn from_inspect(inspect: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let words = |value: &Value| -> Vec<String> {
            value
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect()
        };
        let id = inspect.get("Id")?.as_str()?.to_owned();
        let mut argv = vec![inspect.get("Path")?.as_str()?.to_owned()];
        argv.extend(words(&inspect["Args"]));
        Some(Self {
            id,
            name: text(&inspect["Name"]).trim_start_matches('/').to_owned(),
            image: text(&inspect["Image"]),
            argv,
            health_test: words(&inspect["Config"]["Healthcheck"]["Test"]),
        })
    }
}

/// The shared, growing recording.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    started: Instant,
    recording: Arc<Mutex<Recording>>,
}

impl Log {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            recording: Arc::default(),
        }
    }

    /// Adds a request and gives its place, for [`Log::update`].
    pub(crate) fn add(
        &self,
        connection: u64,
        client: &Client,
        method: &str,
        target: &str,
        route: Route,
    ) -> usize {
        self.with(|recording| {
            let place = recording.records.len();
            recording.records.push(Record {
                number: place as u64 + 1,
                at: self.started.elapsed(),
                connection,
                client: client.clone(),
                method: method.to_owned(),
                target: target.to_owned(),
                route,
                status: None,
                left_http: false,
                body: Vec::new(),
                body_bytes: 0,
                answer: Vec::new(),
                subject: None,
            });
            place
        })
    }

    pub(crate) fn update(&self, place: usize, change: impl FnOnce(&mut Record)) {
        self.with(|recording| change(&mut recording.records[place]));
    }

    pub(crate) fn fault(&self, connection: u64, fault: impl std::fmt::Display) {
        self.with(|recording| recording.faults.push(format!("connection {connection}: {fault}")));
    }

    pub(crate) fn snapshot(&self) -> Recording {
        self.with(|recording| recording.clone())
    }

    fn with<T>(&self, work: impl FnOnce(&mut Recording) -> T) -> T {
        work(&mut self.recording.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Appends to a kept body what still fits.
pub(crate) fn keep(body: &mut Vec<u8>, data: &[u8]) {
    let room = KEPT.saturating_sub(body.len());
    body.extend_from_slice(&data[..data.len().min(room)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_read_from_an_inspect() {
        let inspect = serde_json::json!({
            "Id": "abc", "Name": "/job", "Image": "sha256:1", "Path": "env", "Args": ["sh", "-c", "true"],
            "Config": { "Healthcheck": { "Test": ["CMD-SHELL", "exit 0"] } }
        });
        let subject = Subject::from_inspect(&inspect).unwrap();
        assert_eq!((subject.id.as_str(), subject.name.as_str()), ("abc", "job"));
        assert_eq!(subject.argv, ["env", "sh", "-c", "true"]);
        assert_eq!(subject.health_test, ["CMD-SHELL", "exit 0"]);
    }

    #[test]
    fn an_inspect_without_a_program_is_no_subject() {
        assert_eq!(Subject::from_inspect(&serde_json::json!({ "Id": "abc" })), None);
        assert_eq!(
            Subject::from_inspect(&serde_json::json!({ "message": "no such container" })),
            None
        );
    }

    #[test]
    fn a_kept_body_is_bounded() {
        let mut body = Vec::new();
        keep(&mut body, &vec![0; KEPT - 1]);
        keep(&mut body, &[0; 10]);
        assert_eq!(body.len(), KEPT);
    }
}
