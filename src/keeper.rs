//! A process of its own that answers for the containers of an audit once that has ended: without an answer they could
//! start no program any more.

mod handover;

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use shellproof_kernel::{Keeper, Left};
use shellproof_wire::Endpoint;

use crate::invocation;
use handover::Message;

pub(crate) use handover::Handover;

/// The file in a run's directory that says who keeps what.
const FILE: &str = "keeper";
/// How long a keeper may take to end.
const FAREWELL: Duration = Duration::from_secs(5);

/// A container as a keeper knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// Its id.
    pub(crate) id: String,
    /// Its name on the engine.
    pub(crate) name: String,
}

/// What a keeper is told.
#[derive(Debug, Serialize, Deserialize)]
struct Order {
    /// The directory of the run.
    directory: PathBuf,
    /// The engine's socket.
    engine: PathBuf,
    containers: Vec<Kept>,
}

/// A keeper that is at work.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Running {
    /// Its process.
    pub(crate) pid: u32,
    /// What it was given to keep.
    pub(crate) containers: Vec<Kept>,
}

/// Whether this process is to be a keeper.
pub(crate) fn is_meant() -> bool {
    std::env::args_os().skip(1).eq([handover::COMMAND])
}

/// The hidden command: takes over what comes on standard input, and answers until the last container is gone.
///
/// # Errors
/// Whoever started it has ended, or is not shellproof.
pub(crate) fn main() -> io::Result<()> {
    // Its terminal may go, and its place as well. First of all: nothing that is meant for the audit's group is for it.
    let session = rustix::process::setsid();
    let handed = handover::receive()?;
    session?;
    std::env::set_current_dir("/")?;
    let Message {
        order,
        lock: _lock,
        left,
        answer,
    } = handed;
    let mut keeper = Keeper::new()?;
    for (container, left) in order.containers.iter().zip(left) {
        keeper.add(container.id.clone(), left);
    }
    let running = Running {
        pid: std::process::id(),
        containers: order.containers,
    };
    fs::write(order.directory.join(FILE), serde_json::to_vec(&running)?)?;
    answer.ready()?;
    let engine = order.engine;
    keeper.run(|container| is_there(&engine, container))?;
    fs::remove_dir_all(&order.directory)
}

/// Whether an engine knows a container, if it says so.
fn is_there(engine: &Path, container: &str) -> Option<bool> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .ok()?;
    runtime.block_on(Endpoint::has_container(engine, container)).ok()
}

/// The keepers of this user that are at work.
///
/// # Errors
/// The directory of all runs cannot be read.
pub(crate) fn all() -> io::Result<Vec<(PathBuf, Running)>> {
    let running = |directory: PathBuf| {
        let text = fs::read(directory.join(FILE)).ok()?;
        Some((directory, serde_json::from_slice(&text).ok()?))
    };
    Ok(invocation::alive()?.into_iter().filter_map(running).collect())
}

/// Ends all keepers of this user. Their directories are then those of runs that are over.
///
/// # Errors
/// One does not end.
pub(crate) fn end_all() -> io::Result<Vec<Running>> {
    let mut ended = Vec::new();
    for (directory, running) in all()? {
        let process = i32::try_from(running.pid).ok().and_then(Pid::from_raw);
        let Some(Ok(process)) = process.map(|pid| pidfd_open(pid, PidfdFlags::empty())) else {
            continue;
        };
        // Whoever has this number now is the keeper if the run still goes on.
        if invocation::is_locked(&directory) {
            pidfd_send_signal(&process, Signal::TERM)?;
            wait(&process, running.pid)?;
            ended.push(running);
        }
    }
    Ok(ended)
}

fn wait(process: &OwnedFd, pid: u32) -> io::Result<()> {
    let mut ends = [PollFd::new(process, PollFlags::IN)];
    let patience = Timespec::try_from(FAREWELL).ok();
    match poll(&mut ends, patience.as_ref())? {
        0 => Err(io::Error::other(format!(
            "the keeper, process {pid}, does not end within {} s",
            FAREWELL.as_secs()
        ))),
        _ => Ok(()),
    }
}
