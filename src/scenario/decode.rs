//! From the YAML tree to the schema, collecting every mistake on the way.
//!
//! Each function returns what it could read and reports what it could not; nothing stops at the
//! first mistake. A container keeps its place even when some of its keys are wrong, so that one
//! typing error does not make the rest of the file look wrong too.

mod container;
mod document;
mod expect;
mod values;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::schema::{Argv, Pattern, Scenario};
use crate::source::decode::{Decoder, Fields, invalid};
use crate::source::spelling::{quoted, similar};
use crate::source::yaml::{self, Entry, Form, Kind, Node};
use crate::source::{Diagnostic, SourceFile, Spanned};
use crate::vocabulary::{Word, one_of};

use values::parse_duration;

/// A length of time with its unit, as scenarios write it: `500ms`, `20s`, `2m` or `1h`.
pub fn duration(text: &str) -> Option<Duration> {
    parse_duration(text).ok()
}

/// Reads a scenario as far as it can be read; the mistakes go to `errors`.
pub(super) fn decode(file: &Arc<SourceFile>, errors: &mut Vec<Diagnostic>) -> Option<Scenario> {
    let root = yaml::read(file, FORM, errors)?;
    Decoder { file, errors }.document(&root)
}

/// As messages call the language.
const FORM: Form = Form {
    what: "scenario",
    begins: "a scenario starts with `schema: 1` and a `name:`",
};

impl Decoder<'_> {
    fn port(&mut self, node: &Node, what: &str) -> Option<Spanned<u16>> {
        let number = self.number(node, what, 1, u32::from(u16::MAX))?;
        Some(number.map(|number| u16::try_from(number).unwrap_or_default()))
    }

    fn exit_code(&mut self, node: &Node, what: &str) -> Option<Spanned<u8>> {
        let number = self.number(node, what, 0, 255)?;
        Some(number.map(|number| u8::try_from(number).unwrap_or_default()))
    }

    /// A length of time with its unit.
    fn duration(&mut self, entry: &Entry) -> Option<Spanned<Duration>> {
        let (what, node) = (entry.key.value.as_str(), &entry.value);
        let text = match &node.kind {
            Kind::Scalar { text, .. } => text,
            Kind::Broken => return None,
            _ => {
                let error = self.wrong_type(node, what, "a duration");
                self.report(error.help("durations look like `500ms`, `20s` or `2m`"));
                return None;
            }
        };
        match parse_duration(text) {
            Ok(duration) => Some(Spanned::new(duration, node.span)),
            Err(problem) => {
                let error = self.at(node.span, invalid(text, what));
                self.report(error.label(problem.label).help(problem.help));
                None
            }
        }
    }

    /// One of a fixed set of words.
    fn word<W: Word>(&mut self, node: &Node, what: &str) -> Option<Spanned<W>> {
        let text = self.string(node, what)?;
        match text.value.parse() {
            Ok(word) => Some(Spanned::new(word, text.span)),
            Err(_) => {
                let mut error = self
                    .at(text.span, format!("unknown {} {}", W::WHAT, quoted(&text.value)))
                    .label(format!("expected {}", one_of(W::WORDS)));
                if let Some(meant) = similar(&text.value, W::WORDS.iter().copied()) {
                    error = error.help(format!("did you mean `{meant}`?"));
                }
                self.report(error);
                None
            }
        }
    }

    /// A list of different items.
    fn distinct<T: std::hash::Hash + Eq + Clone>(
        &mut self,
        entry: &Entry,
        item: impl FnMut(&mut Self, &Node, &str) -> Option<Spanned<T>>,
    ) -> Option<Vec<Spanned<T>>> {
        let items = self.list(entry, item)?;
        let mut seen = HashSet::new();
        for item in &items {
            if !seen.insert(item.value.clone()) {
                let error = self.at(item.span, format!("`{}` holds the same item twice", entry.key));
                self.report(error.label("is in the list already"));
            }
        }
        Some(items)
    }

    /// An argument vector. An empty one is a mistake: nobody can say what would run.
    fn argv(&mut self, entry: &Entry) -> Option<Spanned<Argv>> {
        let items = self.list(entry, |decoder, node, what| decoder.string(node, what))?;
        let is_empty = matches!(&entry.value.kind, Kind::List(nodes) if nodes.is_empty());
        if is_empty {
            let error = self.at(entry.value.span, format!("`{}` is an empty list", entry.key));
            let help = format!("leave `{}` out to keep the image's", entry.key);
            self.report(
                error
                    .label("says neither what to run nor to keep the image's")
                    .help(help),
            );
            return None;
        }
        Some(Spanned::new(items, entry.value.span))
    }

    /// A regular expression that compiles.
    fn pattern(&mut self, node: &Node, what: &str) -> Option<Spanned<Pattern>> {
        let text = self.string(node, what)?;
        match Pattern::new(&text.value) {
            Ok(pattern) => Some(Spanned::new(pattern, text.span)),
            Err(reason) => {
                let error = self.at(
                    text.span,
                    format!("{} is no regular expression", quoted(&text.value)),
                );
                self.report(error.label(reason));
                None
            }
        }
    }
}
