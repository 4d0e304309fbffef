//! Files as a process in a container names them.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, Stat, fstat, openat, readlink, stat};

use crate::call::Arguments;
use crate::dead::Dead;
use crate::process::{READ, copy_of};
use crate::resolve::{HANDLE, Names};

/// A file that was about to be executed.
#[derive(Debug)]
pub(crate) struct Found {
    /// Its path inside the container, links followed.
    pub path: String,
    /// What it is.
    pub stat: Stat,
    /// Its name, opened: not yet for reading.
    name: OwnedFd,
    /// The thread's descriptor that it is, if it was named by that alone.
    descriptor: Option<(u32, RawFd)>,
}

/// The files that a thread sees.
#[derive(Debug)]
pub(crate) struct View<'p> {
    thread: u32,
    names: Names,
    /// How our own `/proc` writes the container's root; empty unless the container is no more than a `chroot`.
    prefix: &'p [u8],
}

/// How our own `/proc` writes the root of a session's first program, which is the container's. Whoever takes another root later
/// (`chroot`) has files that lie below it still, and is not to pass them off as others.
#[derive(Debug, Default)]
pub(crate) struct Prefix(Option<Vec<u8>>);

impl<'p> View<'p> {
    /// The files that this thread sees.
    pub(crate) fn of(thread: u32, prefix: &'p mut Prefix) -> io::Result<Self> {
        let names = Names::of(thread)?;
        let prefix = match &mut prefix.0 {
            Some(path) => path,
            none => none.insert(before_root(name_of(names.root())?)),
        };
        Ok(Self {
            thread,
            names,
            prefix,
        })
    }

    /// The program that the thread's process runs.
    pub(crate) fn executable(&self) -> io::Result<String> {
        let path = readlink(format!("/proc/{}/exe", self.thread), Vec::new())?;
        Ok(lossy(inside(self.prefix, path.as_bytes())))
    }

    /// The file that a call means.
    pub(crate) fn find_called(&self, arguments: &Arguments, path: &[u8]) -> Result<Found, Dead> {
        if path.is_empty() && arguments.empty_path {
            let mut found = self.found(self.names.descriptor(arguments.descriptor)?)?;
            found.descriptor = Some((self.thread, arguments.descriptor));
            return Ok(found);
        }
        self.found(self.names.find(arguments.descriptor, path, arguments.follows)?)
    }

    /// The file of a path, which is relative to the thread's working directory if it is relative.
    pub(crate) fn find(&self, path: &[u8]) -> Result<Found, Dead> {
        self.found(self.names.find(libc::AT_FDCWD, path, true)?)
    }

    fn found(&self, name: OwnedFd) -> Result<Found, Dead> {
        let path = name_of(&name).map_err(|_| Dead::OutOfReach)?;
        Ok(Found {
            path: lossy(inside(self.prefix, &path)),
            stat: fstat(&name)?,
            name,
            descriptor: None,
        })
    }
}

/// What is known of the file that a thread's process runs, without opening it.
pub(crate) fn stat_of_running(thread: u32) -> io::Result<Stat> {
    Ok(stat(format!("/proc/{thread}/exe"))?)
}

/// The program that a thread's process runs.
pub(crate) fn running(thread: u32, prefix: &mut Prefix) -> Result<Found, Dead> {
    let view = View::of(thread, prefix).map_err(|_| Dead::OutOfReach)?;
    let place = format!("/proc/{thread}/exe");
    let name = openat(CWD, place, HANDLE, Mode::empty())?;
    view.found(name)
}

/// The file that a path means to ourselves, outside of any container.
pub(crate) fn found_outside(path: &[u8]) -> Result<Found, Dead> {
    let name = openat(CWD, path, HANDLE, Mode::empty());
    // Whoever registered it may have had another root.
    let name = name.map_err(|_| Dead::OutOfReach)?;
    Ok(Found {
        path: lossy(path),
        stat: fstat(&name)?,
        name,
        descriptor: None,
    })
}

/// What our own `/proc` writes before the paths of a container whose root it calls this.
fn before_root(root: Vec<u8>) -> Vec<u8> {
    match root.as_slice() {
        b"/" => Vec::new(),
        _ => root,
    }
}

/// The path inside the container of a path that our own `/proc` has.
fn inside<'a>(prefix: &[u8], path: &'a [u8]) -> &'a [u8] {
    match path.strip_prefix(prefix) {
        Some([]) => b"/",
        Some(rest) if rest.starts_with(b"/") => rest,
        _ => path,
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
        if let Ok(file) = openat(CWD, own_name(&self.name), READ, Mode::empty()) {
            return Some(File::from(file));
        }
        let (thread, number) = self.descriptor?;
        let file = File::from(copy_of(thread, number).ok()?);
        let stat = fstat(&file).ok()?;
        let is_same = (stat.st_dev, stat.st_ino) == (self.stat.st_dev, self.stat.st_ino);
        (is_same && file.read_at(&mut [0], 0).is_ok()).then_some(file)
    }
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
    use rustix::fs::OFlags;

    use super::*;

    #[test]
    fn this_process_sees_its_own_files() {
        let mut prefix = Prefix::default();
        let view = View::of(std::process::id(), &mut prefix).unwrap();
        let own = std::env::current_exe().unwrap();
        assert_eq!(Path::new(&view.executable().unwrap()), own);
        assert_eq!(Path::new(&view.find(b"/proc/self/exe").unwrap().path), own);
        assert!(view.find(b"/dev/null").unwrap().open().is_none());
        assert_eq!(view.find(b"/no/such/file").unwrap_err(), Dead::Absent);
        assert_eq!(view.find(b"").unwrap_err(), Dead::Absent);
    }

    #[test]
    fn a_pipe_or_a_directory_is_not_opened() {
        let mut prefix = Prefix::default();
        let view = View::of(std::process::id(), &mut prefix).unwrap();
        let (reader, _writer) = io::pipe().unwrap();
        let call = Arguments {
            descriptor: reader.as_raw_fd(),
            empty_path: true,
            ..Arguments::default()
        };
        let pipe = view.find_called(&call, b"").unwrap();
        assert!(!pipe.is_regular() && pipe.open().is_none());
        assert!(!view.find(b"/proc").unwrap().is_regular());
    }

    #[test]
    fn a_root_that_is_only_a_directory_is_cut_off() {
        let inside = |path: &str| lossy(inside(b"/srv/root", path.as_bytes()));
        assert_eq!(inside("/srv/root/bin/sh"), "/bin/sh");
        assert_eq!(inside("/srv/root"), "/");
        assert_eq!(inside("/srv/rooted"), "/srv/rooted");
        assert_eq!(before_root(b"/".to_vec()), b"");
        assert_eq!(before_root(b"/srv/root".to_vec()), b"/srv/root");
    }

    #[test]
    fn what_may_not_be_opened_is_read_where_its_descriptor_is() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        std::fs::write(at("program"), "text").unwrap();
        std::fs::write(at("other"), "text").unwrap();
        std::os::unix::fs::symlink("program", at("link")).unwrap();
        // What is a symbolic link itself cannot be opened, whoever asks.
        let found = |descriptor: &File, of: &str| Found {
            path: String::new(),
            stat: stat(at(of)).unwrap(),
            name: openat(CWD, at("link"), HANDLE | OFlags::NOFOLLOW, Mode::empty()).unwrap(),
            descriptor: Some((std::process::id(), descriptor.as_raw_fd())),
        };
        let readable = File::open(at("program")).unwrap();
        let writable = File::options().write(true).open(at("program")).unwrap();
        assert!(found(&readable, "program").open().is_some());
        assert!(found(&readable, "other").open().is_none(), "it is another file");
        assert!(found(&writable, "program").open().is_none(), "it cannot be read");
        let without = Found {
            descriptor: None,
            ..found(&readable, "program")
        };
        assert!(without.open().is_none());
    }
}
