//! Comparing what a container did with what its scenario expects.

use std::fmt;
use std::sync::Arc;

use shellproof_api::{FileKind, ImageFile, StdStream};

use super::output::{Collected, Excerpt};
use crate::result::{Expectation, Failure};
use crate::scenario::{FileExpect, HttpExpect, Pattern, TextExpect};
use crate::source::{Diagnostic, SourceFile, Span, Spanned};

/// How much of a text a failure quotes, in characters.
const QUOTED: usize = 400;

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Exited {
    /// Its exit code; the one that a shell would give where its program could not be started.
    pub(super) code: i64,
    /// What the engine answered instead of starting it.
    pub(super) refusal: Option<String>,
}

impl Exited {
    /// A program that ended by itself.
    pub(super) fn with(code: i64) -> Self {
        Self { code, refusal: None }
    }
}

impl fmt::Display for Exited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it exited with {}", self.code)?;
        match &self.refusal {
            Some(answer) => write!(f, ", since the engine could not start it: {answer}"),
            None => Ok(()),
        }
    }
}

/// A container whose expectations are checked.
pub(super) struct Checked<'a> {
    pub(super) file: &'a Arc<SourceFile>,
    pub(super) container: &'a str,
    pub(super) output: &'a Collected,
}

impl Checked<'_> {
    /// An expectation that holds if `actual` is `None`; else `actual` says what was seen instead.
    pub(super) fn expectation(&self, what: String, span: Span, actual: Option<String>) -> Expectation {
        let failure = actual.map(|actual| {
            let Excerpt { errors, last } = self.output.excerpt();
            Failure {
                diagnostic: Diagnostic::new(self.file, span, format!("expected {what}")).label(actual),
                container: Some(self.container.to_owned()),
                errors,
                log: last,
            }
        });
        Expectation { what, failure }
    }

    /// `exit:`. `ended` is how it ended, or why it did not.
    pub(super) fn exit(&self, expected: &Spanned<u8>, ended: &Result<Exited, String>) -> Expectation {
        let what = format!("`{}` to exit with {}", self.container, expected.value);
        let actual = match ended {
            Ok(exited) if exited.code == i64::from(expected.value) => None,
            Ok(exited) => Some(exited.to_string()),
            Err(reason) => Some(reason.clone()),
        };
        self.expectation(what, expected.span, actual)
    }

    /// `stdout:` or `stderr:`.
    pub(super) fn stream(&self, stream: StdStream, expected: &TextExpect) -> Vec<Expectation> {
        let name = match stream {
            StdStream::Stdout => "stdout",
            StdStream::Stderr => "stderr",
        };
        let what = format!("{name} of `{}`", self.container);
        if self.output.is_cut {
            let actual = "it wrote more than is kept, so that nothing can be said of all of it".to_owned();
            let what = format!("{what} to be kept as a whole");
            return vec![self.expectation(what, expected.span, Some(actual))];
        }
        self.text(&what, &self.output.text(stream), expected)
    }

    /// Any text with its expectations.
    pub(super) fn text(&self, what: &str, text: &str, expected: &TextExpect) -> Vec<Expectation> {
        let saw = |holds: bool| (!holds).then(|| format!("it is {}", quote(text)));
        let mut checked = Vec::new();
        for part in &expected.contains {
            let what = format!("{what} to contain {:?}", part.value);
            checked.push(self.expectation(what, part.span, saw(text.contains(&part.value))));
        }
        for part in &expected.not_contains {
            let what = format!("{what} not to contain {:?}", part.value);
            checked.push(self.expectation(what, part.span, saw(!text.contains(&part.value))));
        }
        for pattern in &expected.matches {
            let what = format!("{what} to match `{}`", pattern.value.as_str());
            checked.push(self.expectation(what, pattern.span, saw(pattern.value.is_match(text))));
        }
        for pattern in &expected.not_matches {
            let what = format!("{what} not to match `{}`", pattern.value.as_str());
            checked.push(self.expectation(what, pattern.span, saw(!pattern.value.is_match(text))));
        }
        if let Some(whole) = &expected.equals {
            let what = format!("{what} to be {:?}", whole.value);
            checked.push(self.expectation(what, whole.span, saw(text == whole.value)));
        }
        checked
    }

    /// `http:`. `answer` is the probe's: status and body with a line feed between them, or why there is none.
    pub(super) fn answer(&self, expected: &HttpExpect, answer: &Result<String, String>) -> Vec<Expectation> {
        let of = format!("`http://{}:{}{}`", self.container, expected.port, expected.path);
        let what = format!("{of} to answer {}", expected.status);
        let (status, body) = match answer {
            Ok(answer) => answer.split_once('\n').unwrap_or((answer, "")),
            Err(reason) => return vec![self.expectation(what, expected.span, Some(reason.clone()))],
        };
        let actual = (status != expected.status.to_string()).then(|| format!("it answered {status}"));
        let mut checked = vec![self.expectation(what, expected.status.span, actual)];
        if let Some(wanted) = &expected.body {
            checked.extend(self.text(&format!("the body of {of}"), body, wanted));
        }
        checked
    }

    /// `files:`.
    pub(super) fn file(&self, expected: &FileExpect, found: Option<&ImageFile>) -> Vec<Expectation> {
        let path = &expected.path.value;
        let of = format!("`{path}` in the image of `{}`", self.container);
        let Some(found) = found else {
            let actual = expected.present.value.then(|| "there is nothing".to_owned());
            let what = if expected.present.value {
                format!("{of} to exist")
            } else {
                format!("no {of}")
            };
            return vec![self.expectation(what, expected.path.span, actual)];
        };
        if !expected.present.value {
            let actual = format!("there is {}", describe(found));
            return vec![self.expectation(format!("no {of}"), expected.path.span, Some(actual))];
        }
        let mut checked = vec![self.expectation(format!("{of} to exist"), expected.path.span, None)];
        if let Some(mode) = &expected.mode {
            let actual = (found.mode & 0o7777 != mode.value)
                .then(|| format!("its mode is {:04o}", found.mode & 0o7777));
            checked.push(self.expectation(
                format!("{of} to have mode {:04o}", mode.value),
                mode.span,
                actual,
            ));
        }
        let content = String::from_utf8_lossy(&found.content);
        for part in &expected.contains {
            let actual = match found.kind {
                FileKind::File if content.contains(&part.value) => None,
                FileKind::File if found.size > found.content.len() as u64 => Some(format!(
                    "its first {} bytes do not, and no more is read",
                    found.content.len()
                )),
                FileKind::File => Some(format!("it is {}", quote(&content))),
                _ => Some(format!("it is {}", describe(found))),
            };
            checked.push(self.expectation(format!("{of} to contain {:?}", part.value), part.span, actual));
        }
        checked
    }
}

/// Whether a text which does not meet its expectations might be the beginning of one that does.
pub(super) fn more_might_meet(expected: &TextExpect, text: &str) -> bool {
    let is_forbidden = |part: &Spanned<String>| text.contains(&part.value);
    let is_matched = |pattern: &Spanned<Pattern>| pattern.value.is_match(text);
    !expected.not_contains.iter().any(is_forbidden)
        && !expected.not_matches.iter().any(is_matched)
        && expected
            .equals
            .as_ref()
            .is_none_or(|whole| whole.value.starts_with(text))
}

fn describe(file: &ImageFile) -> String {
    match &file.kind {
        FileKind::File => format!("a file of {} bytes", file.size),
        FileKind::Directory => "a directory".to_owned(),
        FileKind::Symlink(target) => format!("a link to `{target}`"),
        FileKind::Other => "a device, pipe or socket".to_owned(),
    }
}

/// A text for a message: on one line, and not too long.
fn quote(text: &str) -> String {
    match text.char_indices().nth(QUOTED) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}… ({} bytes)", &text[..end], text.len()),
    }
}

#[cfg(test)]
#[path = "expect_tests.rs"]
mod tests;
