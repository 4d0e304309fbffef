//! An OCI layout in a directory.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::assemble::{Parts, assemble};
use crate::choose::{Documents, choose};
use crate::document::Descriptor;
use crate::entry::Layer;
use crate::error::{Error, Result};
use crate::known::Layers;
use crate::layer;
use crate::limits;
use crate::wanted::{Looked, WantedFiles};

struct Layout<'a>(&'a Path);

impl Layout<'_> {
    fn blob(&self, of: &Descriptor) -> Result<PathBuf> {
        Ok(self.0.join("blobs/sha256").join(of.sha256()?))
    }

    fn open(path: &Path) -> Result<File> {
        let missing =
            |error: std::io::Error| Error::Malformed(format!("it has no `{}`: {error}", path.display()));
        // A pipe would be waited for without end.
        let metadata = std::fs::metadata(path).map_err(missing)?;
        if !metadata.is_file() {
            return Err(Error::Malformed(format!("`{}` is no file", path.display())));
        }
        File::open(path).map_err(missing)
    }

    fn small(path: &Path) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let what = || format!("`{}`", path.display());
        Self::open(path)?
            .take(limits::DOCUMENT + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| Error::in_stream(&what(), error))?;
        if bytes.len() as u64 > limits::DOCUMENT {
            return Err(Error::Malformed(format!(
                "{} is longer than {} MiB",
                what(),
                limits::DOCUMENT >> 20
            )));
        }
        Ok(bytes)
    }
}

impl Documents for Layout<'_> {
    fn document(&self, of: &Descriptor) -> Result<Cow<'_, [u8]>> {
        Self::small(&self.blob(of)?).map(Cow::Owned)
    }
}

pub(crate) fn read(
    directory: &Path,
    tag: Option<&str>,
    wanted: &WantedFiles,
    known: &Layers,
) -> Result<Looked> {
    let mut bounds = known.bounds(wanted);
    let mut layers = Vec::new();
    let parts = look(directory, tag, &mut layers, &mut |digest, file| {
        known.get(digest, &mut bounds, |bounds| layer::read(file, bounds))
    })?;
    assemble(&parts.borrowed(), &bounds.keys, wanted)
}

/// Shows somebody each layer of an image, lowest first, and what it is called.
pub(crate) fn look<'a, L: Stored>(
    directory: &Path,
    tag: Option<&str>,
    layers: &'a mut Vec<L>,
    see: &mut dyn FnMut(&str, &mut dyn Read) -> io::Result<L>,
) -> Result<Parts<'a, L>> {
    let layout = Layout(directory);
    let index = directory.join("index.json");
    if !index.is_file() {
        return Err(Error::Name(format!(
            "`{}` is no OCI layout: it has no `index.json`\nhelp: a file is named as `oci-archive:FILE` or `docker-archive:FILE`",
            directory.display()
        )));
    }
    let chosen = choose(&Layout::small(&index)?, tag, &layout)?;
    let configuration = layout.checked(&chosen.configuration)?.into_owned();
    for (place, descriptor) in chosen.layers.iter().enumerate() {
        let what = format!("layer {}", place + 1);
        let mut file = Layout::open(&layout.blob(descriptor)?)?;
        let layer = see(&descriptor.digest, &mut file).map_err(|error| Error::in_stream(&what, error))?;
        check(&layer, descriptor, &what)?;
        layers.push(layer);
    }
    Ok(Parts {
        digest: Some(chosen.digest),
        names: chosen.names,
        manifest: Some(chosen.manifest),
        configuration: configuration.into(),
        media_type: chosen.configuration.media_type,
        layers: layers.iter().collect(),
    })
}

/// What somebody has made of a layer.
pub trait Stored {
    /// The hash of it as it is stored: `sha256:…`.
    fn digest(&self) -> &str;
}

impl Stored for Layer {
    fn digest(&self) -> &str {
        &self.stored
    }
}

impl<L: Stored> Stored for Arc<L> {
    fn digest(&self) -> &str {
        (**self).digest()
    }
}

/// Whether a layer is the one that a manifest names.
pub(crate) fn check(layer: &impl Stored, descriptor: &Descriptor, what: &str) -> Result<()> {
    if layer.digest() == descriptor.digest {
        return Ok(());
    }
    Err(Error::Malformed(format!(
        "{what} is not what its manifest says: expected `{}`, found `{}`",
        descriptor.digest.escape_debug(),
        layer.digest()
    )))
}
