//! When a container counts as ready, and what is said when it does not.

use super::*;

#[tokio::test]
async fn a_log_line_on_either_stream_makes_ready() {
    let text = job("    ready: { log: 'listening on \\d+' }");
    for behaviour in [
        Behaviour::until_killed().stdout("starting\nlistening on 80\n"),
        Behaviour::until_killed().stderr("listening on 80\n"),
    ] {
        let ran = run(fake(behaviour), &text).await;
        assert_eq!(ran.failed(), [""; 0]);
        assert_eq!(ran.result.expectations[0].what, "`job` to be ready within 30s");
        assert_eq!(ran.status(), Status::Passed);
    }
}

#[tokio::test]
async fn the_line_of_a_job_counts_even_if_it_has_ended_since() {
    let text = job("    ready: { log: 'listening on \\d+' }\n    expect: { exit: 0 }");
    let ran = run(fake(Behaviour::exit(0).stdout("listening on 80")), &text).await;
    assert_eq!((ran.failed(), ran.status()), (vec![], Status::Passed));
}

#[tokio::test]
async fn no_log_line_within_the_deadline_fails() {
    let text = job("    ready: { log: listening, within: 100ms }");
    let ran = run(fake(Behaviour::until_killed().stdout("starting\n")), &text).await;
    assert_eq!(ran.failed(), ["`job` to be ready within 100ms: no such line"]);
    let failure = ran.result.expectations[0].failure.as_ref().unwrap();
    assert_eq!(failure.log, ["starting"]);
    assert_eq!(
        (ran.status(), ran.exit_code()),
        (Status::Failed, ExitCode::Violated)
    );
    assert_eq!(ran.left, []);
}

#[tokio::test]
async fn a_container_that_ended_before_its_line_is_not_waited_for() {
    let text = job("    ready: { log: listening, within: 1h }");
    let behaviour = Behaviour::exit(1)
        .stderr("no port\n")
        .after(Duration::from_millis(20));
    let ran = run(fake(behaviour), &text).await;
    assert_eq!(
        ran.failed(),
        ["`job` to be ready within 3600s: it ended first: it exited with 1"]
    );
    assert_eq!(ran.status(), Status::Failed);
}

#[tokio::test]
async fn the_right_exit_makes_ready() {
    let text = job("    ready: { exit: 4, within: 100ms }");
    let ran = run(fake(Behaviour::exit(4)), &text).await;
    assert_eq!((ran.failed(), ran.status()), (vec![], Status::Passed));
    let ran = run(fake(Behaviour::exit(0)), &text).await;
    assert_eq!(ran.failed(), ["`job` to be ready within 100ms: it exited with 0"]);
    let ran = run(fake(Behaviour::until_killed()), &text).await;
    assert_eq!(ran.failed(), ["`job` to be ready within 100ms: it still ran"]);
    assert_eq!(ran.status(), Status::Failed);
}

/// A fake with the probe's image, which does this.
fn with_probe(target: Behaviour, probe: impl Fn(&[String]) -> Behaviour + Send + Sync + 'static) -> Fake {
    fake(target).with_program(&probe_reference(), config(), move |spec, argv| {
        assert!(spec.read_only && spec.no_new_privileges && spec.cap_drop == ["ALL"]);
        probe(&argv[1..])
    })
}

#[tokio::test]
async fn a_port_is_asked_from_the_network_of_the_scenario() {
    let fake = with_probe(Behaviour::until_killed(), |argv| {
        assert_eq!(argv[..3], ["tcp", "job", "5432"]);
        assert!(argv[3].parse::<u64>().unwrap() <= 5000);
        Behaviour::exit(0)
    });
    let ran = run(fake, &job("    ready: { tcp: 5432, within: 5s }")).await;
    assert_eq!((ran.failed(), ran.status()), (vec![], Status::Passed));
    assert_eq!(ran.left, []);
}

#[tokio::test]
async fn a_port_that_stays_closed_fails_with_the_words_of_the_probe() {
    let fake = with_probe(Behaviour::until_killed(), |_| {
        Behaviour::exit(1).stderr("tcp job:5432: Connection refused\n")
    });
    let ran = run(fake, &job("    ready: { tcp: 5432, within: 5s }")).await;
    assert_eq!(
        ran.failed(),
        ["`job` to be ready within 5s: tcp job:5432: Connection refused"]
    );
    assert_eq!(ran.status(), Status::Failed);
    assert_eq!(ran.left, []);
}

#[tokio::test]
async fn a_container_that_ended_before_its_port_opened_is_not_waited_for() {
    let fake = with_probe(Behaviour::exit(2).after(Duration::from_millis(50)), |_| {
        Behaviour::until_killed()
    });
    let ran = run(fake, &job("    ready: { tcp: 5432, within: 1h }")).await;
    assert_eq!(
        ran.failed(),
        ["`job` to be ready within 3600s: it ended first: it exited with 2"]
    );
    assert_eq!(ran.left, []);
}

#[tokio::test]
async fn an_answer_makes_ready_and_is_compared() {
    let fake = with_probe(Behaviour::until_killed(), |argv| {
        assert_eq!((&argv[0], &argv[4]), (&"http".to_owned(), &"/health".to_owned()));
        match argv.get(5) {
            // Readiness: the probe itself compares the status.
            Some(status) => {
                assert_eq!(status, "204");
                Behaviour::exit(0)
            }
            None => Behaviour::exit(0).stdout("503\nbusy"),
        }
    });
    let text = job(
        "    ready: { http: { port: 80, path: /health, status: 204 } }\n    \
         expect: { http: [{ port: 80, path: /health, body: { contains: fine }, within: 300ms }] }",
    );
    let ran = run(fake, &text).await;
    assert_eq!(
        ran.failed(),
        [
            "`http://job:80/health` to answer 200: it answered 503",
            "the body of `http://job:80/health` to contain \"fine\": it is \"busy\""
        ]
    );
    assert_eq!(ran.status(), Status::Failed);
    assert_eq!(ran.left, []);
}

#[tokio::test]
async fn an_answer_that_comes_to_fit_passes() {
    let asked = Mutex::new(0);
    let fake = with_probe(Behaviour::until_killed().stdout("up\n"), move |_| {
        let mut asked = asked.lock().unwrap();
        *asked += 1;
        Behaviour::exit(0).stdout(if *asked < 3 { "503\nbusy" } else { "200\nfine" })
    });
    let text =
        job("    ready: { log: up }\n    expect: { http: [{ port: 80, path: /, body: { equals: fine } }] }");
    let ran = run(fake, &text).await;
    assert_eq!((ran.failed(), ran.status()), (vec![], Status::Passed));
    assert!(ran.result.containers[0].as_expected, "it answered and lived");
    // Only the last answer is told of.
    assert_eq!(ran.result.expectations.len(), 4);
}
