//! What a container is, worked out to what its first process must do. Made by the caller, carried out by the container itself.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::protocol::Number;

/// A container, as its holder and its first process know it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// The directories of its image, the uppermost first.
    pub(crate) layers: Vec<PathBuf>,
    /// Its program and arguments.
    pub(crate) argv: Vec<String>,
    /// Its variables, as `NAME=value`.
    pub(crate) env: Vec<String>,
    /// Its working directory.
    pub(crate) workdir: String,
    pub(crate) hostname: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) groups: Vec<u32>,
    /// A bit for each capability that is left to it.
    pub(crate) capabilities: u64,
    pub(crate) no_new_privileges: bool,
    pub(crate) read_only: bool,
    /// In-memory file systems.
    pub(crate) tmpfs: Vec<String>,
    pub(crate) mounts: Vec<Mounted>,
    /// The network that it is on.
    pub(crate) network: Option<Number>,
    /// Its filter, as [`crate::filter::to_bytes`] has it, and whether it has a listener.
    pub(crate) filter: Vec<u8>,
    pub(crate) listens: bool,
}

/// Something mounted into a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mounted {
    pub(crate) source: Source,
    pub(crate) target: String,
    pub(crate) read_only: bool,
    /// All that is in it is given to the container's user.
    pub(crate) chown: bool,
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Source {
    /// A file or directory of the machine.
    Bind(PathBuf),
    /// A volume that the holder made.
    Volume(Number),
    /// A directory of this container alone, as the image asks for.
    Anonymous,
}

/// Where a container is on its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) address: Ipv4Addr,
    /// Where names are asked for.
    pub(crate) gateway: Ipv4Addr,
}

/// A file that a container has added or changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Change {
    pub(crate) path: String,
    pub(crate) kind: ChangeKind,
}

/// What it is by its content, as [`shellproof_api::facts::Content`] has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ChangeKind {
    Elf,
    Script,
    Other,
    Unread,
}

/// A file of an image that somebody wants to read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Look {
    /// The directories of the image, the uppermost first.
    pub(crate) layers: Vec<PathBuf>,
    /// The file's path in it.
    pub(crate) path: String,
    /// How many bytes of it at most.
    pub(crate) most: u64,
}

/// What was seen there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub(crate) kind: SeenKind,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) size: u64,
}

/// What kind of file it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum SeenKind {
    File,
    Directory,
    Symlink(String),
    Other,
}
