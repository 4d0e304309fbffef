//! A text file as it was read, and places in it.

use std::fmt;
use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};

/// A text file as it was read, kept so that later stages can point into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    path: PathBuf,
    source: String,
}

impl SourceFile {
    /// A file with this text; a byte order mark is dropped.
    pub fn new(path: impl Into<PathBuf>, source: impl Into<String>) -> Self {
        let mut source = source.into();
        if source.starts_with('\u{feff}') {
            source.drain(..'\u{feff}'.len_utf8());
        }
        Self {
            path: path.into(),
            source,
        }
    }

    /// The path, as the user gave it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The whole text.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The directory that relative paths in the scenario start from.
    pub fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// Where some bytes of a value stand, if the value stands at this place as it is, quoted or not; else the place.
    pub(crate) fn part(&self, span: Span, value: &str, bytes: Range<usize>) -> Span {
        let written = self.source.get(span.start..span.end).unwrap_or_default();
        match written.find(value).filter(|_| !value.contains('\n')) {
            Some(offset) => {
                let start = offset + bytes.start;
                Span {
                    start: span.start + start,
                    end: span.start + offset + bytes.end,
                    line: span.line,
                    column: span.column + written[..start].chars().count(),
                }
            }
            None => span,
        }
    }

    /// `file:line:column`, for one-line messages.
    pub fn location(&self, span: Span) -> String {
        format!("{}:{}:{}", self.path.display(), span.line, span.column)
    }
}

/// A stretch of a scenario file. The default is the file's first position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
    /// The line of the first byte, counted from 1.
    pub line: usize,
    /// The column of the first byte in characters, counted from 1.
    pub column: usize,
}

impl Span {
    /// Whether `other` lies within this span.
    pub fn contains(&self, other: Span) -> bool {
        self.start <= other.start && other.end <= self.end
    }
}

impl Default for Span {
    fn default() -> Self {
        Self {
            start: 0,
            end: 0,
            line: 1,
            column: 1,
        }
    }
}

/// A value, and where it was written. Two are equal when their values are.
#[derive(Clone, Copy, Debug, Default, Eq)]
pub struct Spanned<T> {
    /// What was written.
    pub value: T,
    /// Where it was written.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// Puts a value at its place.
    pub fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }

    /// Changes the value and keeps its place.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned {
            value: change(self.value),
            span: self.span,
        }
    }
}

impl<T: PartialEq> PartialEq for Spanned<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T> Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Display> fmt::Display for Spanned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_text() {
        assert_eq!(
            SourceFile::new("a.yaml", "\u{feff}schema: 1").source(),
            "schema: 1"
        );
    }

    #[test]
    fn a_location_is_clickable() {
        let span = Span {
            line: 3,
            column: 7,
            ..Span::default()
        };
        assert_eq!(SourceFile::new("dir/a.yaml", "").location(span), "dir/a.yaml:3:7");
    }

    #[test]
    fn relative_paths_start_at_the_file() {
        assert_eq!(SourceFile::new("dir/a.yaml", "").directory(), Path::new("dir"));
        assert_eq!(SourceFile::new("a.yaml", "").directory(), Path::new(""));
    }
}
