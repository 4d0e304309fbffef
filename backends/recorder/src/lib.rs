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
//! - nothing here judges: what a recording means is decided where the policy is.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod endpoint;
pub mod http;
mod record;
mod recorder;
mod relay;
mod route;
mod scan;

pub use endpoint::{Endpoint, EndpointError, RecordedEndpoint};
pub use record::{Client, Record, Recording, Subject};
pub use recorder::Recorder;
pub use route::{Action, Dialect, Route};
