//! Processes and threads, and what they are called in which namespace.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::os::unix::fs::FileExt;

use rustix::fs::{AtFlags, Mode, OFlags, openat, stat, statat};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use crate::dead::Dead;
use crate::sys::process_and_parent;

/// `PIDFD_THREAD` of `linux/pidfd.h`: the descriptor means this thread, which may have descriptors of its own.
const THREAD: PidfdFlags = PidfdFlags::from_bits_retain(OFlags::EXCL.bits());
/// To read a file, and nothing else.
pub(crate) const READ: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NOCTTY);
/// The longest `status` that is read: most of it is a list of groups.
const STATUS: u64 = 1 << 20;

/// A process, as the kernel lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub id: u32,
    pub parent: u32,
}

fn pidfd(id: u32, flags: PidfdFlags) -> Result<OwnedFd, Errno> {
    let id = i32::try_from(id)
        .ok()
        .and_then(Pid::from_raw)
        .ok_or(Errno::SRCH)?;
    pidfd_open(id, flags)
}

/// The process that a thread belongs to.
pub(crate) fn process_of(thread: u32) -> io::Result<Process> {
    let asked = pidfd(thread, THREAD).map_err(io::Error::from);
    match asked.and_then(|thread| process_and_parent(thread.as_fd())) {
        Ok((id, parent)) => Ok(Process { id, parent }),
        Err(_) => listed_process_of(thread),
    }
}

/// The same from `/proc`, where the text costs four times as much as an answer.
fn listed_process_of(thread: u32) -> io::Result<Process> {
    let status = File::open(format!("/proc/{thread}/status"))?;
    // Both lines are among the first, behind a name of at most 16 bytes, each perhaps escaped.
    let mut head = [0; 512];
    let read = status.read_at(&mut head, 0)?;
    process(&String::from_utf8_lossy(&head[..read])).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn process(status: &str) -> Option<Process> {
    let value = |key: &str| value(status, key)?.parse().ok();
    Some(Process {
        id: value("Tgid:")?,
        parent: value("PPid:")?,
    })
}

/// A line of a process' status, which begins with its key.
fn value<'s>(status: &'s str, key: &str) -> Option<&'s str> {
    status
        .lines()
        .find_map(|line| line.strip_prefix(key))
        .map(str::trim)
}

/// A copy of a thread's descriptor, with whatever the thread may do with it.
pub(crate) fn copy_of(thread: u32, number: RawFd) -> io::Result<OwnedFd> {
    let process = match pidfd(thread, THREAD) {
        // Before Linux 6.9 only a whole process can be meant.
        Err(Errno::INVAL) => pidfd(process_of(thread)?.id, PidfdFlags::empty()),
        opened => opened,
    };
    Ok(pidfd_getfd(process?, number, PidfdGetfdFlags::empty())?)
}

/// What a procfs calls a thread: each has the numbers of one process namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Number {
    process: u32,
    thread: u32,
}

impl Number {
    /// What its `self` says.
    pub(crate) fn process(self) -> String {
        self.process.to_string()
    }

    /// What its `thread-self` says.
    pub(crate) fn thread(self) -> String {
        format!("{}/task/{}", self.process, self.thread)
    }
}

/// What the procfs with this top directory calls a thread.
pub(crate) fn number_below(top: &OwnedFd, thread: u32) -> Result<Number, Dead> {
    let own = || {
        let levels = levels(&read(File::open(format!("/proc/{thread}/status"))?)?);
        let namespace = stat(format!("/proc/{thread}/ns/pid"))?;
        Ok::<_, io::Error>((levels, namespace.st_ino))
    };
    let (levels, namespace) = own().map_err(|_| Dead::OutOfReach)?;
    let innermost = levels.last().copied();
    // A process has a number in its own namespace and in each around it. Which of them a procfs has shows where the
    // process of that number is in the same namespace, and has the same number there.
    let is_it = |level: &Number| {
        let there = || {
            let name = format!("{}/status", level.process);
            let status = openat(top, name, READ, Mode::empty())?;
            let namespace = statat(top, format!("{}/ns/pid", level.process), AtFlags::empty())?;
            Ok::<_, io::Error>((self::levels(&read(status.into())?), namespace.st_ino))
        };
        let process = |number: Option<Number>| number.map(|number| number.process);
        there().is_ok_and(|(levels, other)| {
            other == namespace && process(levels.last().copied()) == process(innermost)
        })
    };
    levels.iter().copied().find(is_it).ok_or(Dead::OutOfReach)
}

fn read(file: File) -> io::Result<String> {
    let mut text = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(file, STATUS), &mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// A thread's numbers in each process namespace, from that of the procfs to its own.
fn levels(status: &str) -> Vec<Number> {
    let numbers = |key: &str| {
        let line = value(status, key).unwrap_or_default();
        line.split_whitespace()
            .map_while(|number| number.parse().ok())
            .collect::<Vec<u32>>()
    };
    let both = numbers("NStgid:").into_iter().zip(numbers("NSpid:"));
    both.map(|(process, thread)| Number { process, thread }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_from_its_status() {
        let status = "Name:\tTgid: 1\nUmask:\t0022\nState:\tR\nTgid:\t77\nNgid:\t0\nPid:\t78\nPPid:\t5\nTracerPid:\t0\n";
        assert_eq!(process(status), Some(Process { id: 77, parent: 5 }));
        assert_eq!(process("Name:\tx\n"), None);
        let own = Process {
            id: std::process::id(),
            parent: std::os::unix::process::parent_id(),
        };
        assert_eq!(process_of(own.id).unwrap(), own);
        assert_eq!(listed_process_of(own.id).unwrap(), own);
        let thread = std::thread::spawn(|| {
            let thread = std::fs::read_link("/proc/thread-self").unwrap();
            let id = thread.file_name().unwrap().to_str().unwrap().parse().unwrap();
            (process_of(id).unwrap(), listed_process_of(id).unwrap())
        });
        assert_eq!(thread.join().unwrap(), (own, own));
    }

    #[test]
    fn a_thread_is_known_by_its_number_and_its_namespace() {
        let own = std::process::id();
        let innermost = levels(&std::fs::read_to_string("/proc/self/status").unwrap());
        let innermost = innermost.last().unwrap().process;
        // A procfs in which the process of that number has another number in its own namespace, or another namespace.
        let found = |number: u32, namespace: &str| {
            let directory = tempfile::tempdir().unwrap();
            let process = directory.path().join(own.to_string());
            std::fs::create_dir_all(process.join("ns")).unwrap();
            std::fs::write(
                process.join("status"),
                format!("NStgid:\t{number}\nNSpid:\t{number}\n"),
            )
            .unwrap();
            std::os::unix::fs::symlink(format!("/proc/self/ns/{namespace}"), process.join("ns/pid")).unwrap();
            let top = File::open(directory.path()).unwrap().into();
            number_below(&top, own).map(|number| number.process)
        };
        assert_eq!(found(innermost, "pid"), Ok(own));
        assert_eq!(found(innermost + 1, "pid"), Err(Dead::OutOfReach));
        assert_eq!(found(innermost, "mnt"), Err(Dead::OutOfReach));
    }

    #[test]
    fn numbers_are_read_from_the_outermost_namespace_inwards() {
        let status = "Tgid:\t9\nGroups:\t1 2\nNStgid:\t9\t4\t1\nNSpid:\t11\t5\t2\nNSpgid:\t0\n";
        let numbers = [(9, 11), (4, 5), (1, 2)].map(|(process, thread)| Number { process, thread });
        assert_eq!(levels(status), numbers);
        assert_eq!(
            (numbers[1].process().as_str(), numbers[1].thread().as_str()),
            ("4", "4/task/5")
        );
        assert_eq!(levels("Tgid:\t9\n"), []);
    }
}
