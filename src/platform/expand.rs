//! The variables in a value, filled in as compose does it.
//!
//! `$NAME`, `${NAME}`, `${NAME:-DEFAULT}`, `${NAME-DEFAULT}`, `${NAME:+OTHER}`, `${NAME+OTHER}`,
//! `${NAME:?MESSAGE}`, `${NAME?MESSAGE}`, and `$$` for a dollar sign. Defaults may hold variables.

/// The longest value, before and after its variables are filled in. A few lines that double each
/// other would otherwise fill the memory.
pub(super) const MAX_VALUE_BYTES: usize = 64 * 1024;

/// The deepest default within a default.
const MAX_DEPTH: usize = 16;

/// A value with its variables filled in.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Expanded {
    /// The value.
    pub text: String,
    /// The variables that it names.
    pub used: Vec<String>,
    /// Those of them that are not set and have no default; they are read as blank.
    pub unset: Vec<String>,
}

/// Why variables cannot be filled in. No text of the value or of a variable is in it but names.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ExpandError {
    /// A dollar sign that starts no variable.
    LoneDollar,
    /// `${` without its end.
    Unterminated,
    /// `${…}` around something else.
    BadExpression,
    /// `${NAME:?…}` and the variable is not set.
    Required(String),
    /// More than [`MAX_VALUE_BYTES`].
    TooLong,
    /// More than [`MAX_DEPTH`].
    TooDeep,
}

/// Fills in the variables of a value.
pub(super) fn expand<'a>(
    text: &str,
    lookup: &dyn Fn(&str) -> Option<&'a str>,
) -> Result<Expanded, ExpandError> {
    let mut out = Expanded::default();
    expand_into(text, lookup, &mut out, 0)?;
    Ok(out)
}

fn expand_into<'a>(
    text: &str,
    lookup: &dyn Fn(&str) -> Option<&'a str>,
    out: &mut Expanded,
    depth: usize,
) -> Result<(), ExpandError> {
    if depth > MAX_DEPTH {
        return Err(ExpandError::TooDeep);
    }
    let mut rest = text;
    while let Some((plain, after)) = rest.split_once('$') {
        push(out, plain)?;
        if let Some(after) = after.strip_prefix('$') {
            push(out, "$")?;
            rest = after;
        } else if let Some(braced) = after.strip_prefix('{') {
            let end = closing_brace(braced).ok_or(ExpandError::Unterminated)?;
            expand_braced(&braced[..end], lookup, out, depth)?;
            rest = &braced[end + 1..];
        } else {
            let end = name_length(after);
            if end == 0 {
                return Err(ExpandError::LoneDollar);
            }
            let name = &after[..end];
            match find(name, lookup, out) {
                Some(value) => push(out, value)?,
                None => out.unset.push(name.to_owned()),
            }
            rest = &after[end..];
        }
    }
    push(out, rest)
}

/// Fills in what stands between `${` and `}`.
fn expand_braced<'a>(
    expression: &str,
    lookup: &dyn Fn(&str) -> Option<&'a str>,
    out: &mut Expanded,
    depth: usize,
) -> Result<(), ExpandError> {
    let (name, operator) = expression.split_at(name_length(expression));
    if name.is_empty() {
        return Err(ExpandError::BadExpression);
    }
    let found = find(name, lookup, out);
    let (blank_counts, operator) = match operator.strip_prefix(':') {
        Some(operator) => (false, operator),
        None => (true, operator),
    };
    let value = found.filter(|value| blank_counts || !value.is_empty());
    let mut characters = operator.chars();
    let (kind, argument) = (characters.next(), characters.as_str());
    match (kind, value) {
        (None, _) if !blank_counts => Err(ExpandError::BadExpression),
        (None, None) => {
            out.unset.push(name.to_owned());
            Ok(())
        }
        (None | Some('-' | '?'), Some(value)) => push(out, value),
        (Some('-'), None) | (Some('+'), Some(_)) => expand_into(argument, lookup, out, depth + 1),
        (Some('+'), None) => Ok(()),
        (Some('?'), None) => Err(ExpandError::Required(name.to_owned())),
        (Some(_), _) => Err(ExpandError::BadExpression),
    }
}

/// The value of a variable; notes that it was asked for.
fn find<'a>(name: &str, lookup: &dyn Fn(&str) -> Option<&'a str>, out: &mut Expanded) -> Option<&'a str> {
    out.used.push(name.to_owned());
    lookup(name)
}

fn push(out: &mut Expanded, text: &str) -> Result<(), ExpandError> {
    if out.text.len() + text.len() > MAX_VALUE_BYTES {
        return Err(ExpandError::TooLong);
    }
    out.text.push_str(text);
    Ok(())
}

/// How many bytes at the start of a text are a variable's name.
fn name_length(text: &str) -> usize {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return 0;
    }
    text.bytes()
        .take_while(|b| b.is_ascii_alphanumeric() || *b == b'_')
        .count()
}

/// Where the brace is that ends an expression; expressions within it have braces of their own.
fn closing_brace(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut previous = b' ';
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' if previous == b'$' => depth += 1,
            b'}' if depth == 0 => return Some(at),
            b'}' => depth -= 1,
            _ => {}
        }
        previous = byte;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &str) -> Result<Expanded, ExpandError> {
        expand(text, &|name| match name {
            "REGISTRY" => Some("reg.example:5000"),
            "EMPTY" => Some(""),
            "_x9" => Some("low"),
            _ => None,
        })
    }

    #[test]
    fn variables_are_filled_in_as_compose_does_it() {
        let cases = [
            ("plain", "plain"),
            ("$REGISTRY/python", "reg.example:5000/python"),
            ("${REGISTRY}/python", "reg.example:5000/python"),
            ("$_x9-${_x9}", "low-low"),
            ("a$$b$$REGISTRY", "a$b$REGISTRY"),
            ("${REGISTRY:-other}", "reg.example:5000"),
            ("${NONE:-other}", "other"),
            ("${NONE-other}", "other"),
            ("${EMPTY:-other}", "other"),
            ("${EMPTY-other}", ""),
            ("${NONE:-}", ""),
            ("${NONE:-$REGISTRY/x}", "reg.example:5000/x"),
            ("${NONE:-${ALSO:-${REGISTRY}}/x}-y", "reg.example:5000/x-y"),
            ("${NONE:-a:-b}", "a:-b"),
            ("${REGISTRY:+set}", "set"),
            ("${EMPTY:+set}", ""),
            ("${EMPTY+set}", "set"),
            ("${NONE+set}", ""),
            ("${REGISTRY:?must be set}", "reg.example:5000"),
            ("${EMPTY?must be set}", ""),
            ("$NONE", ""),
            ("é$NONE-é", "é-é"),
        ];
        for (text, expected) in cases {
            assert_eq!(run(text).map(|e| e.text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_set_is_told() {
        let expanded = run("$NONE/${ALSO}/${DEFAULTED:-x}/$REGISTRY").unwrap();
        assert_eq!(expanded.unset, ["NONE", "ALSO"]);
        assert_eq!(expanded.used, ["NONE", "ALSO", "DEFAULTED", "REGISTRY"]);
    }

    #[test]
    fn mistakes_have_names() {
        let cases = [
            ("a$", ExpandError::LoneDollar),
            ("pa$5word", ExpandError::LoneDollar),
            ("$é", ExpandError::LoneDollar),
            ("${REGISTRY", ExpandError::Unterminated),
            ("${NONE:-${X}", ExpandError::Unterminated),
            ("${}", ExpandError::BadExpression),
            ("${REGISTRY:}", ExpandError::BadExpression),
            ("${REGISTRY!x}", ExpandError::BadExpression),
            ("${9}", ExpandError::BadExpression),
            ("${NONE:?it}", ExpandError::Required("NONE".into())),
            ("${NONE?it}", ExpandError::Required("NONE".into())),
            ("${EMPTY:?it}", ExpandError::Required("EMPTY".into())),
        ];
        for (text, expected) in cases {
            assert_eq!(run(text), Err(expected), "{text}");
        }
        let deep = "${A:-".repeat(40) + &"}".repeat(40);
        assert_eq!(run(&deep), Err(ExpandError::TooDeep));
        let long = "x".repeat(MAX_VALUE_BYTES + 1);
        assert_eq!(run(&long), Err(ExpandError::TooLong));
    }
}
