//! Which images there are, and how they are called: the `index.json` of the layout.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use serde::{Deserialize, Serialize};
use shellproof_api::ImageReference;

use crate::error::{Error, Result};
use crate::place::Store;

/// Held by whoever changes the index.
const LOCK: &str = "index.lock";
const FILE: &str = "index.json";
/// The name of an image, for readers of layouts.
const NAME: &str = "org.opencontainers.image.ref.name";
/// The image's id, so that nobody has to read its manifest for it.
const ID: &str = "io.shellproof.id";
/// The digest of the manifest as it came, where it came with one.
const DIGEST: &str = "io.shellproof.digest";

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u32,
    #[serde(default)]
    manifests: Vec<Entry>,
}

/// A name of an image; one without a name is there once.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    media_type: String,
    digest: String,
    size: u64,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

impl Entry {
    /// The hash of the manifest that the store has.
    pub(crate) fn manifest(&self) -> &str {
        &self.digest
    }

    /// The image's id.
    pub(crate) fn id(&self) -> &str {
        self.annotations.get(ID).map_or("", String::as_str)
    }

    pub(crate) fn name(&self) -> Option<&str> {
        self.annotations.get(NAME).map(String::as_str)
    }

    /// The digest under which it came.
    pub(crate) fn given_digest(&self) -> Option<&str> {
        self.annotations.get(DIGEST).map(String::as_str)
    }
}

/// An image of the store under one of its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its id: `sha256:` and the hash of its configuration.
    pub id: String,
    /// Registry, repository and tag or digest, in full; none of one that has no name.
    pub name: Option<String>,
}

/// An image that is to be in the index.
pub(crate) struct New<'a> {
    pub(crate) id: &'a str,
    pub(crate) manifest: &'a str,
    pub(crate) size: u64,
    pub(crate) given_digest: Option<&'a str>,
}

/// A reference as the store writes it: with its registry, and with its tag unless it has a digest.
pub(crate) fn canonical(reference: &ImageReference) -> String {
    let name = reference.canonical_name();
    match reference.digest() {
        Some(digest) => format!("{name}@{digest}"),
        None => format!("{name}:{}", reference.tag().unwrap_or("latest")),
    }
}

impl Store {
    pub(crate) fn entries(&self) -> Result<Vec<Entry>> {
        let path = self.directory.join(FILE);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::machine("read", &path)(error)),
        };
        let index: Index =
            serde_json::from_slice(&bytes).map_err(|error| Error::machine("read", &path)(error.into()))?;
        Ok(index.manifests)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Vec<Entry>) -> T) -> Result<T> {
        // A new index is among what is not finished, which nobody may remove now.
        let _held = (self.hold()?, self.wait_for(LOCK)?);
        let mut index = Index {
            schema_version: 2,
            manifests: self.entries()?,
        };
        let changed = change(&mut index.manifests);
        let text = serde_json::to_vec_pretty(&index).map_err(|error| Error::Machine {
            what: "the index of images cannot be written".into(),
            error: error.into(),
        })?;
        self.put(&self.directory.join(FILE), &text)?;
        Ok(changed)
    }

    /// Adds an image, under these names or, with none, without a name. Other images lose them.
    pub(crate) fn add(&self, new: &New<'_>, names: &[String]) -> Result<()> {
        let entry = |name: Option<&String>| {
            let mut annotations = BTreeMap::from([(ID.to_owned(), new.id.to_owned())]);
            annotations.extend(name.map(|name| (NAME.to_owned(), name.clone())));
            annotations.extend(
                new.given_digest
                    .map(|digest| (DIGEST.to_owned(), digest.to_owned())),
            );
            Entry {
                media_type: "application/vnd.oci.image.manifest.v1+json".into(),
                digest: new.manifest.to_owned(),
                size: new.size,
                annotations,
            }
        };
        self.change(|entries| {
            if names.is_empty() && entries.iter().any(|one| one.manifest() == new.manifest) {
                return;
            }
            let replaced = |one: &Entry| one.name().is_some_and(|name| names.iter().any(|new| new == name));
            let is_nameless = |one: &Entry| one.name().is_none() && one.manifest() == new.manifest;
            entries.retain(|one| !replaced(one) && !is_nameless(one));
            match names.is_empty() {
                true => entries.push(entry(None)),
                false => entries.extend(names.iter().map(|name| entry(Some(name)))),
            }
        })
    }

    /// The images and their names.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn images(&self) -> Result<Vec<Named>> {
        let named = |entry: Entry| Named {
            id: entry.id().to_owned(),
            name: entry.name().map(str::to_owned),
        };
        Ok(self.entries()?.into_iter().map(named).collect())
    }

    /// The id of the image that a reference or an id means. A reference means what Docker would complete it to.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn resolve(&self, name: &str) -> Result<Option<String>> {
        Ok(self.entry(name)?.map(|entry| entry.id().to_owned()))
    }

    pub(crate) fn entry(&self, name: &str) -> Result<Option<Entry>> {
        let entries = self.entries()?;
        if let Some(entry) = entries.iter().find(|entry| entry.id() == name) {
            return Ok(Some(entry.clone()));
        }
        let Ok(reference) = name.parse::<ImageReference>() else {
            return Ok(None);
        };
        let full = canonical(&reference);
        // What has a digest is the same under any tag.
        let is_meant = |entry: &&Entry| {
            let is_named = entry.name() == Some(&full);
            let repository = |name: &str| {
                name.parse::<ImageReference>()
                    .ok()
                    .map(|one| one.canonical_name())
            };
            let is_digest = reference.digest().is_some_and(|digest| {
                entry.given_digest() == Some(digest)
                    && entry.name().and_then(repository) == Some(reference.canonical_name())
            });
            is_named || is_digest
        };
        Ok(entries.iter().find(is_meant).cloned())
    }

    /// Gives an image a further name, which another loses.
    ///
    /// # Errors
    /// [`Error::Missing`], or the index cannot be written.
    pub fn tag(&self, id: &str, name: &ImageReference) -> Result<()> {
        let entry = self.entry(id)?.ok_or_else(|| Error::Missing(id.to_owned()))?;
        let new = New {
            id: entry.id(),
            manifest: entry.manifest(),
            size: entry.size,
            given_digest: entry.given_digest(),
        };
        self.add(&new, &[canonical(name)])
    }

    /// Takes a name from the index, or with an id all names of an image. Says whether there was one.
    pub(crate) fn forget(&self, name: &str) -> Result<bool> {
        let full = name.parse::<ImageReference>().ok().map(|name| canonical(&name));
        self.change(|entries| {
            let before = entries.len();
            entries.retain(|one| one.id() != name && (full.is_none() || one.name() != full.as_deref()));
            entries.len() < before
        })
    }

    /// Takes all names from the index.
    pub(crate) fn forget_all(&self) -> Result<usize> {
        self.change(|entries| std::mem::take(entries).len())
    }
}
