//! What one recorder saw.

use std::collections::HashSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::action::Action;
use crate::changes::Changes;
use crate::container::InspectedContainer;
use crate::event::Events;
use crate::route::Route;

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
    /// What the engine said when it refused to make a container or to start one, without what looks like a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
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
    pub subject: Option<InspectedContainer>,
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Client {
    /// Its process id, when the kernel knows it.
    pub pid: Option<i32>,
    /// The path of its program, as far as it can be read.
    pub program: Option<String>,
}
