//! What a container's first process does between its birth and its program. It has one thread and its own copy of everything.

mod changes;
mod confine;
mod copy;
mod join;
mod look;
mod mounts;
mod root;

use std::convert::Infallible;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use rustix::process::{self, Signal};
use shellproof_userns::Channel;

use crate::netlink::{LOOPBACK, Netlink, index};
use crate::plan::{Place, Plan};
use crate::protocol::{Failure, Report};

pub(crate) use changes::changes;
pub(crate) use join::join;
pub(crate) use look::look;
pub(crate) use mounts::{named, overlay, path_of};

/// The network device of a container that is on a network.
pub(crate) const DEVICE: &str = "eth0";
/// With what a container's process ends that never became its program, as engines do.
pub(crate) const NOT_STARTED: i32 = 125;

/// What a container's first process is given.
pub(crate) struct Given {
    /// To whom it says what came of it. An exec closes it, and that is the good news.
    pub(crate) control: Channel,
    pub(crate) stdout: OwnedFd,
    pub(crate) stderr: OwnedFd,
    /// Readable once the namespaces are set up from outside; closed without a byte if that failed.
    pub(crate) go: OwnedFd,
    /// A directory for what it writes, and for what it is given as files.
    pub(crate) files: PathBuf,
    /// The directories of volumes, in the order of the plan's mounts; none for what is no volume.
    pub(crate) volumes: Vec<Option<PathBuf>>,
    pub(crate) place: Option<Place>,
}

/// Why a container's process did not become its program.
#[derive(Debug)]
pub(crate) struct Stopped {
    failure: Failure,
    why: String,
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Self {
            failure: Failure::Other,
            why: error.to_string(),
        }
    }
}

impl From<rustix::io::Errno> for Stopped {
    fn from(error: rustix::io::Errno) -> Self {
        io::Error::from(error).into()
    }
}

/// Becomes the container's program, or says why not and ends.
pub(crate) fn enter(plan: &Plan, given: &Given) -> ! {
    let Err(stopped) = become_program(plan, given);
    tell(&given.control, stopped);
    std::process::exit(NOT_STARTED)
}

fn tell(control: &Channel, stopped: Stopped) {
    let report = Report::Failed(stopped.failure, stopped.why);
    if let Ok(text) = serde_json::to_vec(&report) {
        // Whoever does not listen any more has gone, and so do we.
        let _ = control.send(&text, &[]);
    }
}

fn become_program(plan: &Plan, given: &Given) -> Result<Infallible, Stopped> {
    // Until the maps are written we are nobody, and may nothing.
    if rustix::io::read(&given.go, &mut [0])? != 1 {
        return Err(io::Error::other("its namespaces could not be set up").into());
    }
    process::set_parent_process_death_signal(Some(Signal::KILL))?;
    stdio(given)?;
    process::setsid()?;
    // Its settings are in `/proc`, which is read-only soon.
    network(plan, given).map_err(named("its network"))?;
    rustix::system::sethostname(plan.hostname.as_bytes()).map_err(named("its host name"))?;
    root::enter(plan, given)?;
    confine::confine(plan, &given.control)
}

fn stdio(given: &Given) -> io::Result<()> {
    let null = std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(given.stdout.as_fd())?;
    rustix::stdio::dup2_stderr(given.stderr.as_fd())?;
    Ok(())
}

/// Its devices, by its own capabilities over its own namespace.
fn network(plan: &Plan, given: &Given) -> io::Result<()> {
    let mut netlink = Netlink::open()?;
    netlink.up(LOOPBACK)?;
    if let Some(place) = given.place {
        let device = index(DEVICE)?;
        netlink.address(device, place.address)?;
        netlink.up(device)?;
        netlink.default_route(place.gateway)?;
    }
    // As engines have it: ports below 1024 and ping take no capability.
    std::fs::write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0")?;
    let groups = format!("{0} {0}", plan.gid);
    // Only ping would miss it.
    let _ = std::fs::write("/proc/sys/net/ipv4/ping_group_range", groups);
    Ok(())
}
