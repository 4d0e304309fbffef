//! The holder: one small process per run, the first of its own process namespace. It owns the run's user namespace, networks and
//! scratch space, and makes containers.
//!
//! It has one thread, so that it may fork, and never waits for anybody but for its channel and its children. When its channel
//! closes it ends, and with it, by the kernel, everything in its namespaces: processes, mounts and devices.

mod files;
mod networks;

use std::collections::HashMap;
use std::io::{self, Read, Seek};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{self, CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use rustix::process::{self, Pid, PidfdFlags, Signal, WaitOptions};
use serde::de::DeserializeOwned;
use shellproof_userns::{Channel, Inside, Message, Step, Stub};

use crate::container::{self, Given, named};
use crate::netlink::{LOOPBACK, Netlink};
use crate::plan::{Look, Plan};
use crate::protocol::{Ask, Number, Say, Setup};
use crate::sys::{self, Forked};
pub(crate) use files::{in_memory, keeps_notes};
pub(crate) use networks::NETWORKS;

use files::Files;
use networks::Networks;

/// The holder, as a process of our own binary.
pub const STUB: Stub = Stub { name: "hold", main };

/// The stub only waits: the holder is its child, since a process cannot move into a process namespace itself.
fn main(inside: Inside) -> io::Result<()> {
    let setup: Setup = serde_json::from_slice(&inside.channel.receive()?.bytes)?;
    match sys::fork_into(sys::ALL_BUT_USER) {
        Ok(Forked::Child) => {
            let held = Holder::open(inside.channel, setup).and_then(Holder::serve);
            std::process::exit(i32::from(held.is_err()))
        }
        Ok(Forked::Parent(pid)) => {
            drop(inside);
            process::waitpid(Pid::from_raw(pid), WaitOptions::empty())?;
            Ok(())
        }
        Err(error) => not_ready(&inside.channel, Step::Surroundings, error),
    }
}

fn not_ready(channel: &Channel, step: Step, error: io::Error) -> io::Result<()> {
    let number = error.raw_os_error().unwrap_or_default();
    say(channel, &Say::Ready(Err((step, number))), &[])?;
    Err(error)
}

fn say(channel: &Channel, what: &Say, descriptors: &[std::os::fd::BorrowedFd<'_>]) -> io::Result<()> {
    channel.send(&serde_json::to_vec(what)?, descriptors)
}

/// What came with a message besides its text, in order.
struct Descriptors(std::vec::IntoIter<OwnedFd>);

impl Descriptors {
    fn next(&mut self) -> io::Result<OwnedFd> {
        let missing = || io::Error::new(io::ErrorKind::InvalidData, "a descriptor is missing");
        self.0.next().ok_or_else(missing)
    }

    /// What is written in a file of memory.
    fn read<T: DeserializeOwned>(&mut self) -> io::Result<T> {
        let mut file = std::fs::File::from(self.next()?);
        let mut text = Vec::new();
        file.rewind()?;
        file.read_to_end(&mut text)?;
        Ok(serde_json::from_slice(&text)?)
    }
}

struct Holder {
    channel: Channel,
    children: OwnedFd,
    netlink: Netlink,
    networks: Networks,
    files: Files,
    /// What runs: containers, processes in them and processes that look at files.
    live: HashMap<i32, Number>,
    /// Containers whose files go when they have ended, and under which number that was asked for.
    forgotten: HashMap<Number, Number>,
    has_many_ids: bool,
}

impl Holder {
    fn open(channel: Channel, setup: Setup) -> io::Result<Self> {
        let step = |step| {
            let channel = channel.try_clone();
            move |error: io::Error| {
                if let Ok(channel) = channel {
                    let _ = not_ready(&channel, step, io::Error::from(error.kind()));
                }
                error
            }
        };
        process::set_parent_process_death_signal(Some(Signal::KILL))?;
        mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)?;
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        // Its own, or it could not find its children by their numbers.
        mount("proc", "/proc", "proc", flags, None)
            .map_err(io::Error::from)
            .map_err(step(Step::Proc))?;
        let files = Files::mount(setup).map_err(step(Step::Scratch))?;
        let ready = || -> io::Result<_> {
            let mut netlink = Netlink::open()?;
            netlink.up(LOOPBACK)?;
            // Networks do not reach each other, whatever the machine does with its own.
            std::fs::write("/proc/sys/net/ipv4/ip_forward", "0")?;
            let map = std::fs::read_to_string("/proc/self/uid_map")?;
            Ok((netlink, sys::ends_of_children()?, has_many(&map)))
        };
        let (netlink, children, has_many_ids) = ready().map_err(step(Step::Surroundings))?;
        say(&channel, &Say::Ready(Ok(())), &[])?;
        Ok(Self {
            channel,
            children,
            netlink,
            networks: Networks::default(),
            files,
            live: HashMap::new(),
            forgotten: HashMap::new(),
            has_many_ids,
        })
    }

    fn serve(mut self) -> io::Result<()> {
        loop {
            let mut both = [
                PollFd::new(&self.channel, PollFlags::IN),
                PollFd::new(&self.children, PollFlags::IN),
            ];
            match poll(&mut both, None) {
                Err(Errno::INTR) => continue,
                polled => polled?,
            };
            let (is_asked, has_ended) = (!both[0].revents().is_empty(), !both[1].revents().is_empty());
            if has_ended {
                self.reap()?;
            }
            if is_asked {
                let message = self.channel.receive()?;
                if message.is_end() {
                    return Ok(());
                }
                self.answer(message)?;
            }
        }
    }

    /// Tells the ends of all that have ended.
    fn reap(&mut self) -> io::Result<()> {
        // One signal may stand for several ends.
        let _ = rustix::io::read(&self.children, &mut [0; 128]);
        while let Ok(Some((pid, status))) = process::wait(WaitOptions::NOHANG) {
            let signal = status.terminating_signal().unwrap_or_default();
            let code = status.exit_status().unwrap_or(128 + signal);
            if let Some(number) = self.live.remove(&pid.as_raw_nonzero().get()) {
                self.networks.leave(number);
                say(&self.channel, &Say::Ended(number, code), &[])?;
                if let Some(asked) = self.forgotten.remove(&number) {
                    self.conclude(asked, self.files.remove_container(number))?;
                }
            }
        }
        Ok(())
    }

    fn answer(&mut self, message: Message) -> io::Result<()> {
        let ask: Ask = serde_json::from_slice(&message.bytes)?;
        let given = Descriptors(message.descriptors.into_iter());
        let (number, done) = match ask {
            Ask::Network(number) => {
                let made = self.networks.make(&mut self.netlink, number);
                match made {
                    Ok(sockets) => {
                        let sockets = sockets.each_ref().map(OwnedFd::as_fd);
                        return say(&self.channel, &Say::Done(number), &sockets);
                    }
                    Err(error) => (number, Err(error)),
                }
            }
            Ask::Socket(number) => {
                let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
                match socket_with(AddressFamily::INET, SocketType::STREAM, flags, None) {
                    Ok(socket) => return say(&self.channel, &Say::Done(number), &[socket.as_fd()]),
                    Err(error) => (number, Err(error.into())),
                }
            }
            Ask::Run(number) => match self.run(number, given) {
                Ok(address) => return say(&self.channel, &Say::Made(number, address), &[]),
                Err(error) => {
                    self.networks.leave(number);
                    (number, Err(error))
                }
            },
            Ask::RemoveNetwork { number, network } => {
                (number, self.networks.remove(&mut self.netlink, network))
            }
            Ask::Volume(number) => (number, self.files.make_volume(number)),
            Ask::RemoveVolume { number, volume } => (number, self.files.remove_volume(volume)),
            Ask::Changes { number, container } => (number, self.changes(container, given)),
            Ask::Forget { number, container } => match self.process(container) {
                // Whoever made it gave up waiting: a container is never forgotten while it runs.
                Some(_) => {
                    self.kill(container);
                    self.forgotten.insert(container, number);
                    return Ok(());
                }
                None => (number, self.files.remove_container(container)),
            },
            Ask::Enter { number, container } => (number, self.enter(number, container, given)),
            Ask::Look(number) => (number, self.look(given)),
            Ask::Kill(number) => {
                self.kill(number);
                return Ok(());
            }
        };
        self.conclude(number, done)
    }

    fn conclude(&self, number: Number, done: io::Result<()>) -> io::Result<()> {
        let answer = match done {
            Ok(()) => Say::Done(number),
            Err(error) => Say::Failed(number, error.to_string()),
        };
        say(&self.channel, &answer, &[])
    }

    fn kill(&self, number: Number) {
        let Some(pid) = self.process(number) else {
            return;
        };
        // Who has ended meanwhile needs no signal; it is not reaped before this returns, so that its number is nobody else's.
        let _ = process::kill_process(pid, Signal::KILL);
    }

    fn process(&self, number: Number) -> Option<Pid> {
        let (pid, _) = self.live.iter().find(|(_, one)| **one == number)?;
        Pid::from_raw(*pid)
    }

    fn run(&mut self, number: Number, mut given: Descriptors) -> io::Result<Option<std::net::Ipv4Addr>> {
        let plan: Plan = given.read()?;
        let control = Channel::from(given.next()?);
        let (stdout, stderr) = (given.next()?, given.next()?);
        let place = match plan.network {
            Some(network) => Some(self.networks.join(network, number)?),
            None => None,
        };
        let files = self.files.make_container(number, &plan, place)?;
        let volumes = self.files.volumes(&plan);
        let (go, release) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let given = Given {
            control,
            stdout,
            stderr,
            go,
            files,
            volumes,
            place,
        };
        let pid = match sys::fork_into(sys::ALL_NAMESPACES).map_err(named("new namespaces"))? {
            Forked::Child => {
                drop(release);
                container::enter(&plan, &given)
            }
            Forked::Parent(pid) => pid,
        };
        drop(given);
        self.live.insert(pid, number);
        // If this fails, nobody says "go", and the child ends.
        self.set_up(pid, number, &plan)?;
        rustix::io::write(&release, b"g")?;
        Ok(place.map(|place| place.address))
    }

    /// What a container's namespaces need from outside: ids, and the other end of its wire.
    fn set_up(&mut self, pid: i32, number: Number, plan: &Plan) -> io::Result<()> {
        for (file, id) in [("uid_map", plan.uid), ("gid_map", plan.gid)] {
            let map = if self.has_many_ids {
                identity(&std::fs::read_to_string(format!("/proc/self/{file}"))?)
            } else {
                // The one that there is, is whoever the image wants it to be.
                format!("{id} 0 1\n")
            };
            std::fs::write(format!("/proc/{pid}/{file}"), map).map_err(named("the container's ids"))?;
        }
        if let Some(network) = plan.network {
            let path = format!("/proc/{pid}/ns/net");
            let namespace = fs::openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
            self.networks
                .connect(&mut self.netlink, network, number, namespace.as_fd())
                .map_err(named("the container's network"))?;
        }
        Ok(())
    }

    fn enter(&mut self, number: Number, container: Number, mut given: Descriptors) -> io::Result<()> {
        let plan: Plan = given.read()?;
        let control = Channel::from(given.next()?);
        let outputs = [given.next()?, given.next()?];
        let ended = || io::Error::new(io::ErrorKind::NotFound, "the container has ended");
        let pid = self.process(container).ok_or_else(ended)?;
        let container = process::pidfd_open(pid, PidfdFlags::empty())?;
        match sys::fork_into(0)? {
            Forked::Child => container::join(container.as_fd(), &plan, control, outputs),
            Forked::Parent(pid) => drop(self.live.insert(pid, number)),
        }
        Ok(())
    }

    fn changes(&mut self, container: Number, mut given: Descriptors) -> io::Result<()> {
        let answer = given.next()?;
        let upper = self.files.upper(container);
        match sys::fork_into(0)? {
            Forked::Child => {
                let listed = container::changes(&upper, answer);
                std::process::exit(i32::from(listed.is_err()))
            }
            Forked::Parent(_) => Ok(()),
        }
    }

    fn look(&mut self, mut given: Descriptors) -> io::Result<()> {
        let wanted: Look = given.read()?;
        let answer = given.next()?;
        let point: PathBuf = self.files.point();
        match sys::fork_into(sys::MOUNTS)? {
            Forked::Child => {
                let looked = container::look(&wanted, &point, answer);
                std::process::exit(i32::from(looked.is_err()))
            }
            Forked::Parent(_) => Ok(()),
        }
    }
}

fn has_many(map: &str) -> bool {
    let counts = map
        .lines()
        .filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok());
    counts.sum::<u64>() > 1
}

/// A map that gives a namespace inside all that this one has, extent by extent: one must lie within one of the parent's.
pub(crate) fn identity(map: &str) -> String {
    let extent = |line: &str| {
        let mut words = line.split_whitespace();
        let (first, count) = (words.next()?, words.nth(1)?);
        Some(format!("{first} {first} {count}\n"))
    };
    map.lines().filter_map(extent).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_read_as_the_kernel_writes_them() {
        let one = "         0       1000          1\n";
        let many = "         0       1000          1\n         1     100000      65536\n";
        assert!(!has_many(one) && has_many(many) && has_many("0 0 4294967295\n"));
        assert_eq!(identity(many), "0 0 1\n1 1 65536\n");
    }
}
