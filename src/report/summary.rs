//! A run in numbers, and the exit code that follows from it.

use std::collections::BTreeMap;

use super::document::{Document, RatioEntry, ResultEntry, SummaryEntry};
use crate::exit::ExitCode;
use crate::vocabulary::{Criterion, Mode, Status, VerdictKind};

impl Document {
    /// The exit code. What could not be removed is a broken run; a run of nothing proves nothing.
    pub fn exit_code(&self) -> ExitCode {
        if self.summary.interrupted {
            return ExitCode::Interrupted;
        }
        let of_results = self.results.iter().map(|result| result.status).max();
        let left = (!self.leftovers.is_empty()).then_some(Status::Broken);
        match of_results.max(left) {
            Some(Status::Violated | Status::Failed) => ExitCode::Violated,
            Some(Status::Broken) => ExitCode::Broken,
            Some(Status::Unproven) => ExitCode::Unproven,
            Some(Status::NothingRan) | None => ExitCode::NothingRan,
            Some(Status::Waived | Status::Passed) => ExitCode::Clean,
        }
    }
}

pub(super) fn count(results: &[ResultEntry], interrupted: bool) -> SummaryEntry {
    let mut summary = SummaryEntry {
        interrupted,
        ..SummaryEntry::default()
    };
    for result in results {
        match result.status {
            Status::Passed => summary.passed += 1,
            Status::Waived => summary.waived += 1,
            Status::Violated => summary.violated += 1,
            Status::Unproven | Status::NothingRan => summary.unproven += 1,
            Status::Failed | Status::Broken => summary.failed += 1,
        }
        let is_clean = result.verdict == Some(VerdictKind::Clean);
        summary.clean += usize::from(is_clean && result.status != Status::Waived);
    }
    summary
}

/// Of scenarios that carry `layered-unchanged`, since others may do less in one mode than in the other.
pub(super) fn ratios(results: &[ResultEntry]) -> Vec<RatioEntry> {
    let mut times: BTreeMap<(&str, &str), [Option<u64>; 2]> = BTreeMap::new();
    let compares = |result: &&ResultEntry| {
        result.status == Status::Passed && result.criteria.contains(&Criterion::LayeredUnchanged)
    };
    for result in results.iter().filter(compares) {
        let scenario = result.scenario.as_deref().unwrap_or_default();
        let times = times.entry((scenario, &result.engine.name)).or_default();
        times[usize::from(result.mode == Mode::Prebuilt)] = Some(result.duration_ms);
    }
    let ratio = |((scenario, engine), times): ((&str, &str), [Option<u64>; 2])| match times {
        [Some(layered), Some(prebuilt)] => Some(RatioEntry {
            scenario: scenario.to_owned(),
            engine: engine.to_owned(),
            prebuilt_over_layered: prebuilt as f64 / layered.max(1) as f64,
        }),
        _ => None,
    };
    times.into_iter().filter_map(ratio).collect()
}

#[cfg(test)]
#[path = "summary_tests.rs"]
mod tests;
