//! A further process in a container that runs: a health check.

use std::convert::Infallible;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::process::{self, Signal, WaitOptions};
use rustix::thread::{ThreadNameSpaceType, move_into_thread_name_spaces};
use shellproof_userns::Channel;

use super::mounts::named;
use super::{NOT_STARTED, Stopped, confine, tell};
use crate::plan::Plan;
use crate::sys::{self, Forked};

/// Enters a container, starts the plan's program there, waits for it and ends as it did.
pub(crate) fn join(container: BorrowedFd<'_>, plan: &Plan, control: Channel, outputs: [OwnedFd; 2]) -> ! {
    let forked = enter(container, outputs).and_then(|()| sys::fork_into(0));
    let code = match forked {
        Ok(Forked::Child) => {
            let Err(stopped) = become_program(plan, &control);
            tell(&control, stopped);
            NOT_STARTED
        }
        Ok(Forked::Parent(pid)) => {
            // What says that the program has begun is that nobody has it any more.
            drop(control);
            wait(pid).unwrap_or(NOT_STARTED)
        }
        Err(error) => {
            tell(&control, Stopped::from(error));
            NOT_STARTED
        }
    };
    std::process::exit(code)
}

fn enter(container: BorrowedFd<'_>, [stdout, stderr]: [OwnedFd; 2]) -> io::Result<()> {
    process::set_parent_process_death_signal(Some(Signal::KILL))?;
    let null = std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&stdout)?;
    rustix::stdio::dup2_stderr(&stderr)?;
    let all = ThreadNameSpaceType::USER
        | ThreadNameSpaceType::MOUNT
        | ThreadNameSpaceType::PROCESS_ID
        | ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION
        | ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME
        | ThreadNameSpaceType::NETWORK
        | ThreadNameSpaceType::CONTROL_GROUP;
    move_into_thread_name_spaces(container, all).map_err(named("the container's namespaces"))
}

/// Only a child of who entered is in the container's process namespace.
fn become_program(plan: &Plan, control: &Channel) -> Result<Infallible, Stopped> {
    process::set_parent_process_death_signal(Some(Signal::KILL))?;
    process::setsid()?;
    confine::confine(plan, control)
}

fn wait(pid: i32) -> io::Result<i32> {
    let pid = process::Pid::from_raw(pid);
    loop {
        match process::waitpid(pid, WaitOptions::empty()) {
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
            Ok(None) => {}
            Ok(Some((_, status))) => {
                let signal = status.terminating_signal().unwrap_or_default();
                return Ok(status.exit_status().unwrap_or(128 + signal));
            }
        }
    }
}
