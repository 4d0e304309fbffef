//! The calls that have no safe wrapper in `rustix`. All unsafe code of this crate is here.

use std::ffi::c_void;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// `SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP` of `linux/seccomp.h`, which `libc` does not have.
const SYNC_WAKE_UP: u64 = 1;

/// The supervisor's end of a seccomp filter.
#[derive(Debug)]
pub(crate) struct Listener(OwnedFd);

/// A call that the kernel holds until it is answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Notification {
    /// What an answer refers to.
    pub id: u64,
    /// The calling thread, 0 when it is not in a process namespace below ours.
    pub thread: u32,
    /// The entry point, as `AUDIT_ARCH_*` has it.
    pub arch: u32,
    /// The call's number at that entry point.
    pub number: i32,
    /// Its arguments.
    pub arguments: [u64; 6],
}

impl Listener {
    pub(crate) fn new(descriptor: OwnedFd) -> Self {
        Self(descriptor)
    }

    /// What whoever goes on answering needs.
    pub(crate) fn into_descriptor(self) -> OwnedFd {
        self.0
    }

    /// Asks the kernel to run the supervisor at once, on the caller's CPU, when a call arrives. Kernels before 6.6
    /// refuse, and are slower without any other difference.
    pub(crate) fn wake_at_once(&self) {
        // SAFETY: the argument of this request is a number and no pointer.
        let _ = unsafe {
            libc::ioctl(
                self.0.as_raw_fd(),
                libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS,
                SYNC_WAKE_UP,
            )
        };
    }

    /// Takes the next call; waits when there is none.
    pub(crate) fn receive(&self) -> io::Result<Notification> {
        let mut raw = libc::seccomp_notif {
            id: 0,
            pid: 0,
            flags: 0,
            data: libc::seccomp_data {
                nr: 0,
                arch: 0,
                instruction_pointer: 0,
                args: [0; 6],
            },
        };
        // SAFETY: `raw` is the structure that the request's number carries the size of, zeroed as the kernel demands,
        // and lives until the call returns. On another kind of descriptor the request fails without touching it.
        check(unsafe { libc::ioctl(self.0.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut raw) })?;
        Ok(Notification {
            id: raw.id,
            thread: raw.pid,
            arch: raw.data.arch,
            number: raw.data.nr,
            arguments: raw.data.args,
        })
    }

    /// Whether the call still waits, so that what was read through its thread's number was its own.
    pub(crate) fn still_waits(&self, id: u64) -> bool {
        // SAFETY: the request reads one `u64`, which lives until the call returns.
        let answer = unsafe {
            libc::ioctl(
                self.0.as_raw_fd(),
                libc::SECCOMP_IOCTL_NOTIF_ID_VALID,
                &raw const id,
            )
        };
        check(answer).is_ok()
    }

    /// Lets the call go on.
    pub(crate) fn go_on(&self, id: u64) -> io::Result<()> {
        self.send(id, 0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32)
    }

    /// Makes the call fail with `EACCES`.
    pub(crate) fn deny(&self, id: u64) -> io::Result<()> {
        self.send(id, -libc::EACCES, 0)
    }

    fn send(&self, id: u64, error: i32, flags: u32) -> io::Result<()> {
        let mut raw = libc::seccomp_notif_resp {
            id,
            val: 0,
            error,
            flags,
        };
        // SAFETY: `raw` is the structure that the request's number carries the size of and lives until the call returns.
        check(unsafe { libc::ioctl(self.0.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut raw) })
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Keeps all descriptors but the standard ones from programs that are started from now on.
///
/// # Errors
/// The kernel does not list them.
pub fn pass_on_nothing() -> io::Result<()> {
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let number = entry?.file_name().to_str().and_then(|number| number.parse().ok());
        if let Some(number @ 3..) = number {
            // SAFETY: the call takes numbers. On one that is closed meanwhile it fails, and nobody here relies on a
            // descriptor being inherited.
            unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
    }
    Ok(())
}

/// Reads another process's memory, up to the end of the page at most: less than asked for is no error.
pub(crate) fn read_memory(thread: u32, address: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let (Ok(thread), Ok(address)) = (i32::try_from(thread), usize::try_from(address)) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    // The kernel transfers whole ranges or nothing of them, so a range must not cross into a page that may be missing.
    let to_page_end = PAGE - address % PAGE;
    let length = buffer.len().min(to_page_end);
    let local = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast::<c_void>(),
        iov_len: length,
    };
    let remote = libc::iovec {
        iov_base: std::ptr::without_provenance_mut(address),
        iov_len: length,
    };
    // SAFETY: the kernel writes at most `length` bytes into `buffer`, which is that long and borrowed mutably. The
    // remote address is in the other process and is checked by the kernel.
    let read = unsafe { libc::process_vm_readv(thread, &raw const local, 1, &raw const remote, 1, 0) };
    usize::try_from(read).map_err(|_| io::Error::last_os_error())
}

/// The process of the thread that `pidfd` means, and its parent. Kernels before 6.13 refuse.
pub(crate) fn process_and_parent(pidfd: BorrowedFd<'_>) -> io::Result<(u32, u32)> {
    // SAFETY: numbers only, for which zero is a value.
    let mut info: libc::pidfd_info = unsafe { std::mem::zeroed() };
    info.mask = libc::PIDFD_INFO_PID.into();
    // SAFETY: `info` is the structure that the request's number carries the size of, and lives until the call returns.
    // On another kind of descriptor the request fails without touching it.
    check(unsafe { libc::ioctl(pidfd.as_raw_fd(), libc::PIDFD_GET_INFO, &raw mut info) })?;
    Ok((info.tgid, info.ppid))
}

/// Whether a file is on a file system with blocks, at least below an overlay. Where it is in memory only (`tmpfs`,
/// `memfd`), what is mapped can be changed without the file's times showing it.
pub(crate) fn has_extents(file: &impl AsFd) -> bool {
    /// `struct fiemap` of `linux/fiemap.h`, without room for an answer.
    #[repr(C)]
    struct Map {
        start: u64,
        length: u64,
        flags: u32,
        mapped: u32,
        extents: u32,
        reserved: u32,
    }
    /// `FS_IOC_FIEMAP` of `linux/fs.h`; musl has the type of such numbers signed.
    const FIEMAP: u32 = 0xC020_660B;
    const _: () = assert!(size_of::<Map>() == 0x20);
    let mut map = Map {
        start: 0,
        length: 1,
        flags: 0,
        mapped: 0,
        extents: 0,
        reserved: 0,
    };
    // SAFETY: `map` is the structure that the request's number carries the size of, asks for no list behind it, and
    // lives until the call returns.
    check(unsafe { libc::ioctl(file.as_fd().as_raw_fd(), FIEMAP as libc::Ioctl, &raw mut map) }).is_ok()
}

/// The smallest page of the supported machines: larger pages are multiples of it.
const PAGE: usize = 4096;

const _: () = assert!(size_of::<libc::seccomp_notif>() == 80 && size_of::<libc::seccomp_notif_resp>() == 24);

fn check(answer: libc::c_int) -> io::Result<()> {
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
