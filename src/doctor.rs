//! What is here to run scenarios on, and which witnesses can speak there; the cure for what is not. `docs/json-format.md`
//! describes the document for its readers.

mod examine;
mod human;

use serde::Serialize;
use shellproof_api::EngineKind;
use shellproof_userns::Narrow;

use crate::engines::{self, Choice, EngineError, EngineSpec, Found, Outcome, Problem, Trial};
use crate::invocation::Invocation;
use examine::{absent, examine};
pub(crate) use human::human;

/// The form of the document; raised when a key changes its meaning.
const SCHEMA: u32 = 1;

/// All that was found.
#[derive(Debug, Serialize)]
pub(crate) struct Document {
    pub(crate) schema: u32,
    /// The engine that `--engine auto` takes, if there is one.
    pub(crate) auto: Option<String>,
    /// Those that are here, then those that might be.
    pub(crate) engines: Vec<EngineEntry>,
    /// What the engine in this binary needs of the machine, in its order.
    pub(crate) steps: Vec<StepEntry>,
    /// What was asked for and cannot be used.
    pub(crate) errors: Vec<String>,
    /// What looks wrong.
    pub(crate) notes: Vec<String>,
}

/// An engine, or a place where one might be.
#[derive(Debug, Serialize)]
pub(crate) struct EngineEntry {
    pub(crate) name: String,
    pub(crate) state: EngineState,
    /// `docker`, `podman` or `embedded`, where it has answered.
    pub(crate) kind: Option<&'static str>,
    pub(crate) version: Option<String>,
    pub(crate) rootless: Option<bool>,
    /// Where it is.
    pub(crate) place: String,
    /// Why it cannot be used.
    #[serde(flatten)]
    pub(crate) problem: Told,
    /// Of one that can be used.
    pub(crate) witnesses: Option<WitnessEntries>,
    #[serde(skip)]
    is_asked_for: bool,
}

/// Whether an engine can run scenarios.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EngineState {
    Usable,
    /// It is here, and cannot be used.
    Unusable,
    Absent,
}

/// The three witnesses.
#[derive(Debug, Serialize)]
pub(crate) struct WitnessEntries {
    pub(crate) wire: WitnessEntry,
    pub(crate) image: WitnessEntry,
    pub(crate) kernel: WitnessEntry,
}

/// Whether a witness can speak.
#[derive(Debug, Serialize)]
pub(crate) struct WitnessEntry {
    pub(crate) state: WitnessState,
    #[serde(flatten)]
    pub(crate) problem: Told,
}

/// Whether a witness can speak, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum WitnessState {
    /// It saw what was shown to it.
    There,
    /// There is no such place to look at.
    None,
    Missing,
}

/// A step of the engine in this binary.
#[derive(Debug, Serialize)]
pub(crate) struct StepEntry {
    pub(crate) step: &'static str,
    pub(crate) state: StepState,
    #[serde(flatten)]
    pub(crate) problem: Told,
}

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StepState {
    Done,
    Failed,
    /// It works, for less than all scenarios.
    Limited,
    Untried,
}

/// Why something is not as it should be, and what to do about it.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Told {
    pub(crate) cause: Option<String>,
    pub(crate) help: Option<String>,
}

impl Told {
    fn new(cause: impl Into<String>, help: Option<String>) -> Self {
        Self {
            cause: Some(cause.into()),
            help,
        }
    }

    /// Of a text that may end with a line of help.
    fn of(text: &str) -> Self {
        match text.split_once("\nhelp: ") {
            Some((cause, help)) => Self::new(cause, Some(help.to_owned())),
            None => Self::new(text, None),
        }
    }
}

impl From<Problem> for Told {
    fn from(problem: Problem) -> Self {
        Self::new(problem.cause, problem.help)
    }
}

impl Document {
    /// Whether scenarios can run, and on whatever was asked for.
    pub(crate) fn is_well(&self) -> bool {
        let is_usable = |engine: &EngineEntry| engine.state == EngineState::Usable;
        let is_let_down = |engine: &EngineEntry| engine.is_asked_for && !is_usable(engine);
        self.errors.is_empty() && self.engines.iter().any(is_usable) && !self.engines.iter().any(is_let_down)
    }
}

/// Looks at everything that is here, or at these engines alone.
pub(crate) async fn look(choices: &[Choice], invocation: &Invocation) -> Document {
    let mut document = Document {
        schema: SCHEMA,
        auto: None,
        engines: Vec::new(),
        steps: Vec::new(),
        errors: Vec::new(),
        notes: Vec::new(),
    };
    let embedded = match Trial::run_in(invocation.path("trial")).await {
        Ok(trial) => {
            let problem = trial.problem();
            document.steps = steps(trial);
            problem
        }
        Err(error) => Some(Problem {
            cause: error.to_string(),
            help: None,
        }),
    };
    let is_all = choices == [Choice::All];
    let found = match is_all {
        true => listening(&mut document, invocation).await,
        false => match engines::find(choices, &invocation.path("")).await {
            Ok(found) => Some(found),
            Err(error) => {
                document.errors.push(error.to_string());
                None
            }
        },
    };
    let mut engines: Vec<EngineSpec> = is_all.then(EngineSpec::embedded).into_iter().collect();
    engines.extend(found.iter().flat_map(|found| found.engines.clone()));
    for engine in &engines {
        let entry = match (engine.kind(), &embedded) {
            (EngineKind::Embedded, Some(problem)) => {
                EngineEntry::not(engine, EngineState::Unusable, problem.clone().into())
            }
            _ => examine(engine, invocation).await,
        };
        document.engines.push(entry);
    }
    document
        .notes
        .extend(found.iter().flat_map(|found| found.notes.clone()));
    if is_all {
        document.engines.extend(absent(&document.engines).await);
    }
    // Stable: the rest keeps its order.
    document
        .engines
        .sort_by_key(|one| one.name != EngineKind::Embedded.as_str());
    document.auto = document.auto();
    document
}

/// The engines that listen, and the Podman that was made to. What was asked for and is not there is an error.
async fn listening(document: &mut Document, invocation: &Invocation) -> Option<Found> {
    let directory = invocation.path("");
    let failed = match engines::find_for_program(None, &[Choice::All], &directory).await {
        Ok(found) => return Some(found),
        Err(EngineError::None { .. }) => return None,
        Err(EngineError::Service(reason)) => {
            let spec = EngineSpec {
                name: "podman".to_owned(),
                endpoint: None,
            };
            let told = Told::new(
                format!("`podman system service` did not start: {reason}"),
                Some("mend what it says: `podman info` says the same".to_owned()),
            );
            document.engines.push(EngineEntry {
                place: "the program `podman`".to_owned(),
                ..EngineEntry::not(&spec, EngineState::Unusable, told)
            });
            // It hides the others.
            let docker = [Choice::Kind(EngineKind::Docker)];
            return engines::find_for_program(None, &docker, &directory).await.ok();
        }
        Err(error) => error,
    };
    document.errors.push(failed.to_string());
    None
}

fn steps(trial: Trial) -> Vec<StepEntry> {
    let step = |step: &'static str, state, problem| StepEntry { step, state, problem };
    let mut steps: Vec<_> = trial
        .steps
        .into_iter()
        .map(|tried| match tried.outcome {
            Outcome::Done => step(tried.what, StepState::Done, Told::default()),
            Outcome::Failed(problem) => step(tried.what, StepState::Failed, problem.into()),
            Outcome::Untried => step(tried.what, StepState::Untried, Told::default()),
        })
        .collect();
    let is_whole = steps.iter().all(|step| step.state == StepState::Done);
    steps.push(match trial.narrow {
        Some(Narrow { cause, help }) => step(IDS, StepState::Limited, Told::new(cause, help)),
        None if is_whole => step(IDS, StepState::Done, Told::default()),
        None => step(IDS, StepState::Untried, Told::default()),
    });
    steps
}

/// What some scenarios need and others do not.
const IDS: &str = "have several ids";

impl Document {
    /// As `engines::find` chooses.
    fn auto(&self) -> Option<String> {
        let usable = self.engines.iter().filter(|one| one.state == EngineState::Usable);
        let mut usable: Vec<_> = usable.collect();
        // Those that somebody names come first.
        usable.sort_by_key(|one| !(one.is_asked_for || one.name == "docker-context"));
        let is_let_down = self
            .engines
            .iter()
            .any(|one| one.is_asked_for && one.state != EngineState::Usable);
        let first = usable.first().filter(|_| self.errors.is_empty() && !is_let_down);
        first.map(|one| one.name.clone())
    }
}
