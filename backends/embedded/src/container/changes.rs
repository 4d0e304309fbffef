//! What a container has written: the upper directory of its overlay.

use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{self, AtFlags, Dir, FileType, Mode, OFlags};

use crate::plan::{Change, ChangeKind};

/// How many files are listed; with more, nothing is known.
const FILES: usize = 200_000;
/// How deep directories may lie in each other.
const DEPTH: usize = 256;
const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Answers with what is in the upper directory, or why that is not known. What the container deleted is not among it.
pub(crate) fn changes(upper: &Path, answer: OwnedFd) -> io::Result<()> {
    let listed = || -> io::Result<Vec<Change>> {
        let mut found = Vec::new();
        let upper = fs::open(upper, DIRECTORY, Mode::empty())?;
        list(&upper, "", DEPTH, &mut found)?;
        Ok(found)
    };
    let listed: Result<_, String> = listed().map_err(|error| error.to_string());
    std::fs::File::from(answer).write_all(&serde_json::to_vec(&listed)?)
}

fn list(directory: &OwnedFd, path: &str, depth: usize, found: &mut Vec<Change>) -> io::Result<()> {
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let path = format!("{path}/{}", name.to_string_lossy());
        let its = fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let kind = match FileType::from_raw_mode(its.st_mode) {
            // A whiteout: something is gone.
            FileType::CharacterDevice if its.st_rdev == 0 => continue,
            FileType::RegularFile => content(directory, name, its.st_mode),
            FileType::Directory => {
                let deeper = depth.checked_sub(1);
                let deeper =
                    deeper.ok_or_else(|| io::Error::other("directories lie too deep in each other"))?;
                let inner = fs::openat(directory, name, DIRECTORY, Mode::empty())?;
                let before = found.len();
                list(&inner, &path, deeper, found)?;
                if found.len() > before {
                    // It is there for what is in it, as with engines.
                    continue;
                }
                ChangeKind::Other
            }
            _ => ChangeKind::Other,
        };
        if found.len() == FILES {
            return Err(io::Error::other(format!("more than {FILES} files were changed")));
        }
        found.push(Change { path, kind });
    }
    Ok(())
}

fn content(directory: &OwnedFd, name: &std::ffi::CStr, mode: u32) -> ChangeKind {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let begins = || -> io::Result<Vec<u8>> {
        let file = std::fs::File::from(fs::openat(directory, name, flags, Mode::empty())?);
        let mut begins = Vec::new();
        file.take(4).read_to_end(&mut begins)?;
        Ok(begins)
    };
    match begins() {
        Err(_) => ChangeKind::Unread,
        Ok(begins) if begins == b"\x7fELF" => ChangeKind::Elf,
        Ok(begins) if begins.starts_with(b"#!") && mode & 0o111 != 0 => ChangeKind::Script,
        Ok(_) => ChangeKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_written_is_told_by_its_content() {
        let upper = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &[u8], mode: u32| {
            let file = upper.path().join(name);
            std::fs::write(&file, text).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        std::fs::create_dir(upper.path().join("d")).unwrap();
        std::fs::create_dir(upper.path().join("empty")).unwrap();
        write("d/program", b"\x7fELF...", 0o600);
        write("script", b"#!/bin/x", 0o700);
        write("text", b"#!/bin/x", 0o600);
        std::os::unix::fs::symlink("script", upper.path().join("link")).unwrap();
        let (mut answer, its) = io::pipe().unwrap();
        changes(upper.path(), its.into()).unwrap();
        let mut text = String::new();
        answer.read_to_string(&mut text).unwrap();
        let mut found = serde_json::from_str::<Result<Vec<Change>, String>>(&text)
            .unwrap()
            .unwrap();
        found.sort_by(|one, other| one.path.cmp(&other.path));
        let found: Vec<_> = found.iter().map(|one| (one.path.as_str(), one.kind)).collect();
        assert_eq!(
            found,
            [
                ("/d/program", ChangeKind::Elf),
                ("/empty", ChangeKind::Other),
                ("/link", ChangeKind::Other),
                ("/script", ChangeKind::Script),
                ("/text", ChangeKind::Other),
            ]
        );
    }
}
