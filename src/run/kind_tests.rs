//! Jobs end, services stay, and both are watched long enough for that to be seen.

use super::*;

fn milliseconds(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// How long the only container was watched.
fn watched(ran: &Ran) -> (bool, Duration) {
    let [one] = ran.result.containers.as_slice() else {
        panic!("{:?}", ran.result.containers)
    };
    assert_eq!(one.name, "job");
    (one.is_service, milliseconds(one.watched_ms.unwrap()))
}

#[tokio::test]
async fn the_end_of_a_job_is_awaited_whatever_it_expects() {
    let text = job("    expect: { stdout: { not_contains: secret } }");
    let late = Behaviour::exit(0).after(milliseconds(300));
    let ran = run(fake(late.clone()), &text).await;
    assert_eq!((ran.failed(), ran.status()), (vec![], Status::Passed));
    let (is_service, duration) = watched(&ran);
    assert!(!is_service && duration >= milliseconds(300), "{duration:?}");
    let ran = run(fake(Behaviour::exit(1).after(milliseconds(50))), &text).await;
    assert_eq!(ran.failed(), ["`job` to exit with 0: it exited with 1"]);
    let failure = ran.result.expectations[0].failure.as_ref().unwrap();
    let help = "a job ends with 0 unless its `expect: { exit: … }` says otherwise";
    assert_eq!(failure.diagnostic.help.as_deref(), Some(help));
    assert_eq!((ran.status(), ran.left), (Status::Failed, vec![]));
}

#[tokio::test]
async fn a_job_that_never_ends_fails() {
    let text = job("    timeout: 100ms\n    expect: { stderr: { not_contains: x } }");
    let ran = run(fake(Behaviour::until_killed()), &text).await;
    assert_eq!(ran.failed(), ["`job` to exit with 0: it still ran after 100ms"]);
}

#[tokio::test]
async fn a_job_that_others_wait_for_ends_as_they_say() {
    let fake = Fake::new().with_program("x:1", config(), |spec, _| match spec.name.as_str() {
        "test-first" => Behaviour::exit(7),
        _ => Behaviour::exit(0),
    });
    let text = "schema: 1\nname: fake\ncontainers:\n  first: { image: 'x:1', expect: { stdout: { equals: '' } } }\n  \
                second: { image: 'x:1', after: { first: exited-7 }, expect: { exit: 0 } }\n\
                expect: { verdict: unproven }\n";
    let ran = run(fake, text).await;
    assert_eq!((ran.failed(), ran.status()), (vec![], Status::Passed));
}

#[tokio::test]
async fn a_service_that_ends_after_it_was_ready_fails() {
    for code in [0, 1] {
        let behaviour = Behaviour::exit(code).stdout("up\n").after(milliseconds(300));
        let ran = run(fake(behaviour), &job("    ready: { log: up }")).await;
        let expected =
            format!("`job` to live as long as the scenario: it ended first: it exited with {code}");
        assert_eq!(ran.failed(), [expected]);
        assert_eq!(ran.exit_code(), ExitCode::Violated);
    }
}

#[tokio::test]
async fn a_service_is_watched_as_long_as_it_says() {
    let behaviour = || Behaviour::exit(1).stdout("up\n").after(milliseconds(1500));
    let ran = run(fake(behaviour()), &job("    ready: { log: up }")).await;
    assert_eq!(ran.failed(), [""; 0]);
    let (is_service, duration) = watched(&ran);
    assert!(is_service && duration >= milliseconds(1000), "{duration:?}");
    let ran = run(fake(behaviour()), &job("    ready: { log: up }\n    observe: 3s")).await;
    assert_eq!(ran.failed().len(), 1);
    let (_, duration) = watched(&ran);
    assert!((1500..3000).contains(&duration.as_millis()), "{duration:?}");
}

#[tokio::test]
async fn a_service_is_watched_for_a_run_of_its_health_check() {
    let text = job("    ready: { log: up }\n    healthcheck: { command: [/x], interval: 500ms }");
    let ran = run(fake(Behaviour::until_killed().stdout("up\n")), &text).await;
    assert_eq!(ran.failed(), [""; 0]);
    assert!(watched(&ran).1 >= milliseconds(1500));
}

#[tokio::test]
async fn a_health_check_that_fails_since_its_service_was_ready_is_a_failed_expectation() {
    let text =
        job("    ready: { log: up }\n    healthcheck: { command: [/x], interval: 100ms, timeout: 300ms }");
    let up = || Behaviour::until_killed().stdout("up\n");
    let refused = "connection refused\n";
    for (behaviour, expected) in [
        (up().health_run(milliseconds(400), 0, ""), None),
        (
            up().health_run(milliseconds(400), 1, refused)
                .health_run(milliseconds(500), 0, ""),
            None,
        ),
        // It was not ready yet.
        (
            up().health_run(milliseconds(0), 1, refused)
                .health_run(milliseconds(400), 0, ""),
            None,
        ),
        (
            up().health_run(milliseconds(400), 1, refused),
            Some(
                "it ran once since its container was ready: exit code 1, and it wrote \"connection refused\"",
            ),
        ),
        (
            up().health_run(milliseconds(0), 0, "")
                .health_run(milliseconds(400), 1, refused)
                .health_run(milliseconds(500), -1, ""),
            Some("its last 2 runs since its container was ready failed: exit code -1, and it wrote nothing"),
        ),
        (
            up().health_run(milliseconds(0), 0, ""),
            Some("no run of it has ended since its container was ready"),
        ),
    ] {
        let ran = run(fake(behaviour), &text).await;
        let expected = expected.map(|actual| format!("the health check of `job` to succeed: {actual}"));
        assert_eq!(ran.failed(), Vec::from_iter(expected));
    }
}

#[tokio::test]
async fn a_health_check_that_never_ran_is_told() {
    let text = job("    ready: { log: up }\n    healthcheck: { command: [/x, y], interval: 100ms }");
    let ran = run(fake(Behaviour::until_killed().stdout("up\n")), &text).await;
    assert_eq!(ran.failed(), [""; 0]);
    let evidence = &ran.result.judgement.as_ref().unwrap().evidence;
    let told = evidence
        .iter()
        .find(|one| one.rule == crate::policy::Rule::HealthCheckNotRun)
        .unwrap();
    assert!(told.detail.contains("`/x y`"), "{told:?}");
}

#[tokio::test]
async fn a_waiver_that_covers_nothing_fails_at_its_line() {
    let waiver = "waivers: [{ rule: exec, program: /tiny, reason: known, until: 9999-12-31 }]\n";
    let text = job("    expect: { exit: 0 }").replace("verdict: unproven", "verdict: clean")
        + "audit: { image: off, kernel: off }\n"
        + waiver;
    let bench = |recording| Bench {
        recording,
        ..Bench::default()
    };
    let ran = bench(recording_of_a_start())
        .run(fake(Behaviour::exit(0)), &text)
        .await;
    assert_eq!(ran.failed().len(), 1);
    let failure = ran.result.expectations[1].failure.as_ref().unwrap();
    assert_eq!(
        failure.diagnostic.span.map(|span| span.line),
        text.lines().count().into()
    );
    assert_eq!(
        (ran.status(), ran.exit_code()),
        (Status::Failed, ExitCode::Violated)
    );
    // Nothing was recorded: nobody knows what was waived.
    let ran = bench(Recording::default())
        .run(fake(Behaviour::exit(0)), &text)
        .await;
    assert_eq!(ran.failed(), [""; 0]);
}
