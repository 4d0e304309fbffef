//! A process of one's own binary in a user namespace of its own.
//!
//! In a user namespace an ordinary user is root over what is in it: it may mount, make networks and have several ids. Only a
//! process with one thread may enter a new one, so a program that has threads starts itself again: the new process is a
//! [`Stub`], known by the one word of its command line, and speaks with who started it over a [`Channel`].
//!
//! ```no_run
//! use shellproof_userns::{Inside, Started, Stub, Wanted, run_if_meant};
//!
//! const ECHO: Stub = Stub { name: "echo-inside", main: echo };
//!
//! fn echo(inside: Inside) -> std::io::Result<()> {
//!     let message = inside.channel.receive()?;
//!     inside.channel.send(&message.bytes, &[])
//! }
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // Before anything else: threads would be in the way.
//!     if run_if_meant(&[ECHO]) {
//!         return Ok(());
//!     }
//!     let started = Started::start(&ECHO, Wanted::Many)?;
//!     started.channel().send(b"hello", &[])?;
//!     assert_eq!(started.channel().receive()?.bytes, b"hello");
//!     Ok(())
//! }
//! ```
//!
//! Invariants:
//! - the stub ends when its channel does, and it is waited for when [`Started`] is dropped;
//! - `newuidmap` and `newgidmap` are the only other programs that are started, and only where `/etc/subuid` and
//!   `/etc/subgid` name ranges;
//! - every failure names the first step that failed, and its cure ([`Error`]);
//! - unsafe code is in `sys.rs` and nowhere else.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod error;
mod ids;
mod message;
mod stub;
#[expect(unsafe_code, reason = "a new user namespace has no safe wrapper")]
mod sys;

pub use error::{Error, Step};
pub use ids::{Extent, Ids, Narrow, Wanted};
pub use message::{Channel, Message};
pub use stub::{Inside, Started, Stub, run_if_meant};
