//! Reading one file of an image in a process whose root the image is.

use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{self, AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::root::enter_image;
use crate::plan::{Look, Seen, SeenKind};

/// `point` is an empty directory, on which the image is mounted for this process alone. Answers with one line of JSON (what was seen, or nothing where nothing is; or why it could not be), and the content.
pub(crate) fn look(wanted: &Look, point: &Path, answer: OwnedFd) -> io::Result<()> {
    let mut answer = std::fs::File::from(answer);
    let found = find(wanted, point);
    let (line, content): (Result<Option<Seen>, String>, _) = match found {
        Ok(Some((seen, content))) => (Ok(Some(seen)), content),
        Ok(None) => (Ok(None), None),
        Err(error) => (Err(error.to_string()), None),
    };
    let mut text = serde_json::to_vec(&line)?;
    text.push(b'\n');
    answer.write_all(&text)?;
    if let Some(content) = content {
        io::copy(&mut content.take(wanted.most), &mut answer)?;
    }
    Ok(())
}

fn find(wanted: &Look, point: &Path) -> io::Result<Option<(Seen, Option<std::fs::File>)>> {
    enter_image(&wanted.layers, point)?;
    let path = wanted.path.trim_matches('/');
    let path = if path.is_empty() { "/" } else { &format!("/{path}") };
    let its = match fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG) => return Ok(None),
        its => its?,
    };
    let mut content = None;
    let kind = match FileType::from_raw_mode(its.st_mode) {
        FileType::RegularFile => {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            content = Some(fs::open(path, flags, Mode::empty())?.into());
            SeenKind::File
        }
        FileType::Directory => SeenKind::Directory,
        FileType::Symlink => {
            let target = fs::readlinkat(CWD, path, Vec::new())?;
            SeenKind::Symlink(target.to_string_lossy().into_owned())
        }
        // A whiteout of the one layer there is.
        FileType::CharacterDevice if its.st_rdev == 0 => return Ok(None),
        _ => SeenKind::Other,
    };
    let seen = Seen {
        kind,
        mode: its.st_mode & 0o7777,
        uid: its.st_uid,
        gid: its.st_gid,
        size: its.st_size.cast_unsigned(),
    };
    Ok(Some((seen, content)))
}
