use std::sync::Arc;

use shellproof_api::Engine;

use crate::engines::EngineSpec;
use crate::result::{Case, CaseResult};
use crate::scenario::Scenario;
use crate::vocabulary::Mode;

/// One scenario in one mode on one engine.
#[derive(Clone, Debug)]
pub struct Job {
    /// The scenario.
    pub scenario: Arc<Scenario>,
    /// The image mode.
    pub mode: Mode,
    /// The engine.
    pub engine: EngineSpec,
}

impl Job {
    /// Its result, in which nothing has happened yet.
    pub(super) fn result(&self, engine: &Engine) -> CaseResult {
        CaseResult::new(Case::Scenario(self.scenario.clone()), self.mode, engine.clone())
    }
}

/// The jobs of a run: every scenario in each of `modes` that it has, on every engine.
pub fn jobs(scenarios: &[Arc<Scenario>], modes: &[Mode], engines: &[EngineSpec]) -> Vec<Job> {
    let mut jobs = Vec::new();
    for scenario in scenarios {
        for mode in modes.iter().filter(|mode| scenario.modes.contains(mode)) {
            for engine in engines {
                jobs.push(Job {
                    scenario: scenario.clone(),
                    mode: *mode,
                    engine: engine.clone(),
                });
            }
        }
    }
    jobs
}
