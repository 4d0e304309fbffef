//! The host's files as an engine sees them: it may have a root directory of its own.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{Mode, OFlags, ResolveFlags, open, openat2};
use rustix::io::Errno;

use crate::endpoint::Server;

/// The root directory of an engine, where somebody lets us look.
pub(crate) fn root_of(engine: &Server) -> Option<OwnedFd> {
    directory(&format!("/proc/{}/root", engine.pid))
}

/// A directory, by its path here.
pub(crate) fn directory(path: &str) -> Option<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    open(path, flags, Mode::empty()).ok()
}

/// A file as somebody finds it whose root directory this is.
pub(crate) fn find(root: &OwnedFd, path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    openat2(root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT)
}
