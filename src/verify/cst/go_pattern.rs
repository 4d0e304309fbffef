//! Regular expressions as Go's `regexp` reads them, written as the `regex` crate reads the same.
//!
//! Go's classes `\d`, `\w`, `\s` and its `\b` are ASCII, a `{` without numbers is a character, there are `\Q…\E` and octal
//! escapes, and no sets within sets. What is not written here without doubt is refused rather than guessed.

use crate::scenario::Pattern;

/// The largest count of a repetition, also of one within another.
const MOST: u32 = 1000;
/// Categories and scripts that both know.
const UNICODE: &[&str] = &[
    "Arabic", "Cyrillic", "Greek", "Han", "Hebrew", "Hiragana", "Katakana", "L", "Latin", "Ll", "Lm", "Lo",
    "Lt", "Lu", "M", "N", "Nd", "Nl", "No", "P", "Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "S", "Sc", "Sk",
    "Sm", "So", "Thai", "Z", "Zl", "Zp", "Zs",
];
/// ASCII classes, as in `[[:alpha:]]`.
const ASCII: &[&str] = &[
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
    "upper", "word", "xdigit",
];

/// Why a pattern is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Go does not take it either.
    Invalid(String),
    /// Nobody here can say for sure what Go would make of it.
    Unsure(String),
}

type Result<T> = std::result::Result<T, Refused>;

fn invalid<T>(why: impl Into<String>) -> Result<T> {
    Err(Refused::Invalid(why.into()))
}

fn unsure<T>(what: impl std::fmt::Display) -> Result<T> {
    Err(Refused::Unsure(format!("`{what}` in a regular expression")))
}

/// Reads a pattern of Go. It may match anywhere in a text, of which `^` and `$` mean the two ends.
///
/// # Errors
/// It is none, or it cannot be said for sure.
pub(super) fn compile(go: &str) -> Result<Pattern> {
    let text = translate(go)?;
    Pattern::new(&text).map_err(|error| Refused::Unsure(format!("a regular expression: {error}")))
}

/// A pattern of Go in the other syntax.
fn translate(go: &str) -> Result<String> {
    let mut reader = Reader {
        left: go.chars().collect::<Vec<_>>(),
        at: 0,
        // Patterns of scenarios match at line breaks unless they say otherwise.
        written: "(?-m)".to_owned(),
        depth: 0,
    };
    reader.alternatives()?;
    match reader.peek() {
        None => Ok(reader.written),
        Some(_) => invalid("it has a `)` too many"),
    }
}

struct Reader {
    left: Vec<char>,
    at: usize,
    written: String,
    depth: usize,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.left.get(self.at).copied()
    }

    fn peek_at(&self, offset: usize) -> Option<char> {
        self.left.get(self.at + offset).copied()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += 1;
        Some(next)
    }

    fn take(&mut self, text: &str) -> bool {
        let is_next = text
            .chars()
            .enumerate()
            .all(|(offset, c)| self.peek_at(offset) == Some(c));
        if is_next {
            self.at += text.chars().count();
        }
        is_next
    }

    /// Up to the end or a closing bracket. Gives the largest product of counts in it.
    fn alternatives(&mut self) -> Result<u32> {
        self.depth += 1;
        if self.depth > 100 {
            return unsure("(((…");
        }
        let mut most = 1;
        // What a repetition would repeat: where it was written, and the counts in it.
        let mut last: Option<(usize, u32)> = None;
        while let Some(c) = self.peek() {
            match c {
                ')' => break,
                '|' => {
                    self.at += 1;
                    self.written.push('|');
                    last = None;
                }
                '*' | '+' | '?' => {
                    let Some((start, counts)) = last.take() else {
                        return invalid(format!("nothing stands before `{c}`"));
                    };
                    self.at += 1;
                    self.repeat(start, &c.to_string())?;
                    most = most.max(counts);
                }
                '{' => match (self.count(), last.take()) {
                    (None, _) => {
                        self.at += 1;
                        last = Some((self.written.len(), 1));
                        self.literal('{');
                    }
                    (Some(_), None) => return invalid("nothing stands before `{`"),
                    (Some((lowest, highest, length)), Some((start, counts))) => {
                        let largest = highest.unwrap_or(lowest);
                        let product = largest.max(1).saturating_mul(counts);
                        if largest > MOST || product > MOST || highest.is_some_and(|highest| highest < lowest)
                        {
                            return invalid("it repeats too often");
                        }
                        self.at += length;
                        let upper = match highest {
                            Some(highest) if highest == lowest => String::new(),
                            Some(highest) => format!(",{highest}"),
                            None => ",".to_owned(),
                        };
                        self.repeat(start, &format!("{{{lowest}{upper}}}"))?;
                        most = most.max(product);
                    }
                },
                _ => {
                    let start = self.written.len();
                    let found = self.one()?;
                    if let Some(counts) = found {
                        most = most.max(counts);
                        last = Some((start, counts));
                    } else {
                        last = None;
                    }
                }
            }
        }
        self.depth -= 1;
        Ok(most)
    }

    /// Writes a repetition of all that was written since `start`. Two in a row Go refuses.
    fn repeat(&mut self, start: usize, count: &str) -> Result<()> {
        // What is a character, a class or a group is one thing already.
        if matches!(&self.written[start..], "^" | "$" | r"\A" | r"\z") {
            self.written.insert_str(start, "(?:");
            self.written.push(')');
        }
        self.written.push_str(count);
        if self.take("?") {
            self.written.push('?');
        }
        let is_another = matches!(self.peek(), Some('*' | '+' | '?'))
            || self.peek() == Some('{') && self.count().is_some();
        match is_another {
            true => invalid("two repetitions stand in a row"),
            false => Ok(()),
        }
    }

    /// `{n}`, `{n,}` or `{n,m}`, and how long it is; anything else is no repetition.
    fn count(&self) -> Option<(u32, Option<u32>, usize)> {
        let rest: String = self.left[self.at..].iter().take(24).collect();
        let (inner, _) = rest.strip_prefix('{')?.split_once('}')?;
        let number = |text: &str| {
            let is_number = !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_digit())
                && (text.len() == 1 || !text.starts_with('0'));
            // What does not fit is too large all the same.
            is_number.then(|| text.parse().unwrap_or(u32::MAX))
        };
        let length = inner.len() + 2;
        Some(match inner.split_once(',') {
            None => (number(inner)?, Some(number(inner)?), length),
            Some((lowest, "")) => (number(lowest)?, None, length),
            Some((lowest, highest)) => (number(lowest)?, Some(number(highest)?), length),
        })
    }

    /// One thing that could be repeated, and the counts in it; none for a change of flags.
    fn one(&mut self) -> Result<Option<u32>> {
        match self.next() {
            Some('(') => return self.group(),
            Some('[') => self.class()?,
            Some('\\') => self.escape()?,
            Some(c @ ('.' | '^' | '$')) => self.written.push(c),
            Some(c) => self.literal(c),
            None => {}
        }
        Ok(Some(1))
    }

    fn literal(&mut self, c: char) {
        self.written.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
    }

    fn group(&mut self) -> Result<Option<u32>> {
        let mut opened = "(?:".to_owned();
        if self.take("?P<") {
            let mut name = String::new();
            while let Some(c) = self.next() {
                match c {
                    '>' => break,
                    c => name.push(c),
                }
            }
            if name.is_empty()
                || !name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            {
                return invalid("a group has a name that is none");
            }
        } else if self.take("?<") {
            return unsure("(?<");
        } else if self.take("?") {
            let mut flags = String::new();
            loop {
                match self.next() {
                    Some(c @ ('i' | 'm' | 's' | 'U')) => flags.push(c),
                    Some('-') if !flags.contains('-') => flags.push('-'),
                    Some(':') => {
                        opened = format!("(?{flags}:");
                        break;
                    }
                    Some(')') if !flags.is_empty() => {
                        if flags.ends_with('-') {
                            return invalid("a group of flags ends in `-`");
                        }
                        self.written.push_str(&format!("(?{flags})"));
                        return Ok(None);
                    }
                    _ => return invalid("a group has flags that there are not"),
                }
            }
            if flags.ends_with('-') {
                return invalid("a group of flags ends in `-`");
            }
        }
        self.written.push_str(&opened);
        let counts = self.alternatives()?;
        match self.next() {
            Some(_) => {
                self.written.push(')');
                Ok(Some(counts))
            }
            None => invalid("a `)` is missing"),
        }
    }

    /// What stands behind a backslash, outside of a class.
    fn escape(&mut self) -> Result<()> {
        match self.peek() {
            Some('A') => self.written.push_str(r"\A"),
            Some('z') => self.written.push_str(r"\z"),
            Some('b') => self.written.push_str(r"(?-u:\b)"),
            Some('B') => return unsure(r"\B"),
            Some('C') => return invalid(r"`\C` is not supported"),
            Some('Q') => {
                self.at += 1;
                while self.peek().is_some() && !self.take(r"\E") {
                    if let Some(c) = self.next() {
                        self.literal(c);
                    }
                }
                // A repetition would be of the last character alone.
                return match self.peek() {
                    Some('*' | '+' | '?' | '{') => unsure(r"\Q…\E*"),
                    _ => Ok(()),
                };
            }
            _ => {
                if let Some(class) = self.perl()? {
                    self.written.push_str(&format!("[{class}]"));
                } else {
                    let c = self.escaped()?;
                    self.literal(c);
                }
                return Ok(());
            }
        }
        self.at += 1;
        Ok(())
    }

    /// `\d`, `\pL` and their like, as the inside of a class.
    fn perl(&mut self) -> Result<Option<String>> {
        let class = match self.peek() {
            Some('d') => "0-9",
            Some('D') => r"[^0-9]",
            Some('w') => "0-9A-Za-z_",
            Some('W') => r"[^0-9A-Za-z_]",
            Some('s') => r"\t\n\x0C\r\x20",
            Some('S') => r"[^\t\n\x0C\r\x20]",
            Some(kind @ ('p' | 'P')) => {
                self.at += 1;
                return self.unicode(kind).map(Some);
            }
            _ => return Ok(None),
        };
        self.at += 1;
        Ok(Some(class.to_owned()))
    }

    fn unicode(&mut self, kind: char) -> Result<String> {
        let mut name = String::new();
        match self.next() {
            Some('{') => loop {
                match self.next() {
                    Some('}') => break,
                    Some(c) => name.push(c),
                    None => return invalid("a `}` is missing"),
                }
            },
            Some(c) => name.push(c),
            None => return invalid(r"it ends in `\p`"),
        }
        let bare = name.strip_prefix('^').unwrap_or(&name);
        let is_negated = (kind == 'P') != (bare.len() != name.len());
        match UNICODE.contains(&bare) {
            true => Ok(format!(r"\{}{{{bare}}}", if is_negated { 'P' } else { 'p' })),
            false => unsure(format!(r"\{kind}{{{name}}}")),
        }
    }

    /// One character behind a backslash.
    fn escaped(&mut self) -> Result<char> {
        let Some(c) = self.next() else {
            return invalid(r"it ends in `\`");
        };
        Ok(match c {
            'a' => '\x07',
            'f' => '\x0C',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0B',
            'x' => return self.hexadecimal(),
            '0' => self.octal(0),
            '1'..='7' if matches!(self.peek(), Some('0'..='7')) => {
                self.octal(c.to_digit(8).unwrap_or_default())
            }
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => c,
            c => return invalid(format!(r"`\{c}` is nothing")),
        })
    }

    fn octal(&mut self, first: u32) -> char {
        let mut value = first;
        for _ in 0..2 {
            match self.peek().and_then(|c| c.to_digit(8)) {
                Some(digit) => {
                    value = value * 8 + digit;
                    self.at += 1;
                }
                None => break,
            }
        }
        char::from_u32(value).unwrap_or_default()
    }

    fn hexadecimal(&mut self) -> Result<char> {
        let mut digits = String::new();
        let is_braced = self.take("{");
        while let Some(c) = self.next() {
            match c {
                '}' if is_braced => break,
                c => digits.push(c),
            }
            if !is_braced && digits.len() == 2 {
                break;
            }
        }
        let is_number = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_hexdigit());
        let value = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
        match value.filter(|_| is_number && (is_braced || digits.len() == 2)) {
            Some(c) => Ok(c),
            None => invalid(format!(r"`\x{digits}` is no character")),
        }
    }

    /// A class, behind its `[`.
    fn class(&mut self) -> Result<()> {
        let mut inside = String::new();
        let is_negated = self.take("^");
        let mut is_first = true;
        loop {
            let Some(c) = self.peek() else {
                return invalid("a `]` is missing");
            };
            if c == ']' && !is_first {
                self.at += 1;
                break;
            }
            is_first = false;
            if self.take("[:") {
                let rest: String = self.left[self.at..].iter().collect();
                let Some((name, _)) = rest.split_once(":]") else {
                    return unsure("[[:");
                };
                let bare = name.strip_prefix('^').unwrap_or(name);
                if !ASCII.contains(&bare) {
                    return invalid(format!("`[:{name}:]` is no class"));
                }
                self.at += name.chars().count() + 2;
                inside.push_str(&format!("[:{name}:]"));
                continue;
            }
            let start = match self.member()? {
                Member::Class(class) => {
                    inside.push_str(&class);
                    continue;
                }
                Member::One(c) => c,
            };
            let is_range = self.peek() == Some('-') && self.peek_at(1).is_some_and(|next| next != ']');
            if !is_range {
                inside.push_str(&hex(start));
                continue;
            }
            self.at += 1;
            match self.member()? {
                Member::One(end) if end >= start => {
                    inside.push_str(&format!("{}-{}", hex(start), hex(end)));
                }
                _ => return invalid("a class has a range that is none"),
            }
        }
        let not = if is_negated { "^" } else { "" };
        self.written.push_str(&format!("[{not}{inside}]"));
        Ok(())
    }

    fn member(&mut self) -> Result<Member> {
        if !self.take(r"\") {
            return match self.next() {
                Some(c) => Ok(Member::One(c)),
                None => invalid("a `]` is missing"),
            };
        }
        match self.perl()? {
            Some(class) => Ok(Member::Class(class)),
            None => self.escaped().map(Member::One),
        }
    }
}

/// One item of a class.
enum Member {
    One(char),
    Class(String),
}

fn hex(c: char) -> String {
    if c.is_ascii_alphanumeric() {
        return c.to_string();
    }
    format!(r"\x{{{:X}}}", u32::from(c))
}

/// Bytes as Go looks at them: each that is no UTF-8 stands for itself alone.
pub(super) fn text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}

#[cfg(test)]
#[path = "go_pattern_tests.rs"]
mod tests;
