//! Mounts by descriptors: no path to escape by, and none that is too long for the kernel's page of options.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{self, CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create,
    fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, mount, move_mount, open_tree,
};

/// Puts what an error is about before it.
pub(crate) fn named<E: Into<io::Error>>(what: impl Into<String>) -> impl FnOnce(E) -> io::Error {
    let what = what.into();
    move |error| {
        let error = error.into();
        io::Error::new(error.kind(), format!("{what}: {error}"))
    }
}

/// Neither set-user-id nor devices nor programs.
pub(super) const NOTHING_SPECIAL: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_NOSUID
    .union(MountAttrFlags::MOUNT_ATTR_NODEV)
    .union(MountAttrFlags::MOUNT_ATTR_NOEXEC);

/// The path by which this process names a descriptor.
pub(crate) fn path_of(descriptor: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", descriptor.as_raw_fd())
}

/// Mounts an overlay that is written to. `lower` is paths of directories, the uppermost first, parted by colons.
pub(crate) fn overlay(
    lower: &str,
    upper: BorrowedFd<'_>,
    work: BorrowedFd<'_>,
    merged: &Path,
) -> io::Result<()> {
    let options = format!(
        "lowerdir={lower},upperdir={},workdir={},userxattr",
        path_of(upper),
        path_of(work)
    );
    let options = CString::new(options)?;
    mount("overlay", merged, "overlay", MountFlags::empty(), Some(&*options))?;
    Ok(())
}

/// A file or directory as it is, without opening it.
pub(super) fn open(path: &Path) -> io::Result<OwnedFd> {
    fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .map_err(named(format!("`{}`", path.display())))
}

/// What a mount point is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Point {
    File,
    Directory,
}

/// Opens a path inside a root, whatever links are in it, and makes what is missing.
pub(super) fn inside(root: BorrowedFd<'_>, path: &str, point: Point) -> io::Result<OwnedFd> {
    let path = path.trim_matches('/');
    let open = |path: &str| {
        let path = if path.is_empty() { "." } else { path };
        fs::openat2(
            root,
            path,
            OFlags::PATH | OFlags::CLOEXEC,
            Mode::empty(),
            ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS,
        )
    };
    match open(path) {
        Err(Errno::NOENT) => {}
        opened => return opened.map_err(named(format!("`/{path}` in the container"))),
    }
    let making = || named(format!("`/{path}` cannot be made in the container"));
    let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
    let above = inside(root, above, Point::Directory)?;
    match point {
        Point::Directory => fs::mkdirat(&above, name, Mode::from_raw_mode(0o755)).map_err(making())?,
        Point::File => drop(
            fs::openat(
                &above,
                name,
                OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC,
                Mode::from_raw_mode(0o644),
            )
            .map_err(making())?,
        ),
    }
    fs::openat(
        &above,
        name,
        OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .map_err(making())
}

/// Mounts something on a path inside a root.
pub(super) fn put(mount: BorrowedFd<'_>, root: BorrowedFd<'_>, path: &str, point: Point) -> io::Result<()> {
    let target = inside(root, path, point)?;
    put_on(mount, target.as_fd()).map_err(named(format!("mount on `/{}`", path.trim_matches('/'))))
}

/// Mounts something on something.
pub(super) fn put_on(mount: BorrowedFd<'_>, target: BorrowedFd<'_>) -> Result<(), Errno> {
    move_mount(
        mount,
        "",
        target,
        "",
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH,
    )
}

/// A new file system, mounted nowhere yet. An option without a value is a flag.
pub(crate) fn new(kind: &str, options: &[(&str, &str)], attributes: MountAttrFlags) -> io::Result<OwnedFd> {
    let make = || -> Result<OwnedFd, Errno> {
        let system = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
        for &(key, value) in options {
            match value {
                "" => fsconfig_set_flag(&system, key)?,
                value => fsconfig_set_string(&system, key, value)?,
            }
        }
        fsconfig_create(&system)?;
        fsmount(&system, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
    };
    make().map_err(named(format!("file system `{kind}`")))
}

/// A copy of what is mounted at a path, with what is mounted below it if `recursive`.
pub(super) fn bind(path: &Path, recursive: bool) -> io::Result<OwnedFd> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    open_tree(CWD, path, flags).map_err(named(format!("`{}`", path.display())))
}
