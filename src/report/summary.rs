use std::collections::BTreeMap;
use std::time::Duration;

use crate::exit::ExitCode;
use crate::policy::Verdict;
use crate::run::{Report, ScenarioResult, Status};
use crate::vocabulary::{Criterion, Mode};

/// How many results there are of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Verdict clean, or the expected one, and every expectation met.
    pub passed: usize,
    /// Violations that were not expected.
    pub violated: usize,
    /// Verdicts that are unproven and were not expected to be.
    pub unproven: usize,
    /// Expectations that were not met, and runs that broke.
    pub failed: usize,
}

/// A run in numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// How many results there are of each kind.
    pub tally: Tally,
    /// How many verdicts are clean.
    pub clean: usize,
    /// How many violations a scenario accepts for a while.
    pub waived: usize,
    /// Scenarios of the criterion `layered-unchanged` that ran in both modes on one engine: their name, the engine, and
    /// prebuilt time over layered time.
    pub ratios: Vec<(String, String, f64)>,
}

impl Summary {
    /// Adds up a run.
    pub fn of(report: &Report) -> Self {
        let mut tally = Tally::default();
        for result in &report.results {
            match result.status() {
                Status::Passed => tally.passed += 1,
                Status::Violated => tally.violated += 1,
                Status::Unproven => tally.unproven += 1,
                Status::Failed | Status::Broken => tally.failed += 1,
            }
        }
        let clean = report
            .results
            .iter()
            .filter(|result| result.verdict() == Some(Verdict::Clean))
            .count();
        let evidence = report
            .results
            .iter()
            .filter_map(|result| result.judgement.as_ref())
            .flat_map(|one| &one.evidence);
        Self {
            tally,
            clean,
            waived: evidence.filter(|evidence| evidence.waived.is_some()).count(),
            ratios: ratios(&report.results),
        }
    }
}

fn ratios(results: &[ScenarioResult]) -> Vec<(String, String, f64)> {
    let mut times: BTreeMap<(&str, &str), [Option<Duration>; 2]> = BTreeMap::new();
    // Other scenarios may do less in one mode than in the other.
    let compares = |result: &&ScenarioResult| {
        let criteria = &result.scenario.criteria;
        result.status() == Status::Passed
            && criteria
                .iter()
                .any(|one| one.value == Criterion::LayeredUnchanged)
    };
    for result in results.iter().filter(compares) {
        let times = times
            .entry((&result.scenario.name.value, &result.engine.name))
            .or_default();
        times[usize::from(result.mode == Mode::Prebuilt)] = Some(result.duration);
    }
    times
        .into_iter()
        .filter_map(|((scenario, engine), times)| match times {
            [Some(layered), Some(prebuilt)] => Some((
                scenario.to_owned(),
                engine.to_owned(),
                prebuilt.as_secs_f64() / layered.as_secs_f64(),
            )),
            _ => None,
        })
        .collect()
}

/// What a run says about one success criterion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CriterionResult {
    /// The criterion.
    pub criterion: Criterion,
    /// Clean if every scenario that carries it passed, in the mode that it is about.
    pub verdict: Verdict,
    /// How many results it rests on.
    pub results: usize,
    /// The scenarios that carry it.
    pub scenarios: Vec<String>,
    /// The engines on which they ran.
    pub engines: Vec<String>,
    /// What was shown on stand-ins only, and so is not proven.
    pub stand_ins: Vec<String>,
}

/// What a run says about the success criteria that its scenarios carry. A result on a stand-in proves nothing about
/// the real thing: it is named and not counted.
pub fn criteria(report: &Report) -> Vec<CriterionResult> {
    Criterion::ALL
        .iter()
        .filter_map(|criterion| judge(*criterion, &report.results))
        .collect()
}

fn judge(criterion: Criterion, results: &[ScenarioResult]) -> Option<CriterionResult> {
    let carries = |result: &&ScenarioResult| {
        result
            .scenario
            .criteria
            .iter()
            .any(|carried| carried.value == criterion)
            && criterion.mode().is_none_or(|mode| mode == result.mode)
    };
    let results: Vec<_> = results.iter().filter(carries).collect();
    let (on_stand_ins, real): (Vec<_>, Vec<_>) = results
        .iter()
        .partition(|result| result.stand_ins().next().is_some());
    if results.is_empty() {
        return None;
    }
    let worst = results.iter().map(|result| result.status()).max();
    let verdict = match worst {
        Some(Status::Violated | Status::Failed) => Verdict::Violated,
        Some(Status::Passed) if !real.is_empty() => Verdict::Clean,
        _ => Verdict::Unproven,
    };
    let names = |of: &dyn Fn(&ScenarioResult) -> String, results: &[&&ScenarioResult]| {
        let mut names: Vec<_> = results.iter().map(|result| of(result)).collect();
        names.sort();
        names.dedup();
        names
    };
    Some(CriterionResult {
        criterion,
        verdict,
        results: real.len(),
        scenarios: names(&|result| result.scenario.name.value.clone(), &real),
        engines: names(&|result| result.engine.name.clone(), &real),
        stand_ins: names(
            &|result| result.stand_ins().collect::<Vec<_>>().join(", "),
            &on_stand_ins,
        ),
    })
}

/// The exit code of a run. Where several apply, a violation or failed expectation counts before a broken engine,
/// and that before a missing proof. What could not be removed is a broken run.
pub fn exit_code(report: &Report) -> ExitCode {
    if report.interrupted {
        return ExitCode::Interrupted;
    }
    let is_left = !report.leftovers.is_empty();
    match report.results.iter().map(ScenarioResult::status).max() {
        None => ExitCode::NothingRan,
        Some(Status::Violated | Status::Failed) => ExitCode::Violated,
        Some(Status::Broken) => ExitCode::Broken,
        Some(_) if is_left => ExitCode::Broken,
        Some(Status::Unproven) => ExitCode::Unproven,
        Some(Status::Passed) => ExitCode::Clean,
    }
}
