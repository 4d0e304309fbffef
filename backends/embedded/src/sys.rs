//! All unsafe code: the calls that rustix has not.

use std::ffi::{CString, c_char};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// One instruction of a seccomp filter.
pub(crate) use libc::sock_filter as Instruction;

/// What each container has of its own.
pub(crate) const ALL_NAMESPACES: u64 = (libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWCGROUP) as u64;
/// The same without a user namespace, where that is there already.
pub(crate) const ALL_BUT_USER: u64 = ALL_NAMESPACES & !(libc::CLONE_NEWUSER as u64);
/// Only mounts of its own: to look at files.
pub(crate) const MOUNTS: u64 = libc::CLONE_NEWNS as u64;

/// Which of two processes goes on.
pub(crate) enum Forked {
    /// The new one.
    Child,
    /// The old one, with the new one's number.
    Parent(i32),
}

/// The calling process, which must have one thread only, becomes two; the new one is in these new namespaces.
pub(crate) fn fork_into(namespaces: u64) -> io::Result<Forked> {
    // SAFETY: all of its fields are numbers, and zero means "not wanted" for each.
    let mut wish: libc::clone_args = unsafe { std::mem::zeroed() };
    wish.flags = namespaces;
    wish.exit_signal = libc::SIGCHLD as u64;
    // SAFETY: without `CLONE_VM` it is a fork: the child has a copy of everything. There is one thread, so that no lock is held
    // by another. `wish` outlives the call and is as long as said.
    match unsafe { libc::syscall(libc::SYS_clone3, &raw const wish, size_of_val(&wish)) } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Forked::Child),
        pid => i32::try_from(pid).map(Forked::Parent).map_err(io::Error::other),
    }
}

/// Installs a filter on this process and gives its listener, if it is to have one.
pub(crate) fn seccomp(program: &[Instruction], listens: bool) -> io::Result<Option<OwnedFd>> {
    let length = u16::try_from(program.len()).map_err(io::Error::other)?;
    let program = libc::sock_fprog {
        len: length,
        filter: program.as_ptr().cast_mut(),
    };
    let flags = if listens {
        libc::SECCOMP_FILTER_FLAG_NEW_LISTENER
    } else {
        0
    };
    // SAFETY: the structure describes a slice that outlives the call; the kernel copies it and writes nothing.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            flags,
            &raw const program,
        )
    };
    match i32::try_from(answer) {
        Ok(-1) | Err(_) => Err(io::Error::last_os_error()),
        // SAFETY: the kernel has just made this descriptor, and nobody else knows it.
        Ok(descriptor) if listens => Ok(Some(unsafe { OwnedFd::from_raw_fd(descriptor) })),
        Ok(_) => Ok(None),
    }
}

/// Every descriptor from the fourth on is closed by an exec.
pub(crate) fn close_on_exec() -> io::Result<()> {
    // SAFETY: it changes a flag of descriptors, and closes none now.
    match unsafe {
        libc::syscall(
            libc::SYS_close_range,
            3,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Makes a mount, and those below it if `recursive`, read-only. It leaves other flags alone: some are locked in a user namespace,
/// and a remount that does not repeat them fails.
pub(crate) fn make_read_only(mount: BorrowedFd<'_>, recursive: bool) -> io::Result<()> {
    let wish = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_RDONLY,
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is an empty C string, and the structure is as long as said; both outlive the call.
    match unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const wish,
            size_of_val(&wish),
        )
    } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Becomes another program, with all signals as at the start of a program. Returns only why it could not.
///
/// The standard library's `exec` starts `/bin/sh` for a file that has no `#!`; this does not.
pub(crate) fn execute(path: &str, argv: &[String], env: &[String]) -> io::Error {
    let strings = |list: &[String]| -> Result<Vec<CString>, _> {
        list.iter().map(|text| CString::new(text.as_str())).collect()
    };
    let (Ok(path), Ok(argv), Ok(env)) = (CString::new(path), strings(argv), strings(env)) else {
        return io::Error::new(
            io::ErrorKind::InvalidInput,
            "an argument or a variable has a NUL in it",
        );
    };
    let pointers = |list: &[CString]| -> Vec<*const c_char> {
        let null = std::iter::once(std::ptr::null());
        list.iter().map(|text| text.as_ptr()).chain(null).collect()
    };
    let (argv, env) = (pointers(&argv), pointers(&env));
    // SAFETY: C strings and lists of them that end with a null pointer; all live until the call returns, if it does. The signal
    // set is made by `sigemptyset` before it is read.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
        libc::execve(path.as_ptr(), argv.as_ptr(), env.as_ptr());
    }
    io::Error::last_os_error()
}

/// The end of children as a descriptor that becomes readable.
pub(crate) fn ends_of_children() -> io::Result<OwnedFd> {
    // SAFETY: the set is made by `sigemptyset` before it is read; the descriptor is new and nobody else's.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGCHLD);
        libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
        match libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) {
            -1 => Err(io::Error::last_os_error()),
            descriptor => Ok(OwnedFd::from_raw_fd(descriptor)),
        }
    }
}

/// A socket on which all IPv4 packets arrive that reach a device of this network namespace, whoever they are for.
pub(crate) fn packets(device: u32) -> io::Result<OwnedFd> {
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: it takes numbers only. Without a protocol nothing arrives yet.
    let socket = match unsafe { libc::socket(libc::AF_PACKET, kind, 0) } {
        -1 => return Err(io::Error::last_os_error()),
        // SAFETY: the kernel has just made this descriptor, and nobody else knows it.
        descriptor => unsafe { OwnedFd::from_raw_fd(descriptor) },
    };
    // SAFETY: all of its fields are numbers, and zero means "any" for each.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = (libc::ETH_P_IP as u16).to_be();
    address.sll_ifindex = i32::try_from(device).map_err(io::Error::other)?;
    let length = size_of_val(&address) as libc::socklen_t;
    // SAFETY: the address outlives the call and is as long as said.
    match unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) } {
        0 => Ok(socket),
        _ => Err(io::Error::last_os_error()),
    }
}
