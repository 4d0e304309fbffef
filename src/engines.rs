//! Finding engines and connecting to them. Backends meet only here.

mod address;
mod choice;
mod connect;
mod error;
mod find;
mod service;

pub use choice::{Choice, EngineSpec};
pub use error::EngineError;
pub use find::{Found, find, find_for_program};

pub(crate) use connect::{Connection, connect, connect_again};
pub(crate) use find::usual_places;
