//! The kernel witness: a supervisor on seccomp user notification that records every program a container starts.
//!
//! An engine is given a seccomp [`profile`] that notifies on `execve`, `execveat` and a call that each program's start
//! makes, and that names a socket. The OCI runtime hands a listener to whoever listens on that socket, here a [`Supervisor`]: the kernel then holds each
//! of those calls, by any process in the container, until it is answered. The supervisor reads what is about to be
//! executed, answers "go on", and records; what it recorded is a [`Trace`]. When a program begins to run, it looks a
//! second time ([`Look`]).
//!
//! # What it needs
//! - The supervisor must run as the user that the engine runs as, or as root: reading another user's memory is refused
//!   otherwise, and then [`Program::readable`] is false. Tried: root with Docker 26 and Podman 4.3 and 5.4, rootful and
//!   rootless; a rootless Podman's own user, without any privilege, also for images that run as another user. Root
//!   gives the socket to a rootless engine's user ([`Options::owner`]), who must be able to enter its directory.
//! - One supervisor per container: the socket says whose programs these are. A container has several [`Session`]s on
//!   it: its start, and one for each exec or health check of the engine.
//! - When the supervisor dies or is dropped, the kernel answers each later `execve` in the container with `ENOSYS`
//!   and the container goes on: nothing starts unseen. A container that is started with a dead socket does not start.
//!
//! # What it proves
//! It is an audit of what an image does, and no boundary against an image that fights it: a process can change what is
//! in its memory between our reading and the kernel's, and the second look shows another program, but no other
//! arguments. It sees attempts: that a call succeeded is known only where there was a second look. It does not see code that a process loads without `execve` (`dlopen`, an applet of a multi-call
//! binary, an ELF loader in user space), or what runs in a container without the filter (`unconfined`): a trace without
//! any program proves nothing.
//!
//! A call that a signal interrupts is made again, and is one program. In a window of nanoseconds the kernel takes an
//! answer and makes the call again nevertheless: then it is recorded twice.
//!
//! # Architectures
//! x86-64 and i386 calls are tested against a kernel. The entries for x32 and for 64-bit and 32-bit ARM are in the
//! tables and are tested there, but were never run.
//!
//! Invariants:
//! - a call is answered before it is recorded, and only an answer that the kernel accepted is recorded as given;
//! - no path that was read as text is looked up again: `resolve.rs` goes from handle to handle;
//! - a file is "not there" only where the kernel says so too; what else cannot be opened is unread;
//! - memory is bounded ([`Options`]); what is beyond a bound is counted, never silently dropped;
//! - nothing here judges: what a trace means is decided where the policy is;
//! - unsafe code is in `sys.rs` and nowhere else.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod again;
mod call;
mod content;
mod dead;
mod facts;
mod files;
mod keep;
mod loads;
mod log;
mod memory;
mod misc;
mod options;
mod process;
pub mod profile;
mod resolve;
mod serve;
mod shared;
mod state;
mod supervisor;
#[expect(unsafe_code, reason = "the kernel's notification calls have no safe wrapper")]
mod sys;

pub use facts::{facts, outliving, still_runs};
pub use keep::{Keeper, Left, Part};
pub use options::{Deny, Options};
pub use shellproof_api::facts::{
    Abi, Answer, Call, Digest, Executable, Interpreter, Kind, Likeness, Look, Program, Session, Trace, Unread,
};
pub use supervisor::Supervisor;
pub use sys::pass_on_nothing;
