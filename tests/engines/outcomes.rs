//! What a run amounts to: exit codes, the three reports, and many scenarios at once.

use quick_junit::{NonSuccessKind, TestCaseStatus};
use serde_json::Value;
use shellproof_conformance::on_each_engine;

use crate::support::{Engine, Scenarios, beside_others, engine, finish, run, scenario};

const CLEAN: &str = "args: [echo, hi]\n    expect: { exit: 0, stdout: { equals: \"hi\\n\" } }";
const FAILING: &str = "args: [err, the cause of it]\n    expect: { exit: 0, stdout: { contains: hello } }";
const SHELL: &str = "entrypoint: [/bin/sh, -c, 'echo hi']\n    expect: { exit: 127 }";
const WRAPPER: &str = "entrypoint: [xargs, sh]\n    expect: { exit: 127 }";

fn one_of_each() -> Scenarios {
    Scenarios::new(&[
        ("a-clean", scenario("a-clean", CLEAN, "")),
        ("b-failing", scenario("b-failing", FAILING, "")),
        ("c-violating", scenario("c-violating", SHELL, "")),
        (
            "d-caught",
            scenario("d-caught", SHELL, "expect: { verdict: violated, rule: shell }\n"),
        ),
        (
            "e-unproven",
            scenario("e-unproven", WRAPPER, "audit: { kernel: off }\n"),
        ),
        (
            "f-broken",
            scenario("f-broken", CLEAN, "").replace("fixture:tiny", "fixture:no-such"),
        ),
        (
            "g-layered",
            scenario("g-layered", CLEAN, "").replace("[prebuilt]", "[layered]"),
        ),
    ])
}

on_each_engine!(each_exit_code_is_met);
fn each_exit_code_is_met(name: &str) {
    let (_gate, engine, scenarios) = (beside_others(), engine(name), one_of_each());
    std::fs::write(scenarios.file("h-wrong.yaml"), "schema: 1\nnmae: x\n").expect("a file can be written");
    for (file, code) in [
        ("a-clean.yaml", 0),
        ("b-failing.yaml", 1),
        ("h-wrong.yaml", 2),
        ("e-unproven.yaml", 3),
        ("f-broken.yaml", 4),
    ] {
        let ended = finish(run(&engine, &scenarios.file(file)).args(["--mode", "prebuilt"]));
        assert_eq!(
            ended.code,
            Some(code),
            "{file}:\n{}{}",
            ended.stdout,
            ended.stderr
        );
    }
    // Nothing is meant for this mode: silence is no success.
    finish(run(&engine, &scenarios.file("g-layered.yaml")).args(["--mode", "prebuilt"])).expect(5);
}

fn result<'a>(document: &'a Value, scenario: &str) -> &'a Value {
    let results = document["results"].as_array().expect("results are a list");
    results
        .iter()
        .find(|result| result["scenario"] == scenario)
        .unwrap_or_else(|| panic!("no result of `{scenario}` in {document:#}"))
}

on_each_engine!(json_and_junit_tell_the_same);
fn json_and_junit_tell_the_same(name: &str) {
    let (_gate, engine, scenarios) = (beside_others(), engine(name), one_of_each());
    let junit = scenarios.file("junit.xml");
    let ended = finish(
        run(&engine, scenarios.path())
            .args(["--mode", "prebuilt", "--format", "json", "--junit"])
            .arg(&junit),
    )
    .expect(1);
    assert_eq!(ended.stderr, "", "a program that reads JSON wants nothing else");
    let document = ended.json();
    check_document(&document, &engine);
    check_junit(
        &std::fs::read_to_string(junit).expect("the JUnit file is there"),
        name,
    );
}

fn check_document(document: &Value, engine: &Engine) {
    assert_eq!(document["schema"], 1);
    assert_eq!(document["run_id"].as_str().map(str::len), Some(8));
    let summary = &document["summary"];
    for (key, count) in [
        ("passed", 2),
        ("violated", 1),
        ("unproven", 1),
        ("failed", 2),
        ("waived", 0),
    ] {
        assert_eq!(summary[key], count, "{key} in {summary}");
    }
    assert_eq!(summary["interrupted"], false);
    assert_eq!(document["leftovers"].as_array().map(Vec::len), Some(0));
    for (scenario, status, verdict) in [
        ("a-clean", "passed", Some("clean")),
        ("b-failing", "failed", Some("clean")),
        ("c-violating", "violated", Some("violated")),
        ("d-caught", "passed", Some("violated")),
        ("e-unproven", "unproven", Some("unproven")),
        ("f-broken", "broken", None),
    ] {
        let result = result(document, scenario);
        assert_eq!(result["status"], status, "{result:#}");
        assert_eq!(result["verdict"].as_str(), verdict, "{result:#}");
        assert_eq!(result["mode"], "prebuilt");
        assert_eq!(result["engine"]["name"], engine.name.as_str());
        let kind = if engine.is_podman() { "podman" } else { "docker" };
        assert_eq!(result["engine"]["kind"], kind);
        assert_eq!(result["engine"]["rootless"], engine.name.ends_with("-rootless"));
        if verdict.is_some() {
            assert_eq!(result["witnesses"]["wire"]["state"], "spoke", "{result:#}");
        }
    }
    let evidence = &result(document, "c-violating")["evidence"][0];
    assert_eq!(
        (&evidence["witness"], &evidence["rule"]),
        (&"wire".into(), &"shell".into())
    );
    assert_eq!(
        evidence["detail"],
        "`/bin/sh -c echo hi`, a shell, was about to run"
    );
    let failed = &result(document, "b-failing")["expectations"][1];
    assert_eq!(failed["passed"], false);
    assert_eq!(failed["failure"]["container"], "job");
    assert_eq!(failed["failure"]["log"][0], "the cause of it");
    let place = failed["failure"]["at"].as_str().expect("a failure has a place");
    assert!(place.contains("b-failing.yaml:12:"), "{place}");
}

fn check_junit(text: &str, name: &str) {
    let report =
        quick_junit::Report::deserialize_from_str(text).unwrap_or_else(|error| panic!("{error} in:\n{text}"));
    let suites: Vec<_> = report.test_suites.iter().collect();
    assert_eq!((suites.len(), suites[0].name.as_str()), (1, name));
    let told: Vec<_> = suites[0]
        .test_cases
        .iter()
        .map(|case| {
            let what = match &case.status {
                TestCaseStatus::Success { .. } => "success".to_owned(),
                TestCaseStatus::NonSuccess { kind, ty, .. } => format!(
                    "{} {}",
                    if *kind == NonSuccessKind::Error {
                        "error"
                    } else {
                        "failure"
                    },
                    ty.as_ref().map_or("", |ty| ty.as_str())
                ),
                TestCaseStatus::Skipped { .. } => "skipped".to_owned(),
            };
            format!("{}: {what}", case.name.as_str())
        })
        .collect();
    assert_eq!(
        told,
        [
            "a-clean (prebuilt): success",
            "b-failing (prebuilt): failure failed",
            "c-violating (prebuilt): failure violated",
            "d-caught (prebuilt): success",
            "e-unproven (prebuilt): failure unproven",
            "f-broken (prebuilt): error broken"
        ]
    );
}

on_each_engine!(a_file_that_cannot_be_written_loses_no_verdict);
fn a_file_that_cannot_be_written_loses_no_verdict(name: &str) {
    let (_gate, engine, scenarios) = (beside_others(), engine(name), one_of_each());
    // What was seen was seen: only of a pass does a file make something else.
    for (file, code, word) in [
        ("a-clean.yaml", 4, "CLEAN "),
        ("c-violating.yaml", 1, "VIOLATED "),
    ] {
        let ended = finish(run(&engine, &scenarios.file(file)).args(["--junit", "/dev/full"])).expect(code);
        assert!(ended.stdout.starts_with(word), "{}", ended.stdout);
        let told = "error: the JUnit file cannot be written: No space left on device";
        assert!(ended.stderr.contains(told), "{}", ended.stderr);
    }
    let mut audit = std::process::Command::new(env!("CARGO_BIN_EXE_shellproof"));
    audit.args([
        "audit",
        "--mode",
        "layered",
        "--record",
        "/dev/full",
        "--format",
        "json",
    ]);
    audit.args(["--engine", &engine.choice(), "--", "true"]);
    let ended = finish(&mut audit).expect(4);
    assert_eq!(ended.json()["results"][0]["status"], "nothing-ran");
    let told = "error: the record cannot be written: No space left on device";
    assert!(ended.stderr.contains(told), "{}", ended.stderr);
}

on_each_engine!(a_failure_says_what_where_and_why);
fn a_failure_says_what_where_and_why(name: &str) {
    let (_gate, engine) = (beside_others(), engine(name));
    let keys = "entrypoint: [/tiny, exec, missing]\n    expect: { exit: 0 }";
    let violating = "entrypoint: [/bin/sh, -c, 'echo hi']\n    expect: { exit: 0 }";
    let scenarios = Scenarios::new(&[
        ("one", scenario("one", keys, "")),
        ("two", scenario("two", violating, "")),
    ]);
    let told = finish(&mut run(&engine, &scenarios.file("one.yaml")))
        .expect(1)
        .stdout;
    let place = scenarios.file("one.yaml");
    let spoke = if engine.has_kernel_witness() {
        "wire, image, kernel"
    } else {
        "wire, image"
    };
    for part in [
        format!("{:<18} one (prebuilt)  {spoke}, watched job ", name).as_str(),
        "FAILED ",
        "error: expected `job` to exit with 0",
        &format!("--> {}:12:21", place.display()),
        "expect: { exit: 0 }",
        "^ it exited with 127",
        "last lines of `job`:",
        "| tiny: cannot run `missing`: ",
        "0 passed, 0 violated, 0 unproven, 1 failed",
    ] {
        assert!(told.contains(part), "no `{part}` in:\n{told}");
    }
    let told = finish(&mut run(&engine, &scenarios.file("two.yaml")))
        .expect(1)
        .stdout;
    for part in [
        "VIOLATED",
        "`/bin/sh -c echo hi`, a shell, was about to run in `job`  shell, wire: request ",
        ": POST ",
        "/start by ",
        env!("CARGO_BIN_EXE_shellproof"),
        &format!("at {}:7:3", scenarios.file("two.yaml").display()),
        "expected clean, the verdict is violated",
        "^ it exited with 127",
        "0 passed, 1 violated, 0 unproven, 0 failed",
    ] {
        assert!(told.contains(part), "no `{part}` in:\n{told}");
    }
    assert!(!told.contains('\u{1b}'), "a pipe gets no escape codes");
}

on_each_engine!(eight_scenarios_at_once);
fn eight_scenarios_at_once(name: &str) {
    let (_gate, engine) = (beside_others(), engine(name));
    let files: Vec<_> = (1..=8)
        .map(|number| {
            let name = format!("job-{number}");
            let keys = format!(
                "args: [echo, \"job {number}\"]\n    expect: {{ exit: 0, stdout: {{ equals: \"job {number}\\n\" }} }}"
            );
            (name.clone(), scenario(&name, &keys, ""))
        })
        .collect();
    let files: Vec<_> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.clone()))
        .collect();
    let scenarios = Scenarios::new(&files);
    let ended = finish(run(&engine, scenarios.path()).args(["-j", "8", "--format", "json"])).expect(0);
    let document = ended.json();
    assert_eq!(document["summary"]["passed"], 8, "{document:#}");
    assert_eq!(document["summary"]["clean"], 8);
    let run = document["run_id"].as_str().expect("a run has an id");
    assert_eq!(engine.of_run(run), [""; 0]);
}
