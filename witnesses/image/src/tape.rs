//! Archives of files, entry by entry. Headers that stand before an entry are read here rather than by `tar`, which would take
//! any length of them into memory.

use std::io::{self, Read};

use tar::{Archive, EntryType, Header, PaxExtensions};

use crate::limits;

pub(crate) fn wrong(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

/// One entry, without its content.
pub(crate) struct Head {
    pub(crate) header: Header,
    pub(crate) path: Vec<u8>,
    /// Where a link leads.
    pub(crate) target: Vec<u8>,
    pub(crate) size: u64,
    pub(crate) owner: (Option<u64>, Option<u64>),
    /// Seconds since 1970, where the extended header says it.
    pub(crate) modified: Option<u64>,
    /// Extended attributes.
    pub(crate) attributes: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Head {
    pub(crate) fn has_capabilities(&self) -> bool {
        self.attributes.iter().any(|(name, _)| name == CAPABILITIES)
    }
}

/// How file capabilities are kept.
const CAPABILITIES: &[u8] = b"security.capability";
/// What stands before the name of an extended attribute.
const ATTRIBUTE: &[u8] = b"SCHILY.xattr.";

/// Headers of one entry that stand before it.
#[derive(Default)]
struct Extended {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    owner: (Option<u64>, Option<u64>),
    modified: Option<u64>,
    attributes: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Shows each entry with its content, and reads on to the stream's end.
///
/// # Errors
/// It is no archive, is cut, has something that is not read, or whoever looks says so.
pub(crate) fn each(
    mut stream: impl Read,
    mut see: impl FnMut(Head, &mut dyn Read) -> io::Result<()>,
) -> io::Result<()> {
    let mut archive = Archive::new(&mut stream);
    let mut extended = Extended::default();
    for entry in archive.entries()?.raw(true) {
        let mut entry = entry?;
        let kind = entry.header().entry_type();
        if kind.is_gnu_longname() {
            extended.path = Some(without_end(text(&mut entry)?));
        } else if kind.is_gnu_longlink() {
            extended.link = Some(without_end(text(&mut entry)?));
        } else if kind.is_pax_local_extensions() {
            extended.add(&text(&mut entry)?)?;
        } else if kind.is_pax_global_extensions() {
            text(&mut entry)?;
        } else {
            let head = std::mem::take(&mut extended).before(entry.header(), entry.size())?;
            see(head, &mut entry)?;
        }
    }
    io::copy(&mut stream, &mut io::sink())?;
    Ok(())
}

/// A header that has a length of its own.
fn text<R: Read>(entry: &mut tar::Entry<'_, R>) -> io::Result<Vec<u8>> {
    let size = entry.size();
    if size > limits::HEADER {
        return Err(wrong(format!(
            "an entry has a name or an extended header of {size} bytes, more than {} are not read",
            limits::HEADER
        )));
    }
    let mut text = Vec::new();
    entry.read_to_end(&mut text)?;
    match text.len() as u64 == size {
        true => Ok(text),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn without_end(mut text: Vec<u8>) -> Vec<u8> {
    let end = text.iter().position(|&byte| byte == 0).unwrap_or(text.len());
    text.truncate(end);
    text
}

impl Extended {
    fn add(&mut self, text: &[u8]) -> io::Result<()> {
        for record in PaxExtensions::new(text) {
            let record = record?;
            match record.key_bytes() {
                b"path" => self.path = Some(record.value_bytes().to_vec()),
                b"linkpath" => self.link = Some(record.value_bytes().to_vec()),
                b"size" => {
                    let size = record.value().ok().and_then(|size| size.parse().ok());
                    self.size = Some(size.ok_or_else(|| wrong("a file has a size that is no number"))?);
                }
                // Names of owners and fractions of seconds are left out: numbers count.
                b"uid" => self.owner.0 = record.value().ok().and_then(|id| id.parse().ok()),
                b"gid" => self.owner.1 = record.value().ok().and_then(|id| id.parse().ok()),
                b"mtime" => {
                    let seconds = record.value().ok().and_then(|time| time.split('.').next());
                    self.modified = seconds.and_then(|seconds| seconds.parse().ok());
                }
                key if key.starts_with(ATTRIBUTE) => {
                    let name = key[ATTRIBUTE.len()..].to_vec();
                    self.attributes.push((name, record.value_bytes().to_vec()));
                }
                key if key.starts_with(b"GNU.sparse.") => return Err(sparse()),
                _ => {}
            }
        }
        Ok(())
    }

    fn before(self, header: &Header, size: u64) -> io::Result<Head> {
        if header.entry_type() == EntryType::GNUSparse {
            return Err(sparse());
        }
        // It is another one where the header has no room for it.
        if self.size.is_some_and(|other| other != size) {
            return Err(wrong("it has a file of more than 8 GiB, which is not read"));
        }
        let target = || header.link_name_bytes().map(|target| target.into_owned());
        Ok(Head {
            path: self.path.unwrap_or_else(|| header.path_bytes().into_owned()),
            target: self.link.or_else(target).unwrap_or_default(),
            size,
            owner: self.owner,
            modified: self.modified,
            attributes: self.attributes,
            header: header.clone(),
        })
    }
}

fn sparse() -> io::Error {
    wrong("it has a sparse file, which is not read; no engine writes one")
}
