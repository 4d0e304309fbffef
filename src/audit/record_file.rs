//! The file that `--record` writes and `--replay` reads: a line about the run, and a line for each request.

use std::path::Path;
use std::time::Duration;

use shellproof_wire::{Recording, write_private};

use super::{case, report, unchecked};
use crate::failure::Failure;
use crate::policy::{Seen, Standing, judge_program};
use crate::report::document::About;
use crate::result::{CaseResult, Report};
use crate::vocabulary::{Mode, Need};

/// Why kernel and image witness have nothing to say of a file.
const REQUESTS_ALONE: &str = "a record file holds requests alone; `--kernel off` judges them alone";

/// What was recorded, judged again without an engine, under the policy of its own mode or of another.
///
/// # Errors
/// The file cannot be read, or is no recording.
pub(crate) fn replay(file: &Path, mode: Option<Mode>, kernel: Option<Need>) -> Result<Report, Failure> {
    let wrong = |reason: String| Failure::Input(format!("`{}` is no recording: {reason}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    let (recording, about) = Recording::from_lines(&text).map_err(|error| wrong(error.to_string()))?;
    let about: About =
        serde_json::from_value(about).map_err(|error| wrong(format!("its first line: {error}")))?;
    let mode = mode.unwrap_or(about.mode);
    let need = kernel.unwrap_or(match mode {
        Mode::Prebuilt => Need::Required,
        Mode::Layered => Need::Off,
    });
    let mut facts = recording.facts();
    facts.extend(unchecked(about.engine.kind, &recording));
    let exit = about.exit();
    let result = CaseResult {
        judgement: Some(judge_program(
            mode,
            Seen {
                facts: &facts,
                started: &[],
                allowed: &[],
                wire: Standing::Heard,
                // What is judged without the kernel is to be judged by the requests alone.
                image: Standing::Off(REQUESTS_ALONE),
                kernel: Standing::unheard(need, REQUESTS_ALONE),
            },
        )),
        duration: Duration::from_millis(about.duration_ms),
        ..CaseResult::new(
            case(about.program, exit, &recording, &facts),
            mode,
            about.engine.into(),
        )
    };
    Ok(report(result, about.run_id))
}

/// Writes the record, readable by its owner alone.
pub(super) fn write(
    file: &Path,
    recording: &Recording,
    result: &CaseResult,
    run_id: &str,
) -> Result<(), Failure> {
    let failed = Failure::machine("the record cannot be written");
    let about = serde_json::to_value(About::of(result, run_id));
    let text = about.and_then(|about| recording.to_lines(&about));
    let text = text.map_err(|error| failed(std::io::Error::other(error)))?;
    write_private(file, &text).map_err(failed)
}
