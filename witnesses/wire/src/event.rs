//! What an engine tells about its containers.

use serde::{Deserialize, Serialize};

/// What the engine told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Events {
    /// In the order in which it told.
    pub seen: Vec<Event>,
    /// Why something may be missing, if it may.
    pub gap: Option<String>,
}

/// Something that happened to a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// What.
    pub kind: EventKind,
    /// The container's id.
    pub container: String,
    /// Its name.
    pub name: String,
    /// The exec's id, where the engine tells it.
    pub exec: Option<String>,
    /// The exec's program and arguments in one line, where the engine tells them.
    pub program: Option<String>,
}

/// What may happen to a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// It was started.
    Start,
    /// A further program was prepared in it.
    ExecCreate,
    /// A further program was started in it.
    ExecStart,
    /// Its health check was run.
    HealthCheck,
}
