//! One layer, written below `/`. Whoever calls this has no root but the directory that the layer is for.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, Timespec, Timestamps, UTIME_OMIT, XattrFlags, lsetxattr, mknodat, utimensat,
};
use serde::{Deserialize, Serialize};
use shellproof_image::{Change, Digests, Entry, visit};

/// How much is copied in one go, in bytes.
const PART: usize = 256 << 10;
/// How many remarks are kept.
const NOTES: usize = 20;
/// The longest remark, in bytes.
const NOTE: usize = 500;
/// How many bytes of paths are kept for what is settled at the end.
const PATHS: usize = 64 << 20;
/// What an overlay keeps for itself. A layer that brings it would say what lies where.
const OVERLAY: &[u8] = b"user.overlay.";
/// What makes a directory hide all that lower layers have in it.
const OPAQUE: &str = "user.overlay.opaque";
/// File capabilities.
const CAPABILITIES: &[u8] = b"security.capability";

/// How a layer is to be unpacked.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct How {
    /// How many bytes it may unpack to.
    pub(crate) bytes: u64,
    /// How many entries it may have.
    pub(crate) entries: u64,
    /// Whether there is more than one id to give files to.
    pub(crate) owners: bool,
}

/// A layer that was unpacked.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Applied {
    pub(crate) stored: String,
    pub(crate) unpacked: String,
    /// Nothing of what is below it shows.
    pub(crate) is_opaque: bool,
    /// What was left out.
    pub(crate) notes: Vec<String>,
}

/// Unpacks a layer.
///
/// # Errors
/// It is no layer, is larger than it may be, or has something that cannot be written. The message says what.
pub(crate) fn apply(layer: impl Read, how: How) -> io::Result<Applied> {
    let mut root = Root {
        how,
        bytes: 0,
        entries: 0,
        parent: None,
        directories: Vec::new(),
        paths: 0,
        applied: Applied::default(),
    };
    let Digests { stored, unpacked } = visit(layer, how.bytes, |entry, content| {
        root.entry(&entry, content)
            .map_err(|error| named(&entry.path, error))
    })?;
    for (path, modified) in root.directories.iter().rev() {
        // It may have been replaced.
        if kind(path)?.is_some_and(|metadata| metadata.is_dir()) {
            set_time(path, *modified)?;
        }
    }
    Ok(Applied {
        stored,
        unpacked,
        ..root.applied
    })
}

struct Root {
    how: How,
    bytes: u64,
    entries: u64,
    /// The directory that is known to be there.
    parent: Option<PathBuf>,
    /// What is in a directory changes its time, which is set last.
    directories: Vec<(PathBuf, u64)>,
    paths: usize,
    applied: Applied,
}

fn wrong(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

/// An error with the entry that it is about; that of the machine stays one.
fn named(path: &[u8], error: io::Error) -> io::Error {
    let path = shown(path);
    let help = match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
        Some(rustix::io::Errno::NOSPC | rustix::io::Errno::DQUOT) => {
            "\nhelp: make room on the disk; `shellproof clean --images` does"
        }
        _ => "",
    };
    io::Error::new(error.kind(), format!("`{path}`: {error}{help}"))
}

fn shown(path: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(path)
        .escape_debug()
        .take(NOTE / 2)
        .collect();
    format!("/{text}")
}

/// A path as the file system has it.
fn place(path: &[u8]) -> PathBuf {
    Path::new("/").join(OsStr::from_bytes(path))
}

/// What is there, links not followed.
fn kind(path: &Path) -> io::Result<Option<fs::Metadata>> {
    match path.symlink_metadata() {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn is_whiteout(metadata: &fs::Metadata) -> bool {
    metadata.file_type().is_char_device() && metadata.rdev() == 0
}

fn whiteout(path: &Path) -> io::Result<()> {
    Ok(mknodat(CWD, path, FileType::CharacterDevice, Mode::empty(), 0)?)
}

fn set_opaque(path: &Path) -> io::Result<()> {
    Ok(lsetxattr(path, OPAQUE, b"y", XattrFlags::empty())?)
}

fn set_time(path: &Path, modified: u64) -> io::Result<()> {
    let time = |tv_nsec, tv_sec| Timespec { tv_sec, tv_nsec };
    let times = Timestamps {
        last_access: time(UTIME_OMIT, 0),
        last_modification: time(0, i64::try_from(modified).unwrap_or(i64::MAX)),
    };
    Ok(utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Whether one of the directories above is a link: what is said of such a path is said of no other.
fn is_behind_a_link(path: &Path) -> io::Result<bool> {
    for above in path.ancestors().skip(1) {
        if kind(above)?.is_some_and(|metadata| metadata.is_symlink()) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn remove(path: &Path, metadata: &fs::Metadata) -> io::Result<()> {
    match metadata.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    }
}

impl Root {
    fn entry(&mut self, entry: &Entry, content: &mut dyn Read) -> io::Result<()> {
        self.entries += 1;
        if self.entries > self.how.entries {
            return Err(wrong(format!(
                "the layer has more than {} entries",
                self.how.entries
            )));
        }
        let path = place(&entry.path);
        match &entry.change {
            Change::Delete => return self.delete(&path),
            Change::Empty => return self.empty(&path),
            Change::Directory => return self.directory(&path, entry),
            _ if entry.path.is_empty() => return Err(wrong("the root is no directory")),
            _ => {}
        }
        // A file is a name of itself already.
        if matches!(&entry.change, Change::Hardlink(target) if *target == entry.path) {
            return Ok(());
        }
        self.make_parent(&path)?;
        if let Some(there) = kind(&path)? {
            self.parent = None;
            remove(&path, &there)?;
            self.make_parent(&path)?;
        }
        match &entry.change {
            Change::File => return self.file(&path, entry, content),
            Change::Symlink(target) => symlink(OsStr::from_bytes(target), &path)?,
            Change::Hardlink(target) => return hard_link(target, &path),
            Change::Fifo => mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0)?,
            _ => {
                self.note(&entry.path, "is a device, which is left out");
                // Nor is there what lower layers have.
                return whiteout(&path);
            }
        }
        self.own(&path, entry)?;
        if entry.change == Change::Fifo {
            fs::set_permissions(&path, fs::Permissions::from_mode(entry.mode))?;
        }
        self.attributes(&path, entry);
        set_time(&path, entry.modified)
    }

    fn delete(&mut self, path: &Path) -> io::Result<()> {
        if is_behind_a_link(path)? {
            return Ok(());
        }
        match kind(path)? {
            None => {
                self.make_parent(path)?;
                whiteout(path)
            }
            // What this layer has itself stays.
            Some(there) if there.is_dir() => set_opaque(path),
            Some(_) => Ok(()),
        }
    }

    fn empty(&mut self, path: &Path) -> io::Result<()> {
        if path == Path::new("/") {
            self.applied.is_opaque = true;
            return Ok(());
        }
        let there = kind(path)?;
        if is_behind_a_link(path)? || there.is_some_and(|there| !there.is_dir() && !is_whiteout(&there)) {
            return Ok(());
        }
        self.make_directory(path)?;
        set_opaque(path)
    }

    fn directory(&mut self, path: &Path, entry: &Entry) -> io::Result<()> {
        if path != Path::new("/") {
            let there = kind(path)?;
            if let Some(there) = there.filter(|there| !there.is_dir() && !is_whiteout(there)) {
                remove(path, &there)?;
                self.parent = None;
            }
            self.make_directory(path)?;
        }
        self.own(path, entry)?;
        fs::set_permissions(path, fs::Permissions::from_mode(entry.mode))?;
        self.attributes(path, entry);
        self.paths += path.as_os_str().len();
        if self.paths <= PATHS {
            self.directories.push((path.to_owned(), entry.modified));
        }
        Ok(())
    }

    /// Makes a directory with all above it. One that takes the place of what was deleted hides what was there.
    fn make_directory(&mut self, path: &Path) -> io::Result<()> {
        self.make_parent(path)?;
        let there = kind(path)?;
        let was_deleted = match there {
            Some(there) if is_whiteout(&there) => {
                fs::remove_file(path)?;
                true
            }
            // Also behind a link: below `/bin -> /usr/bin` lies what is in `/usr/bin`.
            Some(_) if path.is_dir() => return Ok(()),
            Some(_) => return Err(wrong("what is above it is no directory")),
            None => false,
        };
        fs::create_dir(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
        match was_deleted {
            true => set_opaque(path),
            false => Ok(()),
        }
    }

    fn make_parent(&mut self, path: &Path) -> io::Result<()> {
        let Some(parent) = path.parent() else {
            return Ok(());
        };
        if self.parent.as_deref() == Some(parent) || parent == Path::new("/") {
            return Ok(());
        }
        self.make_directory(parent)?;
        self.parent = Some(parent.to_owned());
        Ok(())
    }

    fn file(&mut self, path: &Path, entry: &Entry, content: &mut dyn Read) -> io::Result<()> {
        let limit = self.how.bytes;
        self.bytes = self.bytes.saturating_add(entry.size);
        if self.bytes > limit {
            let limit = match limit {
                limit if limit < 1 << 30 => format!("{} MiB", limit >> 20),
                limit => format!("{} GiB", limit >> 30),
            };
            return Err(wrong(format!("the layer unpacks to more than {limit}")));
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        let mut buffer = vec![0; PART.min(usize::try_from(entry.size).unwrap_or(PART)).max(1)];
        let mut written = 0;
        loop {
            match content.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => {
                    file.write_all(&buffer[..read])?;
                    written += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if written != entry.size {
            return Err(wrong(format!("it ends after {written} of {} bytes", entry.size)));
        }
        drop::<File>(file);
        self.own(path, entry)?;
        // After the owner, whose change takes set-user-id away.
        fs::set_permissions(path, fs::Permissions::from_mode(entry.mode))?;
        self.attributes(path, entry);
        set_time(path, entry.modified)
    }

    fn own(&self, path: &Path, entry: &Entry) -> io::Result<()> {
        if !self.how.owners {
            return Ok(());
        }
        let (user, group) = entry.owner;
        let id = |id: u64| u32::try_from(id).ok().filter(|id| *id != u32::MAX);
        let owned = match (id(user), id(group)) {
            (Some(user), Some(group)) => lchown(path, Some(user), Some(group)),
            _ => Err(rustix::io::Errno::INVAL.into()),
        };
        owned.map_err(|error| match error.kind() {
            io::ErrorKind::InvalidInput => wrong(format!(
                "it belongs to {user}:{group}, and the user namespace has no such ids\nhelp: as root, give the user a larger \
                 range in `/etc/subuid` and `/etc/subgid`, or build the image with smaller ids"
            )),
            _ => error,
        })
    }

    fn attributes(&mut self, path: &Path, entry: &Entry) {
        for (name, value) in &entry.attributes {
            let is_meant = name == CAPABILITIES || name.starts_with(b"user.") && !name.starts_with(OVERLAY);
            let set = match is_meant {
                true => lsetxattr(path, OsStr::from_bytes(name), value, XattrFlags::empty()),
                false => Err(rustix::io::Errno::OPNOTSUPP),
            };
            if set.is_err() {
                let name = String::from_utf8_lossy(name)
                    .escape_debug()
                    .take(100)
                    .collect::<String>();
                self.note(
                    &entry.path,
                    &format!("has the attribute `{name}`, which is left out"),
                );
            }
        }
    }

    fn note(&mut self, path: &[u8], what: &str) {
        if self.applied.notes.len() < NOTES {
            self.applied.notes.push(format!("`{}` {what}", shown(path)));
        }
    }
}

fn hard_link(target: &[u8], path: &Path) -> io::Result<()> {
    let file = place(target);
    let is_there = kind(&file)?.is_some_and(|there| !is_whiteout(&there) && !there.is_dir());
    match is_there {
        true => fs::hard_link(file, path),
        false => Err(wrong(format!(
            "it is a hard link to `{}`, and the layer has no such file",
            shown(target)
        ))),
    }
}
