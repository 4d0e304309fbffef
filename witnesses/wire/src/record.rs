use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shellproof_api::labels;

use crate::changes::Changes;
use crate::events::Events;
use crate::route::{Action, Route};

/// How much of a body is read to say what it asks for, in bytes; a longer one is only counted.
pub(crate) const KEPT: usize = 256 << 10;

/// Everything that went over one recorder's socket.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recording {
    /// The requests, in the order in which their heads arrived.
    pub records: Vec<Record>,
    /// What could not be followed. With any fault the wire proves nothing.
    pub faults: Vec<String>,
    /// What the engine itself told meanwhile, if it was listened to.
    pub events: Option<Events>,
    /// What containers had changed in their file systems when they were removed or the recording ended.
    pub changes: Vec<Changes>,
}

/// One request, recorded before the engine saw it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
    /// The target as sent, without values that may be secret.
    pub target: String,
    /// What it means.
    #[serde(skip)]
    pub route: Route,
    /// The status of the engine's answer, once there is one.
    pub status: Option<u16>,
    /// The connection left HTTP with the answer.
    pub left_http: bool,
    /// The body of a request whose [`Action`] says what will run, without its secrets; null for all others, and for
    /// one that cannot be read.
    pub body: Value,
    /// The body that was passed on in place of the one that was sent, without its secrets; null where it is the same.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub forwarded: Value,
    /// How long the request's body was, in bytes.
    pub body_bytes: u64,
    /// The id of the container or exec that the request made.
    pub made: Option<String>,
    /// What the engine was about to run, asked of it before a start or health check was passed on.
    pub subject: Option<Subject>,
    /// Why it was not passed on.
    pub refused: Option<Refusal>,
}

/// Why a request was not passed on to the engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What the client was told.
    pub message: String,
}

impl Recording {
    /// The ids of the containers that were made on this recorder.
    pub fn created(&self) -> HashSet<&str> {
        let made = |record: &&Record| record.route.action == Action::CreateContainer;
        self.records
            .iter()
            .filter(made)
            .filter_map(|record| record.made.as_deref())
            .collect()
    }

    /// The requests to start a container that the engine was asked for.
    pub fn starts(&self) -> impl Iterator<Item = &Record> {
        let is_start =
            |record: &&Record| record.route.action == Action::StartContainer && record.refused.is_none();
        self.records.iter().filter(is_start)
    }
}

/// The program at the other end of a connection, by the socket's credentials.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// Its process id, when the kernel knows it.
    pub pid: Option<i32>,
    /// The path of its program, as far as it can be read.
    pub program: Option<String>,
}

/// What an engine says that a container will run: the image's configuration merged in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The `Test` of the check that Podman runs until a container has started.
    pub startup_test: Vec<String>,
    /// The compose service that it belongs to.
    pub service: Option<String>,
    /// The engine removes it as soon as it has ended.
    pub auto_remove: bool,
    /// The run that removes it in the engine's place.
    pub kept_by: Option<String>,
    /// It runs already.
    pub running: bool,
    /// Where volumes and host directories are mounted.
    pub mounts: Vec<String>,
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
        let (config, host) = (&inspect["Config"], &inspect["HostConfig"]);
        let mounts = inspect["Mounts"].as_array().into_iter().flatten();
        Some(Self {
            id,
            name: text(&inspect["Name"]).trim_start_matches('/').to_owned(),
            image: text(&inspect["Image"]),
            argv,
            health_test: words(&config["Healthcheck"]["Test"]),
            startup_test: words(&config["StartupHealthCheck"]["Test"]),
            service: config["Labels"]["com.docker.compose.service"]
                .as_str()
                .map(str::to_owned),
            auto_remove: host["AutoRemove"] == true,
            kept_by: config["Labels"][labels::KEPT].as_str().map(str::to_owned),
            running: inspect["State"]["Running"] == true,
            mounts: mounts.map(|mount| text(&mount["Destination"])).collect(),
        })
    }
}

/// The id in an answer to a request that made something.
pub(crate) fn made(answer: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    answer.get("Id")?.as_str().map(str::to_owned)
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

    /// The time since the recorder started.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Adds a request, whose target holds no secret any more, and gives its place, for [`Log::update`].
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
                ..Record::default()
            });
            place
        })
    }

    pub(crate) fn update<T>(&self, place: usize, change: impl FnOnce(&mut Record) -> T) -> T {
        self.with(|recording| change(&mut recording.records[place]))
    }

    pub(crate) fn fault(&self, connection: u64, fault: impl std::fmt::Display) {
        self.with(|recording| recording.faults.push(format!("connection {connection}: {fault}")));
    }

    /// Notes what a container has changed, unless what was noted of it before tells more.
    pub(crate) fn changes(&self, changes: Changes) {
        self.with(|recording| {
            let is_before = |before: &Changes| before.container == changes.container;
            match recording.changes.iter().position(is_before) {
                Some(at) if recording.changes[at].outweighs(&changes) => {}
                Some(at) => recording.changes[at] = changes,
                None => recording.changes.push(changes),
            }
        });
    }

    /// Forgets what a container had changed: it goes on.
    pub(crate) fn goes_on(&self, container: &str) {
        self.with(|recording| recording.changes.retain(|changes| changes.container != container));
    }

    /// Whether somebody is waiting for the start of a container.
    pub(crate) fn is_starting(&self, container: &str) -> bool {
        self.with(|recording| {
            let waits = |record: &Record| record.status.is_none();
            let is_it = |record: &Record| {
                record
                    .subject
                    .as_ref()
                    .is_some_and(|subject| subject.id == container)
            };
            recording.starts().any(|record| waits(record) && is_it(record))
        })
    }

    /// The ids of the containers that were started here.
    pub(crate) fn started(&self) -> Vec<String> {
        self.with(|recording| {
            let subjects = recording.starts().filter_map(|record| record.subject.as_ref());
            let started: BTreeSet<&String> = subjects.map(|subject| &subject.id).collect();
            started.into_iter().cloned().collect()
        })
    }

    /// The ids of the containers that were made here.
    pub(crate) fn created(&self) -> Vec<String> {
        self.with(|recording| recording.created().into_iter().map(str::to_owned).collect())
    }

    pub(crate) fn snapshot(&self) -> Recording {
        self.with(|recording| recording.clone())
    }

    fn with<T>(&self, work: impl FnOnce(&mut Recording) -> T) -> T {
        work(&mut self.recording.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The beginning of a body, until it is known what it says.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    bytes: Vec<u8>,
    too_long: bool,
}

impl Kept {
    pub(crate) fn push(&mut self, data: &[u8]) {
        self.too_long |= self.bytes.len() + data.len() > KEPT;
        if !self.too_long {
            self.bytes.extend_from_slice(data);
        }
    }

    /// The whole body; empty when it was too long.
    pub(crate) fn whole(&self) -> &[u8] {
        if self.too_long { &[] } else { &self.bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_read_from_an_inspect() {
        let inspect = serde_json::json!({
            "Id": "abc", "Name": "/job", "Image": "sha256:1", "Path": "env", "Args": ["sh", "-c", "true"],
            "Config": {
                "Healthcheck": { "Test": ["CMD-SHELL", "exit 0"] },
                "StartupHealthCheck": { "Test": ["CMD", "/up"] },
                "Labels": { "com.docker.compose.service": "web" }
            },
            "HostConfig": { "AutoRemove": true },
            "Mounts": [{ "Destination": "/data" }]
        });
        let subject = Subject::from_inspect(&inspect).unwrap();
        assert_eq!((subject.id.as_str(), subject.name.as_str()), ("abc", "job"));
        assert_eq!(subject.argv, ["env", "sh", "-c", "true"]);
        assert_eq!(subject.health_test, ["CMD-SHELL", "exit 0"]);
        assert_eq!(subject.startup_test, ["CMD", "/up"]);
        assert_eq!(subject.service.as_deref(), Some("web"));
        assert!(subject.auto_remove);
        assert_eq!(subject.mounts, ["/data"]);
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
    fn a_body_that_is_too_long_is_not_kept_at_all() {
        let mut body = Kept::default();
        body.push(&vec![0; KEPT - 1]);
        assert_eq!(body.whole().len(), KEPT - 1);
        body.push(&[0; 10]);
        body.push(&[0]);
        assert_eq!(body.whole(), b"");
    }
}
