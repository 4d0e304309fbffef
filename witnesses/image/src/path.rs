//! Paths as archives write them, and what stands for them where they are many.

use std::hash::{BuildHasher, RandomState};

/// A path from the root without `.`, `..`, double slashes and a slash at either end. Nothing leads out of the root.
pub(crate) fn normal(path: &[u8]) -> Vec<u8> {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join(&b'/')
}

/// Everything above a path, nearest first; the root is the empty path.
pub(crate) fn above(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = (!path.is_empty()).then_some(path);
    std::iter::from_fn(move || {
        let at = rest?.iter().rposition(|&byte| byte == b'/');
        let parent = &rest?[..at.unwrap_or(0)];
        rest = at.map(|_| parent);
        Some(parent)
    })
}

/// As text, from the root.
pub(crate) fn text(path: &[u8]) -> String {
    format!("/{}", String::from_utf8_lossy(path))
}

/// Stands for a path. Two paths have the same once in 2^128 tries, and nobody can choose them so: the keys are new with each
/// start of the program.
pub(crate) type Key = u128;

/// Makes keys.
#[derive(Clone, Default)]
pub(crate) struct Keys(RandomState, RandomState);

impl Keys {
    pub(crate) fn of(&self, path: &[u8]) -> Key {
        u128::from(self.0.hash_one(path)) << 64 | u128::from(self.1.hash_one(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leads_out_of_the_root() {
        for (path, expected) in [
            ("./usr//bin/", "usr/bin"),
            ("/../../etc/passwd", "etc/passwd"),
            ("a/../../b", "b"),
            (".", ""),
            ("", ""),
        ] {
            assert_eq!(normal(path.as_bytes()), expected.as_bytes(), "{path}");
        }
    }

    #[test]
    fn all_that_is_above_is_told() {
        let above: Vec<_> = above(b"a/b/c").collect();
        assert_eq!(above, [&b"a/b"[..], b"a", b""]);
        assert_eq!(super::above(b"a").collect::<Vec<_>>(), [b""]);
        assert_eq!(super::above(b"").count(), 0);
    }
}
