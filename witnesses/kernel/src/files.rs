//! Files as a process in a container names them.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, open, openat, openat2, readlink};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use crate::sys::process_and_parent;

/// How much of a file the kernel reads to find out what it is.
const HEAD: usize = 256;
/// How often a look-up is tried that the kernel could not do safely while something was renamed.
const TRIES: usize = 4;
/// `PIDFD_THREAD` of `linux/pidfd.h`: the descriptor means this thread, which may have descriptors of its own.
const THREAD: PidfdFlags = PidfdFlags::from_bits_retain(OFlags::EXCL.bits());

/// A file that was about to be executed.
#[derive(Debug)]
pub(crate) struct Found {
    /// Its path inside the container, links followed.
    pub path: String,
    /// What it is.
    pub stat: Stat,
    /// Its name, opened: not yet for reading.
    name: OwnedFd,
}

/// The `#!` line of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shebang {
    pub interpreter: Vec<u8>,
    pub argument: Option<Vec<u8>>,
}

/// The files that a thread sees.
#[derive(Debug)]
pub(crate) struct View<'p> {
    thread: u32,
    root: OwnedFd,
    /// How our own `/proc` writes the thread's root; empty unless the container is no more than a `chroot`.
    prefix: &'p [u8],
}

/// The root that was seen last, and how our own `/proc` writes it: nearly all threads of a session have the same.
#[derive(Debug, Default)]
pub(crate) struct Prefix {
    root: Option<(u64, u64)>,
    path: Vec<u8>,
}

impl<'p> View<'p> {
    /// The files that this thread sees.
    pub(crate) fn of(thread: u32, prefix: &'p mut Prefix) -> io::Result<Self> {
        let root = open(
            format!("/proc/{thread}/root"),
            OFlags::PATH | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        let stat = fstat(&root)?;
        let identity = Some((stat.st_dev, stat.st_ino));
        if prefix.root != identity {
            let path = name_of(&root)?;
            *prefix = Prefix {
                root: identity,
                path: if path == b"/" { Vec::new() } else { path },
            };
        }
        Ok(Self {
            thread,
            root,
            prefix: &prefix.path,
        })
    }

    /// The program that the thread's process runs.
    pub(crate) fn executable(&self) -> io::Result<String> {
        let path = readlink(format!("/proc/{}/exe", self.thread), Vec::new())?;
        Ok(lossy(self.inside(path.as_bytes())))
    }

    /// The file of a path, which is relative to the thread's working directory if it is relative.
    pub(crate) fn find(&self, path: &[u8]) -> io::Result<Found> {
        if let Some(own) = self.own_entry(path) {
            return self.found(open(own, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?);
        }
        if path.is_empty() || path.starts_with(b"/") {
            return self.find_absolute(path);
        }
        let directory = readlink(format!("/proc/{}/cwd", self.thread), Vec::new())?;
        self.find_below(directory.as_bytes(), path)
    }

    /// The file of a path that is relative to a descriptor of the thread, or the descriptor itself.
    pub(crate) fn find_at(&self, descriptor: RawFd, path: &[u8], empty_path: bool) -> io::Result<Found> {
        if path.starts_with(b"/") || (descriptor == libc::AT_FDCWD && !path.is_empty()) {
            return self.find(path);
        }
        if path.is_empty() && !empty_path {
            return Err(Errno::NOENT.into());
        }
        let descriptor = self.descriptor(descriptor)?;
        if path.is_empty() {
            return self.found(descriptor);
        }
        self.find_below(&name_of(&descriptor)?, path)
    }

    /// What `/proc/self` means to the thread: to us it is another process, and `openat2` does not follow it.
    fn own_entry(&self, path: &[u8]) -> Option<String> {
        let path = std::str::from_utf8(path).ok()?;
        let below_self = path
            .strip_prefix("/proc/self/")
            .or_else(|| path.strip_prefix("/proc/thread-self/"));
        let descriptor = below_self
            .and_then(|entry| entry.strip_prefix("fd/"))
            .or_else(|| path.strip_prefix("/dev/fd/"));
        match (descriptor, below_self) {
            (Some(number), _) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(format!("/proc/{}/fd/{number}", self.thread))
            }
            (_, Some("exe")) => Some(format!("/proc/{}/exe", self.thread)),
            _ => None,
        }
    }

    fn descriptor(&self, number: RawFd) -> io::Result<OwnedFd> {
        let process = match pidfd(self.thread, THREAD) {
            // Before Linux 6.9 only a whole process can be meant.
            Err(Errno::INVAL) => pidfd(process_of(self.thread)?.id, PidfdFlags::empty()),
            opened => opened,
        };
        Ok(pidfd_getfd(process?, number, PidfdGetfdFlags::empty())?)
    }

    fn find_below(&self, directory: &[u8], path: &[u8]) -> io::Result<Found> {
        self.find_absolute(&[self.inside(directory), path].join(&b'/'))
    }

    fn find_absolute(&self, path: &[u8]) -> io::Result<Found> {
        let mut tries = 0;
        let opened = loop {
            // Only a name is opened at first: to open a device or a pipe for reading can have effects, or block.
            let flags = OFlags::PATH | OFlags::CLOEXEC;
            match openat2(&self.root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT) {
                Err(Errno::AGAIN) if tries < TRIES => tries += 1,
                opened => break opened?,
            }
        };
        self.found(opened)
    }

    fn found(&self, opened: OwnedFd) -> io::Result<Found> {
        let path = lossy(self.inside(&name_of(&opened)?));
        let stat = fstat(&opened)?;
        Ok(Found {
            path,
            stat,
            name: opened,
        })
    }

    /// The path inside the container of a path that our own `/proc` has.
    fn inside<'a>(&self, path: &'a [u8]) -> &'a [u8] {
        match path.strip_prefix(self.prefix) {
            Some([]) => b"/",
            Some(rest) if rest.starts_with(b"/") => rest,
            _ => path,
        }
    }
}

impl Found {
    /// Whether it could be executed at all.
    pub(crate) fn is_regular(&self) -> bool {
        FileType::from_raw_mode(self.stat.st_mode) == FileType::RegularFile
    }

    /// The file, opened for reading: `None` when that is not permitted, or it is no regular file. Where it is not
    /// permitted, a descriptor that can be read already will do.
    pub(crate) fn open(self) -> Option<File> {
        if !self.is_regular() {
            return None;
        }
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY;
        match openat(CWD, own_name(&self.name), flags, Mode::empty()) {
            Ok(file) => Some(File::from(file)),
            Err(_) => {
                let file = File::from(self.name);
                file.read_at(&mut [0], 0).is_ok().then_some(file)
            }
        }
    }
}

/// A script's `#!` line, if a file is one.
pub(crate) fn shebang(file: &File) -> Option<Shebang> {
    let mut head = [0; HEAD];
    let read = file.read_at(&mut head, 0).ok()?;
    parse(&head[..read])
}

/// Reads a `#!` line as the kernel does: blanks around both words, one argument, the line's end or a NUL ends it.
fn parse(head: &[u8]) -> Option<Shebang> {
    let line = head.strip_prefix(b"#!")?;
    let line = line.split(|&byte| byte == b'\n').next()?;
    let line = line.split(|&byte| byte == 0).next()?;
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = line.iter().position(|byte| !blank(byte))?;
    let line = &line[start..];
    let end = line.iter().position(blank).unwrap_or(line.len());
    let (interpreter, rest) = line.split_at(end);
    let argument = rest.iter().position(|byte| !blank(byte)).map(|start| {
        let end = rest
            .iter()
            .rposition(|byte| !blank(byte))
            .map_or(rest.len(), |last| last + 1);
        rest[start..end].to_vec()
    });
    Some(Shebang {
        interpreter: interpreter.to_vec(),
        argument,
    })
}

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
    let value = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        line?.trim().parse().ok()
    };
    Some(Process {
        id: value("Tgid:")?,
        parent: value("PPid:")?,
    })
}

fn own_name(descriptor: &impl AsFd) -> String {
    format!("/proc/self/fd/{}", descriptor.as_fd().as_raw_fd())
}

fn name_of(descriptor: &impl AsFd) -> io::Result<Vec<u8>> {
    Ok(readlink(own_name(descriptor), Vec::new())?.into_bytes())
}

/// A path as text; bytes that are no UTF-8 are replaced.
pub(crate) fn lossy(path: &[u8]) -> String {
    Path::new(std::ffi::OsStr::from_bytes(path))
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shebang_is_read_as_the_kernel_reads_it() {
        let shebang = |interpreter: &str, argument: Option<&str>| {
            Some(Shebang {
                interpreter: interpreter.into(),
                argument: argument.map(Into::into),
            })
        };
        let cases: [(&[u8], Option<Shebang>); 10] = [
            (b"#!/bin/sh\n", shebang("/bin/sh", None)),
            (b"#! \t/bin/sh  -e \t\nexit", shebang("/bin/sh", Some("-e"))),
            (
                b"#!/usr/bin/env -S sh -e\n",
                shebang("/usr/bin/env", Some("-S sh -e")),
            ),
            (b"#!/bin/sh", shebang("/bin/sh", None)),
            (b"#!/bin/sh\0-e\n", shebang("/bin/sh", None)),
            (b"#!sh\n", shebang("sh", None)),
            (b"#!/bin/sh\r\n", shebang("/bin/sh\r", None)),
            (b"#!\n/bin/sh\n", None),
            (b"#", None),
            (b"\x7fELF", None),
        ];
        for (head, expected) in cases {
            assert_eq!(parse(head), expected, "{}", String::from_utf8_lossy(head));
        }
    }

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
    fn this_process_sees_its_own_files() {
        let mut prefix = Prefix::default();
        let view = View::of(std::process::id(), &mut prefix).unwrap();
        let own = std::env::current_exe().unwrap();
        assert_eq!(Path::new(&view.executable().unwrap()), own);
        assert_eq!(Path::new(&view.find(b"/proc/self/exe").unwrap().path), own);
        assert!(view.find(b"/dev/null").unwrap().open().is_none());
        assert!(view.find(b"/no/such/file").is_err());
        assert!(view.find(b"").is_err());
    }

    #[test]
    fn a_pipe_or_a_directory_is_not_opened() {
        let mut prefix = Prefix::default();
        let view = View::of(std::process::id(), &mut prefix).unwrap();
        let (reader, _writer) = io::pipe().unwrap();
        let pipe = view.find_at(reader.as_raw_fd(), b"", true).unwrap();
        assert!(!pipe.is_regular() && pipe.open().is_none());
        assert!(!view.find(b"/proc").unwrap().is_regular());
    }

    #[test]
    fn a_root_that_is_only_a_directory_is_cut_off() {
        let view = View {
            thread: 1,
            root: open("/", OFlags::PATH, Mode::empty()).unwrap(),
            prefix: b"/srv/root",
        };
        let inside = |path: &str| lossy(view.inside(path.as_bytes()));
        assert_eq!(inside("/srv/root/bin/sh"), "/bin/sh");
        assert_eq!(inside("/srv/root"), "/");
        assert_eq!(inside("/srv/rooted"), "/srv/rooted");
    }
}
