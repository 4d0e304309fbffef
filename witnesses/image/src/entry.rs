//! What is kept of the entries of a layer.

use std::collections::{BTreeSet, HashSet};

use shellproof_api::facts::{Digest, Likeness};

use crate::path::Key;
use crate::wanted::Piece;

/// A file or link of which more than its being there matters.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) path: Box<[u8]>,
    pub(crate) what: Thing,
}

#[derive(Clone, Debug)]
pub(crate) enum Thing {
    Program(Box<Program>),
    Symlink(Box<[u8]>),
    /// Another name for a file of a lower layer, by its path.
    Hardlink(Box<[u8]>),
}

impl Thing {
    /// How long the path is that it leads to.
    pub(crate) fn length(&self) -> usize {
        match self {
            Self::Symlink(target) | Self::Hardlink(target) => target.len(),
            Self::Program(_) => 0,
        }
    }
}

/// A file that could be started, or that looks like one that matters.
#[derive(Clone, Debug, Default)]
pub(crate) struct Program {
    pub(crate) mode: u32,
    pub(crate) owner: (u64, u64),
    pub(crate) size: u64,
    pub(crate) has_capabilities: bool,
    pub(crate) digest: Option<Digest>,
    pub(crate) likeness: Option<Likeness>,
    pub(crate) interpreter: Option<(Vec<u8>, Option<Vec<u8>>)>,
    pub(crate) is_packed: bool,
}

/// What an entry hides in lower layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hides {
    /// What has the same path and is no directory.
    Files,
    /// What has the same path, and everything below it.
    All,
    /// The same, since it was deleted.
    Deleted,
    /// Everything below it.
    Below,
}

/// One layer, read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layer {
    /// The hash of it as it is stored, and of the archive in it.
    pub(crate) stored: String,
    pub(crate) unpacked: String,
    pub(crate) kept: Vec<Kept>,
    /// Paths and what they hide, those of whiteouts among them.
    pub(crate) hides: Vec<(Key, Hides)>,
    /// What it has at paths that are asked for; the last of a path counts.
    pub(crate) pieces: Vec<(Box<[u8]>, Piece)>,
    /// Directories that are asked for, with something in them.
    pub(crate) implied: BTreeSet<Vec<u8>>,
    /// Where it has something below, if files are asked for at all.
    pub(crate) parents: HashSet<Key>,
}
