use super::*;
use shellproof_api::facts::Traced;

use crate::policy::Rule;
use crate::report::junit;
use crate::result::tests::{engine, failed, judgement, of_scenario};
use crate::result::{Audited, Case, CaseResult, ContainerResult, Report};
use crate::vocabulary::Mode;

fn container(name: &str) -> ContainerResult {
    ContainerResult {
        name: name.into(),
        engine_name: format!("shellproof-00000000-0-{name}"),
        started: true,
        exit_code: Some(0),
        as_expected: true,
        is_service: false,
        watched_ms: None,
    }
}

/// A violated result with evidence about the container that the engine calls so.
fn violated(engine_name: &str) -> CaseResult {
    CaseResult {
        judgement: Some(judgement(Verdict::Violated, &[Rule::Shell], Some(engine_name))),
        traced: vec![Traced {
            container: engine_name.into(),
            trace: Default::default(),
        }],
        ..of_scenario("")
    }
}

fn document(result: CaseResult) -> Document {
    Document::of(&Report {
        run_id: "00000000".into(),
        results: vec![result],
        interrupted: false,
        leftovers: vec!["a network".into()],
    })
}

/// A scenario of two containers of which one's name ends as the other's does.
fn two_containers() -> CaseResult {
    let text = "schema: 1\nname: two\ncontainers:\n  db: { image: x, expect: { exit: 0 } }\n  \
                test-db: { image: x, expect: { exit: 0 } }\n";
    let scenario = crate::scenario::parse("two.yaml", text).unwrap();
    CaseResult {
        containers: vec![container("db"), container("test-db")],
        ..CaseResult::new(Case::Scenario(scenario.into()), Mode::Prebuilt, engine())
    }
}

#[test]
fn evidence_points_at_its_own_container() {
    for (name, place) in [("db", "two.yaml:4:3"), ("test-db", "two.yaml:5:3")] {
        let engine_name = format!("shellproof-00000000-0-{name}");
        let result = CaseResult {
            judgement: Some(judgement(Verdict::Violated, &[Rule::Shell], Some(&engine_name))),
            traced: vec![Traced {
                container: engine_name.clone(),
                trace: Default::default(),
            }],
            ..two_containers()
        };
        let document = document(result);
        let evidence = &document.results[0].evidence[0];
        assert_eq!(evidence.container.as_deref(), Some(engine_name.as_str()));
        assert_eq!(evidence.scenario_container.as_deref(), Some(name));
        assert_eq!(evidence.at.as_deref(), Some(place));
        let reason = format!("`sh`, a shell, was started in `{name}`");
        assert_eq!(document.results[0].reasons, [reason]);
        let told = human(&document, &Styles::PLAIN);
        for part in [
            format!("a shell, was started in `{name}`  shell, kernel: process 7\n         at {place}\n"),
            format!("programs of `{name}`:\n"),
        ] {
            assert!(told.contains(&part), "no `{part}` in:\n{told}");
        }
        assert!(!told.contains(&engine_name), "{told}");
        // The whole of it is there for whoever looks for the container itself.
        assert_eq!(document.results[0].traces[0].container, engine_name);
    }
}

#[test]
fn a_container_that_no_scenario_declares_keeps_the_engines_name() {
    let stranger = CaseResult {
        containers: vec![container("job")],
        ..violated("another-shellproof-00000000-0-job")
    };
    let told = human(&document(stranger), &Styles::PLAIN);
    assert!(
        told.contains("was started in `another-shellproof-00000000-0-job`"),
        "{told}"
    );
    assert!(!told.contains("at test.yaml"), "{told}");
}

#[test]
fn each_container_that_was_started_is_told_with_how_long_it_was_watched() {
    let watched = |name: &str, watched_ms| ContainerResult {
        watched_ms,
        ..container(name)
    };
    let first_line = |containers| {
        let result = CaseResult {
            containers,
            ..of_scenario("")
        };
        let told = human(&document(result), &Styles::PLAIN);
        told.lines().next().unwrap().to_owned()
    };
    let all = vec![
        watched("db", Some(10_020)),
        watched("lost", None),
        watched("job", Some(4)),
    ];
    let line = first_line(all);
    assert!(line.ends_with(", watched db 10.02s, job 0.00s"), "{line}");
    let line = first_line(vec![watched("lost", None)]);
    assert!(!line.contains("watched"), "{line}");
}

#[test]
fn both_sheets_say_the_same() {
    let mut result = CaseResult {
        containers: vec![container("job")],
        leftovers: vec!["a volume".into()],
        ..violated("shellproof-00000000-0-job")
    };
    result.expectations = vec![failed(&result)];
    let document = document(result);
    let coloured = human(&document, &Styles::COLOURED);
    let plain = human(&document, &Styles::PLAIN);
    assert!(coloured.contains('\u{1b}') && !plain.contains('\u{1b}'));
    assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), plain);
    for part in [
        "VIOLATED [  0.00s] x                  test (prebuilt)  wire, image, kernel\n",
        "expected clean, the verdict is violated\n",
        "error: expected `job` to exit with 0\n",
        "^^^ it exited with 3\n",
        "   first error of `job`:\n   | FATAL: first\n   last lines of `job`:\n   |     the \"cause\"\n",
        "left behind: a volume\n",
        "\nleft behind: a network\n",
        "\n0 passed, 1 violated, 0 unproven, 0 failed\n",
    ] {
        assert!(plain.contains(part), "no `{part}` in:\n{plain}");
    }
}

#[test]
fn a_waiver_is_told_wherever_the_result_is() {
    let mut judged = judgement(Verdict::Clean, &[Rule::Shell], None);
    judged.evidence[0].waived = Some("the vendor mends it".into());
    let result = CaseResult {
        judgement: Some(judged),
        ..of_scenario("")
    };
    let told = human(&document(result), &Styles::PLAIN);
    for part in [
        "WAIVED   [",
        "waived: `sh`, a shell, was started: the vendor mends it\n",
        "\n0 passed, 0 violated, 0 unproven, 0 failed, 1 waived\n",
    ] {
        assert!(told.contains(part), "no `{part}` in:\n{told}");
    }
}

fn silent() -> CaseResult {
    let program = Audited {
        name: Some("true".into()),
        exit: None,
        has_started: false,
        requests: 0,
    };
    let mut judged = judgement(Verdict::Unproven, &[], None);
    judged.witnesses[0].1 = crate::policy::WitnessState::Missing("no container start was recorded".into());
    CaseResult {
        judgement: Some(judged),
        ..CaseResult::new(Case::Audited(program), Mode::Prebuilt, engine())
    }
}

#[test]
fn an_audit_is_its_one_result() {
    let told = human(&document(silent()), &Styles::PLAIN);
    let lines: Vec<_> = told.lines().map(str::trim_start).collect();
    assert_eq!(
        lines,
        [
            "NOTHING RAN [  0.00s] x                  true (prebuilt)  image, kernel, 0 requests",
            "wire evidence unavailable: no container start was recorded",
            "help: only what goes through `DOCKER_HOST` or `CONTAINER_HOST` is seen; a program with an address of its own \
             goes past the recorder",
        ]
    );
}

#[test]
fn who_was_refused_is_not_told_to_have_gone_elsewhere() {
    let elsewhere = "goes past the recorder";
    let told = human(&document(silent()), &Styles::PLAIN);
    assert!(told.contains(elsewhere), "{told}");
    let refused = CaseResult {
        judgement: Some(judgement(Verdict::Unproven, &[Rule::EngineRefused], None)),
        ..silent()
    };
    let told = human(&document(refused), &Styles::PLAIN);
    assert!(
        told.contains("engine-refused") && !told.contains(elsewhere),
        "{told}"
    );
}

#[test]
fn a_run_of_nothing_still_says_so() {
    let nothing = Document::of(&Report {
        run_id: "00000000".into(),
        results: Vec::new(),
        interrupted: true,
        leftovers: Vec::new(),
    });
    assert_eq!(
        human(&nothing, &Styles::PLAIN),
        "\n0 passed, 0 violated, 0 unproven, 0 failed, interrupted\n"
    );
}

#[test]
fn what_is_written_can_be_read_and_shows_the_same() {
    let mut result = CaseResult {
        containers: vec![container("job")],
        ..violated("shellproof-00000000-0-job")
    };
    result.expectations = vec![failed(&result)];
    for result in [result, silent()] {
        let written = document(result);
        let text = written.to_json().unwrap();
        let read: Document = serde_json::from_str(&text).unwrap();
        assert_eq!(read, written);
        assert_eq!(human(&read, &Styles::PLAIN), human(&written, &Styles::PLAIN));
        assert_eq!(read.exit_code(), written.exit_code());
        assert_eq!(
            junit(&read).unwrap().replace("\n", ""),
            junit(&written).unwrap().replace("\n", "")
        );
    }
}

#[test]
fn the_table_names_the_witnesses_and_what_is_missing() {
    let carrying = "criteria: [no-shell-prebuilt]";
    let mut result = CaseResult {
        judgement: Some(judgement(Verdict::Clean, &[], None)),
        containers: vec![container("job")],
        ..of_scenario(carrying)
    };
    let table = |result: &CaseResult| {
        let told = human(&document(result.clone()), &Styles::PLAIN);
        let lines: Vec<_> = told.lines().map(str::to_owned).collect();
        let start = lines.iter().position(|line| line.starts_with("criterion "));
        let rows = &lines[start.expect("a table") + 1..];
        let end = rows.iter().position(|line| line.starts_with("left behind"));
        rows[..end.expect("what was left")].to_vec()
    };
    assert_eq!(
        table(&result),
        [
            "no-shell-prebuilt    clean     wire, image, kernel  test                                         x"
        ]
    );
    result.containers[0].as_expected = false;
    assert_eq!(
        table(&result),
        [
            "no-shell-prebuilt    unproven  none                 test                                         x",
            "                     not proven: `test` on x: `job` ended with 0, and nothing asked it to",
        ]
    );
    result.expectations = vec![failed(&result)];
    assert_eq!(
        table(&result),
        [
            "no-shell-prebuilt    failed    none                 test                                         x"
        ]
    );
}
