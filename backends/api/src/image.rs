use std::fmt;

use crate::{HealthCheck, Labels};

/// What an image says of itself: its OCI configuration, without running it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageConfig {
    /// The image's id: `sha256:` and the hash of its configuration.
    pub id: String,
    /// The manifest digest under which the image was pulled, where there is one.
    pub digest: Option<String>,
    /// `ENTRYPOINT`, empty when the image has none.
    pub entrypoint: Vec<String>,
    /// `CMD`, empty when the image has none.
    pub command: Vec<String>,
    /// `ENV`, as `NAME=value`.
    pub env: Vec<String>,
    /// `USER`, empty for root.
    pub user: String,
    /// `LABEL`.
    pub labels: Labels,
    /// `HEALTHCHECK`. Podman's OCI images do not record it: there `None` means "not recorded", not "none".
    pub health_check: Option<HealthCheck>,
    /// The size on the engine's disk, in bytes.
    pub size: u64,
}

/// One file of an image, read without running the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageFile {
    /// What the path is.
    pub kind: FileKind,
    /// Permission bits, such as `0o755`.
    pub mode: u32,
    /// The owner's uid and gid.
    pub owner: (u64, u64),
    /// The size in bytes.
    pub size: u64,
    /// The content of a regular file, at most [`ImageFile::MAX_CONTENT`] bytes of it.
    pub content: Vec<u8>,
}

impl ImageFile {
    /// How much of a file's content is kept, in bytes.
    pub const MAX_CONTENT: usize = 1 << 20;
}

/// What a path in an image is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link and its target, which may be absolute in the image.
    Symlink(String),
    /// A device, a pipe or a socket.
    Other,
}

/// Credentials for one registry. `Debug` does not show the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The registry's host and port, as in an image reference.
    pub registry: String,
    /// The user; empty when `secret` is an identity token.
    pub username: String,
    /// The password or the identity token.
    pub secret: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("registry", &self.registry)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// One step of a pull.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullProgress {
    /// What the engine says it is doing, such as `Downloading`.
    pub status: String,
    /// Bytes of the current layer so far, where the engine counts them.
    pub current: Option<u64>,
    /// Bytes of the current layer in all, where the engine knows them.
    pub total: Option<u64>,
}
