use std::fmt;
use std::str::FromStr;

use shellproof_api::facts::{Fact, Witness};

/// What a piece of evidence means for the verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Weight {
    /// Worth knowing, and no obstacle to a clean verdict.
    Note,
    /// Something was not seen, so that nothing can be proven.
    Gap,
    /// The policy is violated.
    Violation,
}

macro_rules! rules {
    ($(#[doc = $meaning:literal] $rule:ident = $name:literal, $weight:ident;)*) => {
        /// What the policy for prebuilt mode looks at, by the name that scenarios and reports use.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Rule {
            $(#[doc = $meaning] $rule,)*
        }

        impl Rule {
            /// All rules.
            pub const ALL: &[Self] = &[$(Self::$rule,)*];

            /// Its name in scenarios and reports.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$rule => $name,)* }
            }

            /// What it is about, in a sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$rule => $meaning.trim_ascii(),)* }
            }

            /// What evidence under this rule means.
            pub fn weight(self) -> Weight {
                match self { $(Self::$rule => Weight::$weight,)* }
            }
        }
    };
}

rules! {
    /// A further program was prepared or started in a running container.
    Exec = "exec", Violation;
    /// A container was about to run a shell.
    Shell = "shell", Violation;
    /// A container was about to run a package manager.
    PackageManager = "package-manager", Violation;
    /// A container's health check is run by a shell.
    HealthCheckShell = "health-check-shell", Violation;
    /// An image was built.
    Build = "build", Violation;
    /// An image was made of a container.
    Commit = "commit", Violation;
    /// A container was given an engine's socket, or a way to it.
    EngineDoor = "engine-door", Violation;
    /// Files were written into a container.
    CopyIn = "copy-in", Violation;
    /// A container added or changed a program, a shared library or a Python package in its file system.
    RunTimeInstall = "run-time-install", Violation;
    /// A program was started that is none of its image's.
    ForeignProgram = "foreign-program", Violation;
    /// The engine told of an exec, in a container that was made or started here, that no record explains.
    UnrecordedExec = "unrecorded-exec", Violation;
    /// The engine told of the start of a container that was made here, and no record explains it.
    UnrecordedStart = "unrecorded-start", Violation;
    /// Something happened to containers that were not made here, while one that was had a door to the engine.
    DoorUsed = "door-used", Gap;
    /// A container's configuration was changed in a way that cannot be read.
    Update = "update", Gap;
    /// A health check was run of which nobody knows what it runs.
    HealthCheckUnknown = "health-check-unknown", Gap;
    /// A health check whose program its image does not have, or whose whole line is one word: it can only fail.
    HealthCheckProgram = "health-check-program", Gap;
    /// What an image starts is not in it.
    ProgramMissing = "program-missing", Gap;
    /// A wrapper that cannot be seen through was about to run.
    UnreadableWrapper = "unreadable-wrapper", Gap;
    /// A request changed something, and nobody here knows what.
    UnknownRequest = "unknown-request", Gap;
    /// A stream was opened on which nothing can be read.
    OpaqueStream = "opaque-stream", Gap;
    /// A container started without the engine saying what it runs.
    UnknownStart = "unknown-start", Gap;
    /// The recorder could not follow what passed.
    WireFault = "wire-fault", Gap;
    /// A container that the harness started is not among the recorded starts.
    WireSilent = "wire-silent", Gap;
    /// A witness that is required did not speak.
    WitnessMissing = "witness-missing", Gap;
    /// An image of a container that was started could not be read.
    ImageFault = "image-fault", Gap;
    /// A test that somebody wrote for an image says nothing here.
    TestNotHonoured = "test-not-honoured", Gap;
    /// The programs of a container could not be followed, or not all of them were kept.
    KernelFault = "kernel-fault", Gap;
    /// A container was started, and no program of it was seen.
    KernelSilent = "kernel-silent", Gap;
    /// The engine's own events could not be followed, or disagree with the records.
    EventsMissing = "events-missing", Gap;
    /// What a container changed in its file system could not be read.
    ChangesMissing = "changes-missing", Gap;
    /// Containers asked for other machines, which theirs does not reach.
    NoWayOut = "no-way-out", Gap;
    /// What came of containers rests on users that the machine does not tell apart.
    OneUser = "one-user", Gap;
    /// An image that is to hold no shell has one.
    ShellInImage = "shell-in-image", Violation;
    /// An image that is to hold no package manager has one.
    PackageManagerInImage = "package-manager-in-image", Violation;
    /// An image that is to be used as it is is the variant for finding mistakes, which has a shell.
    DebugImage = "debug-image", Violation;
    /// An image that is to hold no shell has a program of which the content shows nothing.
    PackedProgram = "packed-program", Gap;
    /// An image has a shell, which nothing says it will start.
    ShellPresent = "shell-present", Note;
    /// An image has a package manager, which nothing says it will start.
    PackageManagerPresent = "package-manager-present", Note;
    /// An image has a program of which the content shows nothing.
    PackedPresent = "packed-present", Note;
    /// An image is the variant for finding mistakes, which has a shell.
    DebugVariant = "debug-variant", Note;
    /// An image has scripts that a shell would run.
    ShellScript = "shell-script", Note;
    /// An image has programs that are no shells, and start one for whoever tells them to.
    ShellEscape = "shell-escape", Note;
    /// An image's program runs as root unless it is told otherwise.
    RootUser = "root-user", Note;
    /// An image's configuration or history has what looks like a secret.
    SecretInImage = "secret-in-image", Note;
    /// A file of an image gives its caller more rights.
    PrivilegedFile = "privileged-file", Note;
    /// An image has an instruction for whoever builds on it.
    OnBuild = "on-build", Note;
    /// An image is of a format that does not record health checks.
    HealthCheckNotRecorded = "health-check-not-recorded", Note;
    /// The engine did not run a container's health check.
    HealthCheckNotRun = "health-check-not-run", Note;
    /// A package manager ran, as layered mode wants it.
    Installed = "installed", Note;
    /// Programs were started that are none of their image's, as layered mode wants it.
    ProgramAdded = "program-added", Note;
    /// A container that was watched still runs: its supervisor is gone, and a keeper answers in its place.
    Outlives = "outlives", Note;
    /// The engine did not make or start a container that a program asked for.
    EngineRefused = "engine-refused", Note;
    /// Something happened to a container that was not made on the same recorder.
    Foreign = "foreign", Note;
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A name that no rule has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no rule is called `{0}`")]
pub struct UnknownRule(pub String);

impl FromStr for Rule {
    type Err = UnknownRule;

    fn from_str(name: &str) -> Result<Self, UnknownRule> {
        let rule = Self::ALL.iter().find(|rule| rule.as_str() == name);
        rule.copied().ok_or_else(|| UnknownRule(name.to_owned()))
    }
}

/// A fact that falls under a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Where it was seen.
    pub witness: Witness,
    /// What it falls under.
    pub rule: Rule,
    /// The container that it is about: the engine's name for it, where one is known.
    pub container: Option<String>,
    /// What was seen, in one line.
    pub detail: String,
    /// The file of an image that it is about.
    pub path: Option<String>,
    /// Where in the record: the request, its number and its sender.
    pub source: String,
    /// Why the scenario accepts it for a while.
    pub waived: Option<String>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Evidence {
    /// What is about no container, and says all that there is to say.
    pub(super) fn new(witness: Witness, source: &str, rule: Rule, detail: String) -> Self {
        Self {
            witness,
            rule,
            container: None,
            detail,
            path: None,
            source: source.to_owned(),
            waived: None,
            help: None,
        }
    }

    /// What a fact falls under, and what is said of it.
    pub(super) fn of(fact: &Fact, rule: Rule, detail: String) -> Self {
        Self {
            container: fact.name().map(str::to_owned),
            ..Self::new(fact.witness, &fact.source, rule, detail)
        }
    }

    /// What it means for the verdict: nothing that is waived stands against it.
    pub fn weight(&self) -> Weight {
        if self.waived.is_some() {
            Weight::Note
        } else {
            self.rule.weight()
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)?;
        if let Some(container) = &self.container {
            write!(f, " in `{container}`")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_found_by_their_names_alone() {
        for rule in Rule::ALL {
            assert_eq!(rule.as_str().parse(), Ok(*rule));
        }
        assert_eq!("Exec".parse::<Rule>(), Err(UnknownRule("Exec".into())));
    }
}
