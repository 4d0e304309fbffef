//! The target of a request, as Go's server reads it.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// A request's target in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// The path as it was sent.
    pub path: &'a str,
    /// The query as it was sent, without its question mark.
    pub query: &'a str,
}

impl<'a> Target<'a> {
    /// Takes a target apart. `None` for one that engines take in another way than it looks, or not at all: one that begins
    /// neither with `/` nor with `http://` and a host.
    ///
    /// Go reads `http:/a` and `a+b://d/a` as the path `/a`, and `http:a` as no path at all.
    pub fn read(target: &'a str) -> Option<Self> {
        let (rest, query) = target.split_once('?').unwrap_or((target, ""));
        let path = match rest.strip_prefix("http://") {
            Some(rest) => &rest[rest.find('/').filter(|at| *at > 0)?..],
            None => rest,
        };
        path.starts_with('/').then_some(Self { path, query })
    }

    /// The path without its percent signs.
    pub fn decoded(&self) -> Cow<'a, str> {
        percent_decode_str(self.path).decode_utf8_lossy()
    }

    /// The values of a parameter. `None` where some of the query cannot be read, since engines leave out what they cannot
    /// read.
    pub fn values(&self, name: &str) -> Option<Vec<String>> {
        let mut values = Vec::new();
        for parameter in self.query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let (key, value) = (unescaped(key)?, unescaped(value)?);
            if key == name {
                values.push(value);
            }
        }
        Some(values)
    }
}

/// A name or a value of a query; `None` where Go does not take it.
fn unescaped(text: &str) -> Option<String> {
    let is_escaped = |at: usize| {
        let digits = text.as_bytes().get(at + 1..at + 3);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    let is_readable = !text.contains(';') && text.match_indices('%').all(|(at, _)| is_escaped(at));
    is_readable.then(|| {
        let spaced = text.replace('+', " ");
        percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_or_an_address_of_a_host_is_read() {
        for (target, path, query) in [
            ("/a/b?c=d", "/a/b", "c=d"),
            ("/", "/", ""),
            ("//a?b?c", "//a", "b?c"),
            ("http://d/a", "/a", ""),
            ("http://me:word@d:80/a?http://x/y", "/a", "http://x/y"),
            ("/a?b=http://c/d", "/a", "b=http://c/d"),
            ("/a%2Fb", "/a%2Fb", ""),
        ] {
            assert_eq!(Target::read(target), Some(Target { path, query }), "{target}");
        }
    }

    #[test]
    fn anything_else_is_not() {
        for target in [
            "",
            "*",
            "a",
            "d:80",
            "http:/v4.0.0/libpod/containers/x/healthcheck",
            "http:///a",
            "http:a",
            "http://d",
            "http://d?/a",
            "HTTP://d/a",
            "https://d/a",
            "a+b://d/v4.0.0/libpod/containers/x/healthcheck",
            "unix:/a",
        ] {
            assert_eq!(Target::read(target), None, "{target}");
        }
    }

    #[test]
    fn a_parameter_has_the_values_that_go_reads() {
        let values = |query| Target { path: "/", query }.values("from");
        let owned =
            |values: &[&str]| Some(values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>());
        assert_eq!(values("from=a&x=b"), owned(&["a"]));
        assert_eq!(values("fro%6d=a%20b&from=c+d&from"), owned(&["a b", "c d", ""]));
        assert_eq!(values("x=from"), owned(&[]));
        for unreadable in ["from=a;x", "from=%zz", "from=a%2", "x%=1"] {
            assert_eq!(values(unreadable), None, "{unreadable}");
        }
    }
}
