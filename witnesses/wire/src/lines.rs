//! A recording as a file of JSON lines, from which it can be read again with no engine.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::changes::Changes;
use crate::event::Events;
use crate::record::{Record, Recording};
use crate::route::Route;

/// The form of the lines.
const SCHEMA: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    /// The first line: what the recording is of, in the words of whoever wrote it.
    Recording {
        schema: u32,
        about: Value,
    },
    Record(Box<Record>),
    Fault(String),
    Events(Events),
    Changes(Changes),
    /// The last line: without it, the file is not whole.
    End {
        lines: usize,
    },
}

/// A file that is no recording.
#[derive(Debug, thiserror::Error)]
pub enum LinesError {
    /// A line that cannot be read.
    #[error("line {line}: {reason}")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// Why.
        reason: String,
    },
    /// The last line is missing, or lines before it are.
    #[error("the recording is not whole: its last line is missing or counts other lines")]
    NotWhole,
}

impl Recording {
    /// The recording as JSON lines. `about` is given back by [`Recording::from_lines`].
    ///
    /// # Errors
    /// Never for what a recorder made.
    pub fn to_lines(&self, about: &Value) -> serde_json::Result<String> {
        let header = Line::Recording {
            schema: SCHEMA,
            about: about.clone(),
        };
        let records = self.records.iter().cloned().map(Box::new).map(Line::Record);
        let faults = self.faults.iter().cloned().map(Line::Fault);
        let changes = self.changes.iter().cloned().map(Line::Changes);
        let lines: Vec<_> = std::iter::once(header)
            .chain(records)
            .chain(faults)
            .chain(self.events.clone().map(Line::Events))
            .chain(changes)
            .collect();
        let mut text = String::new();
        let end = Line::End { lines: lines.len() };
        for line in lines.iter().chain([&end]) {
            text.push_str(&serde_json::to_string(line)?);
            text.push('\n');
        }
        Ok(text)
    }

    /// Reads what [`Recording::to_lines`] wrote. What each request means is worked out anew.
    ///
    /// # Errors
    /// The text is no whole recording.
    pub fn from_lines(text: &str) -> Result<(Self, Value), LinesError> {
        let mut recording = Self::default();
        let (mut about, mut counted) = (None, None);
        for (at, line) in text.lines().enumerate() {
            let wrong = |reason: String| LinesError::Line { line: at + 1, reason };
            if counted.is_some() {
                return Err(wrong("it follows the last line".into()));
            }
            match (
                at,
                serde_json::from_str(line).map_err(|error| wrong(error.to_string()))?,
            ) {
                (
                    0,
                    Line::Recording {
                        schema: SCHEMA,
                        about: found,
                    },
                ) => about = Some(found),
                (_, Line::Recording { schema, .. }) if schema != SCHEMA => {
                    return Err(wrong(format!("schema {schema} is not known, only {SCHEMA}")));
                }
                (0, _) | (_, Line::Recording { .. }) => return Err(wrong("no recording begins here".into())),
                (_, Line::Record(mut record)) => {
                    record.route = Route::parse(&record.method, &record.target);
                    recording.records.push(*record);
                }
                (_, Line::Fault(fault)) => recording.faults.push(fault),
                (_, Line::Events(events)) => recording.events = Some(events),
                (_, Line::Changes(changes)) => recording.changes.push(changes),
                (_, Line::End { lines }) => counted = Some(lines == at),
            }
        }
        match (about, counted) {
            (Some(about), Some(true)) => Ok((recording, about)),
            _ => Err(LinesError::NotWhole),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::container::InspectedContainer;

    fn recording() -> Recording {
        let (method, target) = ("POST", "/v1.41/containers/x/start");
        let record = Record {
            number: 1,
            method: method.into(),
            target: target.into(),
            route: Route::parse(method, target),
            subject: Some(InspectedContainer::default()),
            body: json!({ "Cmd": ["x"] }),
            ..Record::default()
        };
        Recording {
            records: vec![record],
            faults: vec!["connection 1: broken".into()],
            events: Some(Events::default()),
            changes: vec![Changes::default()],
        }
    }

    #[test]
    fn a_recording_survives_the_file() {
        let text = recording().to_lines(&json!({ "mode": "prebuilt" })).unwrap();
        let (read, about) = Recording::from_lines(&text).unwrap();
        assert_eq!(read, recording());
        assert_eq!(about["mode"], "prebuilt");
    }

    #[test]
    fn a_file_that_lacks_any_line_is_no_recording() {
        let text = recording().to_lines(&Value::Null).unwrap();
        let lines: Vec<_> = text.lines().collect();
        for without in 0..lines.len() {
            let rest: Vec<_> = (0..lines.len())
                .filter(|at| *at != without)
                .map(|at| lines[at])
                .collect();
            assert!(
                Recording::from_lines(&rest.join("\n")).is_err(),
                "without line {without}"
            );
        }
        for wrong in [
            "",
            "{}",
            "[1]",
            "no json",
            &text.repeat(2),
            &text.replace("\"schema\":1", "\"schema\":2"),
        ] {
            assert!(Recording::from_lines(wrong).is_err(), "{wrong}");
        }
    }
}
