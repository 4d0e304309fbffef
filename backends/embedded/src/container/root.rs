//! The container's root: an overlay of its image's layers, and what engines mount into every container.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, CWD, Gid, Mode, OFlags, Uid};
use rustix::mount::{
    MountAttrFlags, MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount,
    mount_bind_recursive, mount_change, move_mount, open_tree, unmount,
};
use rustix::process;

use super::Given;
use super::copy;
use super::mounts::{self, NOTHING_SPECIAL, Point, bind, inside, named, new, open, path_of, put, put_on};
use crate::filter;
use crate::plan::{Mounted, Plan, Source};
use crate::sys;

/// Files that say too much of the machine, as engines cover them.
const COVERED_FILES: &[&str] = &[
    "proc/interrupts",
    "proc/kcore",
    "proc/keys",
    "proc/latency_stats",
    "proc/sched_debug",
    "proc/timer_list",
    "proc/timer_stats",
];
/// Directories likewise.
const COVERED_DIRECTORIES: &[&str] = &[
    "proc/acpi",
    "proc/asound",
    "proc/scsi",
    "sys/devices/virtual/powercap",
    "sys/firmware",
];
/// What can be read and not written.
const READ_ONLY: &[&str] = &[
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
];
const DEVICES: &[&str] = &["full", "null", "random", "tty", "urandom", "zero"];
const LINKS: &[(&str, &str)] = &[
    ("ptmx", "pts/ptmx"),
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
];
/// How many processes and threads a container may have at a time, whosever they are. The limit of each user does not bind the
/// machine's own root.
const PROCESSES: &str = "4096";
/// From here on each process namespace has that number of its own; before, it is the whole machine's.
const OWN_LIMIT: (u32, u32) = (6, 14);
/// What the holder writes for each container beside its root.
const GIVEN_FILES: &[&str] = &["hosts", "hostname", "resolv.conf"];

/// Makes the container's root and goes there. What was there before is out of reach.
pub(super) fn enter(plan: &Plan, given: &Given) -> io::Result<()> {
    mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)?;
    let root = overlay(&plan.layers, &given.files, true)?;
    kernel(&root)?;
    devices(&root)?;
    for path in &plan.tmpfs {
        let tmpfs = new(
            "tmpfs",
            &[("mode", "1777")],
            MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV,
        )?;
        put(tmpfs.as_fd(), root.as_fd(), path, Point::Directory)?;
    }
    for (number, one) in plan.mounts.iter().enumerate() {
        let volume = given.volumes.get(number).and_then(Option::as_deref);
        mounted(plan, given, &root, one, number, volume)
            .map_err(named(format!("mount on `{}`", one.target)))?;
    }
    for file in GIVEN_FILES {
        let file_of_ours = bind(&given.files.join(file), false)?;
        put(
            file_of_ours.as_fd(),
            root.as_fd(),
            &format!("etc/{file}"),
            Point::File,
        )?;
    }
    cover(&root)?;
    if !plan.workdir.is_empty() {
        // As engines do: it is made where it is missing, and root's.
        inside(root.as_fd(), &plan.workdir, Point::Directory)?;
    }
    change_root(&root)?;
    limit_processes()?;
    for path in READ_ONLY {
        if Path::new(path).exists() {
            let same = bind(Path::new(path), true)?;
            sys::make_read_only(same.as_fd(), true).map_err(named(*path))?;
            move_mount(&same, "", CWD, *path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
        }
    }
    if plan.read_only {
        let root = open_tree(CWD, "/", OpenTreeFlags::OPEN_TREE_CLOEXEC)?;
        sys::make_read_only(root.as_fd(), false).map_err(named("the read-only root"))?;
    }
    Ok(())
}

fn limit_processes() -> io::Result<()> {
    let release = rustix::system::uname();
    match filter::version(&release.release().to_string_lossy()) {
        Some(version) if version >= OWN_LIMIT => {
            std::fs::write("/proc/sys/kernel/pid_max", PROCESSES).map_err(named("its limit of processes"))
        }
        _ => Ok(()),
    }
}

/// The layers on each other, and on top of them what is written, if anything is.
fn overlay(layers: &[PathBuf], files: &Path, is_written: bool) -> io::Result<OwnedFd> {
    let layers: Vec<OwnedFd> = layers
        .iter()
        .map(|layer| open(layer))
        .collect::<io::Result<_>>()?;
    let Some(top) = layers.first() else {
        return Err(io::Error::other("the image has no layers"));
    };
    let lower: Vec<_> = layers.iter().map(|layer| path_of(layer.as_fd())).collect();
    let lower = lower.join(":");
    if !is_written {
        let options = CString::new(format!("lowerdir={lower},userxattr"))?;
        mount("overlay", files, "overlay", MountFlags::RDONLY, Some(&*options))
            .map_err(named("the image's layers"))?;
        return directory(files);
    }
    let (upper, work, merged) = (files.join("upper"), files.join("work"), files.join("root"));
    // The root directory is the image's.
    let its = fs::statat(top, "", AtFlags::EMPTY_PATH)?;
    fs::chmod(&upper, Mode::from_raw_mode(its.st_mode & 0o7777))?;
    // With one id it is ours, whoever it was meant for.
    let _ = fs::chown(
        &upper,
        Some(Uid::from_raw(its.st_uid)),
        Some(Gid::from_raw(its.st_gid)),
    );
    let (upper, work) = (open(&upper)?, open(&work)?);
    mounts::overlay(&lower, upper.as_fd(), work.as_fd(), &merged)
        .map_err(named("the overlay of the image's layers"))?;
    directory(&merged)
}

fn directory(path: &Path) -> io::Result<OwnedFd> {
    Ok(fs::open(
        path,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )?)
}

/// `/proc` and `/sys`.
fn kernel(root: &OwnedFd) -> io::Result<()> {
    let proc = new("proc", &[], NOTHING_SPECIAL)?;
    put(proc.as_fd(), root.as_fd(), "proc", Point::Directory)?;
    let read_only = NOTHING_SPECIAL | MountAttrFlags::MOUNT_ATTR_RDONLY;
    let sys = new("sysfs", &[], read_only).or_else(|_| {
        // Where some of it is covered, as in a container, no new one is allowed.
        let same = bind(Path::new("/sys"), true)?;
        sys::make_read_only(same.as_fd(), true)?;
        Ok::<_, io::Error>(same)
    })?;
    put(sys.as_fd(), root.as_fd(), "sys", Point::Directory)
}

/// `/dev`.
fn devices(root: &OwnedFd) -> io::Result<()> {
    let no_programs = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let dev = new("tmpfs", &[("mode", "755"), ("size", "64m")], no_programs)?;
    put(dev.as_fd(), root.as_fd(), "dev", Point::Directory)?;
    for device in DEVICES {
        let same = bind(&Path::new("/dev").join(device), false)?;
        put(same.as_fd(), root.as_fd(), &format!("dev/{device}"), Point::File)?;
    }
    let terminals = new("devpts", &[("ptmxmode", "0666"), ("mode", "0620")], no_programs)?;
    put(terminals.as_fd(), root.as_fd(), "dev/pts", Point::Directory)?;
    let queues = new("mqueue", &[], NOTHING_SPECIAL)?;
    put(queues.as_fd(), root.as_fd(), "dev/mqueue", Point::Directory)?;
    let shared = new("tmpfs", &[("mode", "1777"), ("size", "64m")], NOTHING_SPECIAL)?;
    put(shared.as_fd(), root.as_fd(), "dev/shm", Point::Directory)?;
    let dev = inside(root.as_fd(), "dev", Point::Directory)?;
    for &(name, target) in LINKS {
        fs::symlinkat(target, &dev, name)?;
    }
    Ok(())
}

/// A volume or a bind mount.
fn mounted(
    plan: &Plan,
    given: &Given,
    root: &OwnedFd,
    one: &Mounted,
    number: usize,
    volume: Option<&Path>,
) -> io::Result<()> {
    let (source, point) = match (&one.source, volume) {
        (Source::Bind(path), _) if path.is_dir() => (path.clone(), Point::Directory),
        (Source::Bind(path), _) => (path.clone(), Point::File),
        (Source::Volume(_), Some(volume)) => (volume.to_owned(), Point::Directory),
        (Source::Volume(_), None) => return Err(io::Error::other("its volume is gone")),
        (Source::Anonymous, _) => (given.files.join(format!("volume{number}")), Point::Directory),
    };
    if !matches!(one.source, Source::Bind(_)) {
        let target = inside(root.as_fd(), &one.target, Point::Directory)?;
        copy::up(target.as_fd(), open(&source)?.as_fd())?;
        if one.chown {
            copy::give(open(&source)?.as_fd(), plan.uid, plan.gid)?;
        }
    } else if one.chown {
        copy::give(open(&source)?.as_fd(), plan.uid, plan.gid)?;
    }
    let same = bind(&source, true)?;
    if one.read_only {
        sys::make_read_only(same.as_fd(), true)?;
    }
    put(same.as_fd(), root.as_fd(), &one.target, point)
}

/// Covers what says too much of the machine.
fn cover(root: &OwnedFd) -> io::Result<()> {
    for path in COVERED_FILES {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        if let Ok(target) = fs::openat(root, *path, flags, Mode::empty()) {
            let null = bind(Path::new("/dev/null"), false)?;
            put_on(null.as_fd(), target.as_fd()).map_err(named(*path))?;
        }
    }
    let read_only = NOTHING_SPECIAL | MountAttrFlags::MOUNT_ATTR_RDONLY;
    for path in COVERED_DIRECTORIES {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        if let Ok(target) = fs::openat(root, *path, flags, Mode::empty()) {
            let empty = new("tmpfs", &[("nr_inodes", "2")], read_only)?;
            put_on(empty.as_fd(), target.as_fd()).map_err(named(*path))?;
        }
    }
    Ok(())
}

/// Goes to a root, and leaves nothing of what was there before.
fn change_root(root: &OwnedFd) -> io::Result<()> {
    process::fchdir(root)?;
    process::pivot_root(".", ".").map_err(named("the new root"))?;
    unmount(".", UnmountFlags::DETACH).map_err(named("the old root"))?;
    process::chdir("/")?;
    Ok(())
}

/// Goes to the root of an image as it is, to look at it. `point` is an empty directory.
pub(super) fn enter_image(layers: &[PathBuf], point: &Path) -> io::Result<()> {
    match layers {
        // An overlay takes two directories at least.
        [only] => in_root(only),
        several => {
            mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)?;
            change_root(&overlay(several, point, false)?)
        }
    }
}

/// Makes a directory the root of this process, whose mounts are its own: what it does cannot reach anything else.
fn in_root(directory_of_ours: &Path) -> io::Result<()> {
    mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)?;
    mount_bind_recursive(directory_of_ours, directory_of_ours)?;
    change_root(&directory(directory_of_ours)?)
}
