//! Mistakes in a text file, and how they are shown.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};

use super::file::{SourceFile, Span};

/// A file can hold very many mistakes; after this many the rest is not collected.
pub(crate) const MAX_MISTAKES: usize = 1000;

/// After this many the rest is only counted.
const MAX_SHOWN: usize = 50;

/// The longest piece of a file that is drawn. The renderer takes long over very long lines.
const MAX_EXCERPT: usize = 32 * 1024;

/// Whether escape codes may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Color {
    /// Plain text, for files and pipes.
    #[default]
    Never,
    /// Coloured, for a terminal.
    Always,
}

/// One mistake, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file.
    pub file: Arc<SourceFile>,
    /// Where in the file; absent when the file as a whole is meant.
    pub span: Option<Span>,
    /// What is wrong, in lower case and without a full stop.
    pub title: String,
    /// What stands beside the caret.
    pub label: Option<String>,
    /// Other places that have a part in it.
    pub secondary: Vec<(Span, String)>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A mistake at a place.
    pub fn new(file: &Arc<SourceFile>, span: Span, title: impl Into<String>) -> Self {
        Self {
            span: Some(span),
            ..Self::whole_file(file, title)
        }
    }

    /// A mistake of the file as a whole.
    pub fn whole_file(file: &Arc<SourceFile>, title: impl Into<String>) -> Self {
        Self {
            file: Arc::clone(file),
            span: None,
            title: title.into(),
            label: None,
            secondary: Vec::new(),
            help: None,
        }
    }

    /// Sets what stands beside the caret.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Sets what to do about it.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds another place that has a part in it.
    pub fn secondary(mut self, span: Span, label: impl Into<String>) -> Self {
        self.secondary.push((span, label.into()));
        self
    }

    /// The message with its place in the file, as a person reads it. No line break at the end.
    pub fn render(&self, color: Color) -> String {
        let path = self.file.path().display().to_string();
        let title = Level::ERROR.primary_title(&self.title);
        let mut group = match self.span {
            None => title.element(Origin::path(path)),
            Some(span) => match self.excerpt(span) {
                Some((lines, first_line)) => {
                    let source = self.file.source();
                    let place = |span: Span| {
                        let bytes = one_line(source, span);
                        bytes.start - lines.start..bytes.end - lines.start
                    };
                    let main = AnnotationKind::Primary
                        .span(place(span))
                        .label(self.label.as_deref());
                    let others = self
                        .secondary
                        .iter()
                        .map(|(span, label)| AnnotationKind::Context.span(place(*span)).label(label));
                    let snippet = Snippet::source(&source[lines.clone()])
                        .line_start(first_line)
                        .path(path);
                    title.element(snippet.annotation(main).annotations(others))
                }
                None => {
                    let origin = Origin::path(path).line(span.line).char_column(span.column);
                    let group = title.element(origin);
                    match &self.label {
                        Some(label) => group.element(Level::NOTE.message(label)),
                        None => group,
                    }
                }
            },
        };
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help));
        }
        let renderer = match color {
            Color::Never => Renderer::plain(),
            Color::Always => Renderer::styled(),
        };
        renderer.render(&[group])
    }
}

impl Diagnostic {
    /// The bytes of the lines that have a part in this, with the number of the first; nothing when
    /// they are too many to be drawn quickly.
    fn excerpt(&self, span: Span) -> Option<(Range<usize>, usize)> {
        let source = self.file.source();
        let places = || std::iter::once(span).chain(self.secondary.iter().map(|(span, _)| *span));
        let first = places().min_by_key(|span| span.start).unwrap_or(span);
        let start = one_line(source, first).start;
        let end = places()
            .map(|span| one_line(source, span).end)
            .max()
            .unwrap_or(start);
        let start = source[..start].rfind('\n').map_or(0, |at| at + 1);
        let end = source[end..].find('\n').map_or(source.len(), |at| end + at + 1);
        (end - start <= MAX_EXCERPT).then_some((start..end, first.line))
    }
}

/// The bytes of a span that are on its first line, moved to where the source can be cut.
fn one_line(source: &str, span: Span) -> Range<usize> {
    let mut start = span.start.min(source.len());
    while !source.is_char_boundary(start) {
        start -= 1;
    }
    let mut end = span.end.clamp(start, source.len());
    while !source.is_char_boundary(end) {
        end -= 1;
    }
    let first_line = source[start..end].lines().next().unwrap_or_default();
    start..start + first_line.trim_end().len()
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Color::Never))
    }
}

impl std::error::Error for Diagnostic {}

/// All mistakes that a stage found; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// The mistakes as an error, in the order of the file, or nothing when there are none.
    pub fn from_vec(mut all: Vec<Diagnostic>) -> Option<Self> {
        if all.is_empty() {
            return None;
        }
        all.sort_by(|a, b| {
            let key = |d: &Diagnostic| d.span.map(|span| (span.start, span.end));
            a.file.path().cmp(b.file.path()).then_with(|| key(a).cmp(&key(b)))
        });
        all.dedup();
        Some(Self(all))
    }

    /// The mistakes, in the order of the file.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    /// The mistakes, to be joined with others.
    pub fn into_vec(self) -> Vec<Diagnostic> {
        self.0
    }

    /// All messages, with an empty line between them and a line break at the end.
    pub fn render(&self, color: Color) -> String {
        let mut text = String::new();
        for (index, diagnostic) in self.0.iter().take(MAX_SHOWN).enumerate() {
            if index > 0 {
                text.push('\n');
            }
            text.push_str(&diagnostic.render(color));
            text.push('\n');
        }
        if self.0.len() > MAX_SHOWN {
            text.push_str(&format!(
                "\nerror: {} more mistakes are not shown\n",
                self.0.len() - MAX_SHOWN
            ));
        }
        text
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(vec![diagnostic])
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.render(Color::Never).trim_end())
    }
}

impl std::error::Error for Diagnostics {}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(source: &str) -> Arc<SourceFile> {
        Arc::new(SourceFile::new("a.yaml", source))
    }

    fn span(start: usize, end: usize) -> Span {
        Span {
            start,
            end,
            line: 1,
            column: start + 1,
        }
    }

    #[test]
    fn a_place_outside_the_file_is_moved_into_it() {
        for (source, start, end) in [("", 0, 0), ("", 5, 9), ("ä", 1, 2), ("a\nb", 0, 3), ("ab", 2, 1)] {
            let text = Diagnostic::new(&file(source), span(start, end), "wrong")
                .label("here")
                .to_string();
            assert!(text.starts_with("error: wrong\n"), "{text}");
        }
    }

    #[test]
    fn a_very_long_line_is_not_drawn() {
        let source = "x".repeat(MAX_EXCERPT + 1);
        let text = Diagnostic::new(&file(&source), span(40_000, 40_001), "wrong")
            .label("here")
            .to_string();
        assert_eq!(text, "error: wrong\n--> a.yaml:1:40001\n = note: here");
    }

    #[test]
    fn the_mistakes_come_in_the_order_of_the_file_and_each_once() {
        let file = file("abc");
        let at = |start| Diagnostic::new(&file, span(start, start + 1), format!("at {start}"));
        let all = Diagnostics::from_vec(vec![at(2), at(0), at(2), Diagnostic::whole_file(&file, "all")]);
        let titles: Vec<String> = all
            .iter()
            .flatten()
            .map(|mistake| mistake.title.clone())
            .collect();
        assert_eq!(titles, ["all", "at 0", "at 2"]);
        assert_eq!(Diagnostics::from_vec(Vec::new()), None);
    }

    #[test]
    fn too_many_mistakes_are_counted() {
        let file = file("abc");
        let all = (0..MAX_SHOWN + 7)
            .map(|n| Diagnostic::whole_file(&file, format!("mistake {n:03}")))
            .collect();
        let text = Diagnostics::from_vec(all).expect("there are some").to_string();
        assert!(text.ends_with("error: 7 more mistakes are not shown"), "{text}");
        assert_eq!(text.matches("error: mistake").count(), MAX_SHOWN);
    }
}
