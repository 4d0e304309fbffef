//! Images for somebody who wants to keep them: the documents as they are, and the layers wherever they are put.

use std::io::{self, Read};
use std::path::Path;

use crate::archive::Archived;
use crate::assemble::Parts;
use crate::document::Configuration;
use crate::error::{Error, Result};
use crate::form::Form;
use crate::layout::{self, Stored};
use crate::source::Source;
use crate::stream::Budget;

/// An image whose layers somebody has.
#[derive(Clone, Debug)]
pub struct Taken<L> {
    /// The hash of its manifest; none where it came without one.
    pub digest: Option<String>,
    /// The names that the archive or the layout gives it.
    pub names: Vec<String>,
    /// Its manifest, where it came with one. Nobody has compared its digest but we.
    pub manifest: Option<Vec<u8>>,
    /// Its configuration, whose hash is the image's id.
    pub configuration: Vec<u8>,
    /// Its layers, lowest first.
    pub layers: Vec<L>,
}

impl<L: Clone> Taken<L> {
    fn of(parts: Parts<'_, L>) -> Result<Self> {
        let names = Configuration::read(&parts.configuration)?.diff_ids()?.len();
        if names != parts.layers.len() {
            return Err(Error::Malformed(format!(
                "the image's configuration names {names} layers, its manifest {}",
                parts.layers.len()
            )));
        }
        Ok(Self {
            digest: parts.digest,
            names: parts.names,
            manifest: parts.manifest,
            configuration: parts.configuration.into_owned(),
            layers: parts.layers.into_iter().cloned().collect(),
        })
    }
}

/// Takes an image from an archive that comes as a stream: that of `docker save` or that of an OCI layout, plain or packed.
/// `keep` gets each file that could be a layer, as it is stored, and says where it has put it; what is not among the image's
/// layers in the end is not wanted. The archive, if it is packed, may unpack to `limit` bytes.
///
/// # Errors
/// As [`crate::read`].
pub fn take_stream<L: Stored + Clone>(
    stream: impl Read,
    tag: Option<&str>,
    limit: u64,
    mut keep: impl FnMut(&mut dyn Read) -> io::Result<L>,
) -> Result<Taken<L>> {
    let archived = Archived::read(stream, &Budget::of(limit), &mut keep)?;
    Taken::of(archived.image(Form::DockerArchive, tag)?)
}

/// The same for an image wherever it lies.
///
/// # Errors
/// As [`crate::read`].
pub fn take_source<L: Stored + Clone>(
    source: &Source,
    limit: u64,
    mut keep: impl FnMut(&mut dyn Read) -> io::Result<L>,
) -> Result<Taken<L>> {
    let tag = source.tag.as_deref();
    if source.form == Form::Layout {
        return take_layout(&source.path, tag, keep);
    }
    let archived = Archived::read(source.open()?, &Budget::of(limit), &mut keep)?;
    Taken::of(archived.image(source.form, tag)?)
}

/// The same for all images of an archive, of which there is at least one.
///
/// # Errors
/// As [`crate::read`].
pub fn take_all<L: Stored + Clone>(
    stream: impl Read,
    limit: u64,
    mut keep: impl FnMut(&mut dyn Read) -> io::Result<L>,
) -> Result<Vec<Taken<L>>> {
    let archived = Archived::read(stream, &Budget::of(limit), &mut keep)?;
    archived.images()?.into_iter().map(Taken::of).collect()
}

/// The same for a layout in a directory.
///
/// # Errors
/// As [`crate::read`].
pub fn take_layout<L: Stored + Clone>(
    directory: &Path,
    tag: Option<&str>,
    mut keep: impl FnMut(&mut dyn Read) -> io::Result<L>,
) -> Result<Taken<L>> {
    let mut layers = Vec::new();
    Taken::of(layout::look(directory, tag, &mut layers, &mut |_, file| {
        keep(file)
    })?)
}
