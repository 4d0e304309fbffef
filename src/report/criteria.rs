//! What a run says about the success criteria that its scenarios carry. A result on a stand-in proves nothing about
//! the real thing: it is named and not counted.

use super::document::{CriterionEntry, ResultEntry};
use crate::vocabulary::{Criterion, Status, VerdictKind as Verdict};

pub(super) fn judge_all(results: &[ResultEntry]) -> Vec<CriterionEntry> {
    Criterion::ALL
        .iter()
        .filter_map(|criterion| judge(*criterion, results))
        .collect()
}

fn judge(criterion: Criterion, results: &[ResultEntry]) -> Option<CriterionEntry> {
    let carries = |result: &&ResultEntry| {
        result.criteria.contains(&criterion) && criterion.mode().is_none_or(|mode| mode == result.mode)
    };
    let results: Vec<_> = results.iter().filter(carries).collect();
    let (on_stand_ins, real): (Vec<&ResultEntry>, Vec<_>) = results
        .iter()
        .partition(|result| result.images.iter().any(|image| image.stand_in.is_some()));
    let worst = results.iter().map(|result| result.status).max()?;
    let verdict = match worst {
        Status::Violated | Status::Failed => Verdict::Violated,
        Status::Passed if !real.is_empty() => Verdict::Clean,
        _ => Verdict::Unproven,
    };
    let names = |of: &dyn Fn(&ResultEntry) -> String, results: &[&ResultEntry]| {
        let mut names: Vec<_> = results.iter().map(|result| of(result)).collect();
        names.sort();
        names.dedup();
        names
    };
    let stand_ins = |result: &ResultEntry| {
        let names: Vec<_> = result
            .images
            .iter()
            .filter_map(|image| image.stand_in.clone())
            .collect();
        names.join(", ")
    };
    Some(CriterionEntry {
        id: criterion,
        verdict,
        results: real.len(),
        scenarios: names(&|result| result.scenario.clone().unwrap_or_default(), &real),
        engines: names(&|result| result.engine.name.clone(), &real),
        stand_ins: names(&stand_ins, &on_stand_ins),
    })
}
