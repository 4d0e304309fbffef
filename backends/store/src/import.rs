//! Images from archives and layouts.

use std::io::{self, Read};
use std::path::Path;

use serde::Serialize;
use shellproof_api::ImageReference;
use shellproof_image::{Source, Taken, digest_of, take_all, take_layout, take_source, take_stream};

use crate::blobs::Blob;
use crate::error::{Error, Result};
use crate::index::{New, canonical};
use crate::place::Store;

/// An image that has come into the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Its id: `sha256:` and the hash of its configuration.
    pub id: String,
    /// The names that it came with, in full.
    pub names: Vec<String>,
}

/// A manifest for an image that came without one.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest<'a> {
    schema_version: u32,
    media_type: &'static str,
    config: Descriptor<'a>,
    layers: Vec<Descriptor<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor<'a> {
    media_type: &'static str,
    digest: &'a str,
    size: u64,
}

impl<'a> Descriptor<'a> {
    fn of(layer: &'a Blob) -> Self {
        let media_type = match layer.head {
            [0x1f, 0x8b, ..] => "application/vnd.oci.image.layer.v1.tar+gzip",
            [0x28, 0xb5, 0x2f, 0xfd] => "application/vnd.oci.image.layer.v1.tar+zstd",
            _ => "application/vnd.oci.image.layer.v1.tar",
        };
        Self {
            media_type,
            digest: &layer.digest,
            size: layer.size,
        }
    }
}

impl Store {
    /// Takes an image from an archive that comes as a stream: that of `docker save` or of an OCI layout, plain or packed with
    /// gzip or Zstandard. With several images in it `tag` says which. Another image that has one of its names loses it.
    ///
    /// # Errors
    /// What comes is no image, is damaged or is larger than the [limits](crate::Limits); the machine failed.
    pub fn import(&self, stream: impl Read, tag: Option<&str>) -> Result<Imported> {
        self.whole(|| {
            let taken = take_stream(stream, tag, self.limits.bytes, |part| self.keep(part))?;
            self.take(taken)
        })
    }

    /// Takes all images from an archive that comes as a stream, as `docker load` does. There is at least one.
    ///
    /// # Errors
    /// As [`Store::import`].
    pub fn import_all(&self, stream: impl Read) -> Result<Vec<Imported>> {
        self.whole(|| {
            let taken = take_all(stream, self.limits.bytes, |part| self.keep(part))?;
            taken.into_iter().map(|taken| self.take(taken)).collect()
        })
    }

    /// Takes an image from an OCI layout in a directory.
    ///
    /// # Errors
    /// As [`Store::import`].
    pub fn import_layout(&self, directory: &Path, tag: Option<&str>) -> Result<Imported> {
        self.whole(|| {
            let taken = take_layout(directory, tag, |part| self.keep(part))?;
            self.take(taken)
        })
    }

    /// Takes an image from wherever it lies, under this name in place of its own: nobody else's loses it.
    ///
    /// # Errors
    /// As [`Store::import`].
    pub fn import_as(&self, source: &Source, name: &ImageReference) -> Result<Imported> {
        self.whole(|| {
            let mut taken = take_source(source, self.limits.bytes, |part| self.keep(part))?;
            taken.names = vec![name.as_str().to_owned()];
            self.take(taken)
        })
    }

    /// Imports something, or leaves nothing of it.
    fn whole<T>(&self, import: impl FnOnce() -> Result<T>) -> Result<T> {
        let held = self.hold()?;
        let imported = import();
        drop(held);
        imported.map_err(|error| {
            self.undo();
            match error {
                Error::Image(shellproof_image::Error::Machine { error, .. }) if is_full(&error) => {
                    Error::Machine {
                        what: format!("the image cannot be kept in `{}`", self.directory.display()),
                        error,
                    }
                }
                error => error,
            }
        })
    }

    fn take(&self, taken: Taken<Blob>) -> Result<Imported> {
        let id = self.keep_document(&taken.configuration)?;
        let bytes = match &taken.manifest {
            Some(manifest) => manifest.clone(),
            None => manifest(&id, &taken)?,
        };
        let manifest = self.keep_document(&bytes)?;
        debug_assert_eq!(manifest, digest_of(&bytes));
        let mut names: Vec<_> = taken.names.iter().filter_map(|name| full_name(name)).collect();
        names.dedup();
        let new = New {
            id: &id,
            manifest: &manifest,
            size: bytes.len() as u64,
            given_digest: taken.digest.as_deref(),
        };
        self.add(&new, &names)?;
        Ok(Imported { id, names })
    }
}

/// It is the store's disk then: whoever reads an archive needs no room.
fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

fn manifest(id: &str, taken: &Taken<Blob>) -> Result<Vec<u8>> {
    let manifest = Manifest {
        schema_version: 2,
        media_type: "application/vnd.oci.image.manifest.v1+json",
        config: Descriptor {
            media_type: "application/vnd.oci.image.config.v1+json",
            digest: id,
            size: taken.configuration.len() as u64,
        },
        layers: taken.layers.iter().map(Descriptor::of).collect(),
    };
    serde_json::to_vec(&manifest).map_err(|error| Error::Machine {
        what: "a manifest cannot be written".into(),
        error: error.into(),
    })
}

/// A layout may give a tag alone, which is no name of an image.
fn full_name(name: &str) -> Option<String> {
    let reference: ImageReference = name.parse().ok()?;
    let is_whole = name.contains([':', '/', '@']);
    is_whole.then(|| canonical(&reference))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_alone_is_no_name() {
        assert_eq!(full_name("latest"), None);
        assert_eq!(full_name("x:1").as_deref(), Some("docker.io/library/x:1"));
        assert_eq!(full_name("localhost/x").as_deref(), Some("localhost/x:latest"));
        assert_eq!(full_name("Not/A:Name"), None);
    }
}
