use shellproof_wire::{Event, EventKind, Events, InspectedContainer, Record, Recording, Refusal};

use super::tests::{record, recording, run};
use super::*;

/// What is found by the engine's events.
fn judged(recording: &Recording) -> Vec<Evidence> {
    let mut found = super::tests::judged(recording);
    found.retain(|one| one.source == "the engine's events");
    found
}

fn event(kind: EventKind, container: &str, exec: Option<&str>, program: Option<&str>) -> Event {
    Event {
        kind,
        container: container.into(),
        name: format!("name-{container}"),
        exec: exec.map(str::to_owned),
        program: program.map(str::to_owned),
    }
}

/// A request to prepare an exec in a container.
fn exec_of(container: &str) -> Record {
    let subject = InspectedContainer {
        id: container.into(),
        ..InspectedContainer::default()
    };
    Record {
        made: Some("e".into()),
        subject: Some(subject),
        ..record("POST", "/containers/name-1/exec")
    }
}

fn start(container: &str) -> Event {
    event(EventKind::Start, container, None, None)
}

/// The rules for a plain run of container 1 with more requests, when the engine tells these events.
fn rules(health_test: &[&str], more: Vec<Record>, seen: Vec<Event>) -> Vec<Rule> {
    let mut recording = recording(run("1", &["/tiny"], health_test));
    recording.records.extend(more);
    recording.events = Some(Events { seen, gap: None });
    judged(&recording).iter().map(|one| one.rule).collect()
}

#[test]
fn what_was_recorded_is_explained() {
    assert_eq!(rules(&[], vec![], vec![start("1"), start("1")]), []);
    let exec = exec_of("1");
    let begun = record("POST", "/exec/e/start");
    for id in [Some("e"), None] {
        let events = vec![start("1"), event(EventKind::ExecStart, "1", id, None)];
        assert_eq!(rules(&[], vec![exec.clone(), begun.clone()], events), []);
    }
}

#[test]
fn a_start_that_started_nothing_explains_no_event() {
    for status in [304, 404, 500] {
        let mut recording = recording(run("1", &["/tiny"], &[]));
        recording.records[1].status = Some(status);
        recording.events = Some(Events {
            seen: vec![start("1")],
            gap: None,
        });
        let rules: Vec<_> = judged(&recording).iter().map(|one| one.rule).collect();
        assert_eq!(rules, [Rule::UnrecordedStart], "{status}");
    }
}

#[test]
fn a_request_explains_events_of_its_own_container_only() {
    // The beginning of a name is another's.
    let unnamed = record("POST", "/containers/name/start");
    let exec = Record {
        route: shellproof_wire::Route::parse("POST", "/containers/1/exec"),
        ..exec_of("12")
    };
    let events = vec![
        start("1"),
        start("2"),
        event(EventKind::ExecStart, "1", None, None),
    ];
    let more = vec![unnamed, exec, record("POST", "/exec/e/start")];
    assert_eq!(rules(&[], more, events), [Rule::UnrecordedExec, Rule::Foreign]);
}

#[test]
fn an_exec_by_another_door_violates_on_our_containers_alone() {
    for (id, program) in [(Some("e"), Some("sh")), (None, None)] {
        let exec = |container| event(EventKind::ExecStart, container, id, program);
        assert_eq!(
            rules(&[], vec![], vec![start("1"), exec("1")]),
            [Rule::UnrecordedExec]
        );
        assert_eq!(rules(&[], vec![], vec![start("1"), exec("2")]), [Rule::Foreign]);
    }
}

#[test]
fn a_container_that_was_only_started_here_is_ours_too() {
    let mut recording = recording(run("1", &["/tiny"], &[]));
    recording.records.remove(0);
    recording.events = Some(Events {
        seen: vec![
            start("1"),
            event(EventKind::ExecStart, "1", Some("e"), Some("sh")),
        ],
        gap: None,
    });
    let found = judged(&recording);
    assert_eq!(
        found.iter().map(|one| one.rule).collect::<Vec<_>>(),
        [Rule::UnrecordedExec]
    );
    assert_eq!(found[0].container.as_deref(), Some("name-1"));
}

#[test]
fn an_exec_that_was_prepared_here_and_started_by_another_door_is_not_explained() {
    let prepared = exec_of("1");
    let refused = Record {
        refused: Some(Refusal { message: "no".into() }),
        ..record("POST", "/exec/e/start")
    };
    let told = event(EventKind::ExecStart, "1", None, None);
    assert_eq!(
        rules(&[], vec![prepared, refused], vec![start("1"), told]),
        [Rule::UnrecordedExec]
    );
}

#[test]
fn what_others_do_is_a_gap_since_a_container_had_a_door() {
    let mut recording = recording(run("1", &["/tiny"], &[]));
    let exec = |container| event(EventKind::ExecStart, container, Some(container), None);
    recording.events = Some(Events {
        seen: vec![start("8"), exec("7"), start("1"), start("9"), exec("6")],
        gap: None,
    });
    let rules =
        |recording: &Recording| -> Vec<Rule> { judged(recording).iter().map(|one| one.rule).collect() };
    assert_eq!(rules(&recording), [Rule::Foreign, Rule::Foreign]);
    let subject = recording.records[1].subject.as_mut().unwrap();
    subject.doors = vec!["`/run` of the host".into()];
    // Sorted by what happened.
    let expected = [Rule::Foreign, Rule::DoorUsed, Rule::Foreign, Rule::DoorUsed];
    assert_eq!(rules(&recording), expected);
    let found = judged(&recording);
    assert_eq!(
        found[1].detail,
        "containers that were not made here had an exec while `job` had a door to the engine: `name-6`"
    );
    assert_eq!(found[1].weight(), Weight::Gap);
}

#[test]
fn an_exec_for_a_list_of_programs_names_its_request() {
    let list = Record {
        status: Some(200),
        method: "GET".into(),
        target: "/containers/1/top".into(),
        route: shellproof_wire::Route::parse("GET", "/containers/1/top"),
        ..exec_of("1")
    };
    let mut recording = recording(run("1", &["/tiny"], &[]));
    recording.records.push(list);
    recording.events = Some(Events {
        seen: vec![start("1"), event(EventKind::ExecStart, "1", None, None)],
        gap: None,
    });
    assert_eq!(judged(&recording), []);
    let [found] = super::tests::judged(&recording).try_into().unwrap();
    assert_eq!((found.rule, found.detail.as_str()), (Rule::Exec, "exec of `ps`"));
    assert!(found.source.contains("GET /containers/1/top"), "{}", found.source);
}

#[test]
fn one_recorded_exec_does_not_explain_two() {
    let exec = exec_of("1");
    let more = vec![exec, record("POST", "/exec/e/start")];
    let told = || event(EventKind::ExecStart, "1", None, None);
    assert_eq!(
        rules(&[], more, vec![start("1"), told(), told()]),
        [Rule::UnrecordedExec]
    );
}

#[test]
fn an_exec_is_shown_once_though_it_is_told_of_twice() {
    let events = vec![
        start("1"),
        event(EventKind::ExecCreate, "1", Some("e"), Some("sh")),
        event(EventKind::ExecStart, "1", Some("e"), Some("sh")),
    ];
    assert_eq!(rules(&[], vec![], events), [Rule::UnrecordedExec]);
}

#[test]
fn a_health_check_is_known_by_its_program() {
    let check = |program| {
        vec![
            start("1"),
            event(EventKind::ExecStart, "1", Some("e"), Some(program)),
        ]
    };
    let test = &["CMD", "/tiny", "healthy"];
    assert_eq!(rules(test, vec![], check("/tiny healthy")), []);
    assert_eq!(
        rules(test, vec![], check("/tiny healthy x")),
        [Rule::UnrecordedExec]
    );
    assert_eq!(
        rules(&["CMD-SHELL", "exit 0"], vec![], check("/bin/sh -c exit 0")),
        []
    );
    assert_eq!(rules(&[], vec![], check("/tiny healthy")), [Rule::UnrecordedExec]);
}

#[test]
fn a_start_by_another_door_violates_on_our_containers_alone() {
    let mut recording = recording(run("1", &["/tiny"], &[]));
    recording.records.pop();
    recording.events = Some(Events {
        seen: vec![start("1"), start("2")],
        gap: None,
    });
    let rules: Vec<_> = judged(&recording).iter().map(|one| one.rule).collect();
    assert_eq!(rules, [Rule::UnrecordedStart, Rule::Foreign]);
}

#[test]
fn a_start_of_another_container_explains_nothing() {
    let mut recording = recording(run("1", &["/tiny"], &[]));
    recording.records.pop();
    // Nobody knows what the engine was about to run.
    recording.records.push(record("POST", "/containers/other/start"));
    recording.events = Some(Events {
        seen: vec![start("1")],
        gap: None,
    });
    let found = judged(&recording);
    assert_eq!(found[0].rule, Rule::UnrecordedStart);
}

#[test]
fn a_start_of_which_nobody_knows_what_it_runs_is_a_gap_and_no_other_door() {
    let mut recording = recording(run("1", &["/tiny"], &[]));
    recording.records[1].subject = None;
    recording.events = Some(Events {
        seen: vec![start("1")],
        gap: None,
    });
    let rules = |recording: &Recording| -> Vec<Rule> {
        let found = super::tests::judged(recording);
        found.iter().map(|one| one.rule).collect()
    };
    assert_eq!(rules(&recording), [Rule::UnknownStart]);
    // One that was refused explains nothing.
    recording.records[1].status = Some(500);
    assert_eq!(rules(&recording), [Rule::UnknownStart, Rule::UnrecordedStart]);
}

#[test]
fn foreign_containers_are_named_with_what_to_do() {
    let mut recording = recording(run("1", &["/tiny"], &[]));
    let others = ["2", "3", "4", "5", "6", "7", "8"].map(start);
    recording.events = Some(Events {
        seen: [start("1")].into_iter().chain(others).collect(),
        gap: None,
    });
    let [note] = judged(&recording).try_into().unwrap();
    assert!(
        note.detail.ends_with("`name-5`, `name-6` and 2 more"),
        "{}",
        note.detail
    );
    assert!(note.help.unwrap().contains("docs/audit.md"));
}

#[test]
fn a_disagreement_is_said() {
    assert_eq!(rules(&[], vec![], vec![]), [Rule::EventsMissing]);
    let mut recording = recording(run("1", &["/tiny"], &[]));
    recording.events = Some(Events {
        seen: vec![start("1")],
        gap: Some("the stream ended".into()),
    });
    assert_eq!(judged(&recording)[0].rule, Rule::EventsMissing);
    recording.events = None;
    assert_eq!(judged(&recording), []);
}

#[test]
fn each_door_that_a_container_is_given_violates() {
    let mut given = recording(run("1", &["/tiny"], &[]));
    assert_eq!(super::tests::judged(&given), []);
    let subject = given.records[1].subject.as_mut().unwrap();
    subject.doors = vec!["`/run` of the host".into(), "it is privileged".into()];
    let found = super::tests::judged(&given);
    assert!(found.len() == 2 && found.iter().all(|one| one.rule == Rule::EngineDoor));
    assert_eq!(
        found[0].detail,
        "a container is given a door to an engine: `/run` of the host"
    );
    assert!(refuse(&given.facts()[0]).unwrap().contains("engine-door"));
}

#[test]
fn a_door_to_an_engine_is_named_with_its_cure() {
    let mut recording = recording(run("1", &["/tiny"], &[]));
    let subject = recording.records[1].subject.as_mut().unwrap();
    subject.doors = vec!["`/run/x.sock` is an engine's socket".into()];
    let found = super::tests::judged(&recording);
    let [door] = &found[..] else { panic!("{found:?}") };
    assert_eq!(door.rule, Rule::EngineDoor);
    assert!(
        door.detail.ends_with("`/run/x.sock` is an engine's socket"),
        "{}",
        door.detail
    );
    assert!(
        door.help
            .as_deref()
            .unwrap()
            .contains("TESTCONTAINERS_RYUK_DISABLED")
    );
}
