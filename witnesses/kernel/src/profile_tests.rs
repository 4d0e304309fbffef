use std::collections::BTreeSet;

use super::*;

const SOCKET: &str = "/run/x/kernel.sock";

fn made(default: &str) -> Result<Value, ProfileError> {
    notify(default, Path::new(SOCKET)).map(|profile| serde_json::from_str(&profile).unwrap())
}

fn rules(profile: &Value) -> impl Iterator<Item = (&Value, BTreeSet<&str>)> {
    let rules = profile["syscalls"].as_array().unwrap();
    rules.iter().map(|rule| {
        (
            rule,
            names(rule).unwrap().iter().filter_map(Value::as_str).collect(),
        )
    })
}

#[test]
fn only_what_is_supervised_and_the_listener_differ_from_the_default() {
    let default: Value = serde_json::from_str(DOCKER_DEFAULT).unwrap();
    let mut profile = made(DOCKER_DEFAULT).unwrap();
    assert_eq!(profile["listenerPath"], SOCKET);
    assert_eq!(profile["archMap"], default["archMap"]);
    // What waits, and what is left of a rule whose call waits with one argument only.
    let list = profile["syscalls"].as_array_mut().unwrap();
    let last = list.split_off(list.len() - STARTS.len() - 1 - usize::from(STARTS[0].1.is_some()));
    let last: Vec<_> = last
        .iter()
        .map(|rule| {
            (
                rule["action"].as_str().unwrap(),
                names(rule).unwrap(),
                &rule["args"],
            )
        })
        .collect();
    let start = |comparison: &str| json!([{ "index": 0, "value": 0x1002, "op": comparison }]);
    if cfg!(target_arch = "x86_64") {
        assert_eq!(
            last,
            [
                (
                    "SCMP_ACT_NOTIFY",
                    &vec!["arch_prctl".into()],
                    &start("SCMP_CMP_EQ")
                ),
                (
                    "SCMP_ACT_ALLOW",
                    &vec!["arch_prctl".into()],
                    &start("SCMP_CMP_NE")
                ),
                ("SCMP_ACT_NOTIFY", &vec!["set_thread_area".into()], &json!([])),
                ("SCMP_ACT_NOTIFY", &NOTIFIED.map(Value::from).to_vec(), &json!([])),
            ]
        );
    }
    // A rule of which nothing is left is gone.
    let is_waiting = |name: &&str| NOTIFIED.contains(name) || STARTS.iter().any(|(start, _)| start == name);
    let left = rules(&default).filter(|(_, names)| !names.iter().all(&is_waiting));
    let left: Vec<_> = left.collect();
    assert_eq!(left.len(), rules(&profile).count());
    for ((before, mut names_before), (after, names_after)) in left.into_iter().zip(rules(&profile)) {
        for key in ["action", "args", "includes", "excludes", "errnoRet"] {
            assert_eq!(before[key], after[key]);
        }
        names_before.retain(|name| !is_waiting(name));
        assert_eq!(names_before, names_after);
    }
}

#[test]
fn a_default_that_restricts_a_programs_start_is_left_as_it_is() {
    let default = |rules: &str| {
        format!(
            r#"{{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{{"names":["execve","execveat"],"action":"SCMP_ACT_ALLOW"}},{rules}]}}"#
        )
    };
    for kept in [
        r#"{"names":["arch_prctl"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":4098,"op":"SCMP_CMP_EQ"}]}"#,
        r#"{"names":["arch_prctl","set_thread_area","set_tid_address"],"action":"SCMP_ACT_ERRNO"}"#,
        r#"{"name":"arch_prctl","action":"SCMP_ACT_ALLOW"},{"names":["arch_prctl"],"action":"SCMP_ACT_ALLOW"}"#,
        r#"{"names":["read"],"action":"SCMP_ACT_ALLOW"}"#,
    ] {
        let profile = made(&default(kept)).unwrap();
        let kept: Vec<Value> = serde_json::from_str(&format!("[{kept}]")).unwrap();
        let list = profile["syscalls"].as_array().unwrap();
        assert_eq!(list[..list.len() - 1], kept);
    }
}

#[test]
fn a_programs_start_waits_under_a_default_that_allows_all() {
    let profile = made(r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[]}"#).unwrap();
    let all: Vec<_> = rules(&profile).collect();
    assert_eq!(all.len(), STARTS.len() + 1);
    assert!(all.iter().all(|(rule, _)| rule["action"] == "SCMP_ACT_NOTIFY"));
}

#[test]
fn the_architectures_of_x86_are_all_there() {
    let default: Value = serde_json::from_str(DOCKER_DEFAULT).unwrap();
    let x86 = &default["archMap"][0];
    assert_eq!(x86["architecture"], "SCMP_ARCH_X86_64");
    assert_eq!(x86["subArchitectures"], json!(["SCMP_ARCH_X86", "SCMP_ARCH_X32"]));
}

#[test]
fn what_dockers_documentation_lists_as_blocked_is_blocked() {
    let default: Value = serde_json::from_str(DOCKER_DEFAULT).unwrap();
    assert_eq!(default["defaultAction"], "SCMP_ACT_ERRNO");
    let blocked = include_str!("../data/docker-blocked.txt").lines();
    let blocked: Vec<_> = blocked.filter(|line| !line.starts_with('#')).collect();
    assert_eq!(blocked.len(), 50);
    for name in blocked {
        for (rule, _) in rules(&default).filter(|(_, names)| names.contains(name)) {
            let needs_capability = !is_empty(&rule["includes"]["caps"]);
            let denies = rule["action"] == "SCMP_ACT_ERRNO";
            let in_part = match name {
                "clone" | "personality" => !is_empty(&rule["args"]),
                "ptrace" => rule["includes"]["minKernel"] == "4.8",
                _ => false,
            };
            assert!(needs_capability || denies || in_part, "{name}");
        }
    }
}

#[test]
fn each_rule_of_our_table_has_a_reason_and_no_call_twice() {
    let default: Value = serde_json::from_str(DOCKER_DEFAULT).unwrap();
    let mut seen = BTreeSet::new();
    for (rule, names) in rules(&default) {
        assert!(!rule["comment"].as_str().unwrap().is_empty());
        let unconditional = ["args", "includes", "excludes"]
            .iter()
            .all(|key| is_empty(&rule[key]));
        for name in names.into_iter().filter(|_| unconditional) {
            assert!(seen.insert(name), "{name} is allowed twice");
        }
    }
    assert!(seen.contains("getrandom") && seen.contains("openat"));
}

#[test]
fn podmans_form_of_a_profile_is_taken() {
    let podman = r#"{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":38,"defaultErrno":"ENOSYS",
        "archMap":[{"architecture":"SCMP_ARCH_X86_64","subArchitectures":["SCMP_ARCH_X86"]}],
        "syscalls":[
            {"names":["bdflush"],"action":"SCMP_ACT_ERRNO","args":[],"comment":"","includes":{},"excludes":{},"errnoRet":1},
            {"names":["execve","execveat"],"action":"SCMP_ACT_ALLOW","args":[],"comment":"","includes":{},"excludes":{}},
            {"names":["open"],"action":"SCMP_ACT_ALLOW","args":null,"comment":"","includes":{},"excludes":{}}]}"#;
    let profile = made(podman).unwrap();
    let names: Vec<_> = rules(&profile).map(|(_, names)| names).collect();
    let expected = [
        BTreeSet::from(["bdflush"]),
        BTreeSet::from(["open"]),
        BTreeSet::from(NOTIFIED),
    ];
    assert_eq!(names, expected);
    assert_eq!(profile["defaultErrno"], "ENOSYS");
}

#[test]
fn what_a_profile_restricts_is_never_opened() {
    let with = |rules: &str| format!(r#"{{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{rules}]}}"#);
    let restricted = [
        "",
        r#"{"names":["execve"],"action":"SCMP_ACT_ALLOW"}"#,
        r#"{"names":["execve","execveat"],"action":"SCMP_ACT_ERRNO"}"#,
        r#"{"names":["execve","execveat"],"action":"SCMP_ACT_ALLOW","args":[{"index":0}]}"#,
        r#"{"names":["execve","execveat"],"action":"SCMP_ACT_ALLOW","includes":{"caps":["CAP_SYS_ADMIN"]}}"#,
        r#"{"names":["execve","execveat"],"action":"SCMP_ACT_ALLOW"},{"name":"execve","action":"SCMP_ACT_ERRNO"}"#,
    ];
    for rules in restricted {
        assert!(
            matches!(made(&with(rules)), Err(ProfileError::Restricted(_))),
            "{rules}"
        );
    }
    let allow = r#"{"names":["execve","execveat"],"action":"SCMP_ACT_ALLOW"}"#;
    assert!(made(&with(allow)).is_ok());
    let notifies = with(r#"{"names":["open"],"action":"SCMP_ACT_NOTIFY"}"#);
    let listens = r#"{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/x","syscalls":[]}"#;
    for profile in [notifies.as_str(), listens] {
        assert!(matches!(made(profile), Err(ProfileError::Listener)));
    }
    for profile in ["", "[]", "{}", r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#] {
        assert!(
            matches!(made(profile), Err(ProfileError::Invalid(_))),
            "{profile}"
        );
    }
}

#[test]
fn a_listeners_path_is_one_that_a_socket_can_have() {
    for path in ["", "kernel.sock", &format!("/{}", "x".repeat(107))] {
        assert!(
            matches!(docker(Path::new(path)), Err(ProfileError::Path(_))),
            "{path}"
        );
    }
}
