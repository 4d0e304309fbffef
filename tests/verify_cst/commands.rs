//! Command tests, on the embedded engine.

use std::process::Command;

use tempfile::TempDir;

use super::{Ended, Held, fixtures, verify};

fn tiny() -> String {
    archive("tiny")
}

/// Runs a scenario on the embedded engine.
fn run(directory: &TempDir, text: &str) -> Ended {
    std::fs::write(directory.path().join("run.yaml"), text).unwrap();
    let ended = Command::new(env!("CARGO_BIN_EXE_shellproof"))
        .args([
            "run",
            "--engine",
            "embedded",
            "--offline",
            "run.yaml",
            "--fixtures",
        ])
        .arg(std::path::absolute(fixtures::directory()).unwrap())
        .current_dir(directory.path())
        .env("XDG_DATA_HOME", directory.path().join("data"))
        .output();
    ended.expect("the binary starts").into()
}

fn archive(name: &str) -> String {
    let path = std::path::absolute(fixtures::directory().join(format!("{name}.tar"))).unwrap();
    assert!(path.exists(), "the fixtures are not built: scripts/fixtures");
    format!("docker-archive:{}", path.display())
}

fn held(tests: &str) -> Held {
    let directory = TempDir::new().unwrap();
    let text = format!("schemaVersion: 2.0.0\n{tests}\n");
    Held::of(&verify(
        &directory,
        &tiny(),
        "tests.yaml",
        &text,
        &["--format", "json"],
    ))
}

#[test]
#[ignore = "needs the fixtures"]
fn commands_end_and_say_what_they_are_to() {
    let passes = "
globalEnvVars: [{ key: WORD, value: hello }]
commandTests:
  - { name: says, command: /tiny, args: [echo, $WORD, you], expectedOutput: ['^hello you\\n$'], excludedOutput: [bye] }
  - { name: complains, command: /tiny, args: [err, no], expectedError: [no], excludedError: [yes], expectedOutput: [] }
  - { name: ends, command: /tiny, args: [exit, '7'], exitCode: 7 }
  - { name: knows, command: /tiny, args: [env, OWN], envVars: [{ key: OWN, value: mine }], expectedOutput: [mine] }
  - { name: sees, command: /tiny, args: [env, WORD], expectedOutput: [hello], teardown: [[/nope]] }
";
    let held_now = held(passes);
    assert_eq!(held_now.code, Some(0), "{held_now:?}");
    for (right, wrong) in [
        ("hello you", "hullo you"),
        ("[bye]", "[you]"),
        ("expectedError: [no]", "expectedError: [maybe]"),
        ("[yes]", "[no]"),
        ("exitCode: 7", "exitCode: 8"),
        ("expectedOutput: [mine]", "expectedOutput: [yours]"),
    ] {
        assert!(passes.contains(right), "{right}");
        let held = held(&passes.replace(right, wrong));
        assert_eq!(held.code, Some(1), "{wrong}: {held:?}");
        assert_eq!(held.failed().len(), 1, "{wrong}: {held:?}");
    }
}

#[test]
#[ignore = "needs the fixtures"]
fn a_user_is_honoured() {
    let tests = "
containerRunOptions: { user: '0' }
commandTests: [{ name: it, command: /tiny, args: [id], expectedOutput: ['^uid=0 '] }]
";
    let held_now = held(tests);
    assert_eq!(held_now.code, Some(0), "{held_now:?}");
    assert_eq!(held(&tests.replace("'0'", "'65532'")).code, Some(1));
}

#[test]
#[ignore = "needs the fixtures"]
fn a_program_that_the_image_lacks_is_a_test_that_failed_whatever_code_is_expected() {
    for (command, exit) in [("sh", 0), ("/nope", 127), ("./nope", 127)] {
        let held = held(&format!(
            "commandTests: [{{ name: it, command: {command}, exitCode: {exit} }}]"
        ));
        assert_eq!(held.code, Some(1), "{command}: {held:?}");
        assert_eq!(held.failed().len(), 1, "{command}: {held:?}");
    }
}

#[test]
#[ignore = "needs the fixtures"]
fn the_scenario_that_says_the_same_is_one_and_runs() {
    let directory = TempDir::new().unwrap();
    let text = "
schemaVersion: 2.0.0
commandTests:
  - { name: 'Says it', command: /tiny, args: [echo, \"a \\\"b\\\"\"], expectedOutput: ['a \"b\"', '\\bb'], excludedOutput: [z] }
  - { name: says-it, command: /tiny, args: [exit, '3'], exitCode: 3 }
fileExistenceTests:
  - { name: gone, path: /bin/sh, shouldExist: false }
  - { name: tiny, path: /tiny, permissions: -rwxr-xr-x, uid: 0 }
metadataTest: { user: '65532' }
";
    let more = ["--cst-scenario", "scenario.yaml"];
    let ended = verify(&directory, &tiny(), "tests.yaml", text, &more);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    let scenario = std::fs::read_to_string(directory.path().join("scenario.yaml")).unwrap();
    for expected in [
        "  says-it:\n",
        "  says-it-2:\n",
        "{ path: \"/bin/sh\", absent: true }",
        "{ path: \"/tiny\", present: true, mode: \"0755\" }",
        "# - file existence test `tiny`: the owner",
        "# - the metadata test",
    ] {
        assert!(scenario.contains(expected), "{expected}: {scenario}");
    }
    let run = |text: &str| {
        let text = text.replace(&format!("{:?}", fixtures::reference("tiny")), "fixture:tiny");
        run(&directory, &text)
    };
    let clean = run(&scenario);
    assert_eq!(
        clean.code,
        Some(0),
        "{scenario}\n{}{}",
        clean.stdout,
        clean.stderr
    );
    let failed = run(&scenario.replace("exit: 3", "exit: 4"));
    assert_eq!(failed.code, Some(1), "{}{}", failed.stdout, failed.stderr);
}

#[test]
#[ignore = "needs the fixtures"]
fn a_shell_that_a_test_starts_is_a_violation_although_the_test_passes() {
    let directory = TempDir::new().unwrap();
    let text = "{ schemaVersion: 2.0.0, commandTests: [{ name: it, command: bash, args: [-c, echo hi], expectedOutput: [hi] }] }";
    let image = archive("layered");
    let ended = verify(&directory, &image, "tests.yaml", text, &["--format", "json"]);
    let held = Held::of(&ended);
    assert_eq!((held.code, held.failed().len()), (Some(1), 0), "{held:?}");
    let report: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(report["results"][1]["verdict"], "violated");
    let kernel = |one: &serde_json::Value| one["witness"] == "kernel" && one["rule"] == "shell";
    let evidence = report["results"][1]["evidence"].as_array().unwrap();
    assert!(evidence.iter().any(kernel), "{evidence:?}");
}

#[test]
#[ignore = "needs the fixtures"]
fn an_image_of_the_store_is_held_to_the_same() {
    let directory = TempDir::new().unwrap();
    let tests = |word: &str| {
        format!(
            "schemaVersion: 2.0.0\ncommandTests: [{{ name: it, command: /tiny, args: [echo, {word}], expectedOutput: [hi] }}]\n\
             fileExistenceTests: [{{ name: it, path: /tiny }}]\n"
        )
    };
    let held = |image: &str, word: &str, more: &[&str]| {
        let more = [&["--format", "json"], more].concat();
        Held::of(&verify(&directory, image, "tests.yaml", &tests(word), &more))
    };
    // That takes it into the store.
    let ran = run(
        &directory,
        "schema: 1\nname: tiny\nmodes: [prebuilt]\ncontainers: { it: { image: 'fixture:tiny', args: [healthy], expect: { exit: 0 } } }",
    );
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    let reference = fixtures::reference("tiny");
    let layout = format!("oci:data/shellproof:{reference}");
    for (image, more) in [
        (reference.as_str(), &["--engine", "embedded"][..]),
        (&layout, &[]),
    ] {
        let right = held(image, "hi", more);
        assert_eq!(
            (right.code, right.expectations.len()),
            (Some(0), 3),
            "{image}: {right:?}"
        );
        let wrong = held(image, "ho", more);
        assert_eq!(
            (wrong.code, wrong.failed().len()),
            (Some(1), 1),
            "{image}: {wrong:?}"
        );
    }
}

#[test]
#[ignore = "needs the fixtures"]
fn where_nothing_can_run_the_command_tests_are_broken_and_the_others_are_told() {
    let directory = TempDir::new().unwrap();
    // There, the store would be.
    std::fs::write(directory.path().join("data"), "").unwrap();
    let text = "{ schemaVersion: 2.0.0, commandTests: [{ name: it, command: /tiny }], metadataTest: { user: '65532' } }";
    let ended = verify(&directory, &tiny(), "tests.yaml", text, &["--format", "json"]);
    let held = Held::of(&ended);
    assert_eq!((held.code, held.expectations.len()), (Some(4), 1), "{held:?}");
    let report: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(report["results"][1]["status"], "broken", "{report}");
}
