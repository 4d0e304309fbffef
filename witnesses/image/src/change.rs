//! What an entry of a layer does to the root that it is laid on.

use std::io;

use tar::{EntryType, Header};

use crate::path::{above, normal};
use crate::tape::Head;

/// What stands before the name of something that a layer deletes.
const WHITEOUT: &[u8] = b".wh.";
/// What empties a directory of all that lower layers have in it.
const OPAQUE: &[u8] = b".wh..wh..opq";
/// What AUFS kept for itself, in archives of old engines.
const AUFS: &[u8] = b".wh..wh.";

/// One entry of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its path from the root, without `.`, `..` and slashes at either end: it leads nowhere else. The root itself is empty.
    pub path: Vec<u8>,
    /// What happens there.
    pub change: Change,
    /// Permission bits, such as `0o4755`.
    pub mode: u32,
    /// The owner's uid and gid.
    pub owner: (u64, u64),
    /// The size of a file in bytes.
    pub size: u64,
    /// When it was changed last, in seconds since 1970.
    pub modified: u64,
    /// Extended attributes, by name.
    pub attributes: Vec<(Vec<u8>, Vec<u8>)>,
}

/// What happens at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A directory, which leaves what lower layers have in it.
    Directory,
    /// A file; its content follows.
    File,
    /// A link, and where it leads.
    Symlink(Vec<u8>),
    /// Another name of a file, by that file's path, which is of the same form as [`Entry::path`].
    Hardlink(Vec<u8>),
    /// A named pipe.
    Fifo,
    /// A device.
    Device,
    /// What lower layers have there is deleted.
    Delete,
    /// All that lower layers have in the directory is deleted.
    Empty,
}

impl Entry {
    /// Reads an entry's head; none where it stands for nothing.
    pub(crate) fn of(head: &Head) -> io::Result<Option<Self>> {
        let header = &head.header;
        let path = normal(&head.path);
        let start = path.iter().rposition(|&byte| byte == b'/').map_or(0, |at| at + 1);
        let (parent, name) = (&path[..start.saturating_sub(1)], &path[start..]);
        let mut entry = Self {
            path: Vec::new(),
            change: Change::File,
            // Only of a file it has to be right.
            mode: header.mode().unwrap_or(0o755) & 0o7777,
            owner: (
                head.owner.0.or(header.uid().ok()).unwrap_or_default(),
                head.owner.1.or(header.gid().ok()).unwrap_or_default(),
            ),
            size: head.size,
            modified: head.modified.or(header.mtime().ok()).unwrap_or_default(),
            attributes: Vec::new(),
        };
        if name == OPAQUE {
            entry.change = Change::Empty;
            entry.path = parent.to_vec();
            return Ok(Some(entry));
        }
        if name.starts_with(AUFS) {
            return Ok(None);
        }
        if let Some(deleted) = name.strip_prefix(WHITEOUT) {
            let deleted = normal(&[parent, deleted].join(&b'/'));
            // A name that leads somewhere else deletes nothing.
            let is_meant = !deleted.is_empty() && above(&deleted).next() == Some(parent);
            entry.change = Change::Delete;
            entry.path = deleted;
            return Ok(is_meant.then_some(entry));
        }
        entry.change = match header.entry_type() {
            _ if is_directory(header, &head.path) => Change::Directory,
            EntryType::Symlink => Change::Symlink(head.target.clone()),
            EntryType::Link => Change::Hardlink(normal(&head.target)),
            EntryType::Fifo => Change::Fifo,
            EntryType::Char | EntryType::Block => Change::Device,
            // Whatever else there is, readers take for a file.
            _ => {
                header.mode()?;
                header.uid()?;
                header.gid()?;
                Change::File
            }
        };
        entry.attributes.clone_from(&head.attributes);
        entry.path = path;
        Ok(Some(entry))
    }
}

/// Old archives have no mark for directories, but the slash. Behind any other mark it is no directory for engines, though it is
/// for other readers.
fn is_directory(header: &Header, path: &[u8]) -> bool {
    let is_old = header.as_bytes()[MARK] == 0;
    header.entry_type() == EntryType::Directory || is_old && path.ends_with(b"/")
}

/// Where a header has its mark.
const MARK: usize = 156;
