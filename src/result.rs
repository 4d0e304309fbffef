//! What became of one case: a scenario in one mode on one engine, a program behind a recorder, or an image. Whoever runs makes it,
//! and every report is made of it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use shellproof_api::facts::{ImageContent, Traced};
use shellproof_api::{Engine, ImageConfig, labels};

use crate::policy::{Evidence, Judgement, Weight, image};
use crate::scenario::{Outcome, Scenario};
use crate::source::Diagnostic;
use crate::vocabulary::{Mode, Role, Status, VerdictKind};

/// What a run, or an audit, amounts to.
#[derive(Debug)]
pub struct Report {
    /// The run's id.
    pub run_id: String,
    /// One result per case, in their order; fewer when the run was interrupted.
    pub results: Vec<CaseResult>,
    /// The run was interrupted before all cases had run.
    pub interrupted: bool,
    /// What could not be removed at the end.
    pub leftovers: Vec<String>,
}

/// What became of one case.
#[derive(Clone, Debug)]
pub struct CaseResult {
    /// What was run and judged.
    pub case: Case,
    /// The image mode.
    pub mode: Mode,
    /// The engine.
    pub engine: Engine,
    /// The images that its containers ran.
    pub images: Vec<Image>,
    /// The containers that a scenario declares.
    pub containers: Vec<ContainerResult>,
    /// The verdict, unless the run broke before there was anything to judge.
    pub judgement: Option<Judgement>,
    /// The programs of its containers, as far as they were watched.
    pub traced: Vec<Traced>,
    /// Every expectation that was checked, in the order of the check.
    pub expectations: Vec<Expectation>,
    /// Why the run broke, when the engine or the machine failed.
    pub broken: Option<String>,
    /// What could not be removed, or will not be.
    pub leftovers: Vec<String>,
    /// From its begin to its end.
    pub duration: Duration,
}

/// What is run and judged.
#[derive(Clone, Debug)]
pub enum Case {
    /// A scenario.
    Scenario(Arc<Scenario>),
    /// A program behind a recorder.
    Audited(Audited),
    /// An image of which nothing was started.
    Verified {
        /// As whoever asked named it.
        image: String,
        /// What it is for, where that is known.
        roles: Vec<Role>,
    },
}

/// What a recorder knows of a program that is no scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audited {
    /// The program's name; none when whoever came was recorded.
    pub name: Option<String>,
    /// How it ended, and how it was to.
    pub exit: Option<Exit>,
    /// Whether the engine started any container for it.
    pub has_started: bool,
    /// How many requests were recorded.
    pub requests: usize,
}

/// An image that a container ran, present on its engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// What the scenario or the configuration called it.
    pub source: String,
    /// The reference on the engine.
    pub reference: String,
    /// Its configuration.
    pub config: ImageConfig,
    /// The shells that were found in it, by path; `None` where nobody looked.
    pub shells: Option<Vec<String>>,
}

/// A container that a scenario declares, as far as it got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerResult {
    /// Its name in the scenario.
    pub name: String,
    /// Its name on the engine.
    pub engine_name: String,
    /// Whether a program ran in it.
    pub started: bool,
    /// The code with which it ended by itself.
    pub exit_code: Option<i64>,
    /// Whether it ended as it was to, or lived and answered as long as it was to.
    pub as_expected: bool,
    /// Whether it was to live as long as the scenario.
    pub is_service: bool,
    /// How long it was watched: a job to its end, a service as long as the scenario; none if it was never started.
    pub watched_ms: Option<u64>,
}

/// One expectation of a scenario.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// What was expected, in a few words.
    pub what: String,
    /// The failure, if it was not met.
    pub failure: Option<Failure>,
}

impl Expectation {
    /// One that the file as a whole has, and that was not met.
    pub(crate) fn of_file(diagnostic: Diagnostic) -> Self {
        let what = diagnostic.title.trim_start_matches("expected ").to_owned();
        let failure = Some(Failure {
            diagnostic,
            container: None,
            errors: Vec::new(),
            log: Vec::new(),
        });
        Self { what, failure }
    }
}

/// An expectation that was not met.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What is wrong, at the line of the scenario that asked for it.
    pub diagnostic: Diagnostic,
    /// The container that it is about.
    pub container: Option<String>,
    /// Lines of the container's output, before the last ones, that tell of an error.
    pub errors: Vec<String>,
    /// The container's last lines of output.
    pub log: Vec<String>,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Its exit code; 128 and the signal's number where a signal ended it.
    pub code: i32,
    /// The code that it was to have.
    pub expected: ExpectedExit,
}

/// How a program is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedExit {
    /// In any way.
    Any,
    /// With this exit code.
    Code(i32),
}

impl CaseResult {
    /// A result in which nothing has happened yet.
    pub fn new(case: Case, mode: Mode, engine: Engine) -> Self {
        Self {
            case,
            mode,
            engine,
            images: Vec::new(),
            containers: Vec::new(),
            judgement: None,
            traced: Vec::new(),
            expectations: Vec::new(),
            broken: None,
            leftovers: Vec::new(),
            duration: Duration::ZERO,
        }
    }

    /// How the result counts. Where several things are true, the worst does.
    pub fn status(&self) -> Status {
        let is_expected = self.is_expected_verdict();
        match self.verdict() {
            Some(VerdictKind::Violated) if !is_expected => Status::Violated,
            _ if self.has_failed() => Status::Failed,
            _ if self.broken.is_some() => Status::Broken,
            None => Status::Broken,
            // Nobody asked to keep what passed: what is left of it could not be removed.
            Some(_) if is_expected && self.scenario().is_some() && !self.leftovers.is_empty() => {
                Status::Broken
            }
            Some(_) if self.is_silent() => Status::NothingRan,
            Some(_) if is_expected && self.is_waived() => Status::Waived,
            Some(_) if is_expected => Status::Passed,
            Some(VerdictKind::Clean) => Status::Failed,
            Some(VerdictKind::Unproven | VerdictKind::Violated) => Status::Unproven,
        }
    }

    /// The verdict, if there is one.
    pub fn verdict(&self) -> Option<VerdictKind> {
        self.judgement.as_ref().map(|judgement| judgement.verdict)
    }

    /// The scenario, if it is one.
    pub fn scenario(&self) -> Option<&Arc<Scenario>> {
        match &self.case {
            Case::Scenario(scenario) => Some(scenario),
            Case::Audited(_) | Case::Verified { .. } => None,
        }
    }

    /// The verdict that is expected, and the rule behind it. Of a program a clean one is.
    pub fn expected(&self) -> Outcome {
        self.scenario().map_or_else(Outcome::default, |scenario| {
            scenario.expect.for_mode(self.mode).clone()
        })
    }

    /// Whether the verdict, and the rule behind it, are what is expected.
    pub fn is_expected_verdict(&self) -> bool {
        let expected = self.expected();
        self.judgement.as_ref().is_some_and(|judgement| {
            let is_rule = |name: &str| judgement.rules().any(|rule| rule.as_str() == name);
            judgement.verdict == expected.verdict && expected.rule.as_ref().is_none_or(|rule| is_rule(rule))
        })
    }

    /// What any image of the run stands in for.
    pub fn stand_ins(&self) -> impl Iterator<Item = &str> {
        self.images.iter().filter_map(Image::stand_in)
    }

    fn evidence(&self) -> impl Iterator<Item = &Evidence> {
        self.judgement.iter().flat_map(|judgement| &judgement.evidence)
    }

    fn is_waived(&self) -> bool {
        self.evidence().any(|one| one.waived.is_some())
    }

    /// Whether an expectation was not met.
    fn has_failed(&self) -> bool {
        let exit = match &self.case {
            Case::Scenario(_) | Case::Verified { .. } => None,
            Case::Audited(program) => program.exit,
        };
        exit.is_some_and(|exit| !exit.is_expected())
            || self
                .expectations
                .iter()
                .any(|expectation| expectation.failure.is_some())
    }

    /// A program that started nothing, with nothing else against it.
    fn is_silent(&self) -> bool {
        let has_gap = || self.evidence().any(|one| one.weight() == Weight::Gap);
        matches!(&self.case, Case::Audited(program) if !program.has_started) && !has_gap()
    }
}

impl Image {
    /// One of which all was read.
    pub(crate) fn read(source: &str, content: &ImageContent) -> Self {
        let configuration = &content.configuration;
        let name = configuration.names.first();
        Self {
            source: source.to_owned(),
            reference: name.cloned().unwrap_or_else(|| source.to_owned()),
            config: ImageConfig {
                id: configuration.id.clone(),
                digest: configuration.digest.clone(),
                entrypoint: configuration.entrypoint.clone(),
                command: configuration.command.clone(),
                env: configuration.env.clone(),
                user: configuration.user.clone(),
                labels: configuration.labels.clone(),
                ..ImageConfig::default()
            },
            shells: Some(image::shells(content)),
        }
    }

    /// What it stands in for, when it is a stand-in.
    pub fn stand_in(&self) -> Option<&str> {
        self.config.labels.get(labels::STAND_IN).map(String::as_str)
    }
}

impl Exit {
    /// Whether it ended as it was to.
    pub fn is_expected(self) -> bool {
        match self.expected {
            ExpectedExit::Any => true,
            ExpectedExit::Code(code) => self.code == code,
        }
    }
}

impl fmt::Display for ExpectedExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Code(code) => write!(f, "{code}"),
        }
    }
}

impl FromStr for ExpectedExit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.parse::<u8>()) {
            ("any", _) => Ok(Self::Any),
            (_, Ok(code)) => Ok(Self::Code(code.into())),
            _ => Err(format!(
                "expected `any` or a number from 0 to 255, found `{text}`"
            )),
        }
    }
}

#[cfg(test)]
#[path = "result_tests.rs"]
pub(crate) mod tests;
