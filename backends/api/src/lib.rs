//! The contract between shellproof and a container engine.
//!
//! [`Runtime`] is the one door to an engine. Everything that differs between engines is ironed out behind it;
//! everything that a caller may rely on is checked by the `shellproof-conformance` suite.
//!
//! Invariants:
//! - nothing here knows a client library, a socket or HTTP: a runtime embedded in the binary fits as it is;
//! - nothing here can execute a program in a running container: what cannot be said cannot be done on the way of a
//!   scenario;
//! - whatever a runtime makes carries the labels that it was given, and [`labels::RUN`] is always among them.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

pub mod archive;
mod engine;
mod error;
pub mod facts;
mod health;
mod image;
pub mod labels;
mod reference;
mod resource;
mod runtime;
mod spec;
mod state;

pub use engine::{Engine, EngineKind, Seccomp};
pub use error::{Error, ErrorKind, Result};
pub use health::{HealthCheck, HealthRun, HealthTest};
pub use image::{Credentials, FileKind, ImageConfig, ImageFile, PullProgress};
pub use labels::Labels;
pub use reference::{ImageReference, ReferenceError};
pub use resource::{Resource, ResourceKind};
pub use runtime::{
    ByteStream, Inspect, Naming, OneId, Output, OutputChunk, OutputStream, Runtime, StdStream,
};
pub use spec::{
    ContainerId, ContainerSpec, Mount, MountSource, NetworkAttachment, NetworkSpec, Port, Relabel, VolumeSpec,
};
pub use state::{ContainerState, ContainerStatus};
