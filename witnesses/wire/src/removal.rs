//! Containers that an engine would remove as soon as they have ended (`--rm`), before anybody could see what they had
//! changed. They are made without that, and removed here once they were looked at. And those that a client removes while
//! they run.

use std::sync::Arc;
use std::time::Duration;

use hyper::{Method, StatusCode};

use crate::container::InspectedContainer;
use crate::dialect::Dialect;
use crate::http;
use crate::shared::Shared;
use crate::target::Target;

/// The pause before an engine is asked once more.
const PAUSE: Duration = Duration::from_millis(100);
/// The longest answer that is read, in bytes.
const ANSWER: usize = 1 << 20;

impl Shared {
    /// Whether the engine was asked by this recorder to leave a container that wanted to be removed.
    pub(crate) fn is_kept(&self, container: &InspectedContainer) -> bool {
        let run = self.options.changes.as_ref();
        run.is_some() && container.kept_by.as_ref() == run
    }

    /// Waits for the end of a container that was kept, looks at it and removes it.
    pub(crate) async fn remove_when_ended(self: Arc<Self>, container: String) {
        loop {
            match self.post(&container, "wait").await {
                Some(StatusCode::NOT_FOUND) => return,
                // It goes on when it is just being restarted.
                Some(_) if !self.log.is_starting(&container) => {
                    self.read_changes(&container).await;
                    if self.remove(&container).await {
                        return;
                    }
                }
                _ => {}
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Looks at a container that a client wants to be removed. One that runs is ended first where the engine would do so:
    /// what it changed until its end counts.
    pub(crate) async fn read_before_removal(&self, container: &str, query: &str) {
        let Ok(Some(subject)) = self.inspect(container).await else {
            return;
        };
        if !self.log.started().contains(&subject.id) {
            return;
        }
        let dialect = Dialect::of(self.engine.kind);
        let query = Target { path: "", query };
        let values = |name| query.values(name).unwrap_or_default();
        if !(subject.running && values("force").iter().any(|value| dialect.is_true(value))) {
            return self.note_changes(&subject).await;
        }
        for step in dialect.ending(values("timeout").first().map(String::as_str)) {
            self.post(&subject.id, &step).await;
        }
        self.read_changes(&subject.id).await;
    }

    /// The names of the containers that were kept and are still there. What has ended meanwhile is removed.
    pub(crate) async fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        for container in self.log.created() {
            let Ok(Some(subject)) = self.inspect(&container).await else {
                continue;
            };
            if !self.is_kept(&subject) {
                continue;
            }
            if subject.running || !self.log.started().contains(&container) {
                left.push(subject.name);
                continue;
            }
            self.read_changes(&container).await;
            self.remove(&container).await;
        }
        left
    }

    /// Removes a container and its anonymous volumes as the engine would have done, unless it runs. Says whether it is
    /// gone.
    async fn remove(&self, container: &str) -> bool {
        let path = format!("/containers/{container}?v=1");
        let removed = http::call(&self.engine.socket, Method::DELETE, &path, None, ANSWER).await;
        removed.is_ok_and(|(status, _)| status.is_success() || status == StatusCode::NOT_FOUND)
    }

    /// Asks something of a container.
    async fn post(&self, container: &str, what: &str) -> Option<StatusCode> {
        let path = format!("/containers/{container}/{what}");
        let asked = http::call(&self.engine.socket, Method::POST, &path, None, ANSWER).await;
        asked.ok().map(|(status, _)| status)
    }
}
