//! Podman's own interface, and what its engine does in its own way.

use serde_json::{Value, json};

use super::docker::{label, stay};
use crate::action::Action;
use crate::event::EventKind;
use crate::json::{self, member};

/// The name in the `Server` header.
pub(super) const SERVER: &str = "Libpod";

/// The files that it leaves out of the list of changes, beside Docker's (`initInodes` in `libpod/diff.go`).
pub(super) const HIDDEN: &[&str] = &["/etc/mtab", "/run/.containerenv", "/run/notify"];
/// The same, directories.
pub(super) const HIDDEN_DIRECTORIES: &[&str] = &["/run/secrets"];
/// Where its init is in a container that has one.
pub(super) const INIT: &[&str] = &["/dev/init", "/run/podman-init"];

/// The routes that are understood, beside Docker's.
pub(super) const ROUTES: &[(&str, &str, Action)] = &[
    ("GET", "/containers/*/healthcheck", Action::RunHealthCheck),
    ("DELETE", "/pods/*", Action::Remove),
    ("POST", "/pods/prune", Action::Remove),
    ("DELETE", "/play/kube", Action::Remove),
    ("DELETE", "/kube/play", Action::Remove),
    // Podman's client asks so after each run whether there will be another.
    ("POST", "/containers/*/shouldrestart", Action::Read),
    ("GET", "/containers/stats", Action::Read),
    ("GET", "/containers/showmounted", Action::Read),
    ("GET", "/containers/*/exists", Action::Read),
    ("GET", "/images/export", Action::Read),
    ("GET", "/images/**/exists", Action::Read),
    ("GET", "/images/**/tree", Action::Read),
    ("GET", "/images/**/resolve", Action::Read),
    ("GET", "/images/**/changes", Action::Read),
    ("GET", "/manifests/**/exists", Action::Read),
    ("GET", "/manifests/**/json", Action::Read),
    ("GET", "/artifacts/json", Action::Read),
    ("GET", "/artifacts/**/json", Action::Read),
    ("GET", "/artifacts/**/extract", Action::Read),
    ("GET", "/networks/json", Action::Read),
    ("GET", "/networks/*/json", Action::Read),
    ("GET", "/networks/*/exists", Action::Read),
    ("GET", "/volumes/json", Action::Read),
    ("GET", "/volumes/*/json", Action::Read),
    ("GET", "/volumes/*/exists", Action::Read),
    ("GET", "/volumes/*/export", Action::Read),
    ("GET", "/secrets/json", Action::Read),
    ("GET", "/secrets/*/json", Action::Read),
    ("GET", "/secrets/*/exists", Action::Read),
    ("GET", "/pods/json", Action::Read),
    ("GET", "/pods/stats", Action::Read),
    ("GET", "/pods/*/json", Action::Read),
    ("GET", "/pods/*/exists", Action::Read),
    ("GET", "/pods/*/top", Action::Read),
    ("GET", "/quadlets/json", Action::Read),
    ("GET", "/quadlets/*/exists", Action::Read),
    ("GET", "/quadlets/*/file", Action::Read),
    ("GET", "/generate/kube", Action::Read),
    ("GET", "/generate/*/systemd", Action::Read),
    ("GET", "/kube/generate", Action::Read),
    ("POST", "/images/pull", Action::Harmless),
    ("POST", "/images/**/untag", Action::Harmless),
    ("DELETE", "/images/remove", Action::Harmless),
    ("DELETE", "/manifests/**", Action::Harmless),
    ("DELETE", "/artifacts/**", Action::Harmless),
    ("POST", "/pods/*/stop", Action::Harmless),
    ("POST", "/pods/*/kill", Action::Harmless),
    ("POST", "/pods/*/pause", Action::Harmless),
    ("POST", "/pods/*/unpause", Action::Harmless),
    ("POST", "/networks/*/update", Action::Harmless),
];

/// Whether this is the first component that `GET /version` names.
pub(super) fn is_component(name: &str) -> bool {
    name.contains("Podman")
}

pub(super) fn inspect(container: &str) -> String {
    format!("/v4.0.0/libpod/containers/{container}/json")
}

pub(super) fn error(status: u16, message: &str) -> Value {
    json!({ "cause": message, "message": message, "response": status })
}

/// Podman tells of an exec when it starts.
pub(super) fn event(word: &str) -> Option<EventKind> {
    match word {
        "start" | "restart" => Some(EventKind::Start),
        "exec" => Some(EventKind::ExecStart),
        "health_status" => Some(EventKind::HealthCheck),
        _ => None,
    }
}

/// The words for yes, as `strconv.ParseBool` and a form's check box have them.
pub(super) fn is_true(value: &str) -> bool {
    matches!(value, "1" | "t" | "T" | "true" | "TRUE" | "True" | "on")
}

/// A removal with `force` stops the container, and gives it time for that.
pub(super) fn ending(timeout: Option<&str>) -> Vec<String> {
    let patience = timeout.map(|seconds| format!("?t={seconds}"));
    vec![format!("stop{}", patience.unwrap_or_default())]
}

/// A path of an archive is matched as a pattern.
pub(super) fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?', '[', ']', '\\'])
}

pub(super) fn kept(body: &[u8], run: &str) -> Option<Vec<u8>> {
    let Value::Object(mut body) = json::read(body).ok()? else {
        return None;
    };
    // Its image would have to be removed as well, which nobody would do.
    if member(&body, "remove_image")
        .ok()?
        .is_some_and(|wish| *wish == true)
    {
        return None;
    }
    stay(&mut body, "remove")?;
    label(&mut body, "labels", run)?;
    Some(Value::Object(body).to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use shellproof_api::labels;

    use super::*;

    fn changed(body: &Value) -> Option<Value> {
        let changed = kept(body.to_string().as_bytes(), "r1")?;
        serde_json::from_slice(&changed).unwrap()
    }

    #[test]
    fn a_container_that_wants_to_be_removed_is_kept_and_nothing_else_of_it_is_changed() {
        let body = json!({ "image": "x", "remove": true, "labels": { "a": "b" }, "command": null });
        let expected = json!({ "image": "x", "remove": false, "command": null,
            "labels": { "a": "b", labels::RUN: "r1", labels::KEPT: "r1" } });
        assert_eq!(changed(&body), Some(expected));
    }

    #[test]
    fn any_other_request_is_left_alone() {
        for body in [
            json!({}),
            json!({ "remove": false }),
            json!({ "remove": true, "remove_image": true }),
        ] {
            assert_eq!(changed(&body), None, "{body}");
        }
    }
}
