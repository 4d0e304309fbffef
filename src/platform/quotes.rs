//! Quotes, escapes, comments and blanks, as compose reads them.

/// A value without what follows it; a comment starts with a blank.
pub(super) fn without_comment(line: &str) -> &str {
    line.split_once(" #")
        .map_or(line, |(value, _)| value)
        .trim_end_matches(is_blank)
}

/// A blank within a line. Others that Unicode has, such as the no-break space, belong to names and values.
pub(super) fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\x0b' | '\x0c')
}

/// Where the quote is that ends a quoted text; a backslash takes the next character's meaning away.
pub(super) fn closing_quote(text: &str, quote: char) -> Option<usize> {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            _ if c == quote => return Some(at),
            _ => {}
        }
    }
    None
}

/// The escapes of a double-quoted value. `\$` becomes `$$`, which is a dollar sign later.
pub(super) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match characters.next() {
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('a') => out.push('\x07'),
            Some('b') => out.push('\x08'),
            Some('f') => out.push('\x0c'),
            Some('v') => out.push('\x0b'),
            Some('$') => out.push_str("$$"),
            Some(c @ ('"' | '\\')) => out.push(c),
            Some(c) => out.extend(['\\', c]),
            None => out.push('\\'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_starts_with_a_blank() {
        assert_eq!(without_comment("a # b"), "a");
        assert_eq!(without_comment("a#b  "), "a#b");
        assert_eq!(without_comment("a\t#b"), "a\t#b");
    }

    #[test]
    fn a_backslash_keeps_a_quote_open() {
        assert_eq!(closing_quote("\"a\"b", '"'), Some(2));
        assert_eq!(closing_quote(r#""a\"b" c"#, '"'), Some(5));
        assert_eq!(closing_quote(r#""a\\"b"#, '"'), Some(4));
        assert_eq!(closing_quote("'é'", '\''), Some(3));
        assert_eq!(closing_quote("'a\"", '\''), None);
    }

    #[test]
    fn escapes_are_those_of_compose() {
        assert_eq!(unescape(r#"a\n\t\"\\\$x\q\"#), "a\n\t\"\\$$x\\q\\");
    }
}
