use std::sync::Arc;
use std::time::Duration;

use shellproof_api::Engine;

use super::images::Image;
use super::job::Job;
use crate::policy::{Judgement, Traced, Verdict};
use crate::scenario::Scenario;
use crate::source::Diagnostic;
use crate::vocabulary::Mode;

/// What became of one scenario in one mode on one engine.
#[derive(Clone, Debug)]
pub struct ScenarioResult {
    /// The scenario.
    pub scenario: Arc<Scenario>,
    /// The image mode.
    pub mode: Mode,
    /// The engine.
    pub engine: Engine,
    /// The images that its containers ran.
    pub images: Vec<Image>,
    /// The verdict, unless the run broke before there was anything to judge.
    pub judgement: Option<Judgement>,
    /// The programs of its containers, as far as they were watched.
    pub traced: Vec<Traced>,
    /// Every expectation that was checked, in the order of the check.
    pub expectations: Vec<Expectation>,
    /// Why the run broke, when the engine or the machine failed.
    pub broken: Option<String>,
    /// What could not be removed.
    pub leftovers: Vec<String>,
    /// From the first container's creation to the last expectation.
    pub duration: Duration,
}

/// One expectation of a scenario.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// What was expected, in a few words.
    pub what: String,
    /// The failure, if it was not met.
    pub failure: Option<Failure>,
}

/// An expectation that was not met.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What is wrong, at the line of the scenario that asked for it.
    pub diagnostic: Diagnostic,
    /// The container that it is about.
    pub container: Option<String>,
    /// The container's last lines of output.
    pub log: Vec<String>,
}

/// How a result counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// All expectations were met, and the verdict is the expected one.
    Passed,
    /// The verdict is unproven, and that was not expected.
    Unproven,
    /// The engine or the machine failed.
    Broken,
    /// An expectation was not met, or an expected violation was not seen.
    Failed,
    /// The policy is violated, and that was not expected.
    Violated,
}

impl ScenarioResult {
    pub(super) fn new(job: &Job, engine: Engine) -> Self {
        Self {
            scenario: job.scenario.clone(),
            mode: job.mode,
            engine,
            images: Vec::new(),
            judgement: None,
            traced: Vec::new(),
            expectations: Vec::new(),
            broken: None,
            leftovers: Vec::new(),
            duration: Duration::ZERO,
        }
    }

    /// How the result counts.
    pub fn status(&self) -> Status {
        let failed = self
            .expectations
            .iter()
            .any(|expectation| expectation.failure.is_some());
        match self.verdict() {
            Some(Verdict::Violated) if !self.is_expected_verdict() => Status::Violated,
            _ if failed => Status::Failed,
            _ if self.broken.is_some() => Status::Broken,
            None => Status::Broken,
            // Nobody asked to keep what passed: what is left of it could not be removed.
            Some(_) if self.is_expected_verdict() && !self.leftovers.is_empty() => Status::Broken,
            Some(_) if self.is_expected_verdict() => Status::Passed,
            Some(Verdict::Clean) => Status::Failed,
            Some(Verdict::Unproven | Verdict::Violated) => Status::Unproven,
        }
    }

    /// The verdict, if there is one.
    pub fn verdict(&self) -> Option<Verdict> {
        self.judgement.as_ref().map(|judgement| judgement.verdict)
    }

    /// Whether the verdict, and the rule behind it, are what the scenario expects.
    pub fn is_expected_verdict(&self) -> bool {
        let expected = self.scenario.expect.for_mode(self.mode);
        self.judgement.as_ref().is_some_and(|judgement| {
            let is_rule = |name: &str| judgement.rules().any(|rule| rule.as_str() == name);
            judgement.verdict == expected.verdict && expected.rule.as_ref().is_none_or(|rule| is_rule(rule))
        })
    }

    /// What any image of the run stands in for.
    pub fn stand_ins(&self) -> impl Iterator<Item = &str> {
        self.images.iter().filter_map(Image::stand_in)
    }
}
