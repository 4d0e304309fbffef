//! From a YAML tree to whatever a file says, collecting every mistake on the way: what the languages of files share.

use std::sync::Arc;

use super::diagnostics::{Diagnostic, MAX_MISTAKES};
use super::file::{SourceFile, Span, Spanned};
use super::spelling::{SYNONYMS, quoted, similar};
use super::yaml::{self, Entry, Kind, Node};
use crate::vocabulary::one_of;

/// Says that a text cannot be the value of a key, or one of its values.
pub(crate) fn invalid(text: &str, key: &str) -> String {
    const LISTS: &[&str] = &[
        "aliases",
        "foreign_programs",
        "networks",
        "ports",
        "tmpfs",
        "volumes",
    ];
    match LISTS.contains(&key) {
        true => format!("{} cannot stand in `{key}`", quoted(text)),
        false => format!("{} is not a valid `{key}`", quoted(text)),
    }
}

/// The state of decoding one file.
pub(crate) struct Decoder<'f> {
    pub(crate) file: &'f Arc<SourceFile>,
    pub(crate) errors: &'f mut Vec<Diagnostic>,
}

/// The keys of one map. What is not taken is unknown.
pub(crate) struct Fields<'n> {
    /// What the map describes, as in "a container".
    pub(crate) what: &'static str,
    /// Where to point when a key is missing.
    pub(crate) place: Span,
    pub(crate) entries: &'n [Entry],
    pub(crate) known: Vec<&'static str>,
    /// Required keys that are not there, each with what to do about it.
    missing: Vec<(&'static str, &'static str)>,
}

impl<'n> Fields<'n> {
    /// The value of a key, if it is there.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<&'n Entry> {
        self.known.push(key);
        self.get(key)
    }

    /// The value of a key that must be there; `help` says what to write.
    pub(crate) fn require(&mut self, key: &'static str, help: &'static str) -> Option<&'n Entry> {
        let entry = self.take(key);
        if entry.is_none() {
            self.missing.push((key, help));
        }
        entry
    }

    pub(crate) fn get(&self, key: &str) -> Option<&'n Entry> {
        self.entries.iter().find(|entry| entry.key.value == key)
    }
}

impl Decoder<'_> {
    pub(crate) fn at(&self, span: Span, title: impl Into<String>) -> Diagnostic {
        Diagnostic::new(self.file, span, title)
    }

    pub(crate) fn report(&mut self, diagnostic: Diagnostic) {
        if !self.is_hopeless() {
            self.errors.push(diagnostic);
        }
    }

    /// Whether a file holds so many mistakes that more would help nobody.
    pub(crate) fn is_hopeless(&self) -> bool {
        self.errors.len() >= MAX_MISTAKES
    }

    /// Reports a value of the wrong type.
    pub(crate) fn wrong_type(&mut self, node: &Node, what: &str, expected: &str) -> Diagnostic {
        let found = node.describe();
        let place = if what.is_empty() {
            String::new()
        } else {
            format!(" for `{what}`")
        };
        self.at(node.span, format!("expected {expected}{place}, found {found}"))
            .label(if found == "nothing" {
                "nothing here".to_owned()
            } else {
                format!("this is {found}")
            })
    }

    /// The keys of a map. `place` is where a missing key is reported.
    pub(crate) fn fields<'n>(
        &mut self,
        node: &'n Node,
        what: &'static str,
        key: &Spanned<String>,
    ) -> Option<Fields<'n>> {
        match &node.kind {
            Kind::Map(entries) => Some(Fields {
                what,
                place: key.span,
                entries,
                known: Vec::new(),
                missing: Vec::new(),
            }),
            Kind::Broken => None,
            _ => {
                let error = self.wrong_type(node, &key.value, "a map");
                self.report(error);
                None
            }
        }
    }

    /// Reports the keys that nobody took, and the required ones that are not there.
    pub(crate) fn finish(&mut self, fields: Fields<'_>) {
        let mut misspelt = Vec::new();
        for entry in fields.entries {
            let key = entry.key.value.as_str();
            if self.is_hopeless() {
                break;
            }
            if fields.known.contains(&key) {
                continue;
            }
            let ours = |other: &str| {
                let (_, ours) = SYNONYMS.iter().find(|(synonym, _)| *synonym == other)?;
                fields.known.contains(ours).then_some(*ours)
            };
            let meant = ours(key)
                .or_else(|| similar(key, fields.known.iter().copied()))
                .or_else(|| ours(similar(key, SYNONYMS.iter().map(|(other, _)| *other))?));
            misspelt.extend(meant);
            let help = match meant {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("{} has {}", fields.what, list(&fields.known)),
            };
            let error = self.at(
                entry.key.span,
                format!("unknown key {} in {}", quoted(key), fields.what),
            );
            self.report(error.label("not known here").help(help));
        }
        for (key, help) in fields.missing.iter().filter(|(key, _)| !misspelt.contains(key)) {
            let error = self.at(fields.place, format!("{} needs the key `{key}`", fields.what));
            self.report(error.label(format!("no `{key}` here")).help(*help));
        }
    }

    /// The one of these keys that is there. Several, or none, is a mistake.
    pub(crate) fn exactly_one<'n>(
        &mut self,
        fields: &mut Fields<'n>,
        keys: &[&'static str],
    ) -> Option<&'n Entry> {
        let found = self.at_most_one(fields, keys);
        if found.is_none() {
            let error = self.at(fields.place, format!("{} needs {}", fields.what, one_of(keys)));
            self.report(error.label("none of these is here"));
        }
        found
    }

    /// The one of these keys that is there, if any. Several is a mistake.
    pub(crate) fn at_most_one<'n>(
        &mut self,
        fields: &mut Fields<'n>,
        keys: &[&'static str],
    ) -> Option<&'n Entry> {
        let found: Vec<&Entry> = keys.iter().filter_map(|key| fields.take(key)).collect();
        let (first, rest) = found.split_first()?;
        for other in rest {
            let title = format!("{} has both `{}` and `{}`", fields.what, first.key, other.key);
            let error = self
                .at(other.key.span, title)
                .label("cannot stand beside the other");
            self.report(error.secondary(first.key.span, "the other one"));
        }
        Some(first)
    }

    /// Text, quoted or not; the number `1.10` keeps its zero.
    pub(crate) fn string(&mut self, node: &Node, what: &str) -> Option<Spanned<String>> {
        match &node.kind {
            Kind::Scalar { text, .. } if text.contains('\0') => {
                let error = self.at(node.span, format!("`{what}` holds a NUL byte"));
                self.report(error.label("no program, path or variable can hold one"));
                None
            }
            Kind::Scalar { text, .. } => Some(Spanned::new(text.clone(), node.span)),
            Kind::Broken => None,
            kind => {
                let mut error = self.wrong_type(node, what, "a string");
                if matches!(kind, Kind::Null) {
                    error = error.help("write \"\" for an empty string");
                }
                self.report(error);
                None
            }
        }
    }

    /// Text that satisfies a rule; `expected` says which.
    pub(crate) fn checked(
        &mut self,
        node: &Node,
        what: &str,
        expected: &str,
        rule: impl FnOnce(&str) -> bool,
    ) -> Option<Spanned<String>> {
        let text = self.string(node, what)?;
        if rule(&text.value) {
            return Some(text);
        }
        let error = self.at(node.span, invalid(&text.value, what));
        self.report(error.label(format!("expected {expected}")));
        None
    }

    pub(crate) fn bool(&mut self, node: &Node, what: &str) -> Option<Spanned<bool>> {
        match &node.kind {
            Kind::Scalar { text, plain: true } if yaml::is_bool(text) => {
                Some(Spanned::new(text.eq_ignore_ascii_case("true"), node.span))
            }
            Kind::Broken => None,
            kind => {
                let mut error = self.wrong_type(node, what, "`true` or `false`");
                match kind {
                    Kind::Scalar { text, .. } if matches!(text.to_lowercase().as_str(), "yes" | "on") => {
                        error = error.help("write `true`");
                    }
                    Kind::Scalar { text, .. } if matches!(text.to_lowercase().as_str(), "no" | "off") => {
                        error = error.help("write `false`");
                    }
                    Kind::Scalar { text, .. } if yaml::is_bool(text) => {
                        error = error.help("write it without quotes");
                    }
                    _ => {}
                }
                self.report(error);
                None
            }
        }
    }

    /// A whole number from `min` to `max`.
    pub(crate) fn number(&mut self, node: &Node, what: &str, min: u32, max: u32) -> Option<Spanned<u32>> {
        let expected = format!("a whole number from {min} to {max}");
        match &node.kind {
            Kind::Scalar { text, plain } => {
                let number = text
                    .parse::<u32>()
                    .ok()
                    .filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
                match number {
                    Some(number) if *plain && (min..=max).contains(&number) => {
                        Some(Spanned::new(number, node.span))
                    }
                    Some(_) if !*plain => {
                        let error = self.wrong_type(node, what, &expected);
                        self.report(error.help("write it without quotes"));
                        None
                    }
                    _ if *plain && text.parse::<f64>().is_ok() => {
                        let error = self.at(node.span, invalid(text, what));
                        self.report(error.label(format!("expected {expected}")));
                        None
                    }
                    _ => {
                        let error = self.wrong_type(node, what, &expected);
                        self.report(error);
                        None
                    }
                }
            }
            Kind::Broken => None,
            _ => {
                let error = self.wrong_type(node, what, &expected);
                self.report(error);
                None
            }
        }
    }

    /// The items of a list, each read by `item`; those that cannot be read are left out.
    pub(crate) fn list<T>(
        &mut self,
        entry: &Entry,
        mut item: impl FnMut(&mut Self, &Node, &str) -> Option<T>,
    ) -> Option<Vec<T>> {
        let what = entry.key.value.as_str();
        match &entry.value.kind {
            Kind::List(items) => Some(items.iter().filter_map(|node| item(self, node, what)).collect()),
            Kind::Broken => None,
            Kind::Scalar { text, .. } => {
                let error = self.wrong_type(&entry.value, what, "a list");
                let is_simple = text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b" _./-".contains(&b));
                let items: Vec<&str> = text.split_whitespace().collect();
                let items = if is_simple {
                    items.join(", ")
                } else {
                    "first, second, …".to_owned()
                };
                self.report(error.help(format!("write it as a list: `{what}: [{items}]`")));
                None
            }
            _ => {
                let error = self.wrong_type(&entry.value, what, "a list");
                self.report(error);
                None
            }
        }
    }
}

/// "`a`, `b` and `c`".
pub(crate) fn list(words: &[&str]) -> String {
    one_of(words).replace(" or ", " and ")
}
