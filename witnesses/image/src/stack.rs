//! Layers, one on top of the other: what is left of each.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::entry::{Hides, Layer, Program, Thing};
use crate::path::{Key, Keys, above};
use crate::wanted::{Found, Piece, WantedFiles};

/// What of a place is hidden by the layers above, as bits.
type Hidden = u8;
const FILES: Hidden = 1;
const ALL: Hidden = 2;
const BELOW: Hidden = 4;

/// What the image has.
pub(crate) enum Left {
    Program(Program),
    /// Where it leads.
    Symlink(Box<[u8]>),
}

/// What is left of the layers, lowest first, by path and with the place of its layer.
pub(crate) fn flatten(layers: &[&Layer], keys: &Keys) -> Vec<(Box<[u8]>, usize, Left)> {
    let mut hiding = Hiding::new(keys);
    let mut left = Vec::new();
    let has_links = |layer: &&Layer| {
        layer
            .kept
            .iter()
            .any(|kept| matches!(kept.what, Thing::Hardlink(_)))
    };
    let names: Vec<_> = match layers.iter().any(has_links) {
        true => layers.iter().map(|layer| Names::of(layer)).collect(),
        false => Vec::new(),
    };
    for (place, layer) in layers.iter().enumerate().rev() {
        for kept in layer.kept.iter().filter(|kept| !kept.path.is_empty()) {
            if hiding.hides(&kept.path) {
                continue;
            }
            let what = match &kept.what {
                Thing::Program(program) => Left::Program((**program).clone()),
                Thing::Symlink(target) => Left::Symlink(target.clone()),
                Thing::Hardlink(target) => match linked(target, &names[..=place], keys) {
                    Some(program) => Left::Program(program),
                    None => continue,
                },
            };
            left.push((kept.path.clone(), place, what));
        }
        // Nothing is below the lowest.
        if place > 0 {
            hiding.add(layer);
        }
    }
    left
}

/// What of the layers below is hidden by those above.
struct Hiding<'a> {
    hidden: HashMap<Key, Hidden>,
    keys: &'a Keys,
}

impl<'a> Hiding<'a> {
    fn new(keys: &'a Keys) -> Self {
        Self {
            hidden: HashMap::new(),
            keys,
        }
    }

    fn add(&mut self, layer: &Layer) {
        for (key, hides) in &layer.hides {
            *self.hidden.entry(*key).or_default() |= match hides {
                Hides::Files => FILES,
                Hides::All | Hides::Deleted => ALL,
                Hides::Below => BELOW,
            };
        }
    }

    fn hides(&self, path: &[u8]) -> bool {
        let has = |path: &[u8], bits| {
            let hidden = self.hidden.get(&self.keys.of(path));
            hidden.is_some_and(|hidden| hidden & bits != 0)
        };
        !self.hidden.is_empty() && (has(path, FILES | ALL) || above(path).any(|path| has(path, ALL | BELOW)))
    }
}

/// What the image has at the paths that are asked for, and the files that are to be asked for since those are names of them.
pub(crate) fn found(
    layers: &[&Layer],
    keys: &Keys,
    wanted: &WantedFiles,
) -> (BTreeMap<Vec<u8>, Found>, Vec<Vec<u8>>) {
    let (mut found, mut implied, mut unread) = (BTreeMap::new(), BTreeSet::new(), Vec::new());
    let mut hiding = Hiding::new(keys);
    for (place, layer) in layers.iter().enumerate().rev() {
        for (path, piece) in layer.pieces.iter().rev() {
            if found.contains_key(&**path) || hiding.hides(path) {
                continue;
            }
            let piece = match piece {
                Piece::Found(piece) => Some(piece.clone()),
                Piece::Hardlink(target) if !wanted.has_content(target) => {
                    unread.push(target.clone());
                    None
                }
                Piece::Hardlink(target) => behind(target, &layers[..=place]),
            };
            found.extend(piece.map(|piece| (path.to_vec(), piece)));
        }
        implied.extend(layer.implied.iter().filter(|path| !hiding.hides(path)).cloned());
        hiding.add(layer);
    }
    for path in implied {
        found.entry(path).or_insert_with(Found::implied);
    }
    (found, unread)
}

/// The file that a hard link means. The layers are those below the link, and its own.
fn behind(target: &[u8], layers: &[&Layer]) -> Option<Found> {
    let mut target = target;
    for layer in layers.iter().rev() {
        let mut pieces = layer.pieces.iter().rev();
        match pieces.find(|(path, _)| **path == *target) {
            Some((_, Piece::Found(piece))) => return Some(piece.clone()),
            Some((_, Piece::Hardlink(next))) => target = next,
            None => {}
        }
    }
    None
}

/// What one layer has, by name, for those who look for few things in it.
struct Names<'a> {
    kept: HashMap<&'a [u8], &'a Thing>,
    /// What it has put in the place of something else.
    replaced: HashSet<Key>,
}

impl<'a> Names<'a> {
    fn of(layer: &'a Layer) -> Self {
        let kept = layer.kept.iter().filter(|kept| !kept.path.is_empty());
        let replaced = layer.hides.iter().filter(|(_, hides)| *hides == Hides::All);
        Self {
            kept: kept.map(|kept| (&*kept.path, &kept.what)).collect(),
            replaced: replaced.map(|(key, _)| *key).collect(),
        }
    }
}

/// The file that a hard link means: the newest of that path, unless that is one that does not matter. The layers are those
/// below the link, and its own.
fn linked(target: &[u8], layers: &[Names<'_>], keys: &Keys) -> Option<Program> {
    let mut target = target;
    for layer in layers.iter().rev() {
        match layer.kept.get(target) {
            Some(Thing::Program(program)) => return Some((**program).clone()),
            Some(Thing::Hardlink(next)) => target = next,
            Some(Thing::Symlink(_)) => return None,
            None if layer.replaced.contains(&keys.of(target)) => return None,
            None => {}
        }
    }
    None
}
