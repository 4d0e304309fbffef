//! Reads one layer from its first byte to its last.

use std::collections::HashMap;
use std::io::{self, BufReader, Read};

use tar::EntryType;

use crate::content::{self, Content};
use crate::entry::{Hides, Kept, Layer, Program, Thing};
use crate::limits;
use crate::path::{Key, Keys, normal};
use crate::stream::{Budget, Hashing, PART, Packing, unpacked};
use crate::tape::{Head, each, wrong};

/// What stands before the name of something that a layer deletes.
const WHITEOUT: &[u8] = b".wh.";
/// What empties a directory of all that lower layers have in it.
const OPAQUE: &[u8] = b".wh..wh..opq";
/// What AUFS kept for itself, in archives of old engines.
const AUFS: &[u8] = b".wh..wh.";

/// What is left of an image's bounds.
pub(crate) struct Bounds {
    pub(crate) keys: Keys,
    pub(crate) budget: Budget,
    entries: usize,
    names: usize,
}

impl Bounds {
    pub(crate) fn new() -> Self {
        Self {
            keys: Keys::default(),
            budget: Budget::new(),
            entries: limits::ENTRIES,
            names: limits::NAMES,
        }
    }

    fn entry(&mut self) -> io::Result<()> {
        self.entries = self
            .entries
            .checked_sub(1)
            .ok_or_else(|| wrong(format!("it has more than {} entries", limits::ENTRIES)))?;
        Ok(())
    }

    fn name(&mut self, length: usize) -> io::Result<()> {
        let left = self.names.checked_sub(length);
        self.names = left.ok_or_else(|| {
            let limit = limits::NAMES >> 20;
            wrong(format!(
                "the names of its programs and links take more than {limit} MiB"
            ))
        })?;
        Ok(())
    }
}

/// Reads a layer to its end, and with it the hashes of what was read.
///
/// # Errors
/// It is no archive, is cut, or goes beyond a bound.
pub(crate) fn read(stored: impl Read, bounds: &mut Bounds) -> io::Result<Layer> {
    let (mut stored, sum) = Hashing::new(stored);
    let mut layer = Layer::default();
    let inner_sum = {
        let budget = bounds.budget.clone();
        let (packing, inner) = unpacked(&mut stored, &budget)?;
        let inner_sum = match packing {
            Packing::Plain => {
                entries(inner, bounds, &mut layer)?;
                None
            }
            Packing::Gzip | Packing::Zstd => {
                let (inner, inner_sum) = Hashing::new(inner);
                entries(BufReader::with_capacity(PART, inner), bounds, &mut layer)?;
                Some(inner_sum)
            }
        };
        inner_sum.map(|sum| sum.finish())
    };
    // What a decoder leaves behind its end belongs to the hash too.
    io::copy(&mut stored, &mut io::sink())?;
    layer.stored = sum.finish();
    layer.unpacked = inner_sum.unwrap_or_else(|| layer.stored.clone());
    Ok(layer)
}

fn entries(stream: impl Read, bounds: &mut Bounds, layer: &mut Layer) -> io::Result<()> {
    let mut reader = Reader {
        bounds,
        layer,
        places: HashMap::new(),
    };
    each(stream, |head, content| {
        reader.bounds.entry()?;
        reader.take(&head, content)
    })
}

struct Reader<'a> {
    bounds: &'a mut Bounds,
    layer: &'a mut Layer,
    /// What is kept, by path: a later entry replaces an earlier one.
    places: HashMap<Key, usize>,
}

impl Reader<'_> {
    fn take(&mut self, head: &Head, content: &mut dyn Read) -> io::Result<()> {
        let (header, size) = (&head.header, head.size);
        let path = normal(&head.path);
        let start = path.iter().rposition(|&byte| byte == b'/').map_or(0, |at| at + 1);
        let (parent, name) = (&path[..start.saturating_sub(1)], &path[start..]);
        if name == OPAQUE {
            self.hide(parent, Hides::Below);
            return Ok(());
        }
        if name.starts_with(AUFS) {
            return Ok(());
        }
        if let Some(deleted) = name.strip_prefix(WHITEOUT) {
            let deleted = normal(&[parent, deleted].join(&b'/'));
            // A name that leads somewhere else deletes nothing.
            if !deleted.is_empty() && crate::path::above(&deleted).next() == Some(parent) {
                self.hide(&deleted, Hides::Deleted);
            }
            return Ok(());
        }
        let what = match header.entry_type() {
            kind if is_directory(kind, &head.path) => {
                self.place(&path, None, Hides::Files)?;
                return Ok(());
            }
            EntryType::Symlink => Some(Thing::Symlink(head.target.clone().into())),
            EntryType::Link => self.link(&normal(&head.target)),
            EntryType::Char | EntryType::Block | EntryType::Fifo => None,
            // Whatever else there is, readers take for a file.
            _ => {
                let mode = header.mode()? & 0o7777;
                let looked = Content::of(content, size, mode & 0o111 != 0)?;
                let program = Program {
                    mode,
                    owner: (header.uid()?, header.gid()?),
                    size,
                    has_capabilities: head.has_capabilities,
                    ..looked.into_program()
                };
                content::matters(&path, &program).then(|| Thing::Program(Box::new(program)))
            }
        };
        self.place(&path, what, Hides::All)
    }

    /// What another name of a file is: the same as the file, if that is in this layer.
    fn link(&self, target: &[u8]) -> Option<Thing> {
        match self.places.get(&self.bounds.keys.of(target)) {
            Some(&place) => Some(self.layer.kept[place].what.clone()),
            None => Some(Thing::Hardlink(target.into())),
        }
    }

    fn hide(&mut self, path: &[u8], hides: Hides) {
        self.layer.hides.push((self.bounds.keys.of(path), hides));
    }

    fn place(&mut self, path: &[u8], what: Option<Thing>, hides: Hides) -> io::Result<()> {
        let key = self.bounds.keys.of(path);
        self.layer.hides.push((key, hides));
        if let Some(place) = self.places.remove(&key) {
            // Nothing has an empty path: it is gone.
            self.layer.kept[place].path = Box::default();
        }
        let Some(what) = what else { return Ok(()) };
        let target = match &what {
            Thing::Symlink(target) | Thing::Hardlink(target) => target.len(),
            Thing::Program(_) => 0,
        };
        self.bounds.name(path.len() + target)?;
        self.places.insert(key, self.layer.kept.len());
        self.layer.kept.push(Kept {
            path: path.into(),
            what,
        });
        Ok(())
    }
}

/// Old archives have no mark for directories, but the slash.
fn is_directory(kind: EntryType, path: &[u8]) -> bool {
    kind == EntryType::Directory || kind == EntryType::Regular && path.ends_with(b"/")
}
