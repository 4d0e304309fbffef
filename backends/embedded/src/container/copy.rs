//! What an image has where a volume is mounted is copied into the volume, if that is empty: engines do so.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{self, AtFlags, Dir, FileType, Gid, Mode, OFlags, Stat, Uid};

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
/// How deep directories may lie in each other.
const DEPTH: usize = 64;

/// Copies a directory's content, owner and mode into another that is empty. Into one that is not, nothing is copied.
pub(super) fn up(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> io::Result<()> {
    let (from, to) = (reopen(from)?, reopen(to)?);
    if names(&to)?.is_empty() {
        let its = fs::fstat(&from)?;
        copy(&from, &to, DEPTH)?;
        own(&to, "", &its)?;
        fs::fchmod(&to, mode(&its))?;
    }
    Ok(())
}

/// Gives all that is in a directory, and itself, to a user.
pub(super) fn give(directory: BorrowedFd<'_>, uid: u32, gid: u32) -> io::Result<()> {
    let directory = reopen(directory)?;
    give_below(&directory, uid, gid, DEPTH)
}

fn give_below(directory: &OwnedFd, uid: u32, gid: u32, depth: usize) -> io::Result<()> {
    let owner = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
    fs::chownat(directory, "", owner.0, owner.1, AtFlags::EMPTY_PATH)?;
    for name in names(directory)? {
        fs::chownat(directory, &name, owner.0, owner.1, AtFlags::SYMLINK_NOFOLLOW)?;
        let its = fs::statat(directory, &name, AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(its.st_mode) == FileType::Directory {
            let inner = fs::openat(directory, &name, DIRECTORY, Mode::empty())?;
            give_below(&inner, uid, gid, deeper(depth)?)?;
        }
    }
    Ok(())
}

fn deeper(depth: usize) -> io::Result<usize> {
    depth
        .checked_sub(1)
        .ok_or_else(|| io::Error::other(format!("directories lie more than {DEPTH} deep in each other")))
}

fn reopen(directory: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    Ok(fs::openat(
        directory,
        ".",
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )?)
}

fn names(directory: &OwnedFd) -> io::Result<Vec<std::ffi::CString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let name = entry?.file_name().to_owned();
        if !matches!(name.to_bytes(), b"." | b"..") {
            names.push(name);
        }
    }
    Ok(names)
}

fn mode(its: &Stat) -> Mode {
    Mode::from_raw_mode(its.st_mode & 0o7777)
}

fn own(directory: impl AsFd, name: impl rustix::path::Arg, its: &Stat) -> io::Result<()> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH;
    let (uid, gid) = (Uid::from_raw(its.st_uid), Gid::from_raw(its.st_gid));
    match fs::chownat(directory, name, Some(uid), Some(gid), flags) {
        // With one id all belongs to it already.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::PERM) => Ok(()),
        done => Ok(done?),
    }
}

fn copy(from: &OwnedFd, to: &OwnedFd, depth: usize) -> io::Result<()> {
    for name in names(from)? {
        let its = fs::statat(from, &name, AtFlags::SYMLINK_NOFOLLOW)?;
        match FileType::from_raw_mode(its.st_mode) {
            FileType::Directory => {
                fs::mkdirat(to, &name, Mode::RWXU)?;
                let inner = fs::openat(from, &name, DIRECTORY, Mode::empty())?;
                let made = fs::openat(to, &name, DIRECTORY, Mode::empty())?;
                copy(&inner, &made, deeper(depth)?)?;
                own(&made, "", &its)?;
                fs::fchmod(&made, mode(&its))?;
            }
            FileType::RegularFile => {
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let mut old: std::fs::File = fs::openat(from, &name, flags, Mode::empty())?.into();
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
                let mut new: std::fs::File = fs::openat(to, &name, flags, Mode::RUSR | Mode::WUSR)?.into();
                io::copy(&mut old, &mut new)?;
                own(&new, "", &its)?;
                // After the owner: a change of that takes set-user-id away.
                fs::fchmod(&new, mode(&its))?;
            }
            FileType::Symlink => {
                let target = fs::readlinkat(from, &name, Vec::new())?;
                fs::symlinkat(&target, to, &name)?;
                own(to, &name, &its)?;
            }
            // Pipes, sockets and devices are made by who uses them.
            _ => {}
        }
    }
    Ok(())
}
