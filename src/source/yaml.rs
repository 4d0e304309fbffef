//! YAML text as a tree whose every node knows its place.
//!
//! Only what the languages here need: one document of maps, lists and scalars. Anchors, aliases, tags and
//! further documents are refused, so that a small file cannot unfold into a large one.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput};

use super::diagnostics::{Diagnostic, MAX_MISTAKES};
use super::file::{SourceFile, Span, Spanned};
use super::spelling::quoted;

/// The deepest nesting that is read; the languages themselves need seven levels.
const MAX_DEPTH: usize = 24;

/// What a file in YAML is, as messages call it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    /// As in "write one scenario per file".
    pub(crate) what: &'static str,
    /// How one begins.
    pub(crate) begins: &'static str,
}

/// A value in the file.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) kind: Kind,
}

/// What a node is.
#[derive(Debug)]
pub(crate) enum Kind {
    /// Nothing, `~` or `null`.
    Null,
    /// Text; plain when it stands without quotes.
    Scalar { text: String, plain: bool },
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the file; no key stands in it twice.
    Map(Vec<Entry>),
    /// Something that was refused and reported.
    Broken,
}

/// A key of a map with its value.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: Spanned<String>,
    pub(crate) value: Node,
}

impl Node {
    /// What a person calls this kind of value.
    pub(crate) fn describe(&self) -> &'static str {
        match &self.kind {
            Kind::Null => "nothing",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
            Kind::Scalar { text, plain: true } if is_bool(text) => "true or false",
            Kind::Scalar { text, plain: true } if text.parse::<f64>().is_ok() => "a number",
            Kind::Scalar { .. } | Kind::Broken => "a string",
        }
    }
}

/// Whether an unquoted scalar is a truth value in YAML 1.2.
pub(crate) fn is_bool(text: &str) -> bool {
    matches!(text, "true" | "True" | "TRUE" | "false" | "False" | "FALSE")
}

/// Reads the file's one document. Mistakes go to `errors`; without a tree there is at least one.
pub(crate) fn read(file: &Arc<SourceFile>, form: Form, errors: &mut Vec<Diagnostic>) -> Option<Node> {
    let mut reader = Reader {
        file,
        form,
        errors,
        places: Places::new(file.source()),
        parser: Parser::new_from_str(file.source()),
    };
    match reader.document() {
        Ok(node) => Some(node),
        Err(error) => {
            reader.errors.push(*error);
            None
        }
    }
}

/// A mistake after which the rest of the file cannot be read.
type Fatal = Box<Diagnostic>;

struct Reader<'f> {
    file: &'f Arc<SourceFile>,
    form: Form,
    errors: &'f mut Vec<Diagnostic>,
    places: Places<'f>,
    parser: Parser<'f, StrInput<'f>>,
}

impl<'f> Reader<'f> {
    fn document(&mut self) -> Result<Node, Fatal> {
        let mut root = None;
        loop {
            let (event, range) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::StreamStart | Event::DocumentEnd | Event::Nothing => {}
                Event::DocumentStart(_) if root.is_some() => {
                    let title = "more than one YAML document in a file";
                    return Err(self
                        .fatal(range, title, "a second document starts here")
                        .help(format!("write one {} per file", self.form.what))
                        .into());
                }
                Event::DocumentStart(_) => {}
                first => root = Some(self.node(first, range, 0)?),
            }
        }
        root.filter(|node| !matches!(node.kind, Kind::Null))
            .ok_or_else(|| {
                Diagnostic::whole_file(self.file, "the file is empty")
                    .help(self.form.begins)
                    .into()
            })
    }

    fn next(&mut self) -> Result<(Event<'f>, Range<usize>), Fatal> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => {
                let start = self.places.byte(span.start.index());
                Ok((event, start..self.places.byte(span.end.index()).max(start)))
            }
            Some(Err(error)) => {
                let source = self.file.source();
                let at = self.places.byte(error.marker().index());
                // What is missing at the end of the file is missing after its last character.
                let last = || {
                    source
                        .trim_end()
                        .char_indices()
                        .next_back()
                        .map_or(0, |(byte, _)| byte)
                };
                let at = if source[at..].trim().is_empty() {
                    last()
                } else {
                    at
                };
                let end = source[at..].chars().next().map_or(at, |c| at + c.len_utf8());
                Err(self.fatal(at..end, "this is not valid YAML", error.info()).into())
            }
            None => Ok((
                Event::StreamEnd,
                self.file.source().len()..self.file.source().len(),
            )),
        }
    }

    fn node(&mut self, event: Event<'f>, range: Range<usize>, depth: usize) -> Result<Node, Fatal> {
        if depth > MAX_DEPTH {
            let title = format!("nested more than {MAX_DEPTH} levels deep");
            let label = format!("this is too deep for a {}", self.form.what);
            return Err(self.fatal(range, title, &label).into());
        }
        let (anchor, tag) = match &event {
            Event::Scalar(_, _, anchor, tag) => (*anchor, tag.is_some()),
            Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag) => (*anchor, tag.is_some()),
            _ => (0, false),
        };
        if anchor != 0 || tag {
            let (title, help) = if tag {
                (
                    "a YAML tag has no meaning here",
                    "leave it out: every value's type follows from its key",
                )
            } else {
                (
                    "a YAML anchor has no meaning here",
                    "write the value out where it is needed",
                )
            };
            let label = format!("not part of the {} language", self.form.what);
            let error = self.fatal(range.clone(), title, &label).help(help);
            self.report(error);
        }
        match event {
            Event::Scalar(text, style, ..) => Ok(self.scalar(text.into_owned(), style, range)),
            Event::SequenceStart(..) => self.list(range, depth),
            Event::MappingStart(..) => self.map(range, depth),
            Event::Alias(_) => {
                let error = self.fatal(
                    range.clone(),
                    "a YAML alias has no meaning here",
                    "stands for something else",
                );
                self.errors
                    .push(error.help("write the value out where it is needed"));
                Ok(Node {
                    span: self.places.span(range),
                    kind: Kind::Broken,
                })
            }
            _ => Err(self
                .fatal(range, "this is not valid YAML", "expected a value")
                .into()),
        }
    }

    fn scalar(&self, text: String, style: ScalarStyle, mut range: Range<usize>) -> Node {
        let source = self.file.source();
        let plain = style == ScalarStyle::Plain;
        if range.is_empty() {
            // The parser places a missing value at the next token: point at what it is missing after.
            let before = source[..range.start].trim_end();
            let last = before.chars().next_back().map_or(0, char::len_utf8);
            range = before.len() - last..before.len();
        } else {
            range.end = range.start + source[range.clone()].trim_end().len();
        }
        let kind = match text.as_str() {
            "" | "~" | "null" | "Null" | "NULL" if plain => Kind::Null,
            _ => Kind::Scalar { text, plain },
        };
        Node {
            span: self.places.span(range),
            kind,
        }
    }

    fn list(&mut self, range: Range<usize>, depth: usize) -> Result<Node, Fatal> {
        let mut items: Vec<Node> = Vec::new();
        loop {
            let (event, place) = self.next()?;
            if event == Event::SequenceEnd {
                let last = items.last().map_or(range.end, |item| item.span.end);
                let span = self.closed(range.start, last, &place, ']');
                return Ok(Node {
                    span,
                    kind: Kind::List(items),
                });
            }
            items.push(self.node(event, place, depth + 1)?);
        }
    }

    fn map(&mut self, range: Range<usize>, depth: usize) -> Result<Node, Fatal> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen: HashMap<String, Span> = HashMap::new();
        let mut last = range.end;
        loop {
            let (event, place) = self.next()?;
            if event == Event::MappingEnd {
                let span = self.closed(range.start, last, &place, '}');
                return Ok(Node {
                    span,
                    kind: Kind::Map(entries),
                });
            }
            let key = self.node(event, place, depth + 1)?;
            let (event, place) = self.next()?;
            let missing = place.is_empty();
            let mut value = self.node(event, place, depth + 1)?;
            if missing && matches!(value.kind, Kind::Null) {
                value.span = key.span;
            }
            last = last.max(key.span.end).max(value.span.end);
            let Kind::Scalar { text, .. } = key.kind else {
                let title = format!("a key must be a word, not {}", key.describe());
                self.errors
                    .push(Diagnostic::new(self.file, key.span, title).label("not a key"));
                continue;
            };
            if let Some(&first) = seen.get(&text) {
                let title = format!("the key {} stands here twice", quoted(&text));
                let error = Diagnostic::new(self.file, key.span, title).label("the second one");
                self.report(error.secondary(first, "the first one"));
                continue;
            }
            seen.insert(text.clone(), key.span);
            entries.push(Entry {
                key: Spanned::new(text, key.span),
                value,
            });
        }
    }

    /// The span of a collection: up to its closing bracket, or to the end of its last part.
    fn closed(&self, start: usize, last: usize, end: &Range<usize>, bracket: char) -> Span {
        let is_flow = self.file.source()[end.start..].starts_with(bracket);
        self.places
            .span(start..if is_flow { end.start + 1 } else { last.max(start) })
    }

    fn report(&mut self, mistake: Diagnostic) {
        if self.errors.len() < MAX_MISTAKES {
            self.errors.push(mistake);
        }
    }

    fn fatal(&self, range: Range<usize>, title: impl Into<String>, label: &str) -> Diagnostic {
        Diagnostic::new(self.file, self.places.span(range), title).label(label)
    }
}

/// Turns the parser's character counts into bytes, lines and columns.
struct Places<'f> {
    source: &'f str,
    /// The byte of every character, kept only when they differ.
    bytes: Option<Vec<usize>>,
    /// The first byte of every line.
    lines: Vec<usize>,
}

impl<'f> Places<'f> {
    fn new(source: &'f str) -> Self {
        let bytes = (!source.is_ascii()).then(|| source.char_indices().map(|(byte, _)| byte).collect());
        let breaks = source.match_indices('\n').map(|(byte, _)| byte + 1);
        Self {
            source,
            bytes,
            lines: std::iter::once(0).chain(breaks).collect(),
        }
    }

    fn byte(&self, index: usize) -> usize {
        match &self.bytes {
            Some(bytes) => bytes.get(index).copied().unwrap_or(self.source.len()),
            None => index.min(self.source.len()),
        }
    }

    /// The character that starts at a byte. Never by counting, which would take too long in a long line.
    fn index(&self, byte: usize) -> usize {
        self.bytes
            .as_ref()
            .map_or(byte, |bytes| bytes.partition_point(|&start| start < byte))
    }

    fn span(&self, range: Range<usize>) -> Span {
        let line = self.lines.partition_point(|&first| first <= range.start);
        let first = self.lines.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let column = self.index(range.start) - self.index(first) + 1;
        Span {
            start: range.start,
            end: range.end,
            line: line.max(1),
            column,
        }
    }
}
