//! What a run tells of each container: whether something ran in it, and whether it ended as it was to.

use super::*;
use crate::result::ContainerResult;

/// The only container of a run.
async fn fate(behaviour: Behaviour, keys: &str) -> ContainerResult {
    let mut containers = run(fake(behaviour), &job(keys)).await.result.containers;
    assert_eq!(containers.len(), 1);
    ContainerResult {
        watched_ms: None,
        ..containers.remove(0)
    }
}

fn job_that(started: bool, exit_code: Option<i64>, as_expected: bool) -> ContainerResult {
    ContainerResult {
        name: "job".into(),
        engine_name: "test-job".into(),
        started,
        exit_code,
        as_expected,
        is_service: false,
        watched_ms: None,
    }
}

#[tokio::test]
async fn a_job_is_to_end_with_its_code() {
    let ends = |code| Behaviour::exit(code);
    let zero = "    expect: { exit: 0 }";
    assert_eq!(fate(ends(0), zero).await, job_that(true, Some(0), true));
    assert_eq!(fate(ends(3), zero).await, job_that(true, Some(3), false));
    assert_eq!(
        fate(ends(3), "    expect: { exit: 3 }").await,
        job_that(true, Some(3), true)
    );
    assert_eq!(
        fate(ends(3), "    ready: { exit: 3, within: 5s }").await,
        job_that(true, Some(3), true)
    );
    let slow = fate(
        Behaviour::until_killed(),
        "    timeout: 50ms\n    expect: { exit: 0 }",
    );
    assert_eq!(slow.await, job_that(true, None, false));
}

#[tokio::test]
async fn a_program_that_could_not_be_started_did_not_run() {
    let refused = || Behaviour::refuse(ErrorKind::CommandNotFound);
    assert_eq!(
        fate(refused(), "    expect: { exit: 127 }").await,
        job_that(false, Some(127), true)
    );
    assert_eq!(
        fate(refused(), "    expect: { exit: 0 }").await,
        job_that(false, Some(127), false)
    );
}

#[tokio::test]
async fn a_job_that_names_no_code_is_to_end_with_zero() {
    let keys = "    timeout: 100ms\n    expect: { stderr: { not_contains: x } }";
    for (behaviour, as_expected) in [
        (Behaviour::exit(0), true),
        (Behaviour::exit(1), false),
        (Behaviour::until_killed(), false),
    ] {
        let fate = fate(behaviour, keys).await;
        assert_eq!(fate.as_expected, as_expected, "{fate:?}");
    }
}

/// The server of a run that lasts for 300 ms.
async fn server(behaviour: Behaviour) -> ContainerResult {
    let fake = Fake::new()
        .with_image("server:1", config(), behaviour.stdout("listening\n"))
        .with_image(
            "x:1",
            config(),
            Behaviour::exit(0).after(Duration::from_millis(300)),
        );
    let text = job("    after: { server: ready }\n    expect: { exit: 0 }").replace(
        "containers:\n",
        "containers:\n  server: { image: 'server:1', ready: { log: listening } }\n",
    );
    let ran = run(fake, &text).await;
    let mut containers = ran.result.containers.into_iter();
    containers
        .find(|container| container.name == "server")
        .expect("a server")
}

#[tokio::test]
async fn a_service_is_to_live_until_the_end() {
    let lives = server(Behaviour::until_killed()).await;
    assert_eq!(
        (lives.started, lives.exit_code, lives.as_expected),
        (true, None, true)
    );
    for code in [0, 1] {
        let ended = server(Behaviour::exit(code).after(Duration::from_millis(50))).await;
        assert_eq!((ended.exit_code, ended.as_expected), (Some(code), false));
    }
}

#[tokio::test]
async fn a_code_that_others_wait_for_is_one_that_is_asked_for() {
    for (code, as_expected) in [(7, true), (0, false)] {
        let fake = fake(Behaviour::exit(0)).with_image("first:1", config(), Behaviour::exit(code));
        let text = job("    after: { first: exited-7 }\n    expect: { exit: 0 }")
            .replace("containers:\n", "containers:\n  first: { image: 'first:1' }\n");
        let containers = run(fake, &text).await.result.containers;
        let first = containers
            .iter()
            .find(|container| container.name == "first")
            .unwrap();
        assert_eq!((first.exit_code, first.as_expected), (Some(code), as_expected));
        let job = containers
            .iter()
            .find(|container| container.name == "job")
            .unwrap();
        assert_eq!((job.started, job.as_expected), (as_expected, as_expected));
    }
}

#[tokio::test]
async fn images_are_read_unless_nobody_wants_to_know() {
    const ID: &str = "sha256:1";
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("image.tar");
    let shell = b"\x7fELF getopts OPTIND PS4 readonly umask";
    archive::write_single_program(&path, "localhost/x", shell, &Labels::new()).unwrap();
    let config = || ImageConfig {
        id: ID.into(),
        ..config()
    };
    let fake = || {
        Fake::new()
            .with_image("x:1", config(), Behaviour::exit(0))
            .with_image(ID, config(), Behaviour::exit(0))
    };
    let mut recording = recording_of_a_start();
    for subject in recording
        .records
        .iter_mut()
        .filter_map(|record| record.subject.as_mut())
    {
        subject.image = ID.into();
    }
    let run = async |fake, audit: &str| {
        let bench = Bench {
            recording: recording.clone(),
            ..Bench::default()
        };
        let text = job("    expect: { exit: 0 }") + &format!("audit: {{ {audit}, kernel: off }}\n");
        let ran = bench
            .run(fake, &text.replace("verdict: unproven", "verdict: clean"))
            .await;
        let rules: Vec<_> = ran.result.judgement.as_ref().unwrap().rules().collect();
        (ran.result.images[0].shells.clone(), rules)
    };
    let with_archive = || fake().with_archive(ID, std::fs::read(&path).unwrap());
    let shells = Some(vec!["/program".to_owned()]);
    let (found, rules) = run(with_archive(), "image: required").await;
    assert_eq!((found, rules), (shells.clone(), vec![policy::Rule::Shell]));
    let (found, _) = run(with_archive(), "image: if-available").await;
    assert_eq!(found, shells);
    assert_eq!(run(with_archive(), "image: off").await, (None, vec![]));
    // What cannot be read is no obstacle where it is not needed.
    assert_eq!(run(fake(), "image: if-available").await, (None, vec![]));
    let missing = vec![policy::Rule::ImageFault, policy::Rule::WitnessMissing];
    assert_eq!(run(fake(), "image: required").await, (None, missing));
}
