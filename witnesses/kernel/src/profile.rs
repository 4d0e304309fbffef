//! Seccomp profiles that hand a container's `execve` and `execveat` to a supervisor, and the calls by which a program's
//! start is known.
//!
//! A profile is the engine's own default with only these calls changed: what the default denies stays denied,
//! for every architecture in its `archMap`, so that 32-bit programs are seen too.
//!
//! - **Podman** has its default in a file on its host, usually `/usr/share/containers/seccomp.json`
//!   ([`PODMAN_DEFAULT`]). Write the result of [`notify`] to a file that the engine can read, and name that file at
//!   create (`seccomp_profile_path`, or `seccomp=PATH` among the security options).
//! - **Docker** 23 and newer takes the profile itself among the security options (`seccomp=JSON`), and has its default
//!   built in: [`docker`] uses [`DOCKER_DEFAULT`], a table of our own that denies at least what Docker's documentation
//!   lists as blocked. Docker 20.10 drops `listenerPath` and refuses to start the container.
//!
//! Paths in a profile are the engine's: where it does not see our files at the same place, it needs its own names.
//!
//! ```
//! use std::path::Path;
//!
//! let profile = shellproof_kernel::profile::docker(Path::new("/run/user/1000/proof/kernel.sock"))?;
//! assert!(profile.contains(r#""listenerPath":"/run/user/1000/proof/kernel.sock""#));
//! # Ok::<(), shellproof_kernel::profile::ProfileError>(())
//! ```

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::call::ARCH_SET_FS;
use crate::supervisor::SOCKET_PATH;

/// Where Podman's packages put its default profile.
pub const PODMAN_DEFAULT: &str = "/usr/share/containers/seccomp.json";

/// The profile that stands for Docker's built-in default: an allow-list in Docker's format, with a reason per rule.
///
/// It is stricter than that default in two places, where Docker's documentation lists a call as blocked and its
/// profile allows it: `clock_adjtime` needs `CAP_SYS_TIME`, `process_vm_readv` and `process_vm_writev` need
/// `CAP_SYS_PTRACE`.
pub const DOCKER_DEFAULT: &str = include_str!("../data/docker-default.json");

/// The calls that a supervisor answers.
const NOTIFIED: [&str; 2] = ["execve", "execveat"];

/// The calls that a program's start makes on this machine, and the first argument by which it is known where it is not the
/// only one to make them. What else they are used for goes on as in the default.
const STARTS: &[(&str, Option<u32>)] = match cfg!(target_arch = "aarch64") {
    true => &[("set_tid_address", None)],
    false => &[("arch_prctl", Some(ARCH_SET_FS)), ("set_thread_area", None)],
};

/// A profile that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The default is no seccomp profile.
    #[error("the default seccomp profile is not valid: {0}")]
    Invalid(String),
    /// The default does something with these calls that must not be undone.
    #[error("the default seccomp profile does not simply allow `{0}`, so it cannot be supervised")]
    Restricted(String),
    /// A filter can have one listener only.
    #[error("the default seccomp profile has a listener or notifications of its own")]
    Listener,
    /// No socket can be there, or JSON cannot carry its path.
    #[error("`{}` cannot be a listener's path: expected an absolute path in UTF-8 of at most 107 bytes", .0.display())]
    Path(PathBuf),
}

/// Docker's default profile with a supervisor listening on `listener`, as one line of JSON.
///
/// # Errors
/// [`ProfileError::Path`].
pub fn docker(listener: &Path) -> Result<String, ProfileError> {
    notify(DOCKER_DEFAULT, listener)
}

/// An engine's `default` profile (JSON, the format that Docker and Podman share) with a supervisor listening on
/// `listener`, as one line of JSON.
///
/// # Errors
/// The default is no profile, or one that this cannot be done with, or `listener` cannot be a socket's path.
pub fn notify(default: &str, listener: &Path) -> Result<String, ProfileError> {
    let path = listener.to_str().filter(|_| listener.is_absolute());
    let path = path.filter(|path| path.len() <= SOCKET_PATH);
    let path = path.ok_or_else(|| ProfileError::Path(listener.to_owned()))?;
    let invalid = |what: &str| ProfileError::Invalid(what.to_owned());

    let mut profile: Value =
        serde_json::from_str(default).map_err(|error| ProfileError::Invalid(error.to_string()))?;
    let profile_fields = profile
        .as_object_mut()
        .ok_or_else(|| invalid("it is no object"))?;
    let default_action = profile_fields.get("defaultAction").and_then(Value::as_str);
    let allowed_by_default = match default_action {
        Some("SCMP_ACT_NOTIFY") => return Err(ProfileError::Listener),
        Some(action) => action == "SCMP_ACT_ALLOW",
        None => return Err(invalid("it has no `defaultAction`")),
    };
    let own_listener = profile_fields.get("listenerPath").and_then(Value::as_str);
    if own_listener.is_some_and(|path| !path.is_empty()) {
        return Err(ProfileError::Listener);
    }
    let rules = profile_fields.get_mut("syscalls").and_then(Value::as_array_mut);
    let rules = rules.ok_or_else(|| invalid("it has no list `syscalls`"))?;
    let mut allowed = [allowed_by_default; NOTIFIED.len()];
    for rule in rules.iter_mut() {
        strip(rule, &mut allowed)?;
    }
    if let Some(at) = allowed.iter().position(|allowed| !allowed) {
        return Err(ProfileError::Restricted(NOTIFIED[at].to_owned()));
    }
    look_again(rules, allowed_by_default);
    rules.retain(|rule| names(rule).is_none_or(|names| !names.is_empty()));
    rules.push(json!({
        "names": NOTIFIED,
        "action": "SCMP_ACT_NOTIFY",
        "args": [],
        "comment": "held until the supervisor has recorded and answered them",
        "includes": {},
        "excludes": {},
    }));
    profile_fields.insert("listenerPath".to_owned(), path.into());
    Ok(profile.to_string())
}

/// Takes the supervised calls out of a rule, which must allow them whatever their arguments and the container are.
fn strip(rule: &mut Value, allowed: &mut [bool; NOTIFIED.len()]) -> Result<(), ProfileError> {
    let action = rule["action"].as_str().unwrap_or_default();
    if action == "SCMP_ACT_NOTIFY" {
        return Err(ProfileError::Listener);
    }
    let unconditional = ["args", "includes", "excludes"]
        .iter()
        .all(|key| is_empty(&rule[key]));
    let allows = action == "SCMP_ACT_ALLOW" && unconditional;
    // A single `name` is how Docker wrote rules before 1.13, and still reads them.
    let single = rule["name"].as_str().filter(|name| NOTIFIED.contains(name));
    if let Some(name) = single {
        return Err(ProfileError::Restricted(name.to_owned()));
    }
    let Some(list) = rule.get_mut("names").and_then(Value::as_array_mut) else {
        return Ok(());
    };
    for (name, allowed) in NOTIFIED.iter().zip(allowed) {
        if list.iter().any(|other| other == name) {
            if !allows {
                return Err(ProfileError::Restricted((*name).to_owned()));
            }
            *allowed = true;
            list.retain(|other| other != name);
        }
    }
    Ok(())
}

/// Splits the rules that allow the calls of a program's start, so that these wait for the supervisor. Where there is more than
/// one such rule for a call, or one that restricts it, programs are seen once.
fn look_again(rules: &mut Vec<Value>, allowed_by_default: bool) {
    for &(name, code) in STARTS {
        let args = |comparison: &str| match code {
            Some(code) => json!([{ "index": 0, "value": code, "op": comparison }]),
            None => json!([]),
        };
        let mentions = |rule: &&mut Value| {
            let is_it = |other: &Value| other == name;
            rule["name"] == name || names(rule).is_some_and(|names| names.iter().any(is_it))
        };
        let mut those = rules.iter_mut().filter(mentions);
        let allowing = match (those.next(), those.next()) {
            (None, _) if allowed_by_default => json!({ "names": [], "action": "SCMP_ACT_ALLOW" }),
            (Some(rule), None)
                if rule["action"] == "SCMP_ACT_ALLOW" && is_empty(&rule["args"]) && rule["name"] != name =>
            {
                let before = rule.clone();
                if let Some(list) = rule.get_mut("names").and_then(Value::as_array_mut) {
                    list.retain(|other| other != name);
                }
                before
            }
            _ => continue,
        };
        let of_it = |action: &str, args| {
            let mut rule = allowing.clone();
            rule["names"] = json!([name]);
            (rule["action"], rule["args"]) = (action.into(), args);
            rule
        };
        rules.push(of_it("SCMP_ACT_NOTIFY", args("SCMP_CMP_EQ")));
        if code.is_some() && !allowed_by_default {
            rules.push(of_it("SCMP_ACT_ALLOW", args("SCMP_CMP_NE")));
        }
    }
}

fn names(rule: &Value) -> Option<&Vec<Value>> {
    rule.get("names")?.as_array()
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(fields) => fields.values().all(is_empty),
        _ => false,
    }
}

#[cfg(test)]
#[path = "profile_tests.rs"]
mod tests;
