//! Bodies that are read while they pass.

use serde_json::Value;
use shellproof_api::facts::without_secrets;

use crate::json;

/// How much of a body is read to say what it asks for, in bytes; a longer one is only counted. A request to make a container
/// may carry large variables and labels.
pub(crate) const KEPT: usize = 4 << 20;

/// The beginning of a body, until it is known what it says.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    bytes: Vec<u8>,
    too_long: bool,
}

impl Kept {
    pub(crate) fn push(&mut self, data: &[u8]) {
        self.too_long |= self.bytes.len() + data.len() > KEPT;
        if !self.too_long {
            self.bytes.extend_from_slice(data);
        }
    }

    /// Why the body does not say the same to all who read it, if so. One that is empty asks for nothing.
    pub(crate) fn doubt(&self) -> Option<String> {
        match (self.too_long, self.bytes.is_empty()) {
            (true, _) => Some(format!("it has more than {KEPT} bytes")),
            (false, true) => None,
            (false, false) => json::read(&self.bytes).err(),
        }
    }

    /// The whole body; empty when it was too long.
    pub(crate) fn whole(&self) -> &[u8] {
        if self.too_long { &[] } else { &self.bytes }
    }
}

/// The id in an answer to a request that made something.
pub(crate) fn made(answer: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    answer.get("Id")?.as_str().map(str::to_owned)
}

/// How much of what an engine says is kept, in characters.
const SAID: usize = 2000;

/// What an engine says in an answer that is a refusal, on one line and without what looks like a secret.
pub(crate) fn said(answer: &[u8]) -> String {
    let value: Value = serde_json::from_slice(answer).unwrap_or_default();
    let text = |key: &str| value[key].as_str().unwrap_or_default();
    let said = match (text("message"), text("cause")) {
        // Not every route answers in JSON.
        ("", _) => String::from_utf8_lossy(answer).into_owned(),
        // Most of Podman's messages end with their cause already.
        (message, cause) if message.ends_with(cause) => message.to_owned(),
        (message, cause) => format!("{message}: {cause}"),
    };
    let words: Vec<_> = said.split_whitespace().map(str::to_owned).collect();
    without_secrets(&words).join(" ").chars().take(SAID).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_engine_says_is_read_in_either_dialect() {
        for (answer, expected) in [
            (&br#"{"message":"no such image: x"}"#[..], "no such image: x"),
            (
                br#"{"cause":"not found","message":"runc: exec \"/nope\":\n  not found","response":500}"#,
                "runc: exec \"/nope\": not found",
            ),
            (
                br#"{"cause":"not found","message":"no start","response":500}"#,
                "no start: not found",
            ),
            (b"Not Found\n", "Not Found"),
            (b"", ""),
            (
                br#"{"message":"cannot run x --password geheim"}"#,
                "cannot run x --password redacted",
            ),
        ] {
            assert_eq!(said(answer), expected);
        }
        assert_eq!(said(&[b'x'; 3 * SAID]).len(), SAID);
    }

    #[test]
    fn a_body_that_is_too_long_is_not_kept_at_all() {
        let mut body = Kept::default();
        body.push(&vec![0; KEPT - 1]);
        assert_eq!(body.whole().len(), KEPT - 1);
        body.push(&[0; 10]);
        body.push(&[0]);
        assert_eq!(body.whole(), b"");
        assert_eq!(body.doubt(), Some(format!("it has more than {KEPT} bytes")));
        let mut exact = Kept::default();
        exact.push(&vec![0; KEPT - 1]);
        exact.push(&[0]);
        assert_eq!(exact.whole().len(), KEPT);
        let mut parts = Kept::default();
        parts.push(&[0; 3000]);
        parts.push(&[0; 3000]);
        assert_eq!(parts.whole().len(), 6000);
    }

    #[test]
    fn a_body_is_doubted_where_readers_could_differ() {
        let doubt = |text: &str| {
            let mut body = Kept::default();
            body.push(text.as_bytes());
            body.doubt()
        };
        assert_eq!((doubt(""), doubt(r#"{"a":1}"#)), (None, None));
        assert!(doubt(r#"{"a":1,"A":2}"#).is_some_and(|why| !why.is_empty() && why != "xyzzy"));
    }

    #[test]
    fn what_was_made_is_named_by_its_id() {
        assert_eq!(made(br#"{"Id":"abc","Warnings":[]}"#).as_deref(), Some("abc"));
        for none in [&b"{}"[..], br#"{"Id":1}"#, b"x"] {
            assert_eq!(made(none), None);
        }
    }
}
