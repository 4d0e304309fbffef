//! The runner on the runtime in memory: what becomes of a scenario, and what is left of it.

use std::sync::Mutex;
use std::time::Duration;

use shellproof_api::{ErrorKind, ImageConfig, Labels, Resource};
use shellproof_fake::{Behaviour, Fake};
use shellproof_wire::{Action, InspectedContainer, Record, Route};

use super::*;
use crate::exit::ExitCode;
use crate::report::Document;
use crate::result::{Expectation, Failure, Report};
use crate::scenario;

#[path = "failure_tests.rs"]
mod failures;
#[path = "fate_tests.rs"]
mod fates;
#[path = "kind_tests.rs"]
mod kinds;
#[path = "ready_tests.rs"]
mod readiness;
#[path = "repeat_tests.rs"]
mod repetition;

/// A run on the fake, and what it left there.
pub(super) struct Ran {
    pub(super) result: CaseResult,
    pub(super) left: Vec<Resource>,
    pub(super) may_have_lost_output: bool,
}

impl Ran {
    pub(super) fn status(&self) -> Status {
        self.result.status()
    }

    pub(super) fn exit_code(&self) -> ExitCode {
        let report = Report {
            run_id: "00000000".into(),
            results: vec![self.result.clone()],
            interrupted: false,
            leftovers: Vec::new(),
        };
        Document::of(&report).exit_code()
    }

    /// The expectations that failed: what was expected, and what was seen.
    pub(super) fn failed(&self) -> Vec<String> {
        let failures = self
            .result
            .expectations
            .iter()
            .filter_map(|one| Some((one, one.failure.as_ref()?)));
        let tell = |(one, failure): (&Expectation, &Failure)| {
            format!(
                "{}: {}",
                one.what,
                failure.diagnostic.label.as_deref().unwrap_or("-")
            )
        };
        failures.map(tell).collect()
    }
}

/// How a scenario is run on the fake.
pub(super) struct Bench {
    pub(super) options: RunOptions,
    pub(super) recording: Recording,
    pub(super) interrupt_after: Option<Duration>,
}

impl Default for Bench {
    fn default() -> Self {
        Self {
            options: RunOptions {
                timeout: Duration::from_secs(20),
                ..RunOptions::default()
            },
            recording: Recording::default(),
            interrupt_after: None,
        }
    }
}

impl Bench {
    pub(super) async fn run(self, fake: Fake, text: &str) -> Ran {
        let scenario = scenario::parse("fake.yaml", text).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let scenario = Arc::new(scenario);
        let plan = scenario.for_mode(Mode::Prebuilt).unwrap();
        let runtime: Arc<dyn Runtime> = Arc::new(fake);
        let job = Job {
            scenario: scenario.clone(),
            mode: Mode::Prebuilt,
            engine: EngineSpec {
                name: "fake".into(),
                endpoint: Some(shellproof_wire::Endpoint {
                    kind: shellproof_api::EngineKind::Fake,
                    socket: "/nowhere".into(),
                }),
            },
        };
        let platform = Platform::from_parts(None, []).unwrap();
        let invocation = Invocation::start().unwrap();
        let images = Images::new(runtime.clone(), "/nowhere".into(), self.options.offline);
        let mut execution = Execution::new(Context {
            scenario: &scenario,
            plan: &plan,
            runtime: &runtime,
            images: &images,
            platform: &platform,
            invocation: &invocation,
            kernel: Err(Standing::Off("there is none")),
            is_repeated: false,
            prefix: "test".into(),
            progress: &|_| {},
        });
        let (sender, interrupt) = watch::channel(false);
        if let Some(after) = self.interrupt_after {
            let sender = sender.clone();
            tokio::spawn(async move {
                tokio::time::sleep(after).await;
                sender.send_replace(true);
            });
        }
        let result = job.result(runtime.engine());
        let recording = || std::future::ready(self.recording.clone()).boxed();
        let counts = std::future::ready(true);
        let result = carry_out(
            &mut execution,
            result,
            &self.options,
            interrupt,
            &recording,
            counts,
        )
        .await;
        // A fake that cannot list cannot be asked.
        let left = runtime.owned().await.unwrap_or_default();
        Ran {
            may_have_lost_output: execution.may_have_lost_output(&result.expectations),
            result,
            left,
        }
    }
}

/// Runs a scenario with nothing special about it.
pub(super) async fn run(fake: Fake, text: &str) -> Ran {
    Bench::default().run(fake, text).await
}

pub(super) fn config() -> ImageConfig {
    ImageConfig {
        entrypoint: vec!["/program".into()],
        ..ImageConfig::default()
    }
}

/// A fake with one image, `x:1`, whose containers all do the same.
pub(super) fn fake(behaviour: Behaviour) -> Fake {
    Fake::new().with_image("x:1", config(), behaviour)
}

/// The reference of the probe's image, as the runner makes it.
pub(super) fn probe_reference() -> String {
    let directory = tempfile::tempdir().unwrap();
    let labels = Labels::from([(labels::PROBE.to_owned(), "1".to_owned())]);
    let program = include_bytes!(concat!(env!("OUT_DIR"), "/probe"));
    let path = directory.path().join("probe.tar");
    archive::write_single_program(&path, "localhost/shellproof/probe", program, &labels).unwrap()
}

/// A scenario of one container, `job`, with these keys. Nothing is recorded on a fake, so unproven is what it expects.
pub(super) fn job(keys: &str) -> String {
    format!(
        "schema: 1\nname: fake\nnetworks: [n]\nvolumes: [v]\ncontainers:\n  job:\n    image: x:1\n    network: n\n    volumes: [\"v:/v\"]\n{keys}\nexpect: {{ verdict: unproven }}\n"
    )
}

fn record(action: &str, target: &str, subject: Option<InspectedContainer>) -> Record {
    let route = Route::parse(action, target);
    let id = subject
        .as_ref()
        .map(|subject| subject.id.clone())
        .unwrap_or_default();
    let makes = route.action == Action::CreateContainer;
    Record {
        number: 1,
        method: action.into(),
        target: target.into(),
        route,
        status: Some(204),
        made: makes.then_some(id),
        subject,
        ..Record::default()
    }
}

/// What a recorder would have seen of the first container that the fake makes.
pub(super) fn recording_of_a_start() -> Recording {
    let subject = InspectedContainer {
        id: format!("{:064x}", 1),
        name: "test-job".into(),
        argv: vec!["/program".into()],
        ..InspectedContainer::default()
    };
    let target = format!("/containers/{}/start", subject.id);
    Recording {
        records: vec![
            record("POST", "/containers/create", Some(subject.clone())),
            record("POST", &target, Some(subject)),
        ],
        ..Recording::default()
    }
}

/// The same, and an exec in it.
pub(super) fn recording_of_an_exec() -> Recording {
    let mut recording = recording_of_a_start();
    recording
        .records
        .push(record("POST", "/containers/test-job/exec", None));
    recording
}

#[tokio::test]
async fn a_scenario_that_holds_passes_and_leaves_nothing() {
    let ran = run(
        fake(Behaviour::exit(3).stdout("out\n").stderr("err\n")),
        &job("    expect: { exit: 3, stdout: { equals: \"out\\n\" }, stderr: { contains: err } }"),
    )
    .await;
    assert_eq!(ran.failed(), [""; 0]);
    assert_eq!(ran.result.expectations.len(), 3);
    assert_eq!((ran.status(), ran.exit_code()), (Status::Passed, ExitCode::Clean));
    assert_eq!((ran.left, ran.result.leftovers), (vec![], vec![]));
}

#[tokio::test]
async fn a_failed_expectation_fails_and_leaves_nothing() {
    let ran = run(
        fake(Behaviour::exit(1).stderr("the cause\n")),
        &job("    expect: { exit: 0 }"),
    )
    .await;
    assert_eq!(ran.failed(), ["`job` to exit with 0: it exited with 1"]);
    assert_eq!(
        (ran.status(), ran.exit_code()),
        (Status::Failed, ExitCode::Violated)
    );
    assert_eq!(ran.left, []);
    let failure = ran.result.expectations[0].failure.as_ref().unwrap();
    assert_eq!(failure.log, ["the cause"]);
}

#[tokio::test]
async fn containers_start_after_what_they_wait_for() {
    let order: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = order.clone();
    let fake = Fake::new().with_program("x:1", config(), move |spec, _| {
        seen.lock().unwrap().push(spec.name.clone());
        match spec.name.as_str() {
            "test-server" => Behaviour::until_killed().stdout("listening\n"),
            "test-first" => Behaviour::exit(7).after(Duration::from_millis(100)),
            _ => Behaviour::exit(0),
        }
    });
    let ran = run(
        fake,
        "schema: 1\nname: fake\ncontainers:\n  \
         last: { image: 'x:1', after: { first: exited-7, server: ready }, expect: { exit: 0 } }\n  \
         first: { image: 'x:1', after: { server: started } }\n  \
         server: { image: 'x:1', ready: { log: '^listening$' } }\n\
         expect: { verdict: unproven }\n",
    )
    .await;
    assert_eq!(ran.failed(), [""; 0]);
    assert_eq!(ran.status(), Status::Passed);
    assert_eq!(*order.lock().unwrap(), ["test-server", "test-first", "test-last"]);
}

#[tokio::test]
async fn what_waits_for_another_end_never_starts() {
    let fake = Fake::new().with_program("x:1", config(), |spec, _| match spec.name.as_str() {
        "test-first" => Behaviour::exit(1).stderr("cannot\n"),
        name => panic!("{name} must not start"),
    });
    let ran = run(
        fake,
        "schema: 1\nname: fake\ncontainers:\n  \
         first: { image: 'x:1' }\n  \
         second: { image: 'x:1', after: { first: exited-0 }, expect: { exit: 0 } }\n\
         expect: { verdict: unproven }\n",
    )
    .await;
    assert_eq!(ran.failed(), ["`first` to exit with 0: it exited with 1"]);
    assert_eq!(
        (ran.status(), ran.exit_code()),
        (Status::Failed, ExitCode::Violated)
    );
    assert_eq!(ran.left, []);
}

#[tokio::test]
async fn a_program_that_cannot_be_started_ended_with_126_or_127() {
    for (kind, code) in [(ErrorKind::CommandNotFound, 127), (ErrorKind::NotExecutable, 126)] {
        let text = job(&format!(
            "    expect: {{ exit: {code}, stderr: {{ contains: cannot be started }} }}"
        ));
        let ran = run(fake(Behaviour::refuse(kind)), &text).await;
        assert_eq!(ran.failed(), [""; 0], "{kind:?}");
        assert_eq!(ran.status(), Status::Passed, "{kind:?}");
        assert_eq!(ran.left, []);
        let ran = run(fake(Behaviour::refuse(kind)), &job("    expect: { exit: 0 }")).await;
        let failed = format!(
            "`job` to exit with 0: it exited with {code}, since the engine could not start it: `/program` cannot be started"
        );
        assert_eq!(ran.failed(), [failed]);
    }
}

#[tokio::test]
async fn a_container_may_take_its_time_and_no_more() {
    let text = job("    timeout: 100ms\n    expect: { exit: 0 }");
    let ran = run(fake(Behaviour::until_killed()), &text).await;
    assert_eq!(ran.failed(), ["`job` to exit with 0: it still ran after 100ms"]);
    assert_eq!(ran.status(), Status::Failed);
    assert_eq!(ran.left, []);
}

#[tokio::test]
async fn a_scenario_may_take_its_time_and_no_more() {
    let bench = Bench {
        options: RunOptions {
            timeout: Duration::from_millis(100),
            ..RunOptions::default()
        },
        ..Bench::default()
    };
    let ran = bench
        .run(fake(Behaviour::until_killed()), &job("    expect: { exit: 0 }"))
        .await;
    assert_eq!(ran.failed(), ["the scenario to end in time: -"]);
    let failure = ran.result.expectations[0].failure.as_ref().unwrap();
    assert_eq!(
        failure.diagnostic.title,
        "expected the scenario to end within 100ms"
    );
    assert_eq!(
        (ran.status(), ran.exit_code()),
        (Status::Failed, ExitCode::Violated)
    );
    assert_eq!(ran.left, []);
    assert!(ran.result.duration >= Duration::from_millis(90));
}

#[tokio::test]
async fn an_interrupted_scenario_leaves_nothing_and_is_no_pass() {
    let bench = Bench {
        interrupt_after: Some(Duration::from_millis(50)),
        ..Bench::default()
    };
    let ran = bench
        .run(fake(Behaviour::until_killed()), &job("    expect: { exit: 0 }"))
        .await;
    assert_eq!(ran.result.broken.as_deref(), Some("interrupted"));
    assert_eq!(ran.status(), Status::Broken);
    assert_eq!(ran.left, []);
}

#[tokio::test]
async fn no_recorded_start_is_unproven() {
    let text = job("    expect: { exit: 0 }").replace("verdict: unproven", "verdict: clean");
    let ran = run(fake(Behaviour::exit(0)), &text).await;
    assert_eq!(
        (ran.status(), ran.exit_code()),
        (Status::Unproven, ExitCode::Unproven)
    );
    let rules: Vec<_> = ran.result.judgement.as_ref().unwrap().rules().collect();
    assert!(rules.contains(&policy::Rule::WireSilent), "{rules:?}");
}

#[tokio::test]
async fn a_recorded_start_is_clean_and_an_exec_beside_it_is_not() {
    let text = job("    expect: { exit: 0 }").replace("verdict: unproven", "verdict: clean")
        + "audit: { image: if-available, kernel: if-available }\n";
    for (recording, status, code) in [
        (recording_of_a_start(), Status::Passed, ExitCode::Clean),
        (recording_of_an_exec(), Status::Violated, ExitCode::Violated),
    ] {
        let bench = Bench {
            recording,
            ..Bench::default()
        };
        let ran = bench.run(fake(Behaviour::exit(0)), &text).await;
        assert_eq!(
            (ran.status(), ran.exit_code()),
            (status, code),
            "{:?}",
            ran.result.judgement
        );
    }
}

fn keeping(recording: Recording) -> Bench {
    let bench = Bench::default();
    Bench {
        options: RunOptions {
            keep: true,
            ..bench.options
        },
        recording,
        ..bench
    }
}

#[tokio::test]
async fn what_did_not_pass_is_kept_when_asked() {
    let text = job("    expect: { exit: 0 }");
    let clean = text.replace("verdict: unproven", "verdict: clean");
    let cases = [
        (
            "failed",
            Behaviour::exit(1),
            &text,
            Recording::default(),
            Status::Failed,
        ),
        (
            "unproven",
            Behaviour::exit(0),
            &clean,
            Recording::default(),
            Status::Unproven,
        ),
        (
            "violated",
            Behaviour::exit(0),
            &clean,
            recording_of_an_exec(),
            Status::Violated,
        ),
    ];
    for (what, behaviour, text, recording, status) in cases {
        let ran = keeping(recording).run(fake(behaviour), text).await;
        assert_eq!(ran.status(), status, "{what}");
        assert_eq!(ran.left.len(), 3, "{what}: {:?}", ran.left);
        assert_eq!(
            ran.result.leftovers,
            [
                "container `test-job` was kept, as asked; `shellproof clean` removes it",
                "network `test-n` was kept, as asked; `shellproof clean` removes it",
                "volume `test-v` was kept, as asked; `shellproof clean` removes it"
            ],
            "{what}"
        );
    }
}

#[tokio::test]
async fn what_passed_is_never_kept() {
    let ran = keeping(Recording::default())
        .run(fake(Behaviour::exit(0)), &job("    expect: { exit: 0 }"))
        .await;
    assert_eq!(ran.status(), Status::Passed);
    assert_eq!((ran.left, ran.result.leftovers), (vec![], vec![]));
}
