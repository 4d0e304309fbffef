use std::sync::Arc;

use crate::engines::EngineSpec;
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
