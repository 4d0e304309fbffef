//! Podman, rootful or rootless, behind the [`shellproof_api::Runtime`] contract.
//!
//! Two ways lead to the engine, and both go through the recorder's socket:
//! - `podman-api` where it is right: info, networks, volumes, start, removal;
//! - `wire`, with small tolerant structs, where it is not: create (it misspells `no_new_privileges`, which libpod then
//!   ignores), inspect (it asks for sizes, and its models are stricter than engines are), wait (no exit code), load (the
//!   whole file in memory), pull (no progress until the end), attach (it inspects first, with sizes; a
//!   broken stream passes for its end).
//!
//! Nothing of `podman-api` is visible outside this crate.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod container;
mod fault;
mod frames;
mod image;
mod listing;
mod model;
mod podman;
mod pull;
mod runtime;
mod spec;
mod wire;

pub use podman::Podman;
