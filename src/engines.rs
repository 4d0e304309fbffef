//! Finding engines and connecting to them. Backends meet only here.

mod address;
mod choice;
mod connect;
mod embedded;
mod error;
mod find;
mod service;

pub use choice::{Choice, EngineSpec};
pub use error::EngineError;
pub use find::{Found, find, find_for_program};

pub(crate) use connect::{Connection, connect, connect_again};
pub(crate) use embedded::{Outcome, Problem, Trial};
pub(crate) use find::{find_to_clean, is_named_in_environment, usual_places};
