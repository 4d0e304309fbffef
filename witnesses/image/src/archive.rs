//! Archives, as `docker save`, `podman save` and `skopeo copy` write them. They are read in one pass: what could be a layer is
//! read as one when it comes, and what could be a document is kept, since the manifest that says which is which may come last.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, Read};

use tar::{EntryType, Header};

use crate::assemble::Parts;
use crate::choose::{Chosen, Documents, choose, no_image, several};
use crate::document::{Descriptor, Index, Manifest, Saved, parse};
use crate::error::{Error, Result};
use crate::form::Form;
use crate::layout::{Stored, check};
use crate::limits;
use crate::path::normal;
use crate::stream::{Budget, Packing, digest_of, unpacked};
use crate::tape::{each, wrong};

/// A header of an archive, in bytes.
const BLOCK: usize = 512;

/// What is beyond a bound says so itself.
fn no_archive(error: io::Error) -> Error {
    match (error.raw_os_error(), error.kind()) {
        (None, kind) if kind != io::ErrorKind::InvalidData => {
            Error::Malformed(format!("it is no archive, or a damaged one: {error}"))
        }
        _ => Error::in_stream("the archive", error),
    }
}

/// A file of an archive.
enum Part<L> {
    Document(Vec<u8>),
    /// A layer, or why it cannot be one: that matters only if it has to be.
    Layer(std::result::Result<L, String>),
    /// Too large for a document, and no layer.
    Other,
    /// Another file.
    Link(String),
}

/// Makes something of what could be a layer.
type See<'a, L> = &'a mut dyn FnMut(&mut dyn Read) -> io::Result<L>;

/// The files of an archive.
pub(crate) struct Archived<L>(HashMap<String, Part<L>>);

impl<L: Stored> Archived<L> {
    /// Reads an archive to its end. Somebody is shown each file that could be a layer.
    pub(crate) fn read(stream: impl Read, budget: &Budget, see: See<'_, L>) -> Result<Self> {
        Self::scan(stream, budget, see).map_err(no_archive)
    }

    /// The image that is meant.
    pub(crate) fn image(&self, form: Form, tag: Option<&str>) -> Result<Parts<'_, L>> {
        match (form, self.get("manifest.json"), self.get("index.json")) {
            (Form::DockerArchive, Some(saved), index) => self.saved(saved, index, tag),
            (_, _, Some(index)) => self.layout(index, tag),
            (_, Some(saved), None) => self.saved(saved, None, tag),
            (_, None, None) => Err(Error::Malformed(
                "it is no image archive: it has neither `manifest.json` nor `index.json`".into(),
            )),
        }
    }

    /// All images that it has.
    pub(crate) fn images(&self) -> Result<Vec<Parts<'_, L>>> {
        let index = self.get("index.json");
        if let Some(saved) = self.get("manifest.json") {
            let all: Vec<Saved> = parse("`manifest.json`", saved)?;
            // With one or none it is said what is wrong.
            if all.len() > 1 {
                return all.iter().map(|saved| self.one(saved, index)).collect();
            }
        }
        match (self.image(Form::DockerArchive, None), index) {
            (Err(error @ Error::Name(_)), Some(index)) => {
                let whole: Index = parse("`index.json`", index)?;
                let mut names = whole
                    .manifests
                    .iter()
                    .flat_map(|one| one.names().take(1))
                    .peekable();
                match names.peek() {
                    None => Err(error),
                    Some(_) => names.map(|name| self.layout(index, Some(name))).collect(),
                }
            }
            (image, _) => Ok(vec![image?]),
        }
    }

    fn scan(stream: impl Read, budget: &Budget, see: See<'_, L>) -> io::Result<Self> {
        let (_, stream) = unpacked(stream, budget)?;
        let mut parts = HashMap::new();
        let mut left = limits::DOCUMENTS;
        each(stream, |head, content| {
            let name = String::from_utf8(normal(&head.path));
            let name = name.map_err(|_| wrong("one of its files has a name that is no UTF-8"))?;
            let target = String::from_utf8_lossy(&head.target);
            let part = match head.header.entry_type() {
                EntryType::Regular | EntryType::Continuous => part(content, &mut *see, &mut left)?,
                EntryType::Symlink => {
                    let parent = name.rsplit_once('/').map_or("", |(parent, _)| parent);
                    Part::Link(format!("{parent}/{target}"))
                }
                EntryType::Link => Part::Link(target.into_owned()),
                _ => return Ok(()),
            };
            // Readers differ on which one counts.
            if parts.contains_key(&name) {
                return Err(wrong(format!(
                    "it has two files called `{}`",
                    name.escape_debug()
                )));
            }
            if parts.len() == limits::FILES {
                return Err(wrong(format!("it has more than {} files", limits::FILES)));
            }
            parts.insert(name, part);
            Ok(())
        })?;
        Ok(Self(parts))
    }

    fn part(&self, name: &str) -> Option<&Part<L>> {
        let mut name = String::from_utf8(normal(name.as_bytes())).ok()?;
        for _ in 0..limits::LINKS {
            match self.0.get(&name)? {
                Part::Link(target) => name = String::from_utf8(normal(target.as_bytes())).ok()?,
                part => return Some(part),
            }
        }
        None
    }

    fn get(&self, name: &str) -> Option<&[u8]> {
        match self.part(name)? {
            Part::Document(bytes) => Some(bytes),
            _ => None,
        }
    }

    fn layer(&self, name: &str, what: &str) -> Result<&L> {
        let shown = name.escape_debug();
        match self.part(name) {
            Some(Part::Layer(Ok(layer))) => Ok(layer),
            Some(Part::Layer(Err(error))) => Err(Error::Malformed(format!("{what} cannot be read: {error}"))),
            Some(_) => Err(Error::Malformed(format!(
                "{what}, `{shown}`, is no archive of files"
            ))),
            None => Err(Error::Malformed(format!(
                "{what}, `{shown}`, is not in the archive"
            ))),
        }
    }

    /// The image of an OCI layout.
    fn layout(&self, index: &[u8], tag: Option<&str>) -> Result<Parts<'_, L>> {
        let Chosen {
            digest,
            names,
            manifest,
            configuration,
            layers,
        } = choose(index, tag, self)?;
        let mut found = Vec::new();
        for (place, descriptor) in layers.iter().enumerate() {
            let what = format!("layer {}", place + 1);
            let layer = self.layer(&blob(descriptor)?, &what)?;
            check(layer, descriptor, &what)?;
            found.push(layer);
        }
        Ok(Parts {
            digest: Some(digest),
            names,
            manifest: Some(manifest),
            configuration: self.checked(&configuration)?,
            media_type: configuration.media_type,
            layers: found,
        })
    }

    /// The image that `docker save` wrote.
    fn saved(&self, manifest: &[u8], index: Option<&[u8]>, tag: Option<&str>) -> Result<Parts<'_, L>> {
        let all: Vec<Saved> = parse("`manifest.json`", manifest)?;
        let names = || {
            all.iter()
                .flat_map(|one| one.repo_tags.iter().flatten())
                .map(String::as_str)
        };
        let is_called = |one: &&Saved| {
            let mut tags = one.repo_tags.iter().flatten();
            tag.is_none_or(|tag| tags.any(|one| is_name(one, tag)))
        };
        let mut fitting = all.iter().filter(is_called);
        let saved = match (fitting.next(), fitting.next()) {
            (Some(saved), None) => saved,
            (Some(_), Some(_)) => return Err(several(names())),
            (None, _) => match tag {
                Some(tag) => return Err(no_image(tag, names())),
                None => return Err(Error::Malformed("it holds no image".into())),
            },
        };
        self.one(saved, index)
    }

    /// An image of `manifest.json`.
    fn one(&self, saved: &Saved, index: Option<&[u8]>) -> Result<Parts<'_, L>> {
        let shown = saved.config.escape_debug();
        let configuration = self.get(&saved.config).ok_or_else(|| {
            Error::Malformed(format!(
                "the image's configuration, `{shown}`, is not in the archive"
            ))
        })?;
        let found = digest_of(configuration);
        let name = saved
            .config
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .trim_end_matches(".json");
        if name.len() == 64 && found != format!("sha256:{name}") {
            return Err(Error::Malformed(format!(
                "the image's configuration is not what its name says: expected `sha256:{name}`, found `{found}`"
            )));
        }
        if let Some(index) = index {
            self.agree(index, &found)?;
        }
        let layers = saved.layers.as_deref().unwrap_or_default();
        if layers.len() > limits::LAYERS {
            let (found, limit) = (layers.len(), limits::LAYERS);
            return Err(Error::Malformed(format!(
                "the image has {found} layers, more than {limit} are not read"
            )));
        }
        let layers = layers.iter().enumerate();
        let layers: Result<_> = layers
            .map(|(place, name)| self.layer(name, &format!("layer {}", place + 1)))
            .collect();
        Ok(Parts {
            digest: None,
            names: saved.repo_tags.clone().unwrap_or_default(),
            manifest: None,
            configuration: configuration.into(),
            media_type: String::new(),
            layers: layers?,
        })
    }

    /// Whether `index.json` has the image that `manifest.json` has: engines differ on which of them counts.
    fn agree(&self, index: &[u8], configuration: &str) -> Result<()> {
        let index: Index = parse("`index.json`", index)?;
        let mut todo = index.manifests;
        let mut seen = 0;
        while let Some(descriptor) = todo.pop() {
            seen += 1;
            // Of other machines' images the archive may have the names alone.
            let Ok(bytes) = self.checked(&descriptor) else {
                continue;
            };
            let Ok(manifest) = serde_json::from_slice::<Manifest>(&bytes) else {
                continue;
            };
            if manifest.config.is_some_and(|one| one.digest == configuration) {
                return Ok(());
            }
            if seen < limits::LAYERS {
                todo.extend(manifest.manifests.into_iter().flatten());
            }
        }
        Err(Error::Malformed(
            "its `manifest.json` and its `index.json` name different images, and engines differ on which of them counts"
                .into(),
        ))
    }
}

impl<L: Stored> Documents for Archived<L> {
    fn document(&self, of: &Descriptor) -> Result<Cow<'_, [u8]>> {
        let name = blob(of)?;
        let bytes = self.get(&name).map(Cow::Borrowed);
        bytes.ok_or_else(|| Error::Malformed(format!("it has no `{name}`, or it is no document")))
    }
}

fn blob(of: &Descriptor) -> Result<String> {
    Ok(format!("blobs/sha256/{}", of.sha256()?))
}

/// Whether an image is meant by a name: its own, or its tag alone.
fn is_name(full: &str, name: &str) -> bool {
    full == name || full.rsplit_once(':').is_some_and(|(_, tag)| tag == name)
}

/// Reads one file of an archive for what it is by its beginning.
fn part<L>(entry: &mut dyn Read, see: See<'_, L>, left: &mut u64) -> io::Result<Part<L>> {
    let mut head = Vec::with_capacity(BLOCK);
    (&mut *entry).take(BLOCK as u64).read_to_end(&mut head)?;
    if Packing::of(&head) != Packing::Plain || is_archive(&head) {
        return match see(&mut head.chain(entry)) {
            Ok(layer) => Ok(Part::Layer(Ok(layer))),
            Err(error) if error.raw_os_error().is_some() => Err(error),
            Err(error) => Ok(Part::Layer(Err(error.to_string()))),
        };
    }
    let mut bytes = head;
    entry.take(limits::DOCUMENT).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limits::DOCUMENT {
        return Ok(Part::Other);
    }
    *left = left.checked_sub(bytes.len() as u64).ok_or_else(|| {
        let limit = limits::DOCUMENTS >> 20;
        wrong(format!("its documents are longer than {limit} MiB"))
    })?;
    Ok(Part::Document(bytes))
}

/// Whether bytes begin as an archive of files does: with a header of which the sum is right, or with the end.
fn is_archive(head: &[u8]) -> bool {
    let Ok(block) = <&[u8; BLOCK]>::try_from(head) else {
        return false;
    };
    let header = Header::from_byte_slice(block);
    let is_end = block.iter().all(|&byte| byte == 0);
    let own = 148..156;
    let sum = block[..own.start].iter().chain(&block[own.end..]);
    let sum = sum.map(|&byte| u32::from(byte)).sum::<u32>() + 8 * u32::from(b' ');
    is_end || header.cksum().is_ok_and(|found| found == sum)
}
