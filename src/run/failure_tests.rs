//! An engine that fails is a broken run: never a failed expectation, and never a pass.

use super::*;

/// A scenario that needs every operation, on a fake where all of them work.
fn everything() -> (Fake, String) {
    let fake = fake(Behaviour::exit(0))
        .with_program(&probe_reference(), config(), |_, _| Behaviour::exit(0))
        .with_image("server:1", config(), Behaviour::until_killed());
    let text = job(
        "    after: { server: ready }\n    expect: { exit: 0, files: [{ path: /bin/sh, absent: true }] }",
    )
    .replace(
        "containers:\n",
        "containers:\n  server: { image: 'server:1', network: n, ready: { tcp: 80 } }\n",
    );
    (fake, text)
}

#[tokio::test]
async fn with_all_operations_working_the_scenario_passes() {
    let (fake, text) = everything();
    let ran = run(fake, &text).await;
    assert_eq!(
        (ran.failed(), ran.status()),
        (vec![], Status::Passed),
        "{:?}",
        ran.result.broken
    );
}

#[tokio::test]
async fn each_operation_that_fails_breaks_the_run() {
    for (operation, words) in [
        ("image", "inspect image `server:1`"),
        ("create_network", "create network `test-n`"),
        ("create_volume", "create volume `test-v`"),
        ("create_container", "create container `test-server`"),
        ("attach", "attach to container"),
        ("start_container", "start container"),
        ("wait_container", "wait for container"),
        ("read_image_file", "read a file of image `x:1`"),
    ] {
        let (fake, text) = everything();
        let ran = run(fake.fail(operation, ErrorKind::Unreachable), &text).await;
        assert_eq!(ran.failed(), [""; 0], "{operation}");
        assert_eq!(
            (ran.status(), ran.exit_code()),
            (Status::Broken, ExitCode::Broken),
            "{operation}"
        );
        let broken = ran.result.broken.expect("a broken run says why");
        let expected = format!("failed to {words}");
        assert!(broken.starts_with(&expected), "{operation}: {broken}");
        assert!(
            broken.ends_with("on fake: scripted to fail"),
            "{operation}: {broken}"
        );
        assert_eq!(ran.left, [], "{operation}");
        assert_eq!(ran.result.judgement, None, "{operation}");
    }
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_breaks_the_run() {
    let (fake, text) = everything();
    let fake = fake.with_remote("x:1").fail("pull_image", ErrorKind::Denied);
    let ran = run(fake, &text).await;
    assert_eq!(
        (ran.status(), ran.exit_code()),
        (Status::Broken, ExitCode::Broken)
    );
    assert_eq!(
        ran.result.broken.as_deref(),
        Some("failed to pull image `x:1` on fake: scripted to fail")
    );
}

#[tokio::test]
async fn an_image_that_must_not_be_pulled_breaks_the_run() {
    let (fake, text) = everything();
    let bench = Bench {
        options: RunOptions {
            offline: true,
            ..RunOptions::default()
        },
        ..Bench::default()
    };
    let ran = bench.run(fake.with_remote("x:1"), &text).await;
    assert_eq!(
        (ran.status(), ran.exit_code()),
        (Status::Broken, ExitCode::Broken)
    );
    assert_eq!(
        ran.result.broken.as_deref(),
        Some("image `x:1` is not present and `--offline` forbids pulling it")
    );
}

#[tokio::test]
async fn a_probe_that_cannot_be_loaded_breaks_the_run() {
    let (fake, text) = everything();
    let fake = fake
        .with_remote(&probe_reference())
        .fail("load_image", ErrorKind::Other);
    let ran = run(fake, &text).await;
    assert_eq!(ran.failed(), [""; 0]);
    assert_eq!(
        (ran.status(), ran.exit_code()),
        (Status::Broken, ExitCode::Broken)
    );
    assert!(ran.result.broken.unwrap().starts_with("failed to load image"));
    assert_eq!(ran.left, []);
}

#[tokio::test]
async fn a_fixture_that_was_not_built_breaks_the_run() {
    let text = job("    expect: { exit: 0 }").replace("x:1", "fixture:tiny");
    let ran = run(fake(Behaviour::exit(0)), &text).await;
    assert_eq!(
        (ran.status(), ran.exit_code()),
        (Status::Broken, ExitCode::Broken)
    );
    assert_eq!(
        ran.result.broken.as_deref(),
        Some(
            "fixture `tiny` is not built: `/nowhere/tiny.tar` does not exist\nhelp: build it with `scripts/fixtures tiny`"
        )
    );
}

#[tokio::test]
async fn a_program_that_is_refused_for_another_reason_breaks_the_run() {
    let text = job("    expect: { exit: 127 }");
    let ran = run(fake(Behaviour::refuse(ErrorKind::Denied)), &text).await;
    assert_eq!((ran.failed(), ran.status()), (vec![], Status::Broken));
    assert_eq!(ran.left, []);
}

#[tokio::test]
async fn output_that_breaks_off_is_not_judged() {
    for (behaviour, keys) in [
        (
            Behaviour::exit(0).after(Duration::from_millis(20)),
            "    expect: { exit: 0, stdout: { not_contains: secret } }",
        ),
        (
            Behaviour::until_killed(),
            "    ready: { log: ready }\n    expect: { stdout: { not_contains: secret } }",
        ),
        (Behaviour::until_killed(), "    ready: { log: never }"),
    ] {
        let behaviour = behaviour.stdout("ready\n").stream_breaks(ErrorKind::Unreachable);
        let ran = run(fake(behaviour), &job(keys)).await;
        assert_eq!((ran.failed(), ran.status()), (vec![], Status::Broken), "{keys}");
        assert!(ran.result.broken.unwrap().contains("the stream broke"), "{keys}");
        assert_eq!(ran.left, []);
    }
}

#[tokio::test]
async fn clean_up_goes_on_after_errors_and_tells_all_of_them() {
    let fake = fake(Behaviour::exit(0)).fail("remove", ErrorKind::Denied);
    let ran = run(fake, &job("    expect: { exit: 0 }")).await;
    assert_eq!(
        ran.result.leftovers,
        [
            "failed to remove `test-job` on fake: scripted to fail",
            "failed to remove `test-n` on fake: scripted to fail",
            "failed to remove `test-v` on fake: scripted to fail"
        ]
    );
    assert_eq!(ran.failed(), [""; 0]);
    assert_eq!(
        (ran.status(), ran.exit_code()),
        (Status::Broken, ExitCode::Broken)
    );
    assert_eq!(ran.left.len(), 3);
}

#[tokio::test]
async fn a_violation_that_was_seen_stays_one_when_the_engine_breaks() {
    let (fake, text) = everything();
    let bench = Bench {
        recording: recording_of_an_exec(),
        ..Bench::default()
    };
    let fake = fake.fail("read_image_file", ErrorKind::Unreachable);
    let ran = bench.run(fake, &text).await;
    assert_eq!(
        (ran.status(), ran.exit_code()),
        (Status::Violated, ExitCode::Violated)
    );
    assert!(ran.result.broken.is_some());
}

#[tokio::test]
async fn a_violation_that_was_expected_does_not_hide_a_broken_engine() {
    let (fake, text) = everything();
    let bench = Bench {
        recording: recording_of_an_exec(),
        ..Bench::default()
    };
    let fake = fake.fail("read_image_file", ErrorKind::Unreachable);
    let text = text.replace("verdict: unproven", "verdict: violated, rule: exec");
    let ran = bench.run(fake, &text).await;
    assert_eq!(
        (ran.status(), ran.exit_code()),
        (Status::Broken, ExitCode::Broken)
    );
}
