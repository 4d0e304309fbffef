//! Containers that an engine would remove as soon as they have ended (`--rm`), before anybody could see what they had
//! changed. They are made without that, and removed here once they were looked at. And those that a client removes while
//! they run.

use std::sync::Arc;
use std::time::Duration;

use hyper::{Method, StatusCode};
use serde_json::{Map, Value};
use shellproof_api::{EngineKind, labels};

use crate::record::Subject;
use crate::relay::Relay;
use crate::route::Dialect;
use crate::{http, member};

/// The pause before an engine is asked once more.
const PAUSE: Duration = Duration::from_millis(100);
/// The longest answer that is read, in bytes.
const ANSWER: usize = 1 << 20;

/// The request to make a container that stays when it has ended; nothing if it does so anyway, or if that cannot be
/// said of it.
pub(crate) fn kept(dialect: Dialect, body: &[u8], run: &str) -> Option<Vec<u8>> {
    let mut body: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let labels = match dialect {
        Dialect::Docker => {
            let host = member(&mut body, "HostConfig").ok()?.as_object_mut()?;
            // An engine refuses this together with a restart, and is to be asked just that.
            let restart = member(host, "RestartPolicy").ok()?;
            let policy = restart
                .as_object_mut()
                .and_then(|policy| member(policy, "Name").ok());
            if policy.is_some_and(|policy| !matches!(policy.as_str(), None | Some("" | "no"))) {
                return None;
            }
            keep(host, "AutoRemove")?;
            member(&mut body, "Labels").ok()?
        }
        Dialect::Libpod => {
            if *member(&mut body, "remove_image").ok()? == true {
                return None;
            }
            keep(&mut body, "remove")?;
            member(&mut body, "labels").ok()?
        }
    };
    if labels.is_null() {
        *labels = Value::Object(Map::new());
    }
    let labels = labels.as_object_mut()?;
    for label in [labels::RUN, labels::KEPT] {
        labels.insert(label.to_owned(), run.into());
    }
    Some(Value::Object(body).to_string().into_bytes())
}

/// Takes the wish to be removed out of a request; nothing if there is none.
fn keep(body: &mut Map<String, Value>, name: &str) -> Option<()> {
    let wish = member(body, name).ok()?;
    let is_wanted = *wish == true;
    *wish = false.into();
    is_wanted.then_some(())
}

impl Relay {
    /// Whether the engine was asked by this recorder to leave a container that wanted to be removed.
    pub(crate) fn is_kept(&self, subject: &Subject) -> bool {
        let run = self.options.changes.as_ref();
        run.is_some() && subject.kept_by.as_ref() == run
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
        let Ok(Some(subject)) = self.subject(container).await else {
            return;
        };
        if !self.log.started().contains(&subject.id) {
            return;
        }
        if !(subject.running && parameter(query, "force").is_some_and(is_true)) {
            return self.note_changes(&subject).await;
        }
        if self.engine.kind == EngineKind::Podman {
            let patience = parameter(query, "timeout").map(|seconds| format!("?t={seconds}"));
            let stop = format!("stop{}", patience.unwrap_or_default());
            self.post(&subject.id, &stop).await;
        } else {
            self.post(&subject.id, "kill").await;
            self.post(&subject.id, "wait").await;
        }
        self.read_changes(&subject.id).await;
    }

    /// The names of the containers that were kept and are still there. What has ended meanwhile is removed.
    pub(crate) async fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        for container in self.log.created() {
            let Ok(Some(subject)) = self.subject(&container).await else {
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

/// A parameter of a query.
fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .filter_map(|one| one.split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

/// As both engines read it.
fn is_true(value: &str) -> bool {
    matches!(value, "1" | "t" | "T" | "true" | "TRUE" | "True")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn changed(dialect: Dialect, body: Value) -> Option<Value> {
        let changed = kept(dialect, body.to_string().as_bytes(), "r1")?;
        serde_json::from_slice(&changed).unwrap()
    }

    fn labelled() -> Value {
        json!({ labels::RUN: "r1", labels::KEPT: "r1" })
    }

    #[test]
    fn a_container_that_wants_to_be_removed_is_kept_and_labelled() {
        let body =
            json!({ "Image": "x", "HostConfig": { "autoremove": true, "RestartPolicy": { "Name": "no" } } });
        let changed_body = changed(Dialect::Docker, body).unwrap();
        assert_eq!(changed_body["HostConfig"]["autoremove"], false);
        assert_eq!(changed_body["Image"], "x");
        assert_eq!(changed_body["Labels"], labelled());
        let body = json!({ "image": "x", "remove": true, "labels": { "a": "b" } });
        let changed_body = changed(Dialect::Libpod, body).unwrap();
        assert_eq!(changed_body["remove"], false);
        assert_eq!(changed_body["labels"]["a"], "b");
        assert_eq!(changed_body["labels"][labels::KEPT], "r1");
    }

    #[test]
    fn any_other_request_is_left_alone() {
        for body in [
            json!({}),
            json!({ "HostConfig": null }),
            json!({ "HostConfig": { "AutoRemove": false } }),
            json!({ "HostConfig": { "AutoRemove": true, "autoremove": false } }),
            json!({ "HostConfig": { "AutoRemove": true, "RestartPolicy": { "Name": "always" } } }),
            json!({ "HostConfig": { "AutoRemove": true }, "Labels": [1] }),
        ] {
            assert_eq!(changed(Dialect::Docker, body.clone()), None, "{body}");
        }
        for body in [
            json!({ "remove": false }),
            json!({ "remove": true, "remove_image": true }),
        ] {
            assert_eq!(changed(Dialect::Libpod, body.clone()), None, "{body}");
        }
        assert_eq!(kept(Dialect::Docker, b"nonsense", "r1"), None);
    }
}
