//! Whether this machine lets containers be made: each step that it takes, tried in its order until one fails. Nothing stays of it.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{self, CWD, Mode, OFlags};
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount};
use rustix::process::{self, Pid, Signal, WaitOptions};
use serde::{Deserialize, Serialize};
use shellproof_userns::{Channel, Error, Ids, Inside, Started, Step, Stub, Wanted};

use crate::container::{DEVICE, overlay, path_of};
use crate::holder::{identity, in_memory, keeps_notes};
use crate::netlink::{LOOPBACK, Netlink};
use crate::sys::{self, Forked, Instruction};

/// The process that tries, of our own binary.
pub const PROBE: Stub = Stub { name: "try", main };

/// What came of it.
#[derive(Debug)]
pub struct Tried {
    /// The steps that this machine allows, in their order.
    pub done: Vec<Step>,
    /// The first that it does not, with its cure.
    pub failed: Option<Error>,
    /// The ids that containers would have, where it came to that.
    pub ids: Option<Ids>,
}

/// Where it is tried.
#[derive(Debug, Serialize, Deserialize)]
struct Places {
    scratch: PathBuf,
    disk: PathBuf,
    lower: PathBuf,
}

/// What the process says of each step: nothing but the step, or the number of the error and its text.
#[derive(Debug, Serialize, Deserialize)]
struct Told(Step, Option<(i32, String)>);

/// Tries each step. `scratch` is an empty directory, `lower` one that images lie in, and `disk` one that nobody has made yet, where
/// containers write if they cannot in memory. Blocks for some milliseconds.
pub fn try_steps(scratch: &Path, disk: &Path, lower: &Path, wanted: Wanted) -> Tried {
    let before = |step: Step| Step::ALL.iter().copied().take_while(move |one| *one != step);
    let failed = |error: Error, ids| Tried {
        done: before(error.step).collect(),
        failed: Some(error),
        ids,
    };
    let started = match Started::start(&PROBE, wanted) {
        Ok(started) => started,
        Err(error) => return failed(error, None),
    };
    let ids = Some(started.ids().clone());
    let mut done: Vec<Step> = before(Step::Surroundings).collect();
    let places = Places {
        scratch: scratch.to_owned(),
        disk: disk.to_owned(),
        lower: lower.to_owned(),
    };
    let told = serde_json::to_vec(&places).map_err(io::Error::from);
    if let Err(error) = told.and_then(|text| started.channel().send(&text, &[])) {
        return failed(Error::new(Step::Start, error), ids);
    }
    while let Some(&next) = Step::ALL.get(done.len()) {
        let message = started.channel().receive().unwrap_or_default();
        match serde_json::from_slice(&message.bytes) {
            Ok(Told(step, None)) if step == next => done.push(step),
            Ok(Told(step, Some((number, text)))) => {
                return failed(Error::new(step, error_of(number, text)), ids);
            }
            _ => {
                let gone = io::Error::other("the process that tried it has ended");
                return failed(Error::new(next, gone), ids);
            }
        }
    }
    Tried {
        done,
        failed: None,
        ids,
    }
}

fn error_of(number: i32, text: String) -> io::Error {
    match number {
        0 => io::Error::other(text),
        number => io::Error::from_raw_os_error(number),
    }
}

fn main(inside: Inside) -> io::Result<()> {
    let places: Places = serde_json::from_slice(&inside.channel.receive()?.bytes)?;
    let trial = Trial(inside.channel);
    match sys::fork_into(sys::ALL_BUT_USER) {
        Ok(Forked::Child) => std::process::exit(i32::from(trial.all(&places).is_err())),
        Ok(Forked::Parent(pid)) => wait(pid),
        Err(error) => trial.tell::<()>(Step::Surroundings, Err(error)),
    }
}

fn wait(pid: i32) -> io::Result<()> {
    process::waitpid(Pid::from_raw(pid), WaitOptions::empty())?;
    Ok(())
}

/// Who tries, and tells what came of it.
struct Trial(Channel);

impl Trial {
    /// Tells what came of a step; gives what it made, or the error that ends the trial.
    fn tell<T>(&self, step: Step, done: io::Result<T>) -> io::Result<T> {
        let failed = done.as_ref().err();
        let failed = failed.map(|error| (error.raw_os_error().unwrap_or_default(), error.to_string()));
        self.0.send(&serde_json::to_vec(&Told(step, failed))?, &[])?;
        done
    }

    fn all(&self, places: &Places) -> io::Result<()> {
        self.tell(Step::Surroundings, surroundings())?;
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        let proc = mount("proc", "/proc", "proc", flags, None);
        self.tell(Step::Proc, proc.map_err(io::Error::from))?;
        self.tell(Step::Scratch, in_memory(&places.scratch))?;
        self.tell(Step::Overlay, overlay_of(places))?;
        let (go, release) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let container = match sys::fork_into(sys::ALL_NAMESPACES) {
            Ok(Forked::Child) => {
                drop(release);
                self.container(go)
            }
            Ok(Forked::Parent(pid)) => maps(pid).map(|()| pid),
            Err(error) => Err(error),
        };
        let pid = self.tell(Step::Container, container)?;
        self.tell(Step::Network, network(pid))?;
        rustix::io::write(&release, b"g")?;
        wait(pid)
    }

    /// In the container: what a program begins with.
    fn container(&self, go: OwnedFd) -> ! {
        let tried = process::set_parent_process_death_signal(Some(Signal::KILL))
            .and_then(|()| rustix::io::read(&go, &mut [0]))
            .map_err(io::Error::from);
        // Nobody says "go" where the step before failed.
        if let Ok(1) = tried {
            let listener = sys::seccomp(&[ALLOW], true);
            let _ = self.tell(Step::Filter, listener.map(drop));
        }
        std::process::exit(0)
    }
}

/// A filter that allows all.
const ALLOW: Instruction = Instruction {
    code: (libc::BPF_RET | libc::BPF_K) as u16,
    jt: 0,
    jf: 0,
    k: libc::SECCOMP_RET_ALLOW,
};

fn surroundings() -> io::Result<()> {
    process::set_parent_process_death_signal(Some(Signal::KILL))?;
    mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)?;
    Ok(())
}

/// An overlay on where images lie, as containers have it.
fn overlay_of(places: &Places) -> io::Result<()> {
    if keeps_notes(&places.scratch) {
        return overlay_in(&places.scratch, &places.lower);
    }
    std::fs::create_dir(&places.disk)?;
    let tried = overlay_in(&places.disk, &places.lower);
    // Where it was not mounted there is nothing to unmount.
    let _ = unmount(places.disk.join("merged"), UnmountFlags::DETACH);
    std::fs::remove_dir_all(&places.disk)?;
    tried
}

fn overlay_in(above: &Path, lower: &Path) -> io::Result<()> {
    let [upper, work, merged] = ["upper", "work", "merged"].map(|name| above.join(name));
    for directory in [&upper, &work, &merged] {
        fs::mkdir(directory, Mode::from_raw_mode(0o755))?;
    }
    let directory = |path: &Path| fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
    let lower = directory(lower)?;
    let (upper, work) = (directory(&upper)?, directory(&work)?);
    overlay(&path_of(lower.as_fd()), upper.as_fd(), work.as_fd(), &merged)?;
    std::fs::write(merged.join("written"), "x")
}

/// The ids of a container: those of this namespace, where there are several.
fn maps(pid: i32) -> io::Result<()> {
    for file in ["uid_map", "gid_map"] {
        let map = std::fs::read_to_string(format!("/proc/self/{file}"))?;
        std::fs::write(format!("/proc/{pid}/{file}"), identity(&map))?;
    }
    Ok(())
}

fn network(pid: i32) -> io::Result<()> {
    let mut netlink = Netlink::open()?;
    netlink.up(LOOPBACK)?;
    let address = Ipv4Addr::new(10, 88, 1, 1);
    let bridge = netlink.bridge("bridge1", address)?;
    netlink.address(bridge, address)?;
    drop(sys::packets(bridge)?);
    let path = format!("/proc/{pid}/ns/net");
    let namespace = fs::openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    netlink.pair("c1", bridge, DEVICE, namespace.as_fd())
}
