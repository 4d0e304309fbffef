//! `$NAME` and `${NAME}`, as Go's `os.Expand` reads them.

use std::collections::BTreeMap;

/// Environment variables, by name.
pub(super) type Env = BTreeMap<String, String>;

/// `NAME=value`, the last of a name counts.
pub(super) fn env(pairs: &[String]) -> Env {
    let pairs = pairs
        .iter()
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Puts in the values; a name that is not known stands for nothing.
pub(super) fn expand(text: &str, env: &Env) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        expanded.push_str(&rest[..at]);
        let behind = &rest[at + 1..];
        let (name, length) = match behind.chars().next() {
            // At the very end it is no beginning of anything.
            None => {
                expanded.push('$');
                return expanded;
            }
            Some('{') => braced(behind),
            Some(c) if is_special(c) => (&behind[..1], 1),
            Some(_) => {
                let end = behind.find(|c: char| !is_name(c)).unwrap_or(behind.len());
                (&behind[..end], end)
            }
        };
        match (name, length) {
            ("", 0) => expanded.push('$'),
            (name, _) => expanded.push_str(env.get(name).map_or("", String::as_str)),
        }
        rest = &behind[length..];
    }
    expanded.push_str(rest);
    expanded
}

/// The name in `{NAME}`, and how long all of it is. What is none is eaten.
fn braced(text: &str) -> (&str, usize) {
    match text.find('}') {
        Some(1) => ("", 2),
        Some(end) => (&text[1..end], end + 1),
        None => ("", 1),
    }
}

const fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// A shell's own variables: one character each.
const fn is_special(c: char) -> bool {
    matches!(c, '*' | '#' | '$' | '@' | '!' | '?' | '-' | '0'..='9')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_as_go_finds_them() {
        let env = env(&[
            "A=1".into(),
            "AB=2".into(),
            "A=3".into(),
            "C".into(),
            "x y=4".into(),
        ]);
        for (text, expected) in [
            ("$A/$AB/$C.", "3/2/."),
            ("${A}B $NOPE-", "3B -"),
            ("${x y}", "4"),
            ("a$", "a$"),
            ("$/ä$ä", "$/ä$ä"),
            ("$$A ${} ${A", "A  A"),
            ("$1a $#b", "a b"),
            ("none", "none"),
        ] {
            assert_eq!(expand(text, &env), expected, "{text}");
        }
    }
}
