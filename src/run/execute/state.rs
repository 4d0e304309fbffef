//! What a scenario needs while it runs, and what it has made so far.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use shellproof_api::facts::Fact;
use shellproof_api::{Error, HealthTest, Labels, Resource, ResourceKind, Runtime, labels};

use super::running::Running;
use super::users::Uses;
use crate::invocation::Invocation;
use crate::kernel::{Kernel, Watch};
use crate::platform::Platform;
use crate::policy::Standing;
use crate::result::{Expectation, Image};
use crate::run::images::{ImageError, Images};
use crate::run::output::Collected;
use crate::scenario::{Plan, Scenario};

/// The pause before something is tried once more.
pub(super) const PAUSE: Duration = Duration::from_millis(200);

/// Why a scenario did not run to its last expectation.
#[derive(Debug, thiserror::Error)]
pub(in crate::run) enum Stop {
    /// The engine or the machine failed.
    #[error(transparent)]
    Engine(#[from] Error),
    /// An image could not be made present.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A container could not be watched.
    #[error("no supervisor can be made for a container: {0}")]
    Kernel(std::io::Error),
    /// An expectation failed on which everything after it depends.
    #[error("an expectation failed")]
    Failed,
}

/// What a scenario needs of its surroundings.
pub(in crate::run) struct Context<'a> {
    pub(in crate::run) scenario: &'a Scenario,
    pub(in crate::run) plan: &'a Plan,
    pub(in crate::run) runtime: &'a Arc<dyn Runtime>,
    pub(in crate::run) images: &'a Images,
    pub(in crate::run) platform: &'a Platform,
    pub(in crate::run) invocation: &'a Invocation,
    /// The kernel witness, or what there is to say without it.
    pub(in crate::run) kernel: Result<&'a Kernel, Standing<'a>>,
    /// It has been run before, and the engine may have lost its output.
    pub(in crate::run) is_repeated: bool,
    /// Makes names unique on the engine.
    pub(in crate::run) prefix: String,
    pub(in crate::run) progress: &'a (dyn Fn(String) + Send + Sync),
}

/// A scenario while it runs, and what it has made so far.
pub(in crate::run) struct Execution<'a> {
    pub(super) context: Context<'a>,
    pub(super) made: Vec<Resource>,
    pub(super) running: HashMap<String, Running>,
    pub(super) probes: u32,
    pub(super) began: Option<Instant>,
    pub(in crate::run) images: Vec<Image>,
    pub(in crate::run) expectations: Vec<Expectation>,
    /// How many expectations failed that more output might have met.
    pub(super) lacking: usize,
    pub(in crate::run) started: Vec<String>,
    /// What was asked for where no wire sees it.
    pub(in crate::run) asked: Vec<Fact>,
    pub(in crate::run) duration: Duration,
    pub(super) watches: Vec<(String, Watch)>,
    /// As whom containers run, and what they share.
    pub(super) users: Vec<Uses>,
    /// Health checks of which the engine told no run: the container's name there, and the check.
    pub(super) unchecked: Vec<(String, HealthTest)>,
}

impl<'a> Execution<'a> {
    pub(in crate::run) fn new(context: Context<'a>) -> Self {
        Self {
            context,
            made: Vec::new(),
            running: HashMap::new(),
            probes: 0,
            began: None,
            images: Vec::new(),
            expectations: Vec::new(),
            lacking: 0,
            started: Vec::new(),
            asked: Vec::new(),
            duration: Duration::ZERO,
            watches: Vec::new(),
            users: Vec::new(),
            unchecked: Vec::new(),
        }
    }

    /// Whether nothing is wrong with it but that output is missing, which the engine may have lost.
    pub(in crate::run) fn may_have_lost_output(&self, expectations: &[Expectation]) -> bool {
        let failed = expectations.iter().filter(|one| one.failure.is_some()).count();
        self.context.runtime.may_lose_output()
            && !self.context.is_repeated
            && self.lacking > 0
            && self.lacking == failed
    }

    pub(super) fn name(&self, name: &str) -> String {
        format!("{}-{name}", self.context.prefix)
    }

    pub(super) fn labels(&self) -> Labels {
        let mut labels = self.context.invocation.labels();
        labels.insert(
            labels::SCENARIO.to_owned(),
            self.context.scenario.name.value.clone(),
        );
        labels
    }

    /// Notes what is about to be made, so that it is removed even if its making is interrupted.
    pub(super) fn making(&mut self, kind: ResourceKind, name: &str) {
        self.made.push(Resource {
            kind,
            id: name.to_owned(),
            name: name.to_owned(),
            labels: Labels::new(),
        });
    }

    pub(super) fn running(&self, container: &str) -> Option<&Running> {
        self.running.get(container)
    }

    pub(super) fn collected(&self, container: &str) -> Collected {
        self.running(container)
            .map(|running| running.output.snapshot())
            .unwrap_or_default()
    }
}
