//! A program that ran behind a recorder: the same shape as a run, with one result.

use std::fmt::Write;

use serde_json::{Value, json as value};

use super::human::{BAD, FAINT, GOOD, UNSURE, evidence_lines, leftover_lines, trees};
use super::json::{engine, evidence, witnesses};
use super::programs;
use crate::exit::ExitCode;
use crate::policy::{ProgramResult, ProgramStatus, Verdict, WitnessState};

/// The exit code for a program's result.
pub fn program_exit_code(result: &ProgramResult) -> ExitCode {
    match result.status() {
        ProgramStatus::Passed => ExitCode::Clean,
        ProgramStatus::Violated | ProgramStatus::Failed => ExitCode::Violated,
        ProgramStatus::Unproven => ExitCode::Unproven,
        ProgramStatus::NothingRan => ExitCode::NothingRan,
    }
}

fn status(result: &ProgramResult) -> &'static str {
    match result.status() {
        ProgramStatus::Passed => "passed",
        ProgramStatus::Violated => "violated",
        ProgramStatus::Failed => "failed",
        ProgramStatus::Unproven => "unproven",
        ProgramStatus::NothingRan => "nothing-ran",
    }
}

/// What its end was to be, and why it was not, if it was not.
fn exit(result: &ProgramResult) -> Option<(String, Option<String>)> {
    let exit = result.exit?;
    let name = result.name.as_deref().unwrap_or("the program");
    let what = format!("`{name}` to exit with {}", exit.expected);
    Some((
        what,
        (!exit.is_expected()).then(|| format!("it exited with {}", exit.code)),
    ))
}

/// As one JSON document in the shape of a run's.
pub fn program_json(result: &ProgramResult, run_id: &str) -> Value {
    let exit_of = exit(result);
    let failure = exit_of
        .as_ref()
        .and_then(|(what, actual)| actual.as_ref().map(|actual| format!("expected {what}, {actual}")));
    let against = result.judgement.against().map(ToString::to_string);
    let expectations: Vec<_> = exit_of
        .iter()
        .map(|(what, actual)| {
            let failure = actual
                .as_ref()
                .map(|actual| value!({ "at": null, "container": null, "actual": actual, "log": [] }));
            value!({ "what": what, "passed": actual.is_none(), "failure": failure })
        })
        .collect();
    let is = |wanted| u8::from(result.status() == wanted);
    value!({
        "schema": 1,
        "run_id": run_id,
        "results": [{
            "scenario": result.name,
            "file": null,
            "mode": result.mode.as_str(),
            "engine": engine(&result.engine),
            "status": status(result),
            "verdict": result.judgement.verdict.as_str(),
            "expected_verdict": Verdict::Clean.as_str(),
            "reasons": against.chain(failure).collect::<Vec<_>>(),
            "witnesses": witnesses(&result.judgement),
            "images": [],
            "expectations": expectations,
            "evidence": result.judgement.evidence.iter().map(evidence).collect::<Vec<_>>(),
            "traces": result.traced.iter().map(programs::json).collect::<Vec<_>>(),
            "exit_code": result.exit.map(|exit| exit.code),
            "requests": result.requests,
            "leftovers": result.leftovers,
            "duration_ms": u64::try_from(result.duration.as_millis()).unwrap_or(u64::MAX),
        }],
        "criteria": [],
        "ratios": [],
        "summary": {
            "passed": is(ProgramStatus::Passed),
            "clean": u8::from(result.judgement.verdict == Verdict::Clean),
            "violated": is(ProgramStatus::Violated),
            "unproven": is(ProgramStatus::Unproven) + is(ProgramStatus::NothingRan),
            "failed": is(ProgramStatus::Failed),
            "waived": 0,
            "interrupted": false,
        },
        "leftovers": [],
    })
}

/// As a person reads it, with styles as escape codes.
pub fn program_human(result: &ProgramResult) -> String {
    let (style, word) = match result.status() {
        ProgramStatus::Passed => (GOOD, "CLEAN"),
        ProgramStatus::Violated => (BAD, "VIOLATED"),
        ProgramStatus::Failed => (BAD, "FAILED"),
        ProgramStatus::Unproven => (UNSURE, "UNPROVEN"),
        ProgramStatus::NothingRan => (UNSURE, "NOTHING RAN"),
    };
    let mut text = format!(
        "{style}{word:<8}{style:#} {FAINT}[{:>6.2}s]{FAINT:#} {:<18} {} ({})  {FAINT}{}, {} requests{FAINT:#}\n",
        result.duration.as_secs_f64(),
        result.engine.name,
        result.name.as_deref().unwrap_or("(whoever came)"),
        result.mode,
        result.judgement.spoke(),
        result.requests,
    );
    let indent = " ".repeat(9);
    for evidence in &result.judgement.evidence {
        text.push_str(&evidence_lines(evidence));
    }
    text.push_str(&trees(&result.judgement, &result.traced));
    text.push_str(&leftover_lines(&indent, &result.leftovers));
    let wire = &result.judgement.witnesses[0].1;
    if let WitnessState::Missing(reason) = wire {
        let _ = writeln!(text, "{indent}wire evidence unavailable: {reason}");
    }
    if let Some((what, Some(actual))) = exit(result) {
        let _ = writeln!(text, "{indent}expected {what}, {actual}");
    }
    if result.status() == ProgramStatus::NothingRan {
        let _ = writeln!(
            text,
            "{indent}help: only what goes through `DOCKER_HOST` or `CONTAINER_HOST` is seen; a program with an address \
             of its own goes past the recorder"
        );
    }
    text
}
