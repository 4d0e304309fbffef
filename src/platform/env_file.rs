//! Env files, read as compose reads them, with the place of each value that concerns the platform.
//!
//! The dotenv crates at hand tell no places, know no `${NAME:-DEFAULT}`, let the first of two
//! assignments win and look into the process environment on their own, so this is a reader of our own.
//!
//! An env file holds passwords. Only values of the platform's own variables leave this module, and
//! messages point into a copy of the file in which everything else is hidden.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use super::expand::{ExpandError, Expanded, MAX_VALUE_BYTES, expand};
use super::hide::{HIDDEN, hide_credentials};
use super::names::{MAX_SUGGESTED_BYTES, Name, classify, is_platform, looks_like_a_name, similar};
use super::quotes::{closing_quote, is_blank, unescape, without_comment};
use crate::source::{Diagnostic, SourceFile, Span};

/// The longest name of a variable; nothing longer is meant as one.
const MAX_NAME_BYTES: usize = 255;

/// A value of one of the platform's own variables, or of one that is named like them.
#[derive(Debug)]
pub(super) struct Assignment {
    pub key: String,
    pub key_span: Span,
    pub value: Value,
}

/// A value, and where messages find it.
#[derive(Debug)]
pub(super) struct Value {
    pub text: String,
    /// The file that messages show.
    pub file: Arc<SourceFile>,
    pub span: Span,
    /// Whether the text stands in the file as it is, so that messages may point into it and repeat it.
    pub is_verbatim: bool,
    /// Whether it is what remains after variables were filled in.
    pub is_filled_in: bool,
    /// Variables in it that are not set.
    pub unset: Vec<String>,
}

/// What an env file says to the platform.
#[derive(Debug)]
pub(super) struct EnvFile {
    /// Copies of the assignments that concern the platform, in the order of the file.
    pub assignments: Vec<Assignment>,
    /// Names that are nearly the platform's, and where they stand.
    pub near_misses: Vec<(String, &'static str, Span)>,
    /// The names of all variables that a value refers to.
    pub used: BTreeSet<String>,
    pub errors: Vec<Diagnostic>,
    /// The file as messages show it.
    pub shown: Arc<SourceFile>,
}

/// Reads an env file. `environment` is what its variables may refer to besides earlier lines.
pub(super) fn read(file: &SourceFile, environment: &HashMap<String, String>) -> EnvFile {
    let mut reader = Reader {
        source: file.source(),
        at: 0,
        line: 0,
        lines: file.source().split('\n').map(shown_line).collect(),
        environment,
        earlier: HashMap::new(),
        used: BTreeSet::new(),
        found: Vec::new(),
        near_misses: Vec::new(),
        problems: Vec::new(),
    };
    while reader.statement() {}
    reader.finish(file)
}

/// What is shown of a line unless there is a reason to show more.
fn shown_line(line: &str) -> String {
    match line.trim().is_empty() {
        true => String::new(),
        false => HIDDEN.to_owned(),
    }
}

/// Bytes of a line as it is shown.
#[derive(Clone, Debug)]
struct Place {
    line: usize,
    columns: Range<usize>,
}

struct Problem {
    place: Place,
    title: String,
    label: Option<&'static str>,
    help: Option<String>,
}

struct Found {
    key: String,
    key_place: Place,
    text: String,
    value_place: Place,
    is_verbatim: bool,
    is_filled_in: bool,
    unset: Vec<String>,
}

struct Reader<'a> {
    source: &'a str,
    at: usize,
    /// The line of `at`, counted from 0.
    line: usize,
    /// The lines as they are shown.
    lines: Vec<String>,
    environment: &'a HashMap<String, String>,
    /// The values of earlier lines, secrets among them: they end with the reader.
    earlier: HashMap<String, String>,
    used: BTreeSet<String>,
    found: Vec<Found>,
    near_misses: Vec<(String, &'static str, Place)>,
    problems: Vec<Problem>,
}

/// The parts of a line that assigns a value.
struct Statement<'a> {
    line: usize,
    /// The line from its start to the value.
    head: &'a str,
    key: &'a str,
    key_columns: Range<usize>,
    name: Name,
}

impl<'a> Reader<'a> {
    /// Reads the next line with content; false at the end of the file.
    fn statement(&mut self) -> bool {
        if self.at >= self.source.len() {
            return false;
        }
        let line = self.rest_of_line();
        let content = line.trim_matches(is_blank);
        if content.is_empty() || content.starts_with('#') {
            self.next_line();
            return true;
        }
        let start = line.len() - line.trim_start_matches(is_blank).len();
        let start = match line[start..].strip_prefix("export") {
            Some(rest) if rest.starts_with(is_blank) => line.len() - rest.trim_start_matches(is_blank).len(),
            _ => start,
        };
        let Some(separator) = line[start..].find(['=', ':']).map(|at| start + at) else {
            self.without_separator(line, start);
            return true;
        };
        let key = line[start..separator].trim_end_matches(is_blank);
        if !looks_like_a_name(key) || key.len() > MAX_NAME_BYTES {
            self.bad_name(line, key, start, separator);
            return true;
        }
        let after = &line[separator + 1..];
        let value_column = line.len() - after.trim_start_matches(is_blank).len();
        let statement = Statement {
            line: self.line,
            head: &line[..value_column],
            key,
            key_columns: start..start + key.len(),
            name: classify(key),
        };
        self.at += value_column;
        let value = &line[value_column..];
        match value.chars().next() {
            Some(quote @ ('"' | '\'')) => self.quoted(&statement, quote),
            _ => {
                self.unquoted(&statement, value);
                self.next_line();
            }
        }
        true
    }

    fn rest_of_line(&self) -> &'a str {
        let rest = &self.source[self.at..];
        rest.split_once('\n').map_or(rest, |(line, _)| line)
    }

    fn next_line(&mut self) {
        self.at += self.rest_of_line().len() + 1;
        self.line += 1;
    }

    /// A name alone is taken from the environment, which wins anyway; anything else is a mistake.
    fn without_separator(&mut self, line: &str, start: usize) {
        let content = line[start..].trim_end_matches(is_blank);
        if !looks_like_a_name(content) {
            self.no_assignment(content);
        }
        self.next_line();
    }

    /// A line that has no name and value; its first word is shown when it is the platform's.
    fn no_assignment(&mut self, content: &str) {
        let word = content.split(is_blank).next().unwrap_or_default();
        let shown = match is_platform(word) {
            true => format!("{word} {HIDDEN}"),
            false => HIDDEN.to_owned(),
        };
        self.whole_line_problem(shown, "this line assigns no value", None);
    }

    fn bad_name(&mut self, line: &str, key: &str, start: usize, separator: usize) {
        let first_word = key.split(is_blank).next().unwrap_or_default();
        if key.is_empty() {
            let shown = format!("{}{HIDDEN}", &line[separator..=separator]);
            self.whole_line_problem(shown, "this line names no variable", None);
        } else if looks_like_a_name(key) {
            let title = format!("the name of a variable has at most {MAX_NAME_BYTES} characters");
            self.whole_line_problem(HIDDEN.to_owned(), &title, None);
        } else if is_platform(first_word) {
            // As in `IMAGE_PYTHON python:3.11`.
            self.no_assignment(&line[start..]);
        } else {
            // What is in capitals is a name; anything else may be a piece of a secret.
            let is_shouted = key.len() <= MAX_SUGGESTED_BYTES
                && key
                    .bytes()
                    .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b"_-. \t".contains(&b));
            let (shown, meant) = match is_shouted {
                true => (
                    format!("{}{HIDDEN}", &line[start..=separator]),
                    similar(&key.replace(is_blank, "_")),
                ),
                false => (HIDDEN.to_owned(), None),
            };
            let title = match key.contains(is_blank) {
                true => "the name of a variable holds no blanks",
                false => "the name of a variable holds letters, digits and `_ . -` only",
            };
            self.whole_line_problem(shown, title, meant);
        }
        self.next_line();
    }

    fn unquoted(&mut self, statement: &Statement<'_>, rest: &str) {
        let raw = match rest.starts_with('#') {
            true => "",
            false => without_comment(rest),
        };
        self.assign(statement, raw, raw, 0);
    }

    fn quoted(&mut self, statement: &Statement<'_>, quote: char) {
        let rest = &self.source[self.at..];
        let Some(end) = closing_quote(rest, quote) else {
            let first_line = without_comment(self.rest_of_line());
            let title = format!(
                "the quote that opens the value of `{}` is never closed",
                statement.key
            );
            let place = self.show_value(statement, first_line);
            self.problem(place, title, Some("opens here"), None);
            self.next_line();
            return;
        };
        let inner = &rest[1..end];
        let raw = &rest[..=end];
        self.at += raw.len();
        self.line += raw.matches('\n').count();
        let first_line = raw.split_once('\n').map_or(raw, |(line, _)| line);
        let after = self.rest_of_line().trim_start_matches(is_blank);
        if !after.is_empty() && !after.starts_with('#') {
            let place = self.show_value(statement, first_line);
            let title = format!("text follows the closing quote of `{}`", statement.key);
            let help = (self.line > statement.line).then(|| {
                format!(
                    "the quote closes on line {}; is one missing before?",
                    self.line + 1
                )
            });
            self.problem(place, title, None, help);
        } else if statement.name.is_platform() && inner.contains('\n') {
            let place = self.show_value(statement, first_line);
            let title = format!("the value of `{}` goes on over more than one line", statement.key);
            self.problem(place, title, Some("is the closing quote missing?"), None);
        } else if quote == '\'' {
            let text = inner.replace("\\'", "'");
            let literal = Expanded {
                text,
                ..Expanded::default()
            };
            self.keep(statement, raw, literal, 1);
        } else {
            self.assign(statement, raw, &unescape(inner), 1);
        }
        self.next_line();
    }

    /// Fills in the variables of a value and keeps it. `raw` is the value as it is written, whose
    /// text starts after `indent` bytes.
    fn assign(&mut self, statement: &Statement<'_>, raw: &str, text: &str, indent: usize) {
        let (environment, earlier) = (self.environment, &self.earlier);
        let lookup = |name: &str| {
            environment
                .get(name)
                .or_else(|| earlier.get(name))
                .map(String::as_str)
        };
        match expand(text, &lookup) {
            Ok(expanded) => {
                self.used.extend(expanded.used.iter().cloned());
                self.keep(statement, raw, expanded, indent);
            }
            Err(error) => {
                let place = self.show_value(statement, raw);
                let (title, help) = explain(&error, statement.key);
                self.problem(place, title, None, help);
            }
        }
    }

    /// Keeps a value for later lines, and for the platform where it concerns it.
    fn keep(&mut self, statement: &Statement<'_>, raw: &str, value: Expanded, indent: usize) {
        let key_place = Place {
            line: statement.line,
            columns: statement.key_columns.clone(),
        };
        if let Name::Near(meant) = statement.name {
            self.show_value(statement, raw);
            self.near_misses
                .push((statement.key.to_owned(), meant, key_place.clone()));
        }
        if statement.name.is_platform() {
            let mut value_place = self.show_value(statement, raw);
            let is_shown = self.lines[statement.line].ends_with(raw);
            let is_verbatim = is_shown && raw[indent..raw.len() - indent] == value.text;
            if is_verbatim {
                let start = value_place.columns.start + indent;
                value_place.columns = start..start + value.text.len();
            }
            self.found.push(Found {
                key: statement.key.to_owned(),
                key_place,
                text: value.text.clone(),
                value_place,
                is_verbatim,
                is_filled_in: !value.used.is_empty(),
                unset: value.unset,
            });
        }
        self.earlier.insert(statement.key.to_owned(), value.text);
    }

    /// Shows a line as far as it may be seen, and tells where its value is then.
    fn show_value(&mut self, statement: &Statement<'_>, raw: &str) -> Place {
        let value = match statement.name {
            Name::Known(_) => hide_credentials(raw),
            // `IMAGE_REGISTRY_PASSWORD` is unknown too.
            Name::Unknown | Name::Near(_) | Name::Other => HIDDEN.into(),
        };
        let columns = statement.head.len()..statement.head.len() + value.len();
        self.lines[statement.line] = format!("{}{value}", statement.head);
        Place {
            line: statement.line,
            columns,
        }
    }

    fn whole_line_problem(&mut self, shown: String, title: &str, meant: Option<&str>) {
        let place = Place {
            line: self.line,
            columns: 0..shown.len(),
        };
        self.lines[self.line] = shown;
        let help = meant.map(|meant| format!("did you mean `{meant}`?"));
        self.problem(place, title.to_owned(), Some("expected `NAME=value`"), help);
    }

    fn problem(&mut self, place: Place, title: String, label: Option<&'static str>, help: Option<String>) {
        self.problems.push(Problem {
            place,
            title,
            label,
            help,
        });
    }

    /// Turns places of lines into places of the file as it is shown.
    fn finish(self, file: &SourceFile) -> EnvFile {
        let mut starts = Vec::with_capacity(self.lines.len());
        let mut length = 0;
        for line in &self.lines {
            starts.push(length);
            length += line.len() + 1;
        }
        let shown = Arc::new(SourceFile::new(file.path(), self.lines.join("\n")));
        let span = |place: &Place| Span {
            start: starts[place.line] + place.columns.start,
            end: starts[place.line] + place.columns.end,
            line: place.line + 1,
            column: self.lines[place.line][..place.columns.start].chars().count() + 1,
        };
        let error = |problem: Problem| Diagnostic {
            label: problem.label.map(str::to_owned),
            help: problem.help,
            ..Diagnostic::new(&shown, span(&problem.place), problem.title)
        };
        let assignment = |found: Found| Assignment {
            key: found.key,
            key_span: span(&found.key_place),
            value: Value {
                text: found.text,
                file: Arc::clone(&shown),
                span: span(&found.value_place),
                is_verbatim: found.is_verbatim,
                is_filled_in: found.is_filled_in,
                unset: found.unset,
            },
        };
        let near_miss = |(key, meant, place): (String, &'static str, Place)| (key, meant, span(&place));
        EnvFile {
            assignments: self.found.into_iter().map(assignment).collect(),
            near_misses: self.near_misses.into_iter().map(near_miss).collect(),
            used: self.used,
            errors: self.problems.into_iter().map(error).collect(),
            shown: Arc::clone(&shown),
        }
    }
}

/// What a mistake with variables is called, and what to do about it.
fn explain(error: &ExpandError, key: &str) -> (String, Option<String>) {
    match error {
        ExpandError::LoneDollar => (
            format!("a `$` in the value of `{key}` starts no variable"),
            Some("write `$$` for a dollar sign, or put the value in single quotes".into()),
        ),
        ExpandError::Unterminated => (
            format!("a `${{` in the value of `{key}` is never closed"),
            Some("write `${NAME}`, or `$$` for a dollar sign".into()),
        ),
        ExpandError::BadExpression => (
            format!("a `${{…}}` in the value of `{key}` is no variable"),
            Some("write `${NAME}` or `${NAME:-default}`, or `$$` for a dollar sign".into()),
        ),
        ExpandError::Required(name) => (
            format!("`{key}` needs the variable `{name}`, which is not set"),
            Some(format!("set `{name}` in the environment or above this line")),
        ),
        ExpandError::TooLong => (
            format!("the value of `{key}` is longer than {MAX_VALUE_BYTES} bytes"),
            None,
        ),
        ExpandError::TooDeep => (
            format!("the defaults in the value of `{key}` are nested too deep"),
            None,
        ),
    }
}
