//! How much of an image is read. Whoever made it may want a reader to run out of memory or time.

/// How many entries all layers of an image may have.
pub(crate) const ENTRIES: usize = 1_000_000;
/// How many bytes the paths that are kept may have, those of links and programs.
pub(crate) const NAMES: usize = 128 << 20;
/// How many bytes all layers may unpack to.
pub(crate) const UNPACKED: u64 = 64 << 30;
/// The longest path, link target or extended header of an entry, in bytes.
pub(crate) const HEADER: u64 = 1 << 20;
/// The longest manifest, index or configuration, in bytes.
pub(crate) const DOCUMENT: u64 = 4 << 20;
/// How many bytes of such documents an archive may have.
pub(crate) const DOCUMENTS: u64 = 64 << 20;
/// How many indexes may name each other on the way to a manifest.
pub(crate) const NESTED: usize = 4;
/// How many layers an image may have.
pub(crate) const LAYERS: usize = 1024;
/// How many links within an archive lead to one of its files.
pub(crate) const LINKS: usize = 8;
/// How many files an archive may have: blobs, and old engines' three for each layer.
pub(crate) const FILES: usize = 65_536;
