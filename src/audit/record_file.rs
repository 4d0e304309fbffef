//! The file that `--record` writes and `--replay` reads: a line about the run, and a line for each request.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use shellproof_api::{Engine, EngineKind, Seccomp};
use shellproof_wire::{Recording, write_private};

use crate::failure::Failure;
use crate::policy::{Exit, ProgramResult, Standing, judge_program, wire};
use crate::vocabulary::Mode;

/// What was recorded, judged again without an engine, and the run's id.
///
/// # Errors
/// The file cannot be read, or is no recording.
pub(crate) fn replay(file: &Path, mode: Option<Mode>) -> Result<(ProgramResult, String), Failure> {
    let wrong = |reason: String| Failure::Input(format!("`{}` is no recording: {reason}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    let (recording, about) = Recording::from_lines(&text).map_err(|error| wrong(error.to_string()))?;
    read_about(&about, mode, &recording).ok_or_else(|| wrong("its first line".into()))
}

/// The first line of a record file.
fn about(result: &ProgramResult, run_id: &str) -> Value {
    json!({
        "run_id": run_id,
        "program": result.name,
        "mode": result.mode.as_str(),
        "engine": {
            "name": result.engine.name,
            "kind": result.engine.kind.as_str(),
            "version": result.engine.version,
            "rootless": result.engine.rootless,
        },
        "exit": result.exit.map(|exit| exit.code),
        "expected_exit": result.exit.map(|exit| exit.expected.to_string()),
        "duration_ms": u64::try_from(result.duration.as_millis()).unwrap_or(u64::MAX),
    })
}

fn read_about(about: &Value, mode: Option<Mode>, recording: &Recording) -> Option<(ProgramResult, String)> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let recorded = Mode::ALL.iter().find(|mode| about["mode"] == mode.as_str());
    let mode = mode.or(recorded.copied())?;
    let kinds = [EngineKind::Docker, EngineKind::Podman];
    let engine = &about["engine"];
    let exit = match (about["exit"].as_i64(), about["expected_exit"].as_str()) {
        (Some(code), Some(expected)) => Some(Exit {
            code: i32::try_from(code).ok()?,
            expected: expected.parse().ok()?,
        }),
        _ => None,
    };
    let facts = recording.facts();
    let kernel = Standing::Off("a record file holds requests alone");
    let result = ProgramResult {
        name: text(&about["program"]),
        mode,
        engine: Engine {
            name: text(&engine["name"])?,
            kind: kinds.into_iter().find(|kind| engine["kind"] == kind.as_str())?,
            version: text(&engine["version"])?,
            rootless: engine["rootless"].as_bool()?,
            seccomp: Seccomp::Off,
        },
        judgement: judge_program(mode, super::seen(&facts, kernel)),
        traced: Vec::new(),
        exit,
        has_started: wire::has_started(&facts),
        requests: recording.records.len(),
        leftovers: Vec::new(),
        duration: Duration::from_millis(about["duration_ms"].as_u64()?),
    };
    Some((result, text(&about["run_id"])?))
}

/// Writes the record, readable by its owner alone.
pub(super) fn write(
    file: &Path,
    recording: &Recording,
    result: &ProgramResult,
    run_id: &str,
) -> Result<(), Failure> {
    let failed = Failure::machine("the record cannot be written");
    let text = recording
        .to_lines(&about(result, run_id))
        .map_err(|error| failed(std::io::Error::other(error)))?;
    write_private(file, &text).map_err(failed)
}
