//! The kernel witness: where it cannot be had, where it alone sees something, and how it is switched off.

use rstest::rstest;
use serde_json::Value;

use crate::support::{Engine, Scenarios, beside_others, engine, finish, run, scenario, shellproof};

const CLEAN: &str = "args: [echo, hi]\n    expect: { exit: 0 }";

/// One scenario in prebuilt mode, with these further arguments: the exit code and the result.
fn result(engine: &Engine, text: &str, arguments: &[&str]) -> (Option<i32>, Value) {
    let scenarios = Scenarios::new(&[("job", text.to_owned())]);
    let ended = finish(
        shellproof()
            .arg("run")
            .arg(scenarios.path())
            .args([
                "--engine",
                &engine.choice(),
                "--mode",
                "prebuilt",
                "--format",
                "json",
            ])
            .args(arguments),
    );
    (ended.code, ended.json()["results"][0].clone())
}

fn rules(result: &Value, witness: &str) -> Vec<String> {
    let evidence = result["evidence"].as_array().expect("evidence is a list");
    let of_witness = evidence.iter().filter(|one| one["witness"] == witness);
    of_witness
        .filter_map(|one| one["rule"].as_str().map(str::to_owned))
        .collect()
}

#[test]
#[ignore = "needs engines: scripts/test runs it"]
fn docker_20_gives_nobody_a_listener_and_so_proves_nothing() {
    let (_gate, engine) = (beside_others(), engine("docker-20"));
    let (code, result) = result(&engine, &scenario("job", CLEAN, ""), &[]);
    assert_eq!(code, Some(3), "{result:#}");
    assert_eq!(result["verdict"], "unproven");
    assert_eq!(rules(&result, "kernel"), ["witness-missing"]);
    let kernel = &result["witnesses"]["kernel"];
    assert_eq!(kernel["state"], "missing");
    let reason = kernel["reason"].as_str().expect("a reason");
    assert!(
        reason.contains("listenerPath is not set") && reason.contains("it takes Docker 23 or newer"),
        "{reason}"
    );
    assert_eq!(result["witnesses"]["wire"]["state"], "spoke");
}

#[rstest]
#[ignore = "needs engines: scripts/test runs it"]
fn a_witness_that_is_switched_off_is_not_named(
    #[values("docker-26", "podman-4", "podman-4-rootless", "podman-5", "podman-5-rootless")] name: &str,
) {
    let (_gate, engine) = (beside_others(), engine(name));
    let required = "audit: { kernel: required }\n";
    for (rest, arguments, state) in [
        ("", &[][..], "spoke"),
        ("audit: { kernel: off }\n", &[], "off"),
        ("", &["--kernel", "off"], "off"),
        (required, &["--kernel", "off"], "off"),
        ("audit: { kernel: off }\n", &["--kernel", "required"], "spoke"),
    ] {
        let (code, result) = result(&engine, &scenario("job", CLEAN, rest), arguments);
        assert_eq!(code, Some(0), "{result:#}");
        assert_eq!(
            result["witnesses"]["kernel"]["state"], state,
            "{rest} {arguments:?}"
        );
        assert_eq!(
            result["traces"].as_array().map(Vec::is_empty),
            Some(state == "off")
        );
    }
}

/// PostgreSQL's own set-up program asks the server for its version, through a shell.
#[rstest]
#[ignore = "needs engines: scripts/test runs it"]
fn initdb_runs_a_shell(#[values("docker-26", "podman-5", "podman-5-rootless")] name: &str) {
    let (_gate, engine) = (beside_others(), engine(name));
    let keys = "entrypoint: [/usr/lib/postgresql/17/bin/initdb, -D, /tmp/data]\n    user: \"70:70\"\n    \
                expect: { exit: 0 }";
    let text = scenario("job", keys, "").replace("fixture:tiny", "fixture:base-postgres");
    let (code, result) = result(&engine, &text, &[]);
    assert_eq!(code, Some(1), "{result:#}");
    assert!(
        rules(&result, "kernel").contains(&"shell".to_owned()),
        "{result:#}"
    );
    assert_eq!(rules(&result, "wire"), [""; 0], "{result:#}");
}

/// No engine of the lab but Docker runs health checks by itself.
#[test]
#[ignore = "needs engines: scripts/test runs it"]
fn a_health_check_is_told_from_an_exec() {
    let (_gate, engine) = (beside_others(), engine("docker-26"));
    let keys = |test: &str| {
        format!(
            "args: [sleep, \"2\"]\n    healthcheck: {{ {test}, interval: 300ms }}\n    expect: {{ exit: 0 }}"
        )
    };
    let exec_form = scenario("job", &keys("command: [/tiny, healthy]"), "");
    let (code, clean) = result(&engine, &exec_form, &[]);
    assert_eq!(code, Some(0), "{clean:#}");
    let sessions = clean["traces"][0]["sessions"].as_array().expect("sessions");
    assert!(
        sessions.iter().any(|session| session["kind"] == "exec"),
        "{clean:#}"
    );

    let by_shell = scenario("job", &keys("shell: exit 0"), "").replace("fixture:tiny", "fixture:layered");
    let by_shell = by_shell.replace("args: [sleep, \"2\"]", "entrypoint: [sleep, \"2\"]");
    let (code, violated) = result(&engine, &by_shell, &[]);
    assert_eq!(code, Some(1), "{violated:#}");
    assert_eq!(rules(&violated, "wire"), ["health-check-shell"]);
    let seen = rules(&violated, "kernel");
    assert!(
        !seen.is_empty() && seen.iter().all(|rule| rule == "shell"),
        "{violated:#}"
    );
}

#[rstest]
#[ignore = "needs engines: scripts/test runs it"]
fn a_violation_is_shown_with_who_started_whom(
    #[values("docker-26", "podman-4-rootless", "podman-5")] name: &str,
) {
    let (_gate, engine) = (beside_others(), engine(name));
    let keys =
        "entrypoint: [/usr/bin/python3, -c, \"import os; os.system('true')\"]\n    expect: { exit: 0 }";
    let text = scenario("job", keys, "").replace("fixture:tiny", "fixture:python");
    let scenarios = Scenarios::new(&[("job", text)]);
    let told = finish(&mut run(&engine, &scenarios.file("job.yaml")))
        .expect(1)
        .stdout;
    for part in [
        "job (prebuilt)  wire, image, kernel",
        "`sh -c true`, a shell, was to be started, and is not there in `job`  ",
        "shell, kernel: execve of `/bin/sh` by `/usr/bin/python3",
        "programs of `job`:\n",
        "s /usr/bin/python3 -c import os; os.system('true')\n",
        "s   sh -c true (not there)  shell\n",
    ] {
        assert!(told.contains(part), "no `{part}` in:\n{told}");
    }
}
