//! The wire witness: a relay that records what an engine is asked to do.
//!
//! A [`Recorder`] listens on a socket of its own in front of an [`Endpoint`]. Backends and foreign clients alike talk
//! to that socket; what they ask is recorded before the engine sees it, and what a container is about to run is
//! asked of the engine itself before a start is passed on.
//!
//! Invariants:
//! - nothing outside this crate opens an engine's socket;
//! - a request is passed on byte for byte once it was understood. There are three exceptions, each asked for in
//!   [`RecorderOptions`]: a [`Gate`] refuses one, [`Prepare`] changes the body that makes a container, and with `changes`
//!   the wish to be removed is taken out of such a body. What is not understood closes the connection and is a fault of
//!   the [`Recording`];
//! - nothing that may be a secret is kept: values of the environment, build arguments, headers;
//! - nothing here judges: what a recording means, and what a [`Gate`] refuses, is decided where the policy is.
//!
//! What differs between engines is in `dialect`, one file for each interface.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod action;
mod body;
mod changes;
mod container;
mod dialect;
mod doors;
mod endpoint;
mod event;
mod events;
mod facts;
mod host;
pub mod http;
mod json;
mod lines;
mod log;
mod options;
mod private;
mod record;
mod recorder;
mod redact;
mod relay;
mod removal;
mod route;
pub mod scan;
mod shared;
mod target;

pub use action::Action;
pub use changes::{ChangedFile, Changes, FileKind};
pub use container::InspectedContainer;
pub use dialect::Dialect;
pub use endpoint::{Endpoint, EndpointError, RecordedEndpoint, Server};
pub use event::{Event, EventKind, Events};
pub use events::EventStream;
pub use json::{member, member_mut, member_or, names, read as read_body};
pub use lines::LinesError;
pub use options::{Gate, Prepare, Prepared, RecorderOptions};
pub use private::{write_private, write_public};
pub use record::{Client, Record, Recording, Refusal};
pub use recorder::Recorder;
pub use route::Route;
pub use target::Target;
