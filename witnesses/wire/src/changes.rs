//! What a container changed in its file system: the engine's own list, and what the changed files are.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use shellproof_api::EngineKind;

use crate::Endpoint;
use crate::record::Subject;
use list::Group;

mod list;
mod look;

/// How long an engine may take for a container's list.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long looking at one container's changed files may take.
const LOOKING: Duration = Duration::from_secs(20);

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

    /// Asks the engine about a container that it has just described.
    pub(crate) async fn of(engine: &Endpoint, subject: &Subject, at: Duration) -> Self {
        let mut changes = Self {
            container: subject.id.clone(),
            ended: !subject.running,
            at,
            ..Self::default()
        };
        if subject.image.is_empty() {
            changes.gap = Some("its file system is not of an image".to_owned());
            return changes;
        }
        let listed = tokio::time::timeout(PATIENCE, list::ask(engine, subject)).await;
        match listed {
            Ok(Ok(groups)) => {
                let looked = tokio::time::timeout(LOOKING, changes.look(engine, groups)).await;
                changes.gap = looked.err().map(|_| {
                    format!(
                        "more files were changed than could be looked at in {} s",
                        LOOKING.as_secs()
                    )
                });
            }
            Ok(Err(reason)) => changes.gap = Some(reason),
            Err(_) => changes.gap = Some(format!("no list within {} s", PATIENCE.as_secs())),
        }
        changes
    }

    async fn look(&mut self, engine: &Endpoint, groups: Vec<Group>) {
        for group in groups {
            let mut known = HashMap::new();
            let is_many =
                group.paths.len() > group.few || group.paths.iter().any(|path| is_glob(engine, path));
            if is_many && !is_glob(engine, &group.root) {
                known = look::together(engine, &self.container, &group.root)
                    .await
                    .unwrap_or_default();
            }
            for path in group.paths {
                let kind = match known.get(Path::new(&path)) {
                    // An engine writes each name that is no text like this, and nobody can ask for it.
                    _ if path.contains(char::REPLACEMENT_CHARACTER) => Some(FileKind::Unread),
                    Some(FileKind::Unread) | None if is_glob(engine, &path) => Some(FileKind::Unread),
                    // A further name of a file has its content only when it is asked for alone.
                    Some(FileKind::Unread) | None => self.look_alone(engine, &path).await,
                    Some(kind) => Some(*kind),
                };
                self.files.extend(kind.map(|kind| ChangedFile { path, kind }));
            }
        }
    }

    /// What one file is; nothing when a container that still runs has removed it since the list was made.
    async fn look_alone(&self, engine: &Endpoint, path: &str) -> Option<FileKind> {
        let mut kind = look::at(engine, &self.container, path).await;
        if kind == Some(FileKind::Unread) {
            // An engine that is busy with the container's end may fail once.
            kind = look::at(engine, &self.container, path).await;
        }
        kind.or(self.ended.then_some(FileKind::Unread))
    }
}

/// Podman takes a path for a pattern, and gives another file.
fn is_glob(engine: &Endpoint, path: &str) -> bool {
    engine.kind == EngineKind::Podman && path.contains(['*', '?', '[', ']', '\\'])
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
