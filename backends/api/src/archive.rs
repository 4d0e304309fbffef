//! Reads one file out of the tar stream with which an engine answers a request for a path.

use std::io::{self, Read};

use tar::{Archive, EntryType};

use crate::{FileKind, ImageFile};

/// Room for what may stand before the content: extended headers with long names and attributes.
const HEADERS: usize = 128 << 10;

/// Takes a tar stream piece by piece until its first entry is complete, or as much of it as is kept.
///
/// An engine answers for a directory with all that is below it. The stream can be dropped as soon as
/// [`FirstEntry::push`] says so, and no more than [`ImageFile::MAX_CONTENT`] and some headers are ever held.
#[derive(Debug, Default)]
pub struct FirstEntry {
    bytes: Vec<u8>,
    /// How many bytes are needed, once the header has been read.
    needed: Option<usize>,
}

impl FirstEntry {
    /// Takes the next piece, and says whether that was enough.
    pub fn push(&mut self, piece: &[u8]) -> bool {
        let room = (ImageFile::MAX_CONTENT + HEADERS).saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(&piece[..piece.len().min(room)]);
        if self.needed.is_none() {
            self.needed = self.bytes_needed();
        }
        self.bytes.len() >= self.needed.unwrap_or(ImageFile::MAX_CONTENT + HEADERS)
    }

    /// The first entry, or `None` when the stream has none.
    ///
    /// # Errors
    /// The stream is no tar archive, or ended in the middle of the entry.
    pub fn finish(self) -> io::Result<Option<ImageFile>> {
        let mut archive = Archive::new(self.bytes.as_slice());
        let Some(entry) = archive.entries()?.next() else {
            return Ok(None);
        };
        let entry = entry?;
        let header = entry.header();
        let kind = match header.entry_type() {
            EntryType::Regular | EntryType::Continuous => FileKind::File,
            EntryType::Directory => FileKind::Directory,
            EntryType::Symlink => {
                let target = entry.link_name_bytes().unwrap_or_default();
                FileKind::Symlink(String::from_utf8_lossy(&target).into_owned())
            }
            _ => FileKind::Other,
        };
        let (mode, owner, size) = (
            header.mode()? & 0o7777,
            (header.uid()?, header.gid()?),
            entry.size(),
        );
        let mut content = Vec::new();
        if kind == FileKind::File {
            let kept = size.min(ImageFile::MAX_CONTENT as u64);
            entry.take(kept).read_to_end(&mut content)?;
            if content.len() as u64 != kept {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    format!("the file ended after {} of {size} bytes", content.len()),
                ));
            }
        }
        Ok(Some(ImageFile {
            kind,
            mode,
            owner,
            size,
            content,
        }))
    }

    fn bytes_needed(&self) -> Option<usize> {
        // An incomplete header is an error to the parser, and here it only means "not yet".
        let mut archive = Archive::new(self.bytes.as_slice());
        let entry = archive.entries().ok()?.next()?.ok()?;
        let start = usize::try_from(entry.raw_file_position()).ok()?;
        let content = match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous => usize::try_from(entry.size())
                .map_or(ImageFile::MAX_CONTENT, |size| size.min(ImageFile::MAX_CONTENT)),
            _ => 0,
        };
        Some(start + content)
    }
}

#[cfg(test)]
mod tests {
    use tar::{Builder, Header};

    use super::*;

    fn archive(path: &str, kind: EntryType, content: &[u8]) -> Vec<u8> {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o4755);
        header.set_uid(7);
        header.set_gid(8);
        header.set_size(content.len() as u64);
        let mut builder = Builder::new(Vec::new());
        if kind == EntryType::Symlink {
            builder.append_link(&mut header, path, "/target").unwrap();
        } else {
            builder.append_data(&mut header, path, content).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn read(archive: &[u8], piece: usize) -> (usize, io::Result<Option<ImageFile>>) {
        let mut first = FirstEntry::default();
        let mut taken = 0;
        for piece in archive.chunks(piece) {
            taken += piece.len();
            if first.push(piece) {
                break;
            }
        }
        (taken, first.finish())
    }

    #[test]
    fn a_file_arrives_whole_whatever_the_pieces() {
        let long = format!("a/{}", "long".repeat(100));
        for path in ["file", &long] {
            let archive = archive(path, EntryType::Regular, b"content");
            for piece in [1, 100, 512, 1 << 20] {
                let file = read(&archive, piece).1.unwrap().unwrap();
                assert_eq!(file.kind, FileKind::File);
                assert_eq!((file.mode, file.owner, file.size), (0o4755, (7, 8), 7));
                assert_eq!(file.content, b"content");
            }
        }
    }

    #[test]
    fn a_large_file_is_kept_in_part_and_the_rest_is_not_asked_for() {
        let content = vec![b'x'; 3 * ImageFile::MAX_CONTENT];
        let (taken, file) = read(&archive("file", EntryType::Regular, &content), 4096);
        let file = file.unwrap().unwrap();
        assert_eq!(file.size, content.len() as u64);
        assert_eq!(file.content.len(), ImageFile::MAX_CONTENT);
        assert!(taken < ImageFile::MAX_CONTENT + 8192, "{taken}");
    }

    #[test]
    fn of_a_directory_only_the_header_is_read() {
        let mut stream = archive("dir", EntryType::Directory, b"");
        stream.truncate(512);
        stream.extend(archive("dir/file", EntryType::Regular, &[0; 9000]));
        let (taken, file) = read(&stream, 512);
        assert_eq!(file.unwrap().unwrap().kind, FileKind::Directory);
        assert_eq!(taken, 512);
    }

    #[test]
    fn a_link_is_not_followed() {
        let file = read(&archive("link", EntryType::Symlink, b""), 512)
            .1
            .unwrap()
            .unwrap();
        assert_eq!(file.kind, FileKind::Symlink("/target".into()));
    }

    #[test]
    fn an_empty_stream_has_no_entry_and_a_cut_one_is_an_error() {
        assert_eq!(read(&[0; 1024], 512).1.unwrap(), None);
        let archive = archive("file", EntryType::Regular, &[b'x'; 2000]);
        let cut = read(&archive[..1024], 512).1.unwrap_err();
        assert_eq!(cut.to_string(), "the file ended after 512 of 2000 bytes");
        assert!(read(b"no archive at all", 512).1.is_err());
    }
}
