//! Watching the programs of containers that another client makes: their requests are given a listener on the way.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};
use shellproof_api::facts::{Kind, Program, Trace, Traced};
use shellproof_api::{Engine, EngineKind, Seccomp};
use shellproof_wire::{
    Dialect, InspectedContainer, Prepare, Prepared, Record, Recording, Refusal, member, member_or, read_body,
};

use crate::invocation::Invocation;
use crate::keeper::{Handover, Kept};
use crate::kernel::{Kernel, Watch};
use crate::policy::{Rule, kernel};

/// The supervisors of the containers that were asked for.
#[derive(Debug)]
pub(super) struct Watches {
    kernel: Kernel,
    engine: Engine,
    /// A container that cannot be watched is not made.
    refuses: bool,
    denies_shells: bool,
    /// By the number of the request; the error says why there is none.
    made: Mutex<Vec<(u64, Result<Watch, String>)>>,
}

impl Watches {
    pub(super) fn new(kernel: Kernel, engine: Engine, refuses: bool, denies_shells: bool) -> Arc<Self> {
        Arc::new(Self {
            kernel,
            engine,
            refuses,
            denies_shells,
            made: Mutex::default(),
        })
    }

    /// Gives each container that is asked for a supervisor of its own.
    pub(super) fn prepare(self: &Arc<Self>) -> Prepare {
        let watches = self.clone();
        Prepare::new(move |record, body| watches.take(record, body))
    }

    fn take(&self, record: &Record, body: &[u8]) -> Prepared {
        let ours = self.kernel.directory().to_string_lossy();
        let ours = ours.trim_end_matches('/');
        let is_refused = serde_json::from_slice(body).is_ok_and(|body| names(&body, ours));
        let changed = match is_refused {
            true => Err("it names a directory of shellproof's own".to_owned()),
            false => self.change(record, body),
        };
        let prepared = match &changed {
            Ok((body, _)) => Prepared::Changed(body.clone()),
            Err(reason) if is_refused => Prepared::Refused(Refusal {
                message: format!("shellproof: refused, since {reason}"),
            }),
            Err(reason) if self.refuses => Prepared::Refused(Refusal {
                message: format!("shellproof: refused, since its programs cannot be watched: {reason}"),
            }),
            Err(_) => Prepared::AsSent,
        };
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.push((record.number, changed.map(|(_, watch)| watch)));
        prepared
    }

    fn change(&self, record: &Record, body: &[u8]) -> Result<(Vec<u8>, Watch), String> {
        let body = read_body(body).map_err(|error| format!("the request cannot be read: {error}"))?;
        let Value::Object(mut body) = body else {
            return Err("the request is no object".to_owned());
        };
        let deny: Option<shellproof_kernel::Deny> = self.denies_shells.then(|| Box::new(is_denied) as _);
        let watch = self
            .kernel
            .watch(deny)
            .map_err(|error| format!("no supervisor can be made: {error}"))?;
        match record.route.dialect {
            Dialect::Libpod => add_to_libpod(&mut body, watch.profile(), &self.engine.seccomp)?,
            Dialect::Docker => add_to_docker(&mut body, watch.profile(), self.engine.kind)?,
        }
        Ok((Value::Object(body).to_string().into_bytes(), watch))
    }

    /// Leaves all containers to a keeper if any of them runs: its process, or why there is none.
    pub(super) fn leave(
        &self,
        recording: &Recording,
        traced: &[Traced],
        engine: &Path,
        invocation: &Invocation,
    ) -> Option<Result<u32, String>> {
        if !traced
            .iter()
            .any(|traced| shellproof_kernel::still_runs(&traced.trace))
        {
            return None;
        }
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let mut containers = Vec::new();
        for (number, watch) in made.drain(..) {
            let made = recording.records.iter().find(|record| record.number == number);
            let id = made.and_then(|record| record.made.clone());
            let (Some(id), Ok(watch)) = (id, watch) else {
                continue;
            };
            let mut subjects = recording.starts().filter_map(|record| record.subject.as_ref());
            let subject = subjects.find(|subject| subject.id == id);
            let name = subject.map_or(&id, |subject| &subject.name).clone();
            match watch.leave() {
                Ok(left) => containers.push((Kept { id, name }, left)),
                Err(error) => return Some(Err(format!("container `{name}`: {error}"))),
            }
        }
        let handover = Handover {
            engine: engine.to_owned(),
            containers,
        };
        Some(
            handover
                .start(invocation)
                .map_err(|error| format!("no keeper can be started: {error}")),
        )
    }

    /// What the containers started that were started behind the recorder.
    pub(super) fn traced(&self, recording: &Recording) -> Vec<Traced> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let traced = |subject: &InspectedContainer| Traced {
            container: subject.name.clone(),
            trace: trace_of(subject, recording, &made),
        };
        let mut seen: Vec<&str> = Vec::new();
        let mut traces = Vec::new();
        for subject in recording.starts().filter_map(|record| record.subject.as_ref()) {
            if !seen.contains(&subject.id.as_str()) {
                seen.push(&subject.id);
                traces.push(traced(subject));
            }
        }
        traces
    }
}

fn trace_of(
    subject: &InspectedContainer,
    recording: &Recording,
    made: &[(u64, Result<Watch, String>)],
) -> Trace {
    let made_it = |record: &&Record| record.made.as_deref() == Some(subject.id.as_str());
    let number = recording.records.iter().find(made_it).map(|record| record.number);
    let watch = made.iter().find(|(made, _)| Some(*made) == number);
    let unwatched = |reason: &str| Trace {
        faults: vec![format!("its programs were not watched: {reason}")],
        ..Trace::default()
    };
    match watch {
        Some((_, Ok(watch))) => watch.settled(),
        Some((_, Err(reason))) => unwatched(reason),
        None => unwatched("it was not made by a request that could be given a listener"),
    }
}

/// Whether a request names a path: it could point a filter of its own at the socket of a container that is watched.
fn names(value: &Value, path: &str) -> bool {
    match value {
        Value::String(text) => {
            // A security option of Docker's holds a whole profile as text.
            let profile = text
                .find('{')
                .and_then(|start| serde_json::from_str(&text[start..]).ok());
            text.contains(path) || profile.is_some_and(|profile: Value| names(&profile, path))
        }
        Value::Array(list) => list.iter().any(|value| names(value, path)),
        Value::Object(fields) => fields
            .iter()
            .any(|(key, value)| key.contains(path) || names(value, path)),
        _ => false,
    }
}

/// Shells and package managers are answered as if their files could not be executed.
fn is_denied(_: Kind, program: &Program) -> bool {
    matches!(kernel::rule(program), Some(Rule::Shell | Rule::PackageManager))
}

/// Docker takes the profile itself, Podman its path.
fn add_to_docker(body: &mut Map<String, Value>, profile: &Path, engine: EngineKind) -> Result<(), String> {
    let host = member_or(body, "HostConfig", Value::Object(Map::new()))?;
    let host = host.as_object_mut().ok_or("`HostConfig` is no object")?;
    if member(host, "Privileged")?.is_some_and(|wish| *wish == true) {
        return Err("it is privileged, so that no seccomp profile holds".into());
    }
    let options = member_or(host, "SecurityOpt", Value::Array(Vec::new()))?;
    let options = options.as_array_mut().ok_or("`SecurityOpt` is no list")?;
    let is_seccomp = |option: &Value| {
        option
            .as_str()
            .is_none_or(|option| option.starts_with("seccomp=") || option.starts_with("seccomp:"))
    };
    if options.iter().any(is_seccomp) {
        return Err("it brings a seccomp profile of its own".into());
    }
    let value = match engine {
        EngineKind::Podman => profile.display().to_string(),
        _ => std::fs::read_to_string(profile).map_err(|error| format!("no profile can be read: {error}"))?,
    };
    options.push(format!("seccomp={value}").into());
    Ok(())
}

fn add_to_libpod(body: &mut Map<String, Value>, profile: &Path, default: &Seccomp) -> Result<(), String> {
    if member(body, "privileged")?.is_some_and(|wish| *wish == true) {
        return Err("it is privileged, so that no seccomp profile holds".into());
    }
    let path = member_or(body, "seccomp_profile_path", Value::String(String::new()))?;
    let is_default = match (&*path, default) {
        (Value::String(path), Seccomp::File(default)) => path.is_empty() || Path::new(path) == default,
        (Value::String(path), _) => path.is_empty(),
        _ => false,
    };
    if !is_default {
        return Err("it brings a seccomp profile of its own".into());
    }
    *path = profile.display().to_string().into();
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn docker(mut body: Value) -> Result<Value, String> {
        let profile = Path::new("/run/p.json");
        let fields = body.as_object_mut().unwrap();
        add_to_docker(fields, profile, EngineKind::Podman).map(|()| body)
    }

    fn libpod(mut body: Value) -> Result<Value, String> {
        let default = Seccomp::File("/default.json".into());
        let fields = body.as_object_mut().unwrap();
        add_to_libpod(fields, Path::new("/run/p.json"), &default).map(|()| body)
    }

    #[test]
    fn a_request_is_given_the_profile_beside_what_it_has() {
        let added = json!(["seccomp=/run/p.json"]);
        assert_eq!(docker(json!({})).unwrap()["HostConfig"]["SecurityOpt"], added);
        assert_eq!(
            docker(json!({ "HostConfig": null })).unwrap()["HostConfig"]["SecurityOpt"],
            added
        );
        let asked =
            json!({ "Image": "x", "hostConfig": { "Memory": 1, "securityopt": ["no-new-privileges"] } });
        let changed = docker(asked).unwrap();
        assert_eq!(changed["Image"], "x");
        assert_eq!(changed["hostConfig"]["Memory"], 1);
        assert_eq!(
            changed["hostConfig"]["securityopt"],
            json!(["no-new-privileges", "seccomp=/run/p.json"])
        );
        for asked in [
            json!({}),
            json!({ "seccomp_profile_path": "" }),
            json!({ "Seccomp_Profile_Path": "/default.json", "privileged": false }),
        ] {
            let changed = libpod(asked).unwrap();
            let value = changed
                .get("seccomp_profile_path")
                .or(changed.get("Seccomp_Profile_Path"));
            assert_eq!(value, Some(&json!("/run/p.json")));
        }
    }

    #[test]
    fn nothing_but_the_profile_is_added() {
        let asked =
            json!({ "Image": "x", "Cmd": null, "HostConfig": { "Memory": 1, "RestartPolicy": null } });
        let mut expected = asked.clone();
        expected["HostConfig"]["SecurityOpt"] = json!(["seccomp=/run/p.json"]);
        assert_eq!(docker(asked), Ok(expected));
        let asked = json!({ "image": "x", "command": null });
        let mut expected = asked.clone();
        expected["seccomp_profile_path"] = json!("/run/p.json");
        assert_eq!(libpod(asked), Ok(expected));
    }

    #[test]
    fn a_request_that_names_our_directory_is_known() {
        let ours = "/run/shellproof/1a2b3c4d/shared";
        let profile = |path: &str| {
            let profile = json!({ "listenerPath": path }).to_string();
            json!({ "HostConfig": { "SecurityOpt": ["seccomp=".to_owned() + &profile] } })
        };
        let escaped = r#"seccomp={"listenerPath":"\/run\/shellproof\/1a2b3c4d\u002fshared/x"}"#;
        for asked in [
            profile("/run/shellproof/1a2b3c4d/shared/x"),
            json!({ "HostConfig": { "SecurityOpt": [escaped] } }),
            json!({ "seccomp_profile_path": "/run/shellproof/1a2b3c4d/shared/x.json" }),
            json!({ "mounts": [{ "source": "/run/shellproof/1a2b3c4d/shared" }] }),
            json!({ "volumes": { "/run/shellproof/1a2b3c4d/shared/:/x": {} } }),
        ] {
            assert!(names(&asked, ours), "{asked}");
        }
        for asked in [
            profile("/run/other.sock"),
            json!({ "Image": "x", "Cmd": ["ls", "/run/shellproof"], "Tty": false, "User": null }),
            json!({ "seccomp_profile_path": "{" }),
        ] {
            assert!(!names(&asked, ours), "{asked}");
        }
    }

    #[test]
    fn a_request_with_a_profile_or_privileges_of_its_own_cannot_be_watched() {
        for asked in [
            json!({ "HostConfig": { "Privileged": true } }),
            json!({ "HostConfig": { "privileged": true } }),
            json!({ "HostConfig": { "SecurityOpt": ["seccomp=unconfined"] } }),
            json!({ "HostConfig": { "SecurityOpt": ["no-new-privileges", "seccomp:/x"] } }),
            json!({ "HostConfig": { "SecurityOpt": [1] } }),
            json!({ "HostConfig": { "SecurityOpt": "seccomp=x" } }),
            json!({ "HostConfig": {}, "hostconfig": {} }),
            json!({ "HostConfig": [] }),
        ] {
            assert!(docker(asked.clone()).is_err(), "{asked}");
        }
        for asked in [
            json!({ "privileged": true }),
            json!({ "seccomp_profile_path": "unconfined" }),
            json!({ "seccomp_profile_path": 1 }),
            json!({ "seccomp_profile_path": "", "Seccomp_profile_path": "unconfined" }),
        ] {
            assert!(libpod(asked.clone()).is_err(), "{asked}");
        }
    }
}
