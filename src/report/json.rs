use serde_json::{Value, json as value};
use shellproof_api::Engine;

use super::{CriterionResult, Summary, criteria, programs};
use crate::policy::{Evidence, Judgement, Verdict};
use crate::run::{Expectation, Image, Report, ScenarioResult, Status};

/// A run as one JSON document. `docs/json-format.md` describes it.
pub fn json(report: &Report) -> Value {
    let summary = Summary::of(report);
    value!({
        "schema": 1,
        "run_id": report.run_id,
        "results": report.results.iter().map(result).collect::<Vec<_>>(),
        "criteria": criteria(report).iter().map(criterion).collect::<Vec<_>>(),
        "ratios": summary.ratios.iter().map(|(scenario, engine, ratio)| {
            value!({ "scenario": scenario, "engine": engine, "prebuilt_over_layered": ratio })
        }).collect::<Vec<_>>(),
        "summary": {
            "passed": summary.tally.passed,
            "clean": summary.clean,
            "violated": summary.tally.violated,
            "unproven": summary.tally.unproven,
            "failed": summary.tally.failed,
            "waived": summary.waived,
            "interrupted": report.interrupted,
        },
        "leftovers": report.leftovers,
    })
}

fn result(result: &ScenarioResult) -> Value {
    value!({
        "scenario": result.scenario.name.value,
        "file": result.scenario.file.path(),
        "mode": result.mode.as_str(),
        "engine": engine(&result.engine),
        "status": status(result.status()),
        "verdict": result.verdict().map(Verdict::as_str),
        "expected_verdict": result.scenario.expect.for_mode(result.mode).verdict.as_str(),
        "reasons": reasons(result),
        "witnesses": result.judgement.as_ref().map(witnesses),
        "images": result.images.iter().map(image).collect::<Vec<_>>(),
        "expectations": result.expectations.iter().map(|one| expectation(result, one)).collect::<Vec<_>>(),
        "evidence": result.judgement.iter().flat_map(|judgement| &judgement.evidence).map(evidence).collect::<Vec<_>>(),
        "traces": result.traced.iter().map(programs::json).collect::<Vec<_>>(),
        "leftovers": result.leftovers,
        "duration_ms": u64::try_from(result.duration.as_millis()).unwrap_or(u64::MAX),
    })
}

/// The name of a status in reports.
pub(super) fn status(status: Status) -> &'static str {
    match status {
        Status::Passed => "passed",
        Status::Violated => "violated",
        Status::Unproven => "unproven",
        Status::Failed => "failed",
        Status::Broken => "broken",
    }
}

fn reasons(result: &ScenarioResult) -> Vec<String> {
    let against = result
        .judgement
        .iter()
        .flat_map(Judgement::against)
        .map(ToString::to_string);
    let failed = result
        .expectations
        .iter()
        .filter_map(|one| one.failure.as_ref())
        .map(|failure| failure.diagnostic.title.clone());
    result
        .broken
        .iter()
        .cloned()
        .chain(against)
        .chain(failed)
        .collect()
}

pub(super) fn engine(engine: &Engine) -> Value {
    value!({
        "name": engine.name,
        "kind": engine.kind.as_str(),
        "version": engine.version,
        "rootless": engine.rootless,
    })
}

pub(super) fn witnesses(judgement: &Judgement) -> Value {
    let states = judgement.witnesses.iter().map(|(witness, state)| {
        (
            witness.as_str().to_owned(),
            value!({ "state": state.as_str(), "reason": state.reason() }),
        )
    });
    Value::Object(states.collect())
}

fn image(image: &Image) -> Value {
    value!({
        "source": image.source,
        "reference": image.reference,
        "id": image.config.id,
        "digest": image.config.digest,
        "stand_in": image.stand_in(),
    })
}

fn expectation(result: &ScenarioResult, one: &Expectation) -> Value {
    let failure = one.failure.as_ref().map(|failure| {
        let span = failure
            .diagnostic
            .span
            .map(|span| result.scenario.file.location(span));
        value!({
            "at": span,
            "container": failure.container,
            "actual": failure.diagnostic.label,
            "log": failure.log,
        })
    });
    value!({ "what": one.what, "passed": one.failure.is_none(), "failure": failure })
}

pub(super) fn evidence(evidence: &Evidence) -> Value {
    value!({
        "witness": evidence.witness.as_str(),
        "rule": evidence.rule.as_str(),
        "container": evidence.container,
        "detail": evidence.detail,
        "source": evidence.source,
        "waived": evidence.waived,
        "help": evidence.help,
    })
}

fn criterion(criterion: &CriterionResult) -> Value {
    value!({
        "id": criterion.criterion.as_str(),
        "verdict": criterion.verdict.as_str(),
        "results": criterion.results,
        "scenarios": criterion.scenarios,
        "engines": criterion.engines,
        "stand_ins": criterion.stand_ins,
    })
}
