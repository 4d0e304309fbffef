//! Reads one layer from its first byte to its last.

use std::collections::HashMap;
use std::io::{self, BufReader, Read};

use crate::change::{Change, Entry};
use crate::content::{self, Content};
use crate::entry::{Hides, Kept, Layer, Program, Thing};
use crate::limits;
use crate::path::{Key, Keys, above};
use crate::stream::{Budget, Hashing, PART, Packing, unpacked};
use crate::tape::{Head, each, wrong};
use crate::wanted::{Keeper, Tee, WantedFiles};

/// What is left of an image's bounds.
pub(crate) struct Bounds<'w> {
    pub(crate) keys: Keys,
    pub(crate) budget: Budget,
    entries: usize,
    names: usize,
    keeper: Keeper<'w>,
}

impl<'w> Bounds<'w> {
    pub(crate) fn new(wanted: &'w WantedFiles, keys: Keys) -> Self {
        Self {
            keys,
            budget: Budget::new(),
            entries: limits::ENTRIES,
            names: limits::NAMES,
            keeper: Keeper::new(wanted),
        }
    }

    pub(crate) fn wants_files(&self) -> bool {
        !self.keeper.is_idle()
    }

    /// Counts a layer that is not read again.
    pub(crate) fn count(&mut self, layer: &Layer) -> io::Result<()> {
        (0..layer.hides.len()).try_for_each(|_| self.entry())?;
        layer
            .kept
            .iter()
            .try_for_each(|kept| self.name(kept.path.len() + kept.what.length()))
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

/// What a layer's bytes hash to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Digests {
    /// As it is stored: what a manifest calls it.
    pub stored: String,
    /// Unpacked: what a configuration calls it.
    pub unpacked: String,
}

/// Shows each entry of a layer with its content, reads the layer to its end, and says what it hashes to. It may unpack to
/// `limit` bytes.
///
/// # Errors
/// It is no archive, is cut, goes beyond a bound, or whoever looks says so.
pub fn visit(
    stored: impl Read,
    limit: u64,
    mut see: impl FnMut(Entry, &mut dyn Read) -> io::Result<()>,
) -> io::Result<Digests> {
    walk(stored, &Budget::of(limit), |head, content| {
        match Entry::of(&head)? {
            Some(entry) => see(entry, content),
            None => Ok(()),
        }
    })
}

/// Reads a layer to its end, and with it the hashes of what was read.
///
/// # Errors
/// It is no archive, is cut, or goes beyond a bound.
pub(crate) fn read(stored: impl Read, bounds: &mut Bounds<'_>) -> io::Result<Layer> {
    let budget = bounds.budget.clone();
    let mut layer = Layer::default();
    let mut reader = Reader {
        bounds,
        layer: &mut layer,
        places: HashMap::new(),
    };
    let digests = walk(stored, &budget, |head, content| {
        reader.bounds.entry()?;
        reader.take(&head, content)
    })?;
    layer.stored = digests.stored;
    layer.unpacked = digests.unpacked;
    Ok(layer)
}

fn walk(
    stored: impl Read,
    budget: &Budget,
    see: impl FnMut(Head, &mut dyn Read) -> io::Result<()>,
) -> io::Result<Digests> {
    let (mut stored, sum) = Hashing::new(stored);
    let inner_sum = {
        let (packing, inner) = unpacked(&mut stored, budget)?;
        match packing {
            Packing::Plain => {
                each(inner, see)?;
                None
            }
            Packing::Gzip | Packing::Zstd => {
                let (inner, inner_sum) = Hashing::new(inner);
                each(BufReader::with_capacity(PART, inner), see)?;
                Some(inner_sum.finish())
            }
        }
    };
    // What a decoder leaves behind its end belongs to the hash too.
    io::copy(&mut stored, &mut io::sink())?;
    let stored = sum.finish();
    Ok(Digests {
        unpacked: inner_sum.unwrap_or_else(|| stored.clone()),
        stored,
    })
}

struct Reader<'a, 'w> {
    bounds: &'a mut Bounds<'w>,
    layer: &'a mut Layer,
    /// What is kept, by path: a later entry replaces an earlier one.
    places: HashMap<Key, usize>,
}

impl Reader<'_, '_> {
    fn take(&mut self, head: &Head, content: &mut dyn Read) -> io::Result<()> {
        let Some(entry) = Entry::of(head)? else {
            return Ok(());
        };
        let mut kept = None;
        let what = match &entry.change {
            Change::Empty => {
                self.hide(&entry.path, Hides::Below);
                return Ok(());
            }
            Change::Delete => {
                self.hide(&entry.path, Hides::Deleted);
                return Ok(());
            }
            Change::Directory => {
                self.place(&entry.path, None, Hides::Files)?;
                self.keep(&entry, None);
                return Ok(());
            }
            Change::Symlink(target) => Some(Thing::Symlink(target.as_slice().into())),
            Change::Hardlink(target) => self.link(target),
            Change::Device | Change::Fifo => None,
            Change::File => {
                let is_executable = entry.mode & 0o111 != 0;
                let looked = match self.bounds.keeper.keeps(&entry.path, entry.size) {
                    true => {
                        let mut tee = Tee {
                            inner: content,
                            kept: Vec::new(),
                        };
                        let looked = Content::of(&mut tee, entry.size, is_executable)?;
                        kept = Some(tee.kept);
                        looked
                    }
                    false => Content::of(content, entry.size, is_executable)?,
                };
                let program = Program {
                    mode: entry.mode,
                    owner: entry.owner,
                    size: entry.size,
                    has_capabilities: head.has_capabilities(),
                    ..looked.into_program()
                };
                content::matters(&entry.path, &program).then(|| Thing::Program(Box::new(program)))
            }
        };
        self.place(&entry.path, what, Hides::All)?;
        self.keep(&entry, kept);
        Ok(())
    }

    /// Keeps what is asked for by path.
    fn keep(&mut self, entry: &Entry, content: Option<Vec<u8>>) {
        let keeper = &self.bounds.keeper;
        if keeper.is_idle() {
            return;
        }
        self.layer
            .parents
            .extend(above(&entry.path).map(|path| self.bounds.keys.of(path)));
        for directory in keeper.above(&entry.path) {
            self.layer.implied.insert(directory.to_vec());
        }
        if let Some(piece) = keeper.piece(entry, content) {
            self.layer.pieces.push((entry.path.as_slice().into(), piece));
        }
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
        self.bounds.name(path.len() + what.length())?;
        self.places.insert(key, self.layer.kept.len());
        self.layer.kept.push(Kept {
            path: path.into(),
            what,
        });
        Ok(())
    }
}
