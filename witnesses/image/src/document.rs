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

/// Names a blob.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    #[serde(default)]
    pub(crate) media_type: String,
    pub(crate) digest: String,
    #[serde(default)]
    pub(crate) size: u64,
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

/// An image's configuration, as far as anybody here asks for it. A `null` is what is missing.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Configuration {
    /// What a container of it gets.
    pub config: Option<Defaults>,
    /// For which machines it is: `amd64`, and `linux`.
    #[serde(default)]
    pub architecture: Option<String>,
    pub(crate) rootfs: Option<Rootfs>,
    pub(crate) history: Option<Vec<Step>>,
}

/// What a container of the image gets unless it is told otherwise.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Defaults {
    /// `ENTRYPOINT`.
    pub entrypoint: Option<Vec<String>>,
    /// `CMD`.
    pub cmd: Option<Vec<String>>,
    /// `ENV`, as `NAME=value`.
    pub env: Option<Vec<String>>,
    /// `USER`.
    pub user: Option<String>,
    /// `WORKDIR`.
    pub working_dir: Option<String>,
    /// `LABEL`.
    pub labels: Option<BTreeMap<String, String>>,
    /// `VOLUME`, as keys.
    pub volumes: Option<BTreeMap<String, Option<Nothing>>>,
    /// `EXPOSE`, as keys such as `80/tcp`.
    pub exposed_ports: Option<BTreeMap<String, Option<Nothing>>>,
    /// `STOPSIGNAL`.
    pub stop_signal: Option<String>,
    /// `HEALTHCHECK`.
    pub healthcheck: Option<Check>,
    pub(crate) on_build: Option<Vec<String>>,
}

/// The empty object that stands behind a key.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Nothing {}

/// A health check; times are in nanoseconds, and 0 stands for the engine's default.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Check {
    /// `["CMD", …]`, `["CMD-SHELL", …]` or `["NONE"]`.
    pub test: Option<Vec<String>>,
    /// Time between two runs.
    pub interval: Option<i64>,
    /// How long one run may take.
    pub timeout: Option<i64>,
    /// Time after the start in which failures do not count.
    pub start_period: Option<i64>,
    /// Failures in a row until the container is unhealthy.
    pub retries: Option<i64>,
}

impl Configuration {
    /// Reads one.
    ///
    /// # Errors
    /// It is none.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        parse("the image's configuration", bytes)
    }

    /// The hashes of its layers, unpacked, lowest first.
    ///
    /// # Errors
    /// One is no digest.
    pub fn diff_ids(&self) -> Result<Vec<String>> {
        let ids = self
            .rootfs
            .iter()
            .flat_map(|rootfs| rootfs.diff_ids.iter().flatten());
        ids.map(|id| sha256(id).map(|_| id.clone())).collect()
    }
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

impl Descriptor {
    /// The blob's hash: `sha256:` and 64 hexadecimal digits.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// How long the blob is said to be, in bytes; 0 where nothing is said.
    pub const fn size(&self) -> u64 {
        self.size
    }
}

/// Reads a document.
pub(crate) fn parse<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes)
        .map_err(|error| Error::Malformed(format!("{what} is not what it has to be: {error}")))
}

/// The hash in a digest, in hexadecimal.
fn sha256(digest: &str) -> Result<&str> {
    let hash = digest.strip_prefix("sha256:");
    let is_hash =
        |hash: &&str| hash.len() == 64 && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    hash.filter(is_hash).ok_or_else(|| {
        Error::Malformed(format!(
            "`{}` is no digest that is read here, expected `sha256:` and 64 hexadecimal digits",
            digest.escape_debug()
        ))
    })
}

impl Descriptor {
    /// The hash of a blob, in hexadecimal.
    pub(crate) fn sha256(&self) -> Result<&str> {
        sha256(&self.digest)
    }

    /// What it is called.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let annotations = self.annotations.iter();
        annotations
            .flat_map(|all| [all.get(FULL_NAME), all.get(NAME)])
            .flatten()
            .map(String::as_str)
    }

    /// Whether it is called so, in full, by its tag or by its digest.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        let is_tag = |full: &str| full.rsplit_once(':').is_some_and(|(_, tag)| tag == name);
        self.digest == name || self.names().any(|full| full == name || is_tag(full))
    }
}
