//! What is in an image's file system, without the files' content.
//!
//! Podman's archive of a single path follows a link at its end and gives every file to the container's user. Only an
//! export of the whole says who owns a file and where a link leads, so that it is read once per image.

use std::collections::BTreeMap;
use std::io::{self, Read};

use bytes::{Buf, Bytes};
use shellproof_api::{FileKind, ImageFile};
use tar::{Archive, EntryType, Header};
use tokio::sync::mpsc;

/// As many links as Linux follows before it gives up.
const MAX_LINKS: usize = 40;

/// Every path of an image, without slashes at its ends, as a file without content.
#[derive(Debug)]
pub(crate) struct Listing {
    files: BTreeMap<String, ImageFile>,
}

impl Listing {
    /// Reads an export. Blocks while it waits for more of it.
    pub fn read(export: impl Read) -> io::Result<Self> {
        let mut files = BTreeMap::from([(String::new(), directory())]);
        for entry in Archive::new(export).entries()? {
            let entry = entry?;
            let path = normal(&String::from_utf8_lossy(&entry.path_bytes()));
            let target = entry.link_name_bytes();
            let target = target.map(|target| String::from_utf8_lossy(&target).into_owned());
            let file = match (entry.header().entry_type(), target) {
                // A hard link is another name of a file that has come before.
                (EntryType::Link, Some(target)) => files.get(&normal(&target)).cloned(),
                (kind, target) => Some(file(entry.header(), kind, target, entry.size())?),
            };
            if let Some(file) = file {
                files.insert(path, file);
            }
        }
        Ok(Self { files })
    }

    /// Follows the links in the middle of a path, and gives what is at its end and where that is.
    pub fn find(&self, path: &str) -> Option<(String, &ImageFile)> {
        let mut ahead: Vec<String> = names(path).rev().collect();
        let (mut at, mut links) = (String::new(), 0);
        while let Some(name) = ahead.pop() {
            if name == ".." {
                at.truncate(at.rfind('/').unwrap_or(0));
                continue;
            }
            let next = if at.is_empty() {
                name
            } else {
                format!("{at}/{name}")
            };
            match &self.files.get(&next)?.kind {
                _ if ahead.is_empty() => at = next,
                FileKind::Directory => at = next,
                FileKind::Symlink(target) => {
                    links += 1;
                    if links > MAX_LINKS {
                        return None;
                    }
                    if target.starts_with('/') {
                        at.clear();
                    }
                    ahead.extend(names(target).rev());
                }
                FileKind::File | FileKind::Other => return None,
            }
        }
        let file = self.files.get(&at)?;
        Some((at, file))
    }
}

fn names(path: &str) -> impl DoubleEndedIterator<Item = String> {
    let names = path.split('/').filter(|name| !matches!(*name, "" | "."));
    names.map(str::to_owned).collect::<Vec<_>>().into_iter()
}

fn normal(path: &str) -> String {
    names(path).collect::<Vec<_>>().join("/")
}

/// The root, which an export does not have.
fn directory() -> ImageFile {
    ImageFile {
        kind: FileKind::Directory,
        mode: 0o755,
        owner: (0, 0),
        size: 0,
        content: Vec::new(),
    }
}

fn file(header: &Header, kind: EntryType, target: Option<String>, size: u64) -> io::Result<ImageFile> {
    Ok(ImageFile {
        kind: match kind {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => FileKind::File,
            EntryType::Directory => FileKind::Directory,
            EntryType::Symlink => FileKind::Symlink(target.unwrap_or_default()),
            _ => FileKind::Other,
        },
        mode: header.mode()? & 0o7777,
        owner: (header.uid()?, header.gid()?),
        size,
        content: Vec::new(),
    })
}

/// The receiving end of a stream, for a reader that blocks.
pub(crate) struct Pipe {
    pub pieces: mpsc::Receiver<io::Result<Bytes>>,
    pub piece: Bytes,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.pieces.blocking_recv() {
                Some(piece) => self.piece = piece?,
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.piece.len());
        self.piece.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use tar::Builder;

    use super::*;

    fn listing(entries: &[(&str, EntryType, &str)]) -> Listing {
        let mut builder = Builder::new(Vec::new());
        for (path, kind, target) in entries {
            let mut header = Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_mode(0o640);
            header.set_uid(12);
            header.set_gid(34);
            header.set_size(0);
            if target.is_empty() {
                builder.append_data(&mut header, path, io::empty()).unwrap();
            } else {
                builder.append_link(&mut header, path, target).unwrap();
            }
        }
        Listing::read(builder.into_inner().unwrap().as_slice()).unwrap()
    }

    fn example() -> Listing {
        use EntryType::{Directory, Link, Regular, Symlink};
        listing(&[
            ("bin", Symlink, "usr/bin"),
            ("dir/", Directory, ""),
            ("dir/file", Regular, ""),
            ("dir/up", Symlink, "../other"),
            ("hard", Link, "dir/file"),
            ("loop", Symlink, "loop"),
            ("other/", Directory, ""),
            ("other/file", Regular, ""),
            ("usr/", Directory, ""),
            ("usr/bin/", Directory, ""),
            ("usr/bin/tool", Symlink, "/dir/file"),
        ])
    }

    #[test]
    fn links_in_the_middle_are_followed_and_the_last_is_not() {
        let listing = example();
        let at = |path: &str| listing.find(path).map(|(at, _)| at);
        assert_eq!(at("/dir/file").as_deref(), Some("dir/file"));
        assert_eq!(at("//dir/./x/../file"), None);
        assert_eq!(at("/dir/../dir/file/").as_deref(), Some("dir/file"));
        assert_eq!(at("/bin/tool").as_deref(), Some("usr/bin/tool"));
        assert_eq!(at("/dir/up/file").as_deref(), Some("other/file"));
        assert_eq!(at("/bin").as_deref(), Some("bin"));
        assert_eq!(at("/../../dir").as_deref(), Some("dir"));
        assert_eq!(at("/").as_deref(), Some(""));
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let listing = example();
        for path in ["/none", "/dir/none", "/dir/file/below", "/loop/below", "/none/.."] {
            assert!(listing.find(path).is_none(), "{path}");
        }
    }

    #[test]
    fn a_hard_link_is_the_file_that_it_names() {
        let listing = example();
        let (_, file) = listing.find("/hard").unwrap();
        assert_eq!(file.kind, FileKind::File);
        assert_eq!((file.mode, file.owner), (0o640, (12, 34)));
        let (_, link) = listing.find("/usr/bin/tool").unwrap();
        assert_eq!(link.kind, FileKind::Symlink("/dir/file".into()));
    }

    #[test]
    fn an_export_that_breaks_off_is_an_error() {
        assert!(Listing::read(&[b'x'; 700][..]).is_err());
    }
}
