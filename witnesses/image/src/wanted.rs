//! Files of an image that somebody asks for by path: what they are, and what is in them.

use std::collections::BTreeMap;
use std::io::{self, Read};

use shellproof_api::facts::ImageContent;

use crate::change::{Change, Entry};
use crate::error::{Error, Result};
use crate::path::{above, normal, text};

/// The longest file that is kept, in bytes.
const FILE: u64 = 8 << 20;
/// How many bytes of files are kept at a time.
const ALL: u64 = 64 << 20;
/// How many links lead to one file at most, as in Linux.
const LINKS: usize = 40;

/// Which files somebody asks for.
#[derive(Clone, Debug, Default)]
pub struct WantedFiles {
    /// By path, and whether their content is asked for.
    paths: BTreeMap<Vec<u8>, bool>,
    /// Directories of whose own directories all are asked for, each with the content of a file in it.
    each: Vec<(Vec<u8>, Vec<u8>)>,
}

impl WantedFiles {
    /// Asks for what is at a path, links of the image followed.
    pub fn path(&mut self, path: &str) {
        self.add(normal(path.as_bytes()), false);
    }

    /// Asks for a file's content too.
    pub fn content(&mut self, path: &str) {
        self.add(normal(path.as_bytes()), true);
    }

    /// Asks for a directory, the directories in it, and for the content of the file of this name in each.
    pub fn each(&mut self, directory: &str, file: &str) {
        self.path(directory);
        self.each.push((normal(directory.as_bytes()), file.into()));
    }

    fn add(&mut self, path: Vec<u8>, with_content: bool) {
        *self.paths.entry(path).or_default() |= with_content;
    }

    /// Whether anything is asked for.
    pub(crate) fn is_empty(&self) -> bool {
        self.paths.is_empty() && self.each.is_empty()
    }

    pub(crate) fn has_content(&self, path: &[u8]) -> bool {
        self.of(path) == Some(true)
    }

    /// Whether a path is asked for, and if so, whether its content is.
    fn of(&self, path: &[u8]) -> Option<bool> {
        let known = self.paths.get(path).copied();
        let in_each = || {
            let mut above = above(path);
            let (parent, second) = (above.next()?, above.next());
            let is_below = |(directory, file): &&(Vec<u8>, Vec<u8>)| {
                parent == directory.as_slice()
                    || second == Some(directory) && path.ends_with(file) && path[parent.len() + 1..] == **file
            };
            let found = self.each.iter().find(is_below)?;
            Some(parent != found.0.as_slice())
        };
        known.or_else(in_each)
    }
}

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file, and its content where it was asked for and is not too long to be kept.
    File(Option<Vec<u8>>),
    /// A directory.
    Directory,
    /// A directory that no entry of the image describes: it is there because of what is in it.
    ImpliedDirectory,
    /// A link, and where it leads.
    Symlink(Vec<u8>),
    /// A pipe or a device.
    Other,
}

/// A file of an image that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it is.
    pub kind: Kind,
    /// Permission bits, such as `0o4755`.
    pub mode: u32,
    /// The owner's uid and gid.
    pub owner: (u64, u64),
}

impl Found {
    pub(crate) const fn implied() -> Self {
        Self {
            kind: Kind::ImpliedDirectory,
            mode: 0o755,
            owner: (0, 0),
        }
    }
}

/// What a layer has at a path that is asked for.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    Found(Found),
    /// Another name of a file, by that file's path.
    Hardlink(Vec<u8>),
}

/// Keeps what comes by, as far as it is asked for.
pub(crate) struct Keeper<'a> {
    wanted: &'a WantedFiles,
    left: u64,
}

impl<'a> Keeper<'a> {
    pub(crate) const fn new(wanted: &'a WantedFiles) -> Self {
        Self { wanted, left: ALL }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.wanted.is_empty()
    }

    /// Whether the content of a file of this path and size is to be kept.
    pub(crate) fn keeps(&mut self, path: &[u8], size: u64) -> bool {
        let fits = self.wanted.of(path) == Some(true) && size <= FILE.min(self.left);
        if fits {
            self.left -= size;
        }
        fits
    }

    /// What an entry is, if it is asked for.
    pub(crate) fn piece(&self, entry: &Entry, content: Option<Vec<u8>>) -> Option<Piece> {
        self.wanted.of(&entry.path)?;
        let kind = match &entry.change {
            Change::Directory => Kind::Directory,
            Change::File => Kind::File(content),
            Change::Symlink(target) => Kind::Symlink(target.clone()),
            Change::Hardlink(target) => return Some(Piece::Hardlink(target.clone())),
            Change::Fifo | Change::Device => Kind::Other,
            Change::Delete | Change::Empty => return None,
        };
        Some(Piece::Found(Found {
            // Of a link, no file system keeps another.
            mode: if let Kind::Symlink(_) = kind {
                0o777
            } else {
                entry.mode
            },
            kind,
            owner: entry.owner,
        }))
    }

    /// The directories above an entry that are asked for.
    pub(crate) fn above<'p>(&self, path: &'p [u8]) -> Vec<&'p [u8]> {
        let asked = above(path).filter(|above| self.wanted.of(above).is_some());
        asked.collect()
    }
}

/// Keeps what is read on its way.
pub(crate) struct Tee<'a> {
    pub(crate) inner: &'a mut dyn Read,
    pub(crate) kept: Vec<u8>,
}

impl Read for Tee<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.kept.extend_from_slice(&buffer[..read]);
        Ok(read)
    }
}

/// The files of an image that were asked for.
#[derive(Clone, Debug, Default)]
pub struct Files {
    found: BTreeMap<Vec<u8>, Found>,
    /// Every link of the image.
    links: BTreeMap<String, String>,
}

impl Files {
    pub(crate) fn new(found: BTreeMap<Vec<u8>, Found>, image: &ImageContent) -> Self {
        Self {
            found,
            links: image.links.clone(),
        }
    }

    /// What is at a path. Links on the way are followed within the image; the last part is not.
    pub fn at(&self, path: &str) -> Option<&Found> {
        self.found.get(&self.way(path.as_bytes(), false)?)
    }

    /// The file that a path leads to in the end.
    pub fn behind(&self, path: &str) -> Option<&Found> {
        self.found.get(&self.way(path.as_bytes(), true)?)
    }

    /// The names of the directories in a directory.
    pub fn directories(&self, directory: &str) -> Vec<String> {
        let Some(directory) = self.way(directory.as_bytes(), true) else {
            return Vec::new();
        };
        let is_in = |path: &&Vec<u8>| above(path).next() == Some(&directory);
        let directories = self
            .found
            .iter()
            .filter(|(_, found)| matches!(found.kind, Kind::Directory | Kind::ImpliedDirectory))
            .map(|(path, _)| path)
            .filter(is_in);
        let name = |path: &Vec<u8>| String::from_utf8_lossy(&path[directory.len()..]).into_owned();
        directories
            .map(name)
            .map(|name| name.trim_start_matches('/').to_owned())
            .collect()
    }

    /// Where a path leads; none where its links lead nowhere. What leads up in it is taken out before links are followed, as in
    /// [`WantedFiles`].
    fn way(&self, path: &[u8], to_the_end: bool) -> Option<Vec<u8>> {
        let mut left: Vec<Vec<u8>> = split(&normal(path));
        let mut way: Vec<u8> = Vec::new();
        let mut links = 0;
        while let Some(part) = left.pop() {
            if part == b".." {
                let end = way.iter().rposition(|&byte| byte == b'/');
                way.truncate(end.unwrap_or_default());
                continue;
            }
            let next = match way.is_empty() {
                true => part,
                false => [way.as_slice(), &part].join(&b'/'),
            };
            let target = match to_the_end || !left.is_empty() {
                true => self.links.get(&text(&next)),
                false => None,
            };
            let Some(target) = target else {
                way = next;
                continue;
            };
            links += 1;
            if links > LINKS {
                return None;
            }
            if target.starts_with('/') {
                way.clear();
            }
            left.extend(split(target.as_bytes()));
        }
        Some(way)
    }

    /// What has to be asked for so that all that was asked for is known.
    fn also(&self, wanted: &WantedFiles) -> WantedFiles {
        let mut also = wanted.clone();
        for (path, with_content) in &wanted.paths {
            let ends = [self.way(path, false), self.way(path, *with_content)];
            for end in ends.into_iter().flatten() {
                also.add(end, *with_content);
            }
        }
        for (directory, file) in &wanted.each {
            if let Some(end) = self.way(directory, true)
                && !also.each.contains(&(end.clone(), file.clone()))
            {
                also.each.push((end, file.clone()));
            }
            let copies = self.directories(&String::from_utf8_lossy(directory));
            for name in copies {
                let path = [directory.as_slice(), name.as_bytes(), file].join(&b'/');
                if let Some(end) = self.way(&path, true).filter(|end| *end != path) {
                    also.add(end, true);
                }
            }
        }
        also
    }
}

/// The parts of a path, the first one last; those of a link that lead up are kept, since another link may stand before them.
fn split(path: &[u8]) -> Vec<Vec<u8>> {
    let parts = path.rsplit(|&byte| byte == b'/');
    let parts = parts.filter(|part| !matches!(*part, b"" | b"."));
    parts.map(<[u8]>::to_vec).collect()
}

/// What an image is and contains, with files of it that are asked for.
#[derive(Clone, Debug)]
pub struct Looked {
    /// The image.
    pub content: ImageContent,
    /// The files, behind links of the image if need be.
    pub files: Files,
    /// Links that layers have something below, as if they were directories: engines differ on where that is.
    pub crossed: Vec<String>,
    /// Names of files that have to be asked for as well, since those that were are other names of them.
    pub(crate) unread: Vec<Vec<u8>>,
}

impl Looked {
    /// What is to be asked for in another reading, because links lead there; none where all is known.
    pub fn next(&self, wanted: &WantedFiles) -> Option<WantedFiles> {
        let mut also = self.files.also(wanted);
        for path in &self.unread {
            also.add(path.clone(), true);
        }
        let is_more = also.paths != wanted.paths || also.each.len() != wanted.each.len();
        is_more.then_some(also)
    }
}

/// Reads until all that is asked for is known: once, and once more where links lead elsewhere.
///
/// # Errors
/// As whoever reads.
pub(crate) fn until_known(
    wanted: &WantedFiles,
    mut read: impl FnMut(&WantedFiles) -> Result<Looked>,
) -> Result<Looked> {
    let mut wanted = wanted.clone();
    for _ in 0..LINKS {
        let looked = read(&wanted)?;
        match looked.next(&wanted) {
            Some(more) => wanted = more,
            None => return Ok(looked),
        }
    }
    Err(Error::Malformed("its hard links do not end".into()))
}
