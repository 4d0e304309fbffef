//! A [`Runtime`](shellproof_api::Runtime) that needs no engine: containers made by the binary itself.
//!
//! ```text
//! caller ── channel ──► holder (own user, mount, process, network … namespaces; one thread)
//!   │                     ├─ bridge ── container (its own namespaces, an overlay as its root, a filter)
//!   └── store of images   └─ bridge ── container …
//! ```
//!
//! One holder per run, which is the same binary ([`STUB`]); it makes each container with one `clone3`. What is made lives in
//! the holder's memory and namespaces alone: when the caller ends, however it ends, the kernel removes all of it.
//!
//! # What it can and cannot
//! - Containers have no control group: no limits of memory or time of the processor. Where the machine has no memory left, their
//!   programs are ended first. They have a limit of processes; what the machine's own root runs has one from Linux 6.14 on.
//! - A container on a network reaches the containers of its network and nothing else. There is no way to the machine's network.
//! - With one id only (no range in `/etc/subuid`), a container's user is that id, whatever its number: a program that changes
//!   its user or the owner of files fails.
//! - A bind mount's source cannot be `/`, nor a directory that the run's own is in: the holder's own mounts would show.
//!
//! Invariants:
//! - no process is started but the own binary, `newuidmap` and `newgidmap`;
//! - the filter that a container runs under is the whole profile that it was given: what cannot be compiled is refused;
//! - a container's program begins only after its filter's listener was handed over;
//! - unsafe code is in `sys.rs` and nowhere else.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod capabilities;
mod changes;
mod container;
mod containers;
mod embedded;
mod filter;
mod filters;
mod health;
mod holder;
mod images;
mod link;
mod names;
mod netlink;
mod output;
mod outside;
mod plan;
mod ports;
mod probe;
mod program;
mod protocol;
mod runtime;
mod start;
mod state;
#[expect(
    unsafe_code,
    reason = "forking into namespaces and seccomp have no safe wrapper"
)]
mod sys;
mod task;
mod users;

pub use embedded::{Embedded, OpenError, Options};
pub use holder::STUB;
pub use probe::{PROBE, Tried, try_steps};
