use std::fmt;

use crate::Labels;

/// Something on an engine that carries shellproof's label.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Resource {
    /// What it is.
    pub kind: ResourceKind,
    /// The id or name by which the engine removes it.
    pub id: String,
    /// The name a person knows it by.
    pub name: String,
    /// All its labels.
    pub labels: Labels,
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`", self.kind, self.name)
    }
}

/// The kinds of things that shellproof makes, in the order in which they can be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ResourceKind {
    /// A container, running or not.
    Container,
    /// A network.
    Network,
    /// A named volume.
    Volume,
    /// An image: a fixture or the probe.
    Image,
}

impl fmt::Display for ResourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Container => "container",
            Self::Network => "network",
            Self::Volume => "volume",
            Self::Image => "image",
        })
    }
}
