//! What a container changed in its file system: the engine's own list, and what the changed files are.

use std::time::Duration;

use serde::{Deserialize, Serialize};

mod list;
mod look;
pub(crate) mod reading;
mod upper;

/// What one container had changed when it was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// The container's id.
    pub container: String,
    /// What it had added or changed, volumes and what engines make excepted.
    pub files: Vec<ChangedFile>,
    /// Why the list is not whole, if it is not.
    pub gap: Option<String>,
    /// The container had ended when the list was made.
    pub ended: bool,
    /// When the list was made, since the recorder started.
    pub at: Duration,
}

/// A file that a container added or changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedFile {
    /// Its path in the container.
    pub path: String,
    /// What it is.
    pub kind: FileKind,
}

/// What a changed file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// It begins as programs and shared libraries do.
    Elf,
    /// It may be executed, and begins with `#!`.
    Script,
    /// Any other file, directory or link.
    Other,
    /// The engine did not give it.
    Unread,
}

impl Changes {
    /// Nothing of it is unknown.
    fn is_whole(&self) -> bool {
        self.gap.is_none() && self.files.iter().all(|file| file.kind != FileKind::Unread)
    }

    /// Whether this is to be kept when the other was found as well.
    pub(crate) fn outweighs(&self, other: &Self) -> bool {
        match (self.is_whole(), other.is_whole()) {
            (true, true) => self.at > other.at,
            // It is gone by now, and this is how it ended.
            (true, false) => self.ended,
            (false, true) => false,
            // The first reason tells more than that it is gone by now.
            (false, false) => true,
        }
    }

    /// Nothing is known of a container.
    pub(crate) fn unknown(container: &str, reason: String) -> Self {
        Self {
            container: container.to_owned(),
            gap: Some(reason),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(at: u64, ended: bool, gap: Option<&str>, kind: FileKind) -> Changes {
        Changes {
            ended,
            at: Duration::from_secs(at),
            gap: gap.map(str::to_owned),
            files: vec![ChangedFile {
                path: "/x".into(),
                kind,
            }],
            ..Changes::default()
        }
    }

    #[test]
    fn what_is_known_of_a_container_that_has_ended_is_kept() {
        let gone = changes(3, true, Some("404"), FileKind::Other);
        let unread = changes(4, true, None, FileKind::Unread);
        let (running, ended) = (
            changes(1, false, None, FileKind::Other),
            changes(2, true, None, FileKind::Elf),
        );
        for unknown in [&gone, &unread] {
            assert!(ended.outweighs(unknown) && !running.outweighs(unknown));
            assert!(!unknown.outweighs(&ended) && !unknown.outweighs(&running));
        }
        assert!(gone.outweighs(&unread) && unread.outweighs(&gone));
        // The one that was taken last.
        assert!(ended.outweighs(&running) && !running.outweighs(&ended));
    }
}
