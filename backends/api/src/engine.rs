use std::fmt;
use std::path::PathBuf;

/// What kind of engine a runtime drives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EngineKind {
    /// Docker Engine, or Moby.
    Docker,
    /// Podman, rootful or rootless.
    Podman,
    /// None but this binary itself.
    Embedded,
    /// The in-memory runtime: for speed and scripted failures, never for claims.
    Fake,
    /// None at all: an image was read where it lies.
    None,
}

impl EngineKind {
    /// The kind's name as users write it: `docker`, `podman`, `embedded`, `fake` or `none`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Embedded => "embedded",
            Self::Fake => "fake",
            Self::None => "none",
        }
    }
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One engine as it answered when the runtime was connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Engine {
    /// The name in reports: the user's own (`--engine NAME=URL`) or the kind's.
    pub name: String,
    /// What kind of engine it is.
    pub kind: EngineKind,
    /// The version that the engine itself states, such as `5.4.2`.
    pub version: String,
    /// Whether the engine runs without root.
    pub rootless: bool,
    /// The seccomp profile that a container gets unless it is given one.
    pub seccomp: Seccomp,
}

/// The seccomp profile that an engine gives by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Seccomp {
    /// None: the engine cannot, or is told not to.
    #[default]
    Off,
    /// The one that is built into the engine.
    BuiltIn,
    /// A file on the engine's host.
    File(PathBuf),
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} {}", self.name, self.kind, self.version)?;
        f.write_str(if self.rootless { ", rootless)" } else { ")" })
    }
}
