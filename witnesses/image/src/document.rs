//! The documents of an image: index, manifest and configuration, as OCI and Docker write them. Keys that do not matter here
//! are left out, and so is `oci-spec`, which knows none of Docker's own (`Healthcheck`, `OnBuild`).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// What a tool that writes an OCI layout calls an image.
pub(crate) const NAME: &str = "org.opencontainers.image.ref.name";
/// What containerd and Docker call it in full.
pub(crate) const FULL_NAME: &str = "io.containerd.image.name";

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Index {
    #[serde(default)]
    pub(crate) manifests: Vec<Descriptor>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    #[serde(default)]
    pub(crate) media_type: String,
    pub(crate) digest: String,
    #[serde(default)]
    pub(crate) annotations: Option<BTreeMap<String, String>>,
    pub(crate) platform: Option<Platform>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct Platform {
    #[serde(default)]
    pub(crate) architecture: String,
    #[serde(default)]
    pub(crate) os: String,
}

/// A manifest, or an index in its place.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) config: Option<Descriptor>,
    pub(crate) layers: Option<Vec<Descriptor>>,
    pub(crate) manifests: Option<Vec<Descriptor>>,
}

/// An entry of the `manifest.json` of a docker archive.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Saved {
    pub(crate) config: String,
    pub(crate) repo_tags: Option<Vec<String>>,
    pub(crate) layers: Option<Vec<String>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Configuration {
    pub(crate) config: Option<Defaults>,
    pub(crate) rootfs: Option<Rootfs>,
    pub(crate) history: Option<Vec<Step>>,
}

/// What a container of the image gets unless it is told otherwise.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Defaults {
    pub(crate) entrypoint: Option<Vec<String>>,
    pub(crate) cmd: Option<Vec<String>>,
    pub(crate) env: Option<Vec<String>>,
    pub(crate) user: Option<String>,
    pub(crate) working_dir: Option<String>,
    pub(crate) labels: Option<BTreeMap<String, String>>,
    pub(crate) healthcheck: Option<Check>,
    pub(crate) on_build: Option<Vec<String>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Check {
    pub(crate) test: Option<Vec<String>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Rootfs {
    pub(crate) diff_ids: Option<Vec<String>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Step {
    pub(crate) created_by: Option<String>,
    pub(crate) empty_layer: Option<bool>,
}

/// Reads a document.
pub(crate) fn parse<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes)
        .map_err(|error| Error::Malformed(format!("{what} is not what it has to be: {error}")))
}

impl Descriptor {
    /// The hash of a blob, in hexadecimal.
    pub(crate) fn sha256(&self) -> Result<&str> {
        let hash = self.digest.strip_prefix("sha256:");
        let is_hash =
            |hash: &&str| hash.len() == 64 && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        hash.filter(is_hash).ok_or_else(|| {
            Error::Malformed(format!(
                "`{}` is no digest that is read here, expected `sha256:` and 64 hexadecimal digits",
                self.digest.escape_debug()
            ))
        })
    }

    /// What it is called.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let annotations = self.annotations.iter();
        annotations
            .flat_map(|all| [all.get(FULL_NAME), all.get(NAME)])
            .flatten()
            .map(String::as_str)
    }

    /// Whether it is called so, in full or by its tag.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        let is_tag = |full: &str| full.rsplit_once(':').is_some_and(|(_, tag)| tag == name);
        self.names().any(|full| full == name || is_tag(full))
    }
}
