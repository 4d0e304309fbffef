//! The second witness: what the engine told, against what was recorded.

use std::collections::{BTreeSet, HashMap, HashSet};

use shellproof_api::HealthTest;
use shellproof_wire::{Action, Event, EventKind, InspectedContainer, Record, Recording};

use super::{Evidence, Rule};
use crate::vocabulary::Witness;

/// How many names a note lists.
const NAMED: usize = 5;
/// Where it was seen.
const SOURCE: &str = "the engine's events";

/// What the engine told and no record explains, and the other way round.
pub(super) fn judge(recording: &Recording) -> Vec<Evidence> {
    let Some(events) = &recording.events else {
        return Vec::new();
    };
    let subjects: HashMap<&str, &InspectedContainer> = recording
        .starts()
        .filter_map(|record| record.subject.as_ref())
        .map(|subject| (subject.id.as_str(), subject))
        .collect();
    let created = recording.created();
    let is_ours = |id: &str| created.contains(id) || subjects.contains_key(id);
    let mut evidence = Vec::new();
    let mut foreign: (BTreeSet<&str>, BTreeSet<&str>) = Default::default();
    for event in &events.seen {
        if event.kind == EventKind::Start && !is_recorded_start(recording, event) {
            if created.contains(event.container.as_str()) {
                evidence.push(found(
                    Rule::UnrecordedStart,
                    event,
                    "a container was started by another door than the recorder".into(),
                ));
            } else {
                foreign.0.insert(&event.name);
            }
        }
    }
    for event in unrecorded_execs(recording, &events.seen) {
        let subject = subjects.get(event.container.as_str());
        if subject.is_some_and(|subject| is_health_check(event, subject)) {
            continue;
        }
        if let Some(request) = listing(recording, event) {
            evidence.push(of_listing(request, event));
        } else if is_ours(&event.container) {
            let program = event
                .program
                .as_ref()
                .map_or(String::new(), |program| format!(" of `{program}`"));
            let detail = format!("exec{program} by another door than the recorder");
            evidence.push(found(Rule::UnrecordedExec, event, detail));
        } else {
            foreign.1.insert(&event.name);
        }
    }
    for (names, what) in [(&foreign.0, "were started"), (&foreign.1, "had an exec")] {
        evidence.extend(note(names, what));
    }
    let told: HashSet<&str> = events
        .seen
        .iter()
        .filter(|event| event.kind == EventKind::Start)
        .map(|event| event.container.as_str())
        .collect();
    let untold = recording
        .starts()
        .filter(|record| record.status == Some(204))
        .filter_map(|record| record.subject.as_ref())
        .filter(|subject| !told.contains(subject.id.as_str()));
    evidence.extend(untold.map(|subject| {
        missing(format!(
            "records and events disagree: the engine did not tell of the recorded start of `{}`",
            subject.name
        ))
    }));
    evidence.extend(
        events
            .gap
            .iter()
            .map(|gap| missing(format!("the engine's events are not whole: {gap}"))),
    );
    evidence
}

/// A start that the engine refused, or that started nothing since the container ran already, explains no event.
fn is_recorded_start(recording: &Recording, event: &Event) -> bool {
    recording.starts().any(|record| {
        let is_answered_well = record.status.is_none_or(|status| (200..300).contains(&status));
        is_answered_well && is_of(record, event)
    })
}

/// Whether a request concerns the container of an event: by the id that the engine gave, since a name may change.
fn is_of(record: &Record, event: &Event) -> bool {
    record
        .subject
        .as_ref()
        .is_some_and(|subject| subject.id == event.container)
}

/// One event of each exec that no record explains. An engine that does not tell an exec's id is taken at the number
/// of execs in each container.
fn unrecorded_execs<'a>(recording: &Recording, events: &'a [Event]) -> Vec<&'a Event> {
    let of = |action| {
        recording
            .records
            .iter()
            .filter(move |record| record.route.action == action && record.refused.is_none())
    };
    let prepared: Vec<_> = of(Action::CreateExec).collect();
    let started: Vec<_> = of(Action::StartExec).collect();
    let mut known: HashSet<&str> = prepared
        .iter()
        .filter_map(|record| record.made.as_deref())
        .collect();
    known.extend(started.iter().filter_map(|record| record.route.object.as_deref()));
    let mut explained: HashMap<&str, usize> = HashMap::new();
    let mut unrecorded = Vec::new();
    let is_exec = |event: &&Event| matches!(event.kind, EventKind::ExecCreate | EventKind::ExecStart);
    for event in events.iter().filter(is_exec) {
        match &event.exec {
            // Each exec is told of twice, and shown once.
            Some(exec) => {
                if known.insert(exec) {
                    unrecorded.push(event);
                }
            }
            None => {
                let left = explained.entry(&event.container).or_insert_with(|| {
                    let here = prepared.iter().filter(|record| is_of(record, event));
                    let here: HashSet<_> = here.filter_map(|record| record.made.as_deref()).collect();
                    let is_here = |record: &&&Record| {
                        record
                            .route
                            .object
                            .as_deref()
                            .is_some_and(|exec| here.contains(exec))
                    };
                    started.iter().filter(is_here).count()
                });
                match left.checked_sub(1) {
                    Some(rest) => *left = rest,
                    None => unrecorded.push(event),
                }
            }
        }
    }
    unrecorded
}

/// The request to list a container's programs for which an engine that does not tell an exec's id has run one.
fn listing<'a>(recording: &'a Recording, event: &Event) -> Option<&'a Record> {
    let lists = |record: &&Record| {
        record.route.action == Action::ListPrograms && record.status == Some(200) && is_of(record, event)
    };
    let mut records = recording.records.iter();
    records.find(lists).filter(|_| event.exec.is_none())
}

fn of_listing(request: &Record, event: &Event) -> Evidence {
    let detail = format!(
        "exec of `ps`, which the engine ran in the container for request {}: {} {}",
        request.number, request.method, request.target
    );
    Evidence {
        help: Some(
            "`podman top CONTAINER pid user args` is answered without a program in the container".into(),
        ),
        ..found(Rule::Exec, event, detail)
    }
}

/// Whether an exec is the container's own health check, which was judged when the container started.
fn is_health_check(event: &Event, subject: &InspectedContainer) -> bool {
    let Some(program) = &event.program else {
        return false;
    };
    [&subject.health_test, &subject.startup_test]
        .into_iter()
        .any(|test| match HealthTest::from_api(test) {
            Some(HealthTest::Command(argv)) => *program == argv.join(" "),
            Some(HealthTest::Shell(line)) => program.ends_with(&format!(" {line}")),
            Some(HealthTest::None) | None => false,
        })
}

fn found(rule: Rule, event: &Event, detail: String) -> Evidence {
    Evidence {
        container: Some(event.name.clone()),
        ..Evidence::new(Witness::Wire, SOURCE, rule, detail)
    }
}

fn missing(detail: String) -> Evidence {
    Evidence::new(Witness::Wire, SOURCE, Rule::EventsMissing, detail)
}

fn note(names: &BTreeSet<&str>, what: &str) -> Option<Evidence> {
    if names.is_empty() {
        return None;
    }
    let shown: Vec<_> = names.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
    let more = match names.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let detail = format!(
        "containers that were not made here {what} by another door meanwhile: {}{more}",
        shown.join(", ")
    );
    Some(Evidence {
        help: Some("if the program did this, it went past the recorder: see docs/audit.md".into()),
        ..Evidence::new(Witness::Wire, SOURCE, Rule::Foreign, detail)
    })
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
