//! Jobs are awaited, services are watched: what happens late is seen.

use rstest::rstest;
use serde_json::Value;

use crate::support::{Engine, Scenarios, beside_others, engine, finish, scenario, shellproof};

/// One scenario of a Python container: the exit code and the result.
fn result(engine: &Engine, program: &str, keys: &str) -> (Option<i32>, Value) {
    let program = serde_json::to_string(program).expect("a text is JSON");
    let keys = format!("entrypoint: [/usr/bin/python3.11, -c, {program}]\n    {keys}");
    let text = scenario("job", &keys, "").replace("fixture:tiny", "fixture:python");
    let scenarios = Scenarios::new(&[("job", text)]);
    let ended = finish(shellproof().arg("run").arg(scenarios.path()).args([
        "--engine",
        &engine.choice(),
        "--format",
        "json",
    ]));
    (ended.code, ended.json()["results"][0].clone())
}

const STAYS: &str = "import os, signal, time; print('up', flush=True); ";

#[rstest]
#[ignore = "needs engines: scripts/test runs it"]
fn a_late_shell_is_seen(#[values("docker-26", "podman-5-rootless")] name: &str) {
    let (_gate, engine) = (beside_others(), engine(name));
    let late = "time.sleep(2); os.system('true')";
    for (program, keys) in [
        (format!("import os, time; {late}"), "expect: { exit: 0 }"),
        (
            format!("import os, time; {late}"),
            "expect: { stdout: { not_contains: x } }",
        ),
        (
            format!("{STAYS}{late}; signal.pause()"),
            "ready: { log: up }\n    observe: 4s",
        ),
    ] {
        let (code, result) = result(&engine, &program, keys);
        assert_eq!(
            (code, &result["verdict"]),
            (Some(1), &"violated".into()),
            "{result:#}"
        );
    }
}

#[rstest]
#[ignore = "needs engines: scripts/test runs it"]
fn a_container_that_does_not_do_its_part_fails(#[values("docker-26", "podman-5-rootless")] name: &str) {
    let (_gate, engine) = (beside_others(), engine(name));
    let cases = [
        (
            "raise SystemExit(1)".to_owned(),
            "expect: { stdout: { not_contains: x } }",
            "`job` to exit with 0",
        ),
        (
            format!("{STAYS}time.sleep(0.5); raise SystemExit(1)"),
            "ready: { log: up }",
            "`job` to live as long",
        ),
        (
            format!("{STAYS}time.sleep(0.5)"),
            "ready: { log: up }",
            "`job` to live as long",
        ),
    ];
    for (program, keys, expected) in cases {
        let (code, result) = result(&engine, &program, keys);
        assert_eq!(
            (code, &result["status"]),
            (Some(1), &"failed".into()),
            "{result:#}"
        );
        let expectations = result["expectations"].as_array().expect("expectations");
        let failed = expectations.iter().filter(|one| one["passed"] == false);
        let failed: Vec<_> = failed.filter_map(|one| one["what"].as_str()).collect();
        assert!(failed.len() == 1 && failed[0].starts_with(expected), "{failed:?}");
    }
    let (code, result) = result(&engine, &format!("{STAYS}signal.pause()"), "ready: { log: up }");
    assert_eq!(code, Some(0), "{result:#}");
}
