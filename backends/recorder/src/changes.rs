//! What a container changed in its file system: the engine's own list, and what the changed files are.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

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
    pub(crate) fn is_whole(&self) -> bool {
        self.gap.is_none() && self.files.iter().all(|file| file.kind != FileKind::Unread)
    }

    /// Asks the engine.
    pub(crate) async fn of(engine: &Endpoint, subject: &Subject) -> Self {
        let mut changes = Self {
            container: subject.id.clone(),
            ..Self::default()
        };
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
            if group.paths.len() > group.few {
                known = look::together(engine, &self.container, &group.root)
                    .await
                    .unwrap_or_default();
            }
            for path in group.paths {
                let mut kind = known.get(Path::new(&path)).copied();
                if kind.is_none() {
                    kind = look::at(engine, &self.container, &path).await;
                }
                if kind == Some(FileKind::Unread) {
                    // An engine that is busy with the container's end may fail once; and a further name of a file has its
                    // content only when it is asked for alone.
                    kind = look::at(engine, &self.container, &path).await;
                }
                self.files.extend(kind.map(|kind| ChangedFile { path, kind }));
            }
        }
    }
}
