//! Layers, one on top of the other: what is left of each.

use std::collections::{HashMap, HashSet};

use crate::entry::{Hides, Layer, Program, Thing};
use crate::path::{Key, Keys, above};

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
    let mut hidden: HashMap<Key, Hidden> = HashMap::new();
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
            if is_hidden(&kept.path, &hidden, keys) {
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
            for (key, hides) in &layer.hides {
                *hidden.entry(*key).or_default() |= match hides {
                    Hides::Files => FILES,
                    Hides::All | Hides::Deleted => ALL,
                    Hides::Below => BELOW,
                };
            }
        }
    }
    left
}

fn is_hidden(path: &[u8], hidden: &HashMap<Key, Hidden>, keys: &Keys) -> bool {
    let has = |path: &[u8], bits| {
        hidden
            .get(&keys.of(path))
            .is_some_and(|hidden| hidden & bits != 0)
    };
    !hidden.is_empty() && (has(path, FILES | ALL) || above(path).any(|path| has(path, ALL | BELOW)))
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
