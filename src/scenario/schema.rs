//! What a scenario file says, as data. Nothing here is merged or looked up yet.

use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
pub use shellproof_api::{HealthCheck, HealthTest, Mount, MountSource, Port, Relabel};

use super::keys::container_keys;
use crate::ImageName;
use crate::source::{SourceFile, Span, Spanned};
use crate::vocabulary::{Criterion, Mode, Need, Role, VerdictKind, Witness};

/// An argument vector; never empty when it comes from a file.
pub type Argv = Vec<Spanned<String>>;

/// One scenario file.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Scenario {
    /// The file, for messages that point into it.
    pub file: Arc<SourceFile>,
    /// Lower-case letters, digits and dashes; names the scenario in reports.
    pub name: Spanned<String>,
    /// What the scenario proves, in one line.
    pub proves: Option<Spanned<String>>,
    /// The image modes it runs in; both unless the file says otherwise.
    pub modes: Vec<Mode>,
    /// The success criteria that rest on it.
    pub criteria: Vec<Spanned<Criterion>>,
    /// The networks it declares.
    pub networks: Vec<Spanned<String>>,
    /// The volumes it declares.
    pub volumes: Vec<Spanned<String>>,
    /// The containers, in the order of the file.
    pub containers: Vec<Container>,
    /// Which witnesses it needs.
    pub audit: Audit,
    /// The verdict it expects.
    pub expect: Outcomes,
    /// Violations that are known and accepted for a while.
    pub waivers: Vec<Waiver>,
}

impl Scenario {
    /// The container with this name.
    pub fn container(&self, name: &str) -> Option<&Container> {
        self.containers
            .iter()
            .find(|container| container.name.value == name)
    }
}

/// A container as it is written, with what each mode changes.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Container {
    /// The key under `containers`.
    pub name: Spanned<String>,
    /// The whole block, from the name to its last value.
    pub span: Span,
    /// What both modes share.
    pub base: Settings,
    /// What layered mode changes.
    pub layered: Option<Spanned<Settings>>,
    /// What prebuilt mode changes.
    pub prebuilt: Option<Spanned<Settings>>,
}

macro_rules! settings {
    ($($(#[$doc:meta])* $key:ident: $kind:ident $type:ty = $read:ident,)+) => {
        /// The keys of a container, or of its `layered:` or `prebuilt:` block, as they are written.
        #[derive(Clone, Debug, Default, PartialEq)]
        #[non_exhaustive]
        pub struct Settings {
            /// `image:` or `role:`.
            pub image: Option<Spanned<ImageChoice>>,
            /// `command:`, the whole argument vector; only in a `layered:` block.
            pub command: Option<Spanned<Argv>>,
            $($(#[$doc])* pub $key: Option<$type>,)+
        }
    };
}
container_keys!(settings);

/// Which image a container runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageChoice {
    /// `image:`, this one.
    Named(ImageName),
    /// `role:`, the one that the platform's configuration gives to a role.
    Role(Role),
}

/// One environment variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvVar {
    /// Its name.
    pub name: Spanned<String>,
    /// Its value.
    pub value: Spanned<String>,
}

/// How to know that a container is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// What is watched.
    pub probe: Spanned<Probe>,
    /// How long it may take.
    pub within: Duration,
}

/// What shows that a container is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// A connection to this port is accepted.
    Tcp(u16),
    /// A request is answered with this status.
    Http {
        /// The container's port.
        port: u16,
        /// The request's path.
        path: String,
        /// The expected status.
        status: u16,
    },
    /// A line on standard output or standard error matches.
    Log(Pattern),
    /// The container ended with this code.
    Exit(u8),
}

impl Probe {
    /// Whether the probe needs a network to reach the container.
    pub const fn needs_network(&self) -> bool {
        matches!(self, Self::Tcp(_) | Self::Http { .. })
    }
}

/// One entry of `after:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct After {
    /// The container that is waited for.
    pub container: Spanned<String>,
    /// What it must have done.
    pub state: Spanned<AfterState>,
}

/// What a container that others wait for must have done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterState {
    /// It was started.
    Started,
    /// It is ready by its own `ready:`.
    Ready,
    /// It ended with this code.
    Exited(u8),
}

/// What must be true of a container, or of its image. By default nothing.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Expect {
    /// The code that it ends with.
    pub exit: Option<Spanned<u8>>,
    /// What it writes to standard output.
    pub stdout: Option<TextExpect>,
    /// What it writes to standard error.
    pub stderr: Option<TextExpect>,
    /// What it answers.
    pub http: Vec<HttpExpect>,
    /// What its image contains; the image is read, not run.
    pub files: Vec<FileExpect>,
}

/// What must be true of a text. All parts must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextExpect {
    /// Where this was written.
    pub span: Span,
    /// Every one of these appears.
    pub contains: Vec<Spanned<String>>,
    /// None of these appears.
    pub not_contains: Vec<Spanned<String>>,
    /// Every one of these patterns matches somewhere.
    pub matches: Vec<Spanned<Pattern>>,
    /// None of these patterns matches anywhere.
    pub not_matches: Vec<Spanned<Pattern>>,
    /// The text is exactly this.
    pub equals: Option<Spanned<String>>,
}

/// A request that a container must answer.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpExpect {
    /// Where this was written.
    pub span: Span,
    /// The container's port.
    pub port: Spanned<u16>,
    /// The request's path.
    pub path: Spanned<String>,
    /// The expected status.
    pub status: Spanned<u16>,
    /// What must be true of the answer's body.
    pub body: Option<TextExpect>,
    /// How long it may take until all this holds.
    pub within: Duration,
}

/// What must be true of a file in a container's image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileExpect {
    /// Where this was written.
    pub span: Span,
    /// The file's absolute path.
    pub path: Spanned<String>,
    /// Whether there must be one; false means that there must be none.
    pub present: Spanned<bool>,
    /// The permission bits.
    pub mode: Option<Spanned<u32>>,
    /// Every one of these appears in it.
    pub contains: Vec<Spanned<String>>,
}

/// A regular expression that compiled.
#[derive(Clone, Debug)]
pub struct Pattern(regex::Regex);

/// The largest pattern that is compiled, in bytes of compiled program.
const MAX_PATTERN: usize = 1024 * 1024;

impl Pattern {
    /// Compiles one; `^` and `$` match at line breaks. An error says why it cannot be one, in a few words.
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        let built = regex::RegexBuilder::new(text)
            .multi_line(true)
            .size_limit(MAX_PATTERN)
            .build();
        built.map(Self).map_err(|error| {
            // The library's message draws its own picture; its last line says what is wrong.
            let message = error.to_string();
            let reason = message.lines().last().unwrap_or_default();
            reason.trim_start_matches("error: ").to_lowercase()
        })
    }

    /// Whether it matches anywhere in the text.
    pub fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// The expression as it was written.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Pattern {}

/// Which witnesses a scenario needs, where the file says so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// The requests that the engine received.
    pub wire: Option<Spanned<Need>>,
    /// What the image is and contains.
    pub image: Option<Spanned<Need>>,
    /// The programs that were started in a container.
    pub kernel: Option<Spanned<Need>>,
}

impl Audit {
    /// What the file says about a witness, if it says anything.
    pub const fn written(&self, witness: Witness) -> Option<Spanned<Need>> {
        match witness {
            Witness::Wire => self.wire,
            Witness::Image => self.image,
            Witness::Kernel => self.kernel,
        }
    }

    /// How much a witness is needed: what the file says, else required in prebuilt mode and heard where available in
    /// layered mode.
    pub fn need(&self, witness: Witness, mode: Mode) -> Need {
        match (self.written(witness), mode) {
            (Some(need), _) => need.value,
            (None, Mode::Prebuilt) => Need::Required,
            (None, Mode::Layered) => Need::IfAvailable,
        }
    }
}

/// The verdict that a scenario expects in each mode.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// In layered mode.
    pub layered: Outcome,
    /// In prebuilt mode.
    pub prebuilt: Outcome,
}

impl Outcomes {
    /// The outcome for a mode.
    pub const fn for_mode(&self, mode: Mode) -> &Outcome {
        match mode {
            Mode::Layered => &self.layered,
            Mode::Prebuilt => &self.prebuilt,
        }
    }
}

/// An expected verdict; `clean` where the file says nothing, and then without a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Where it was written, if it was.
    pub span: Option<Span>,
    /// The verdict.
    pub verdict: VerdictKind,
    /// The rule that must be the violated one; only with `violated`.
    pub rule: Option<Spanned<String>>,
}

impl Default for Outcome {
    fn default() -> Self {
        Self {
            span: None,
            verdict: VerdictKind::Clean,
            rule: None,
        }
    }
}

/// A violation that is known and accepted until a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiver {
    /// Where it was written.
    pub span: Span,
    /// The rule that is waived.
    pub rule: Spanned<String>,
    /// The program it is waived for.
    pub program: Spanned<String>,
    /// Why.
    pub reason: Spanned<String>,
    /// The last day on which it counts.
    pub until: Spanned<NaiveDate>,
}
