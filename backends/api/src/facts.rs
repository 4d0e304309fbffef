//! What witnesses saw: the one thing that passes between a witness and the policy.
//!
//! A witness knows its protocol and no policy; the policy reads facts and knows no protocol. So nothing here holds HTTP,
//! JSON or protobuf, and nothing here judges.

mod image;
mod program;
mod secrets;
mod wire;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::HealthTest;

pub use image::{
    ImageConfiguration, ImageContent, ImageLayer, ImageProgram, OnBuild, RecordedHealth, Setting,
};
pub use program::{
    Abi, Answer, Call, Digest, Executable, Interpreter, Kind, Likeness, Look, Program, Session, Trace,
    Traced, Unread,
};
pub use secrets::without_secrets;
pub use wire::{Asked, ChangedFile, Check, CheckKind, Content, Outcome, Refused, Start, Wish};

/// One thing that a witness saw.
#[derive(Clone, Debug)]
pub struct Fact {
    /// Who saw it.
    pub witness: Witness,
    /// Where in the witness's own record: a request's number and sender, a process.
    pub source: String,
    /// The container that it is about, where one is known.
    pub container: Option<Container>,
    /// What it was.
    pub what: What,
}

/// A container, as an engine calls it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Container {
    /// Its id, where the witness knows it.
    pub id: Option<String>,
    /// Its name, or what it was called when something was asked of it.
    pub name: String,
}

/// What was seen.
#[derive(Clone, Debug)]
pub enum What {
    /// A container was to be started.
    Start(Start),
    /// A container was to be started of which the engine does not say what it runs.
    UnreadStart,
    /// The engine did not make or start a container.
    Refused(Refused),
    /// A request to make a container was not passed on; this is what it asked for.
    Wish(Wish),
    /// A further program was asked for in a running container; none where only its number was named.
    Exec(Option<Vec<String>>),
    /// The engine was told to run a container's health checks; none where nobody knows which.
    CheckRun(Option<(Vec<Check>, Option<String>)>),
    /// The engine told of no run of a container's health check, though there was time for one.
    CheckNotRun(HealthTest),
    /// A container was given other health checks.
    ChecksSet(Vec<HealthTest>),
    /// A container's configuration was changed in a way that cannot be read.
    Reconfigured,
    /// An image was built.
    ImageBuilt,
    /// An image was made of a container.
    ImageCommitted,
    /// Files were written into a container.
    FilesWritten,
    /// A stream was opened on which nothing can be read.
    OpaqueStream,
    /// BuildKit was called, and nobody can read for what.
    BuildKit,
    /// Something was changed, and the witness does not know what.
    Unknown,
    /// The engine told of the start of a container that was made here, and nobody here asked for it.
    UntoldStart,
    /// The engine told of a further program in a container of ours, and nobody here asked for it; its program in one
    /// line, where the engine says it.
    UntoldExec(Option<String>),
    /// Things happened to containers that are not ours.
    Foreign {
        /// Their names, in order.
        names: Vec<String>,
        /// What happened to them.
        happened: &'static str,
        /// The container of ours that had a door to the engine by then: it may have been that one's doing.
        door: Option<String>,
    },
    /// What a container has changed in its file system.
    Changed(Vec<ChangedFile>),
    /// A program was executed, or was to be.
    Program(Program),
    /// The engine put a further process into a running container; what it began with, if it began at all.
    Entered(Option<Program>),
    /// What an image is and contains.
    Image {
        /// Its id, as its engine calls it: `sha256:…`.
        id: String,
        /// The rest.
        content: Arc<ImageContent>,
    },
    /// A container that was watched still runs, and its watcher has left: the process that answers in its place from now on, or
    /// why there is none.
    Outlives(Result<u32, String>),
    /// What came of containers rests on users that the machine does not tell apart.
    OneUser {
        /// What, and why, in one line.
        why: String,
        /// What to do about it.
        help: Option<String>,
    },
    /// Something could not be seen.
    Unseen {
        /// What.
        gap: Gap,
        /// Why, in one line.
        why: String,
        /// What to do about it.
        help: Option<&'static str>,
    },
}

/// What could not be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Gap {
    /// What was asked of the engine.
    Requests,
    /// What the engine itself told, or it disagrees with what was asked.
    Events,
    /// What a container changed in its file system.
    Changes,
    /// What an image is and contains.
    Image,
    /// The programs of a container, or some of them.
    Programs,
    /// Any program of a container at all.
    AnyProgram,
    /// What containers asked for outside of their network, on an engine that has no way there.
    WayOut,
    /// What somebody wanted to know of an image.
    Test,
}

impl Fact {
    /// A fact that is about no container.
    pub fn new(witness: Witness, source: impl Into<String>, what: What) -> Self {
        Self {
            witness,
            source: source.into(),
            container: None,
            what,
        }
    }

    /// The same about a container.
    pub fn about(self, container: Container) -> Self {
        Self {
            container: Some(container),
            ..self
        }
    }

    /// The name of the container that it is about.
    pub fn name(&self) -> Option<&str> {
        Some(&self.container.as_ref()?.name)
    }

    /// The id of the container that it is about.
    pub fn id(&self) -> Option<&str> {
        self.container.as_ref()?.id.as_deref()
    }
}

/// An independent place that evidence comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Witness {
    /// The requests that the engine received.
    Wire,
    /// What the image is and contains.
    Image,
    /// The programs that were started in a container.
    Kernel,
}

impl Witness {
    /// Every witness, in the order of the documentation.
    pub const ALL: &'static [Self] = &[Self::Wire, Self::Image, Self::Kernel];

    /// Its name in files and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wire => "wire",
            Self::Image => "image",
            Self::Kernel => "kernel",
        }
    }
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Witness {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let witness = Self::ALL.iter().find(|witness| witness.as_str() == text);
        witness.copied().ok_or_else(|| {
            format!(
                "no witness `{}`, expected `wire`, `image` or `kernel`",
                text.escape_debug()
            )
        })
    }
}
