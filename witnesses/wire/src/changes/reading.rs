//! Reading what a container has changed: the engine's list, and then each file of it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::changes::list::{self, Group};
use crate::changes::look::{self, Sight};
use crate::changes::upper::Upper;
use crate::changes::{ChangedFile, Changes, FileKind};
use crate::container::InspectedContainer;
use crate::dialect::Dialect;
use crate::endpoint::Endpoint;

/// How long an engine may take for a container's list.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long looking at one container's changed files may take.
const LOOKING: Duration = Duration::from_secs(20);
/// How long an engine may fail to give files of a container. Podman takes one that has just ended for running until it has
/// heard of the end, and fails to enter it meanwhile (`open /proc/PID/ns/mnt: no such file or directory`).
const FAILING: Duration = Duration::from_secs(5);
/// The pause before an engine that failed is asked again.
const PAUSE: Duration = Duration::from_millis(50);

/// What a container has changed that its engine has just described.
pub(crate) async fn of(engine: &Endpoint, container: &InspectedContainer, at: Duration) -> Changes {
    let mut changes = Changes {
        container: container.id.clone(),
        ended: !container.running,
        at,
        ..Changes::default()
    };
    if container.image.is_empty() {
        changes.gap = Some("its file system is not of an image".to_owned());
        return changes;
    }
    match tokio::time::timeout(PATIENCE, list::ask(engine, container)).await {
        Ok(Ok(groups)) => {
            let mut reader = Reader {
                upper: Upper::of(engine, container).await,
                engine,
                dialect: Dialect::of(engine.kind),
                changes: &mut changes,
                gives_up: None,
            };
            let looking = async {
                reader.look(groups).await;
                reader.look_at_hidden(container).await;
            };
            let looked = tokio::time::timeout(LOOKING, looking).await;
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

/// Looks at the files of one container.
struct Reader<'a> {
    /// Where they can be seen without the engine.
    upper: Option<Arc<Upper>>,
    engine: &'a Endpoint,
    dialect: Dialect,
    changes: &'a mut Changes,
    /// When an engine that fails is no longer asked again.
    gives_up: Option<Instant>,
}

impl Reader<'_> {
    async fn look(&mut self, groups: Vec<Group>) {
        for mut group in groups {
            // An engine writes each name that is no text like this, and nobody can ask for it.
            let is_named = |path: &String| !path.contains(char::REPLACEMENT_CHARACTER);
            let (named, unnamed): (Vec<_>, Vec<_>) = group.paths.into_iter().partition(is_named);
            self.add(unread(unnamed));
            let mut seen = self.plain(&named).await;
            let mut others = Vec::new();
            for path in named {
                match seen.remove(&path) {
                    Some(sight) => {
                        let kind = self.kind(sight);
                        self.add(kind.map(|kind| (path, kind)));
                    }
                    None => others.push(path),
                }
            }
            group.paths = others;
            self.ask_for(group).await;
        }
    }

    /// Asks the engine for what cannot be seen without it.
    async fn ask_for(&mut self, group: Group) {
        let mut known = HashMap::new();
        let is_many =
            group.paths.len() > group.few || group.paths.iter().any(|path| self.dialect.is_pattern(path));
        if is_many && !self.dialect.is_pattern(&group.root) {
            known = look::together(self.engine, &self.changes.container, &group.root)
                .await
                .unwrap_or_default();
        }
        for path in group.paths {
            let kind = match known.get(Path::new(&path)) {
                Some(FileKind::Unread) | None if self.dialect.is_pattern(&path) => Some(FileKind::Unread),
                // A further name of a file has its content only when it is asked for alone.
                Some(FileKind::Unread) | None => {
                    let sight = self.see(&path).await;
                    self.kind(sight)
                }
                Some(kind) => Some(*kind),
            };
            self.add(kind.map(|kind| (path, kind)));
        }
    }

    /// Looks at what the engine leaves out of its list, since it puts files there itself: what is in them decides.
    async fn look_at_hidden(&mut self, container: &InspectedContainer) {
        let to_look_at = |paths: &mut dyn Iterator<Item = &'static &'static str>| -> Vec<String> {
            let is_outside = |path: &&&str| list::is_below_any(path, &container.mounts);
            let paths = paths.filter(|path| !is_outside(path));
            paths.map(|path| (*path).to_owned()).collect()
        };
        let files = to_look_at(&mut self.dialect.hidden(container.init));
        let directories = to_look_at(&mut self.dialect.hidden_directories().iter());
        let mut seen = self.plain(&files).await;
        seen.extend(self.plain(&directories).await);
        for path in files {
            let sight = match seen.remove(&path) {
                Some(sight) => sight,
                None => self.see(&path).await,
            };
            match sight {
                Sight::Gone | Sight::Is(FileKind::Other) => {}
                Sight::Is(kind) => self.add([(path, kind)]),
                Sight::Failed => self.add(unread([path])),
            }
        }
        for directory in directories {
            let sight = match seen.remove(&directory) {
                Some(sight) => sight,
                None => self.see(&directory).await,
            };
            if sight == Sight::Gone {
                continue;
            }
            match look::together(self.engine, &self.changes.container, &directory).await {
                Some(kinds) => {
                    let kinds = kinds.into_iter().filter(|(_, kind)| *kind != FileKind::Other);
                    self.add(kinds.map(|(path, kind)| (path.to_string_lossy().into_owned(), kind)));
                }
                None => self.add(unread([directory])),
            }
        }
    }

    fn add(&mut self, found: impl IntoIterator<Item = (String, FileKind)>) {
        let found = found.into_iter().map(|(path, kind)| ChangedFile { path, kind });
        self.changes.files.extend(found);
    }

    /// What can be seen without the engine.
    async fn plain(&self, paths: &[String]) -> HashMap<String, Sight> {
        match &self.upper {
            Some(upper) => upper.see_all(paths.to_vec()).await,
            None => HashMap::new(),
        }
    }

    /// What a listed file is; nothing when a container that still runs has removed it since the list was made.
    fn kind(&self, sight: Sight) -> Option<FileKind> {
        match sight {
            Sight::Is(kind) => Some(kind),
            Sight::Gone => self.changes.ended.then_some(FileKind::Unread),
            Sight::Failed => Some(FileKind::Unread),
        }
    }

    /// Looks at one file, and again while the engine fails.
    async fn see(&mut self, path: &str) -> Sight {
        loop {
            let sight = look::at(self.engine, &self.changes.container, path).await;
            if sight != Sight::Failed {
                return sight;
            }
            let gives_up = *self.gives_up.get_or_insert_with(|| Instant::now() + FAILING);
            if Instant::now() >= gives_up {
                return sight;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn unread(paths: impl IntoIterator<Item = String>) -> impl Iterator<Item = (String, FileKind)> {
    paths.into_iter().map(|path| (path, FileKind::Unread))
}
