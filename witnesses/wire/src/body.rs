//! Bodies that are read while they pass.

use serde_json::Value;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_is_too_long_is_not_kept_at_all() {
        let mut body = Kept::default();
        body.push(&vec![0; KEPT - 1]);
        assert_eq!(body.whole().len(), KEPT - 1);
        body.push(&[0; 10]);
        body.push(&[0]);
        assert_eq!(body.whole(), b"");
    }
}
