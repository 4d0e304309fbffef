//! One suite for every backend: each sentence of the [`shellproof_api::Runtime`] contract is a case.
//!
//! A backend's `tests/conformance.rs` hands [`harness::main`] a way to connect, and every case becomes a test of
//! its own on every engine of its kind that [`lab`] knows. A case that cannot run on an engine is reported as
//! ignored with the reason, never as passed.
//!
//! Invariants:
//! - a case knows the contract and nothing else: no engine's name, no client library;
//! - everything that a case makes carries its labels, and is removed whether it passes or not.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod bench;
mod cases;
pub mod harness;
pub mod lab;
mod network;
mod registry;
mod subject;

pub use bench::Bench;
pub use cases::{Case, Needs, cases};
pub use subject::{LABEL, LARGE, SUBJECT, Subject, USER};
