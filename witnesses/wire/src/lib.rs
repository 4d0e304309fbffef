//! The wire witness: a byte-transparent relay that records what an engine is asked to do.
//!
//! A [`Recorder`] listens on a socket of its own in front of an [`Endpoint`]. Backends and foreign clients alike talk
//! to that socket; what they ask is recorded before the engine sees it, and what a container is about to run is
//! asked of the engine itself before a start is passed on.
//!
//! Invariants:
//! - nothing outside this crate opens an engine's socket;
//! - the relay forwards exactly the bytes that it has understood; what it does not understand closes the connection
//!   and is a fault of the [`Recording`];
//! - nothing that may be a secret is kept: values of the environment, build arguments, headers;
//! - nothing here judges: what a recording means, and what a [`Gate`] refuses, is decided where the policy is.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod changes;
mod endpoint;
mod events;
mod facts;
pub mod http;
mod lines;
mod member;
mod record;
mod recorder;
mod redact;
mod relay;
mod removal;
mod route;
pub mod scan;

pub use changes::{ChangedFile, Changes, FileKind};
pub use endpoint::{Endpoint, EndpointError, RecordedEndpoint, Server};
pub use events::{Event, EventKind, EventStream, Events};
pub use lines::LinesError;
pub use member::member;
pub use record::{Client, Record, Recording, Refusal, Subject};
pub use recorder::{Gate, Options, Prepare, Prepared, Recorder};
pub use route::{Action, Dialect, Route};
