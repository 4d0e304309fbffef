//! The built binary, and the library's runner, on the real engines that `SHELLPROOF_ENGINES` names.
//!
//! An engine that is not named is a failure, never a skip. Without engines all of these are ignored: `scripts/test`
//! brings the six up and runs them.

mod doctor;
#[path = "../support/ended.rs"]
mod ended;
#[path = "../support/fixtures.rs"]
mod fixtures;
mod foreign_client;
mod interruption;
mod keeper;
mod kernel;
mod kinds;
mod missing;
mod outcomes;
mod same;
mod service;
mod support;
mod verify;
