//! Names, followed as the kernel follows them for a thread.
//!
//! One component after the other, from the thread's own root, working directory or descriptor, each held as a handle:
//! no path that was read as text is ever looked up again, save the text of a symbolic link. So it does not matter
//! whether a directory was removed, lies outside the root or has another one mounted over it.
//!
//! What the kernel answers by who asks is asked for the thread: `self` and `thread-self` of a procfs, which is known by
//! its type and not by its place. Its magic links lead us to the same file as anyone.

use std::io;
use std::os::fd::{OwnedFd, RawFd};

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, ResolveFlags, StatxFlags, fstat, fstatfs, open, openat, openat2,
    readlinkat, statx,
};
use rustix::io::Errno;

use crate::dead::Dead;
use crate::process::number_below;

/// A name that is opened, not a file: to open a device or a pipe for reading can have effects, or block.
pub(crate) const HANDLE: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);
/// The same of a symbolic link, where it is one.
const LINK: OFlags = HANDLE.union(OFlags::NOFOLLOW);
/// What tells a directory from others, and from itself where it is mounted twice.
const PLACE: StatxFlags = StatxFlags::INO.union(StatxFlags::MNT_ID);
/// Links that are texts are followed, and nothing leads out.
const TEXTS: ResolveFlags = ResolveFlags::NO_MAGICLINKS.union(ResolveFlags::BENEATH);
/// How many symbolic links the kernel follows.
const LINKS: usize = 40;
/// The inode of a procfs' top directory.
const PROC_TOP: u64 = 1;
/// Types of file systems, as `linux/magic.h` has them.
const PROC: i64 = 0x9fa0;
const AUTOFS: i64 = 0x0187;

/// What names mean to a thread.
#[derive(Debug)]
pub(crate) struct Names {
    thread: u32,
    root: OwnedFd,
}

impl Names {
    pub(crate) fn of(thread: u32) -> io::Result<Self> {
        let root = open(format!("/proc/{thread}/root"), HANDLE, Mode::empty())?;
        Ok(Self { thread, root })
    }

    pub(crate) fn root(&self) -> &OwnedFd {
        &self.root
    }

    /// What a path leads to; a relative one is relative to a descriptor. `follows` says whether the path's last
    /// component may be a symbolic link.
    pub(crate) fn find(&self, descriptor: RawFd, path: &[u8], follows: bool) -> Result<OwnedFd, Dead> {
        let start = match path.first() {
            None => return Err(Dead::Absent),
            Some(b'/') => self.top()?,
            Some(_) => self.descriptor(descriptor)?,
        };
        self.walk(start, path, follows)
    }

    /// What a descriptor of the thread means; it may have descriptors that the rest of its process has not.
    pub(crate) fn descriptor(&self, number: RawFd) -> Result<OwnedFd, Dead> {
        let name = match number {
            libc::AT_FDCWD => "cwd".to_owned(),
            number => format!("fd/{number}"),
        };
        let place = format!("/proc/{}/{name}", self.thread);
        Ok(open(place, HANDLE, Mode::empty())?)
    }

    fn top(&self) -> Result<OwnedFd, Dead> {
        self.root.try_clone().map_err(|_| Dead::OutOfReach)
    }

    fn walk(&self, start: OwnedFd, path: &[u8], follows: bool) -> Result<OwnedFd, Dead> {
        let mut at = start;
        let mut rest = path.to_vec();
        let mut links = 0;
        while let Some((name, after)) = split(&rest) {
            let next = match name {
                b".." if self.is_top(&at)? => self.top()?,
                // A slash at the end wants a directory.
                b"" => enter(&at, b".")?,
                name => enter(&at, name)?,
            };
            let stat = fstat(&next)?;
            if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
                at = next;
                rest = after.to_vec();
                continue;
            }
            links += 1;
            if links > LINKS || (after.is_empty() && !follows) {
                return Err(Dead::Absent);
            }
            match self.target(&at, name, &next)? {
                Target::Handle(handle) => {
                    at = handle;
                    rest = after.to_vec();
                }
                Target::Text(text) => {
                    if text.starts_with(b"/") {
                        at = self.top()?;
                    }
                    rest = [&text, after].concat();
                }
            }
        }
        Ok(at)
    }

    /// Where a symbolic link leads: `link`, which is called `name` in the directory `at`.
    fn target(&self, at: &OwnedFd, name: &[u8], link: &OwnedFd) -> Result<Target, Dead> {
        // An empty one, which only odd file systems have, leads to where the link is.
        let text = || Ok(Target::Text(readlinkat(link, "", Vec::new())?.into_bytes()));
        if kind(link)? != PROC {
            return text();
        }
        if kind(at)? != PROC {
            // Only the link itself can have been mounted there, without the directory that it belongs to.
            return Err(Dead::OutOfReach);
        }
        if fstat(at)?.st_ino == PROC_TOP {
            return match name {
                b"self" => Ok(Target::Text(number_below(at, self.thread)?.process().into())),
                b"thread-self" => Ok(Target::Text(number_below(at, self.thread)?.thread().into())),
                _ => text(),
            };
        }
        match openat2(at, name, HANDLE, Mode::empty(), TEXTS) {
            Err(Errno::LOOP) => Ok(Target::Handle(openat(at, name, HANDLE, Mode::empty())?)),
            Err(Errno::ACCESS | Errno::PERM) => Err(Dead::OutOfReach),
            _ => text(),
        }
    }

    /// Whether this is the thread's root, above which there is nothing. The same directory may be mounted twice.
    fn is_top(&self, at: &OwnedFd) -> Result<bool, Dead> {
        let place = |directory: &OwnedFd| -> Result<_, Errno> {
            let stat = statx(directory, "", AtFlags::EMPTY_PATH, PLACE)?;
            Ok((
                stat.stx_dev_major,
                stat.stx_dev_minor,
                stat.stx_ino,
                stat.stx_mnt_id,
            ))
        };
        Ok(place(at)? == place(&self.root)?)
    }
}

/// Where a symbolic link leads.
enum Target {
    Text(Vec<u8>),
    /// The file itself.
    Handle(OwnedFd),
}

/// The first component of a path, and what is behind it; an empty component where there are only slashes.
fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    if path.is_empty() {
        return None;
    }
    let begin = path.iter().position(|&byte| byte != b'/').unwrap_or(path.len());
    let path = &path[begin..];
    let end = path.iter().position(|&byte| byte == b'/').unwrap_or(path.len());
    Some(path.split_at(end))
}

/// Opens what has this name in a directory, and no more: a symbolic link is opened itself.
fn enter(directory: &OwnedFd, name: &[u8]) -> Result<OwnedFd, Dead> {
    openat(directory, name, LINK, Mode::empty()).map_err(|error| {
        match (Dead::from(error), kind(directory)) {
            // It is mounted when the process enters it.
            (Dead::Absent, Ok(AUTOFS)) => Dead::OutOfReach,
            (dead, _) => dead,
        }
    })
}

/// The type of the file system that a file is on.
fn kind(file: &OwnedFd) -> Result<i64, Errno> {
    Ok(fstatfs(file)?.f_type)
}

#[cfg(test)]
mod tests {
    use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};

    use super::*;

    #[test]
    fn a_link_that_may_not_be_followed_may_lead_somewhere() {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let mapped = maps.lines().find(|line| line.contains('/')).unwrap();
        let (range, _) = mapped.split_once(' ').unwrap();
        let path = format!("/proc/self/map_files/{range}");
        // What a link there says may be read by anybody; to follow it takes a right over the whole machine.
        let found = std::thread::spawn(move || {
            let none = CapabilitySet::empty();
            let sets = CapabilitySets {
                effective: none,
                permitted: none,
                inheritable: none,
            };
            set_capabilities(None, sets).unwrap();
            let names = Names::of(std::process::id()).unwrap();
            names.find(libc::AT_FDCWD, path.as_bytes(), true).map(drop)
        });
        assert_eq!(found.join().unwrap(), Err(Dead::OutOfReach));
    }

    #[test]
    fn as_many_links_are_followed_as_the_kernel_follows() {
        let directory = tempfile::tempdir().unwrap();
        let at = |number: usize| directory.path().join(number.to_string());
        std::fs::write(at(0), "").unwrap();
        for number in 1..50 {
            std::os::unix::fs::symlink((number - 1).to_string(), at(number)).unwrap();
        }
        let names = Names::of(std::process::id()).unwrap();
        let found: Vec<bool> = (0..50)
            .map(|number| {
                names
                    .find(libc::AT_FDCWD, at(number).as_os_str().as_encoded_bytes(), true)
                    .is_ok()
            })
            .collect();
        let kernels: Vec<bool> = (0..50).map(|number| at(number).exists()).collect();
        assert_eq!(found, kernels);
        assert!(found[40] && !found[41]);
    }

    #[test]
    fn a_descriptor_that_can_be_none_leads_nowhere() {
        let names = Names::of(std::process::id()).unwrap();
        assert_eq!(names.descriptor(-5).map(drop), Err(Dead::Absent));
        assert_eq!(names.descriptor(1_000_000).map(drop), Err(Dead::Absent));
    }
}
