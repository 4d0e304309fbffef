//! The report as data: what `--format json` prints, and what every other report is made of. `docs/json-format.md` describes
//! it for its readers.

mod trace;

use serde::{Deserialize, Serialize};
use shellproof_api::facts::{Answer, Kind};
use shellproof_api::{Engine, EngineKind, Seccomp};

use crate::policy::{Rule, Weight};
use crate::result::{ContainerResult, ExpectedExit};
use crate::vocabulary::{Criterion, CriterionVerdict, Mode, Role, Status, VerdictKind, Witness};

pub use trace::{FileEntry, InterpreterEntry, LookWord, ProgramEntry, SessionEntry, TraceEntry};

/// The form of the document; raised when a key changes its meaning.
pub(super) const SCHEMA: u32 = 1;

/// A run, or an audit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The run's id.
    pub run_id: String,
    /// One per case.
    pub results: Vec<ResultEntry>,
    /// One per success criterion that a scenario carries.
    pub criteria: Vec<CriterionEntry>,
    /// How much longer or shorter prebuilt mode takes.
    pub ratios: Vec<RatioEntry>,
    /// Counts.
    pub summary: SummaryEntry,
    /// What could not be removed at the end.
    pub leftovers: Vec<String>,
}

/// What became of one case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResultEntry {
    /// The name of the scenario, of the program or of the image; none when whoever came was recorded.
    pub scenario: Option<String>,
    /// The scenario's file.
    pub file: Option<String>,
    /// What an image is for, where that is known.
    #[serde(default)]
    pub roles: Vec<Role>,
    /// The image mode.
    pub mode: Mode,
    /// The engine.
    pub engine: EngineEntry,
    /// How it counts.
    pub status: Status,
    /// The verdict, unless the run broke before there was one.
    pub verdict: Option<VerdictKind>,
    /// The verdict that is expected.
    pub expected_verdict: VerdictKind,
    /// The rule that is to be behind it.
    #[serde(default)]
    pub expected_rule: Option<String>,
    /// Whether verdict and rule are the expected ones.
    #[serde(default)]
    pub as_expected: bool,
    /// The success criteria that it carries.
    #[serde(default)]
    pub criteria: Vec<Criterion>,
    /// Why it is no plain pass, one line each.
    pub reasons: Vec<String>,
    /// Why the run broke.
    #[serde(default)]
    pub broken: Option<String>,
    /// Who spoke.
    pub witnesses: Option<Witnesses>,
    /// The images that its containers ran.
    pub images: Vec<ImageEntry>,
    /// The containers that the scenario declares.
    #[serde(default)]
    pub containers: Vec<ContainerResult>,
    /// Each expectation that was checked.
    pub expectations: Vec<ExpectationEntry>,
    /// All that was seen.
    pub evidence: Vec<EvidenceEntry>,
    /// The programs of each watched container.
    pub traces: Vec<TraceEntry>,
    /// A program's own exit code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// How many requests of a program were recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<usize>,
    /// What could not be removed, or will not be.
    pub leftovers: Vec<String>,
    /// From its begin to its end.
    pub duration_ms: u64,
}

/// An engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineEntry {
    /// Its name.
    pub name: String,
    /// Its kind.
    #[serde(with = "EngineWord")]
    pub kind: EngineKind,
    /// Its version.
    pub version: String,
    /// Whether it runs without root.
    pub rootless: bool,
}

/// The three witnesses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witnesses {
    /// The requests that the engine received.
    pub wire: WitnessEntry,
    /// What the images are and contain.
    pub image: WitnessEntry,
    /// The programs that were started.
    pub kernel: WitnessEntry,
}

/// Whether a witness spoke.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WitnessEntry {
    /// Whether it did.
    pub state: WitnessWord,
    /// Why not.
    pub reason: Option<String>,
}

/// Whether a witness spoke, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WitnessWord {
    /// It saw the run.
    Spoke,
    /// There is no such place to look at, and its part falls to the others.
    None,
    /// It should have and did not.
    Missing,
    /// It was not asked.
    Off,
}

/// An image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageEntry {
    /// What the scenario or the configuration called it.
    pub source: String,
    /// The reference on the engine.
    pub reference: String,
    /// Its id.
    pub id: String,
    /// Its digest, where the engine knows one.
    pub digest: Option<String>,
    /// What it stands in for.
    pub stand_in: Option<String>,
    /// The shells that were found in it, by path; null where nobody looked.
    #[serde(default)]
    pub shells: Option<Vec<String>>,
    /// Its programs; null where nobody knows which of them ran.
    #[serde(default)]
    pub programs: Option<UsageEntry>,
}

/// The programs of an image, by path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageEntry {
    /// Those that were started.
    pub started: Vec<String>,
    /// The others, libraries excepted.
    pub never_started: Vec<String>,
}

/// One expectation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectationEntry {
    /// What was expected.
    pub what: String,
    /// Whether it was met.
    pub passed: bool,
    /// Why not.
    pub failure: Option<FailureEntry>,
}

/// An expectation that was not met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureEntry {
    /// The place in the scenario.
    pub at: Option<String>,
    /// The container, as the scenario calls it.
    pub container: Option<String>,
    /// What was seen instead.
    pub actual: Option<String>,
    /// The whole message, with the line of the scenario where there is one.
    #[serde(default)]
    pub message: String,
    /// Lines of the container's output, before the last ones, that tell of an error.
    #[serde(default)]
    pub errors: Vec<String>,
    /// The container's last lines of output.
    pub log: Vec<String>,
}

/// One piece of evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceEntry {
    /// Who saw it.
    #[serde(with = "WitnessName")]
    pub witness: Witness,
    /// What it falls under.
    pub rule: Rule,
    /// The container, as the engine calls it.
    pub container: Option<String>,
    /// The container, as the scenario calls it.
    #[serde(default)]
    pub scenario_container: Option<String>,
    /// Where the scenario declares it.
    #[serde(default)]
    pub at: Option<String>,
    /// What was seen.
    pub detail: String,
    /// The file of an image that it is about.
    #[serde(default)]
    pub path: Option<String>,
    /// Where in the record.
    pub source: String,
    /// Why it is accepted.
    pub waived: Option<String>,
    /// What to do about it.
    pub help: Option<String>,
}

impl ResultEntry {
    /// Whether it is of an image of which nothing was started: neither of a scenario nor of a program.
    pub fn is_of_image(&self) -> bool {
        self.file.is_none() && self.requests.is_none()
    }
}

impl EvidenceEntry {
    /// What was seen and where, by the scenario's name for the container if it has one.
    pub fn seen(&self) -> String {
        let container = self.scenario_container.as_ref().or(self.container.as_ref());
        let place = container.map(|container| format!(" in `{container}`"));
        self.detail.clone() + &place.unwrap_or_default()
    }

    /// Whether it stands against a clean verdict.
    pub fn is_against(&self) -> bool {
        self.waived.is_none() && self.rule.weight() > Weight::Note
    }
}

/// What a run says about a success criterion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CriterionEntry {
    /// The criterion.
    pub id: Criterion,
    /// What is said of it.
    pub verdict: CriterionVerdict,
    /// How many results it rests on.
    pub results: usize,
    /// The scenarios that carry it, but for those that count for nothing here.
    pub scenarios: Vec<String>,
    /// Their engines.
    pub engines: Vec<String>,
    /// The witnesses that spoke in each result that it rests on.
    #[serde(default)]
    pub witnesses: Vec<String>,
    /// Why it is not clean, one line each.
    #[serde(default)]
    pub reasons: Vec<String>,
    /// What was shown on stand-ins only, and so is not proven.
    pub stand_ins: Vec<String>,
}

/// The time of a scenario in prebuilt mode over that in layered mode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RatioEntry {
    /// The scenario.
    pub scenario: String,
    /// The engine.
    pub engine: String,
    /// The ratio.
    pub prebuilt_over_layered: f64,
}

/// Results of each kind, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SummaryEntry {
    /// As expected, with nothing waived.
    pub passed: usize,
    /// Verdicts that are clean, with nothing waived.
    pub clean: usize,
    /// Violations that were not expected.
    pub violated: usize,
    /// Unproven, and not expected to be; programs that started nothing among them.
    pub unproven: usize,
    /// Expectations that were not met, and runs that broke.
    pub failed: usize,
    /// As expected, with violations that are accepted for a while.
    pub waived: usize,
    /// The run ended before all cases had run.
    pub interrupted: bool,
}

/// What a record file says of an audit in its first line: enough to judge its requests again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The run's id.
    pub run_id: String,
    /// The program's name.
    pub program: Option<String>,
    /// The image mode.
    pub mode: Mode,
    /// The engine.
    pub engine: EngineEntry,
    /// How the program ended.
    pub exit: Option<i32>,
    /// How it was to.
    pub expected_exit: Option<ExpectedExit>,
    /// From its start to its end.
    pub duration_ms: u64,
}

impl From<&Engine> for EngineEntry {
    fn from(engine: &Engine) -> Self {
        Self {
            name: engine.name.clone(),
            kind: engine.kind,
            version: engine.version.clone(),
            rootless: engine.rootless,
        }
    }
}

impl From<EngineEntry> for Engine {
    fn from(entry: EngineEntry) -> Self {
        Self {
            name: entry.name,
            kind: entry.kind,
            version: entry.version,
            rootless: entry.rootless,
            // It says how a container would be started, and nobody starts one from a report.
            seccomp: Seccomp::Off,
        }
    }
}

impl Witnesses {
    /// Each with its witness, in the order of the documentation.
    pub fn iter(&self) -> impl Iterator<Item = (Witness, &WitnessEntry)> {
        [
            (Witness::Wire, &self.wire),
            (Witness::Image, &self.image),
            (Witness::Kernel, &self.kernel),
        ]
        .into_iter()
    }

    /// Those that spoke.
    pub fn spoke(&self) -> impl Iterator<Item = Witness> {
        self.iter()
            .filter(|(_, entry)| entry.state == WitnessWord::Spoke)
            .map(|(witness, _)| witness)
    }
}

const fn yes() -> bool {
    true
}

/// The words of enums that belong to the contract, which knows no serde.
mod words {
    use super::{Answer, Deserialize, EngineKind, Kind, Serialize, Witness};

    macro_rules! lowercase {
        ($($name:ident of $remote:ident in $path:literal { $($variant:ident),+ })+) => {$(
            #[derive(Serialize, Deserialize)]
            #[serde(remote = $path, rename_all = "lowercase")]
            pub(super) enum $name { $($variant),+ }
        )+};
    }

    lowercase! {
        EngineWord of EngineKind in "EngineKind" { Docker, Podman, Embedded, Fake, None }
        WitnessName of Witness in "Witness" { Wire, Image, Kernel }
        KindWord of Kind in "Kind" { Start, Exec }
        AnswerWord of Answer in "Answer" { Continued, Denied, Withdrawn }
    }
}
use words::{AnswerWord, EngineWord, KindWord, WitnessName};

/// What is written as its text, and read from it.
macro_rules! as_text {
    ($($name:ty),+) => {$(
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

as_text!(Rule, ExpectedExit);
