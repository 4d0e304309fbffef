//! All unsafe code of this crate.

use std::io;

use rustix::thread::{UnshareFlags, unshare_unsafe};

/// The calling process, which must have one thread only, moves into a new user namespace.
pub(crate) fn new_user_namespace() -> io::Result<()> {
    // SAFETY: memory and descriptors stay as they are: `FILES` is not among what is asked for.
    unsafe { unshare_unsafe(UnshareFlags::NEWUSER) }.map_err(io::Error::from)
}

/// Closes every descriptor but the first three. Whoever started us may have left some open.
pub(crate) fn close_all_but_standard() -> io::Result<()> {
    // SAFETY: called first of all in a new process, which owns no descriptor beyond the standard ones yet.
    match unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
