//! Which of the images of a layout is meant.

use std::borrow::Cow;

use crate::document::{Descriptor, Index, Manifest, Platform, parse};
use crate::error::{Error, Result};
use crate::limits;
use crate::stream::digest_of;

/// Where the documents of a layout are.
pub(crate) trait Documents {
    /// The document that a descriptor names; nobody has compared it with its digest.
    fn document(&self, of: &Descriptor) -> Result<Cow<'_, [u8]>>;

    /// The same, compared.
    fn checked(&self, of: &Descriptor) -> Result<Cow<'_, [u8]>> {
        let bytes = self.document(of)?;
        let found = digest_of(&bytes);
        if found != of.digest {
            return Err(Error::Malformed(format!(
                "a blob is not what its name says: expected `{}`, found `{found}`",
                of.digest
            )));
        }
        Ok(bytes)
    }
}

/// An image of a layout: what it is called, and its manifest.
pub(crate) struct Chosen {
    pub(crate) digest: String,
    pub(crate) names: Vec<String>,
    pub(crate) manifest: Vec<u8>,
    pub(crate) configuration: Descriptor,
    pub(crate) layers: Vec<Descriptor>,
}

/// Finds the image of a name, or the only one there is. Of one for several machines, this machine's is meant.
pub(crate) fn choose(index: &[u8], tag: Option<&str>, documents: &dyn Documents) -> Result<Chosen> {
    let index: Index = parse("`index.json`", index)?;
    let mut names = Vec::new();
    let mut candidates = index.manifests;
    let mut wanted = tag;
    for _ in 0..limits::NESTED {
        let descriptor = one_of(&candidates, wanted.take())?;
        names.extend(descriptor.names().map(str::to_owned));
        let bytes = documents.checked(descriptor)?;
        match Step::of(&descriptor.digest, &bytes)? {
            Step::Index(manifests) => candidates = manifests,
            Step::Image {
                configuration,
                layers,
            } => {
                return Ok(Chosen {
                    digest: descriptor.digest.clone(),
                    names,
                    manifest: bytes.into_owned(),
                    configuration,
                    layers,
                });
            }
        }
    }
    Err(too_deep())
}

fn too_deep() -> Error {
    Error::Malformed(format!(
        "more than {} indexes name each other on the way to the image",
        limits::NESTED
    ))
}

/// A step on the way to an image.
enum Step {
    Index(Vec<Descriptor>),
    Image {
        configuration: Descriptor,
        layers: Vec<Descriptor>,
    },
}

impl Step {
    fn of(digest: &str, bytes: &[u8]) -> Result<Self> {
        let manifest: Manifest = parse("a manifest", bytes)?;
        match (manifest.manifests, manifest.config, manifest.layers) {
            (Some(manifests), None, None) => Ok(Self::Index(manifests)),
            (None, Some(configuration), Some(layers)) if layers.len() <= limits::LAYERS => Ok(Self::Image {
                configuration,
                layers,
            }),
            (None, Some(_), Some(layers)) => {
                let (found, limit) = (layers.len(), limits::LAYERS);
                Err(Error::Malformed(format!(
                    "the image has {found} layers, more than {limit} are not read"
                )))
            }
            _ => Err(Error::Malformed(format!(
                "`{digest}` is neither the manifest of an image nor an index of manifests"
            ))),
        }
    }
}

/// The way from the document that a registry has under a name to the image that is meant: asked for one document after the
/// other, since not everybody who has them can be waited for.
#[derive(Debug, Default)]
pub struct Way {
    taken: usize,
}

/// What the next document on a [`Way`] says.
#[derive(Clone, Debug)]
pub enum Sign {
    /// The document to look at next.
    Next(Descriptor),
    /// It is the manifest of an image.
    Image {
        /// Its configuration.
        configuration: Descriptor,
        /// Its layers, lowest first.
        layers: Vec<Descriptor>,
    },
}

impl Way {
    /// Reads a document, which has this digest.
    ///
    /// # Errors
    /// It is no manifest and no index, or one without an image for this machine.
    pub fn follow(&mut self, digest: &str, document: &[u8]) -> Result<Sign> {
        self.taken += 1;
        match Step::of(digest, document)? {
            Step::Index(_) if self.taken >= limits::NESTED => Err(too_deep()),
            Step::Index(manifests) => {
                let next = one_of(&manifests, None)?.clone();
                next.sha256()?;
                Ok(Sign::Next(next))
            }
            Step::Image {
                configuration,
                layers,
            } => {
                for part in layers.iter().chain([&configuration]) {
                    part.sha256()?;
                }
                Ok(Sign::Image {
                    configuration,
                    layers,
                })
            }
        }
    }
}

fn one_of<'a>(all: &'a [Descriptor], tag: Option<&str>) -> Result<&'a Descriptor> {
    let mut left: Vec<&Descriptor> = all.iter().filter(|one| is_image(one)).collect();
    if let Some(tag) = tag {
        left.retain(|one| one.is_called(tag));
        if left.is_empty() {
            return Err(no_image(tag, all.iter().flat_map(Descriptor::names)));
        }
    }
    left.sort_by(|one, other| one.digest.cmp(&other.digest));
    left.dedup_by(|one, other| one.digest == other.digest);
    if left.len() > 1 {
        let here = Platform {
            architecture: if cfg!(target_arch = "aarch64") {
                "arm64"
            } else {
                "amd64"
            }
            .to_owned(),
            os: "linux".to_owned(),
        };
        let is_here = |one: &&&Descriptor| one.platform.as_ref() == Some(&here);
        let mut fitting = left.iter().filter(is_here);
        return match (fitting.next(), fitting.next()) {
            (Some(one), None) => Ok(one),
            _ => Err(several(all.iter().flat_map(Descriptor::names))),
        };
    }
    let none = || Error::Malformed("it holds no image".to_owned());
    left.first().copied().ok_or_else(none)
}

/// What only says something about an image is none.
fn is_image(one: &Descriptor) -> bool {
    let is_about = one
        .annotations
        .iter()
        .any(|all| all.contains_key("vnd.docker.reference.type"));
    !is_about
}

pub(crate) fn no_image<'a>(tag: &str, names: impl Iterator<Item = &'a str>) -> Error {
    Error::Name(format!(
        "it holds no image `{}`\nhelp: {}",
        tag.escape_debug(),
        those(names)
    ))
}

pub(crate) fn several<'a>(names: impl Iterator<Item = &'a str>) -> Error {
    Error::Name(format!(
        "it holds several images, and none of them is meant more than the others\nhelp: add `:NAME`; {}",
        those(names)
    ))
}

fn those<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const SHOWN: usize = 10;
    let quoted: Vec<_> = names
        .take(SHOWN)
        .map(|name| format!("`{}`", name.escape_debug()))
        .collect();
    match quoted.is_empty() {
        true => "its images have no names".to_owned(),
        false => format!("it has {}", quoted.join(", ")),
    }
}
