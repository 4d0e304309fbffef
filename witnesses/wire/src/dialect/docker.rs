//! Docker's interface, which Podman speaks too.

use serde_json::{Map, Value, json};
use shellproof_api::labels;

use crate::action::Action;
use crate::event::EventKind;
use crate::json::{self, member, member_mut, member_or};

/// The name in the `Server` header.
pub(super) const SERVER: &str = "Docker";

/// The files that it mounts into each container.
pub(super) const HIDDEN: &[&str] = &["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"];

/// The routes that are understood, as the engine's own routers list them (Moby's `daemon/server/router`, versions 20.10 to
/// 28; Podman's `pkg/api/server`, 4.3 to 5.8). The first match counts; what is not here may do anything.
///
/// A client on Docker may also ask for what is of a swarm: reading that is harmless, changing it starts programs elsewhere.
pub(super) const ROUTES: &[(&str, &str, Action)] = &[
    ("POST", "/containers/create", Action::CreateContainer),
    ("POST", "/containers/*/start", Action::StartContainer),
    ("POST", "/containers/*/restart", Action::StartContainer),
    ("POST", "/containers/*/exec", Action::CreateExec),
    ("POST", "/exec/*/start", Action::StartExec),
    ("POST", "/containers/*/attach", Action::Attach),
    ("GET", "/containers/*/attach/ws", Action::Attach),
    ("POST", "/build", Action::Build),
    ("POST", "/commit", Action::Commit),
    ("PUT", "/containers/*/archive", Action::CopyIn),
    ("POST", "/containers/*/update", Action::Update),
    ("POST", "/session", Action::BuildSession),
    ("POST", "/grpc", Action::BuildCalls),
    ("DELETE", "/containers/*", Action::Remove),
    ("POST", "/containers/prune", Action::Remove),
    ("POST", "/system/prune", Action::Remove),
    ("OPTIONS", "/**", Action::Read),
    ("GET HEAD", "/_ping", Action::Read),
    ("GET", "/events", Action::Read),
    ("GET", "/info", Action::Read),
    ("GET", "/version", Action::Read),
    ("GET", "/system/df", Action::Read),
    ("GET", "/containers/json", Action::Read),
    ("GET", "/containers/*/json", Action::Read),
    ("GET", "/containers/*/top", Action::ListPrograms),
    ("GET", "/containers/*/logs", Action::Read),
    ("GET", "/containers/*/stats", Action::Read),
    ("GET", "/containers/*/changes", Action::Read),
    ("GET", "/containers/*/export", Action::Read),
    ("GET HEAD", "/containers/*/archive", Action::Read),
    ("GET", "/containers/*/checkpoints", Action::Read),
    ("GET", "/exec/*/json", Action::Read),
    ("GET", "/images/json", Action::Read),
    ("GET", "/images/search", Action::Read),
    ("GET", "/images/get", Action::Read),
    ("GET", "/images/**/get", Action::Read),
    ("GET", "/images/**/json", Action::Read),
    ("GET", "/images/**/history", Action::Read),
    ("GET", "/images/**/attestations", Action::Read),
    ("GET", "/distribution/**/json", Action::Read),
    ("GET", "/networks", Action::Read),
    ("GET", "/networks/*", Action::Read),
    ("GET", "/volumes", Action::Read),
    ("GET", "/volumes/*", Action::Read),
    ("GET", "/plugins", Action::Read),
    ("GET", "/plugins/privileges", Action::Read),
    ("GET", "/plugins/**/json", Action::Read),
    ("GET", "/swarm", Action::Read),
    ("GET", "/swarm/unlockkey", Action::Read),
    ("GET", "/nodes", Action::Read),
    ("GET", "/nodes/*", Action::Read),
    ("GET", "/services", Action::Read),
    ("GET", "/services/*", Action::Read),
    ("GET", "/services/*/logs", Action::Read),
    ("GET", "/tasks", Action::Read),
    ("GET", "/tasks/*", Action::Read),
    ("GET", "/tasks/*/logs", Action::Read),
    ("GET", "/secrets", Action::Read),
    ("GET", "/secrets/*", Action::Read),
    ("GET", "/configs", Action::Read),
    ("GET", "/configs/*", Action::Read),
    ("POST", "/containers/*/stop", Action::Harmless),
    ("POST", "/containers/*/kill", Action::Harmless),
    ("POST", "/containers/*/wait", Action::Harmless),
    ("POST", "/containers/*/pause", Action::Harmless),
    ("POST", "/containers/*/unpause", Action::Harmless),
    ("POST", "/containers/*/rename", Action::Harmless),
    ("POST", "/containers/*/resize", Action::Harmless),
    ("POST", "/exec/*/resize", Action::Harmless),
    ("DELETE", "/containers/*/checkpoints/*", Action::Harmless),
    ("POST", "/images/create", Action::Harmless),
    ("POST", "/images/load", Action::Harmless),
    ("POST", "/images/prune", Action::Harmless),
    ("POST", "/images/**/tag", Action::Harmless),
    ("POST", "/images/**/push", Action::Harmless),
    ("DELETE", "/images/**", Action::Harmless),
    ("POST", "/build/prune", Action::Harmless),
    ("POST", "/build/cancel", Action::Harmless),
    ("POST", "/networks/create", Action::Harmless),
    ("POST", "/networks/prune", Action::Harmless),
    ("POST", "/networks/*/connect", Action::Harmless),
    ("POST", "/networks/*/disconnect", Action::Harmless),
    ("DELETE", "/networks/*", Action::Harmless),
    ("POST", "/volumes/create", Action::Harmless),
    ("POST", "/volumes/prune", Action::Harmless),
    ("DELETE", "/volumes/*", Action::Harmless),
    ("POST", "/secrets/create", Action::Harmless),
    ("DELETE", "/secrets/*", Action::Harmless),
    ("DELETE", "/configs/*", Action::Harmless),
    ("DELETE", "/services/*", Action::Harmless),
    ("DELETE", "/nodes/*", Action::Harmless),
    ("DELETE", "/plugins/**", Action::Harmless),
    ("POST", "/auth", Action::Harmless),
];

/// Whether this is the first component that `GET /version` names.
pub(super) fn is_component(name: &str) -> bool {
    name == "Engine"
}

pub(super) fn inspect(container: &str) -> String {
    format!("/containers/{container}/json")
}

pub(super) fn error(message: &str) -> Value {
    json!({ "message": message })
}

pub(super) fn event(word: &str) -> Option<EventKind> {
    match word {
        "start" | "restart" => Some(EventKind::Start),
        "exec_create" => Some(EventKind::ExecCreate),
        "exec_start" => Some(EventKind::ExecStart),
        "health_status" => Some(EventKind::HealthCheck),
        _ => None,
    }
}

/// Anything but the words for no, as `httputils.BoolValue` has it.
pub(super) fn is_true(value: &str) -> bool {
    !["", "0", "no", "false", "none"].contains(&value.trim().to_lowercase().as_str())
}

/// A removal with `force` kills at once.
pub(super) fn ending() -> Vec<String> {
    vec!["kill".to_owned(), "wait".to_owned()]
}

pub(super) fn kept(body: &[u8], run: &str) -> Option<Vec<u8>> {
    let Value::Object(mut body) = json::read(body).ok()? else {
        return None;
    };
    let host = member_mut(&mut body, "HostConfig").ok()??.as_object_mut()?;
    let restart = member(host, "RestartPolicy").ok()?;
    let policy = match restart.and_then(Value::as_object) {
        Some(restart) => member(restart, "Name").ok()?,
        None => None,
    };
    // An engine refuses `AutoRemove` together with a restart: the client is to hear of it.
    if policy.is_some_and(|policy| !matches!(policy.as_str(), None | Some("" | "no"))) {
        return None;
    }
    stay(host, "AutoRemove")?;
    label(&mut body, "Labels", run)?;
    Some(Value::Object(body).to_string().into_bytes())
}

/// Takes the wish to be removed out of a request; `None` where there is none.
pub(super) fn stay(object: &mut Map<String, Value>, name: &str) -> Option<()> {
    let wish = member_mut(object, name).ok()??;
    (*wish == true).then(|| *wish = false.into())
}

/// Adds the labels by which a container is found that this run has to remove.
pub(super) fn label(object: &mut Map<String, Value>, name: &str, run: &str) -> Option<()> {
    let labels = member_or(object, name, json!({})).ok()?.as_object_mut()?;
    for label in [labels::RUN, labels::KEPT] {
        labels.insert(label.to_owned(), run.into());
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(body: &Value) -> Option<Value> {
        let changed = kept(body.to_string().as_bytes(), "r1")?;
        serde_json::from_slice(&changed).unwrap()
    }

    #[test]
    fn a_container_that_wants_to_be_removed_is_kept_and_nothing_else_of_it_is_changed() {
        for mut body in [
            json!({ "HostConfig": { "AutoRemove": true } }),
            json!({ "Image": "x", "HostConfig": { "AutoRemove": true, "RestartPolicy": { "Name": "no" } } }),
            json!({ "HostConfig": { "AutoRemove": true, "RestartPolicy": null }, "Cmd": null }),
            json!({ "Labels": null, "HostConfig": { "AutoRemove": true, "RestartPolicy": {} } }),
        ] {
            let changed_body = changed(&body).unwrap();
            body["HostConfig"]["AutoRemove"] = false.into();
            body["Labels"] = json!({ labels::RUN: "r1", labels::KEPT: "r1" });
            assert_eq!(changed_body, body);
        }
        let body = json!({ "HostConfig": { "autoremove": true }, "labels": { "a": "b" } });
        let expected = json!({ "HostConfig": { "autoremove": false },
            "labels": { "a": "b", labels::RUN: "r1", labels::KEPT: "r1" } });
        assert_eq!(changed(&body), Some(expected));
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
            assert_eq!(changed(&body), None, "{body}");
        }
        assert_eq!(kept(b"nonsense", "r1"), None);
    }
}
