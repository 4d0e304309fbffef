use crate::HealthTest;

/// A start of a container that an engine was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// Program and arguments: the image's configuration merged in.
    pub argv: Vec<String>,
    /// Its health checks.
    pub checks: Vec<Check>,
    /// The id of its image, `sha256:…`; none where its engine does not say it.
    pub image: Option<String>,
    /// What its image was called when it was made.
    pub image_name: String,
    /// Where volumes and host directories are mounted.
    pub mounts: Vec<String>,
    /// Its engine puts an init of its own before its program.
    pub has_init: bool,
    /// The compose service that it belongs to.
    pub service: Option<String>,
    /// It was made where this witness watches.
    pub made_here: bool,
    /// The doors to an engine that it is given, each in a few words.
    pub doors: Vec<String>,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The engine said that it did it.
    Begun,
    /// The engine said that it could not.
    Failed,
    /// The engine did not answer in time to be seen.
    Unanswered,
    /// It was not passed on to the engine.
    Denied,
    /// The engine was asked to get ready for it: to join its streams before it runs.
    Prepared,
}

impl Outcome {
    /// Whether the engine was asked to run something.
    pub fn is_asked(self) -> bool {
        matches!(self, Self::Begun | Self::Failed | Self::Unanswered)
    }
}

/// A container that an engine was asked for and did not make or start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What it was asked to do.
    pub asked: Asked,
    /// The status of its answer.
    pub status: u16,
    /// What it said, in one line; empty when it said nothing.
    pub said: String,
}

/// What an engine was asked to do with a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Asked {
    /// To make it.
    Make,
    /// To start it, or to get ready for its start.
    Start,
}

/// A health check that a container has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Which of the two that an engine may run.
    pub kind: CheckKind,
    /// Its program.
    pub test: HealthTest,
    /// The program that it runs, or would run without a shell, when somebody looked and the image does not have it.
    pub lacking: Option<String>,
}

/// Which of a container's health checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CheckKind {
    /// The one that runs as long as the container does.
    Regular,
    /// The one that Podman runs until a container has started.
    Startup,
}

/// What a request to make a container says by itself; its image may say more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Each program with its arguments that it may be read to ask for.
    pub programs: Vec<Vec<String>>,
    /// The health checks that it sets.
    pub checks: Vec<HealthTest>,
    /// The compose service that it belongs to.
    pub service: Option<String>,
}

/// A file that a container added or changed in its file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedFile {
    /// Its path in the container.
    pub path: String,
    /// What it is.
    pub content: Content,
}

/// What a changed file is by its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Content {
    /// It begins as programs and shared libraries do.
    Elf,
    /// It may be executed, and begins with `#!`.
    Script,
    /// Any other file, directory or link.
    Other,
    /// Nobody could read it.
    Unread,
}
