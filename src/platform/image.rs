//! Turns the text of a value into a mode or an image, and says what is wrong with it.

use std::ops::Range;

use shellproof_api::ReferenceError;

use super::env_file::Value;
use super::hide::has_credentials;
use crate::ImageName;
use crate::image_name::suggestion;
use crate::source::{Diagnostic, Span};
use crate::vocabulary::Mode;

/// The longest value that a message repeats.
const MAX_REPEATED: usize = 40;

/// What is wrong with a value, and with which bytes of it.
#[derive(Debug)]
pub(super) struct Mistake {
    title: String,
    label: String,
    help: Option<String>,
    range: Option<Range<usize>>,
}

impl Mistake {
    pub(super) fn new(title: impl Into<String>, label: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            label: label.into(),
            help: None,
            range: None,
        }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    fn range(mut self, range: Range<usize>) -> Self {
        self.range = Some(range);
        self
    }

    /// The message. It points at the bytes to blame where they stand in the file as they are.
    pub(super) fn at(self, value: &Value) -> Diagnostic {
        let mut span = value.span;
        if let (Some(range), true) = (self.range, value.is_verbatim) {
            span = Span {
                start: value.span.start + range.start,
                end: value.span.start + range.end,
                line: value.span.line,
                column: value.span.column + value.text[..range.start].chars().count(),
            };
        }
        let label = match value.is_filled_in {
            true => format!("with its variables filled in: {}", self.label),
            false => self.label,
        };
        let unset = value.unset.first().map(|name| {
            format!("`{name}` is not set in the environment or above this line, and is read as blank")
        });
        let mut error = Diagnostic::new(&value.file, span, self.title).label(label);
        error.help = unset.or(self.help);
        error
    }
}

/// The image mode that a value names.
pub(super) fn mode(value: &Value) -> Result<Mode, Mistake> {
    value.text.parse().map_err(|_| {
        let title = match value.is_verbatim && value.text.len() <= MAX_REPEATED {
            true => format!("no image mode `{}`", value.text.escape_debug()),
            false => "this is no image mode".to_owned(),
        };
        let mistake = Mistake::new(title, "expected `layered` or `prebuilt`");
        let word: String = value
            .text
            .chars()
            .filter(char::is_ascii_alphabetic)
            .take(20)
            .collect();
        let meant = Mode::ALL
            .iter()
            .find(|mode| strsim::damerau_levenshtein(&word.to_ascii_lowercase(), mode.as_str()) <= 2);
        match meant {
            Some(mode) => mistake.help(format!("did you mean `{mode}`?")),
            None => mistake,
        }
    })
}

/// The image that a value names.
pub(super) fn image(variable: &str, value: &Value) -> Result<ImageName, Mistake> {
    let text = value.text.as_str();
    if has_credentials(text) {
        let title = format!("`{variable}` holds a user name or a password");
        let mistake = Mistake::new(title, "expected an image reference without them");
        return Err(mistake.help("log in to the registry with the engine, as in `podman login REGISTRY`"));
    }
    text.parse().map_err(|error: ReferenceError| {
        let mistake = Mistake::new(format!("`{variable}`: {}", error.problem), error.expected);
        let help = suggestion(text).filter(|_| value.is_verbatim);
        Mistake {
            help,
            ..mistake.range(error.range)
        }
    })
}
