//! What the engine told, against what was asked of it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use shellproof_api::HealthTest;
use shellproof_api::facts::{Container, Fact, Gap, What, Witness};

use super::{source, unseen};
use crate::action::Action;
use crate::container::InspectedContainer;
use crate::event::{Event, EventKind};
use crate::record::{Record, Recording};

const SOURCE: &str = "the engine's events";

/// What the engine told and no record explains, and the other way round.
pub(super) fn facts(recording: &Recording) -> Vec<Fact> {
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
    let mut facts = Vec::new();
    // What happened, and the container of ours that had a door to the engine before it did.
    let mut foreign: BTreeMap<(&'static str, Option<&str>), BTreeSet<&str>> = BTreeMap::new();
    let door = Door::first(&events.seen, &subjects);
    let door_before = |event| {
        door.as_ref()
            .filter(|door| door.is_before(event))
            .map(|door| door.owner)
    };
    for event in &events.seen {
        if event.kind == EventKind::Start && !is_recorded_start(recording, event) {
            if created.contains(event.container.as_str()) {
                facts.push(found(event, What::UntoldStart));
            } else {
                let key = ("were started", door_before(event));
                foreign.entry(key).or_default().insert(&event.name);
            }
        }
    }
    for event in unrecorded_execs(recording, &events.seen) {
        let subject = subjects.get(event.container.as_str());
        if subject.is_some_and(|subject| is_health_check(event, subject)) {
            continue;
        }
        if let Some(request) = listing(recording, event) {
            let what = What::Exec(Some(vec!["ps".to_owned()]));
            facts.push(Fact {
                source: source(request),
                ..found(event, what)
            });
        } else if is_ours(&event.container) {
            facts.push(found(event, What::UntoldExec(event.program.clone())));
        } else {
            let key = ("had an exec", door_before(event));
            foreign.entry(key).or_default().insert(&event.name);
        }
    }
    for ((happened, door), names) in foreign {
        let what = What::Foreign {
            names: names.into_iter().map(str::to_owned).collect(),
            happened,
            door: door.map(str::to_owned),
        };
        facts.push(Fact::new(Witness::Wire, SOURCE, what));
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
    facts.extend(untold.map(|subject| {
        let why = format!(
            "records and events disagree: the engine did not tell of the recorded start of `{}`",
            subject.name
        );
        unseen(SOURCE, Gap::Events, why)
    }));
    let gap = events.gap.iter();
    facts.extend(gap.map(|gap| {
        let why = format!("the engine's events are not whole: {gap}");
        unseen(SOURCE, Gap::Events, why)
    }));
    facts
}

/// The health checks of containers that were started, and of which no run was told.
pub(super) fn unchecked(recording: &Recording) -> Vec<Fact> {
    let Some(events) = recording.events.as_ref().filter(|events| events.gap.is_none()) else {
        return Vec::new();
    };
    let is_checked = |subject: &InspectedContainer| {
        let mut told = events.seen.iter().filter(|event| event.container == subject.id);
        told.any(|event| event.kind == EventKind::HealthCheck || is_health_check(event, subject))
    };
    let mut known = HashSet::new();
    recording
        .starts()
        .filter(|record| record.status.is_some_and(|status| (200..300).contains(&status)))
        .filter_map(|record| record.subject.as_ref())
        .filter(|subject| known.insert(subject.id.as_str()) && !is_checked(subject))
        .filter_map(|subject| {
            let test = HealthTest::from_api(&subject.health_test)?;
            let container = Container {
                id: Some(subject.id.clone()),
                name: subject.name.clone(),
            };
            let fact = Fact::new(Witness::Wire, SOURCE, What::CheckNotRun(test.clone()));
            (test != HealthTest::None).then(|| fact.about(container))
        })
        .collect()
}

/// The first container that ran with a door to the engine, and what was told since.
struct Door<'a> {
    owner: &'a str,
    since: &'a [Event],
}

impl<'a> Door<'a> {
    fn first(events: &'a [Event], subjects: &HashMap<&str, &'a InspectedContainer>) -> Option<Self> {
        let owner = |event: &Event| {
            let subject = subjects.get(event.container.as_str())?;
            (event.kind == EventKind::Start && !subject.doors.is_empty()).then_some(subject.name.as_str())
        };
        events.iter().enumerate().find_map(|(at, event)| {
            Some(Self {
                owner: owner(event)?,
                since: events.get(at..)?,
            })
        })
    }

    fn is_before(&self, event: &Event) -> bool {
        self.since.iter().any(|later| std::ptr::eq(later, event))
    }
}

/// A start that the engine refused, or that started nothing since the container ran already, explains no event.
fn is_recorded_start(recording: &Recording, event: &Event) -> bool {
    recording.starts().any(|record| {
        let is_answered_well = record.status.is_none_or(|status| (200..300).contains(&status));
        let names = match (&record.subject, &record.route.object) {
            // What it runs is not known, and that is told by itself.
            (None, Some(object)) => *object == event.name || *object == event.container,
            _ => is_of(record, event),
        };
        is_answered_well && names
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
        record.route.action == Action::ListPrograms && record.status != Some(404) && is_of(record, event)
    };
    let mut records = recording.records.iter();
    records.find(lists).filter(|_| event.exec.is_none())
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

fn found(event: &Event, what: What) -> Fact {
    Fact::new(Witness::Wire, SOURCE, what).about(Container {
        id: Some(event.container.clone()),
        name: event.name.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Events;
    use crate::route::Route;

    fn event(kind: EventKind, container: &str, program: Option<&str>) -> Event {
        Event {
            kind,
            container: container.into(),
            name: "job".into(),
            exec: None,
            program: program.map(str::to_owned),
        }
    }

    fn recording(test: &[&str], status: u16, seen: Vec<Event>) -> Recording {
        let start = Record {
            method: "POST".into(),
            target: "/containers/1/start".into(),
            route: Route::parse("POST", "/containers/1/start"),
            status: Some(status),
            subject: Some(InspectedContainer {
                id: "1".into(),
                name: "job".into(),
                argv: vec!["/x".into()],
                health_test: test.iter().map(|&word| word.to_owned()).collect(),
                ..InspectedContainer::default()
            }),
            ..Record::default()
        };
        Recording {
            records: vec![start.clone(), start],
            events: Some(Events { seen, gap: None }),
            ..Recording::default()
        }
    }

    #[test]
    fn a_health_check_of_which_no_run_was_told_is_named_once() {
        let checked = &["CMD", "/tiny", "healthy"][..];
        let unchecked = |test: &[&str], status, seen| recording(test, status, seen).unchecked().len();
        let started = || event(EventKind::Start, "1", None);
        let [fact] = &recording(checked, 204, vec![started()]).unchecked()[..] else {
            panic!("one fact");
        };
        assert_eq!((fact.id(), fact.name()), (Some("1"), Some("job")));
        let argv = ["/tiny", "healthy"].map(str::to_owned).to_vec();
        assert!(matches!(&fact.what, What::CheckNotRun(test) if *test == HealthTest::Command(argv)));
        assert_eq!(unchecked(&["CMD-SHELL", "exit 0"], 204, vec![started()]), 1);
        // Another's run is none of this one.
        let others = event(EventKind::HealthCheck, "2", None);
        assert_eq!(unchecked(checked, 204, vec![started(), others]), 1);
        let other_exec = event(EventKind::ExecStart, "1", Some("/tiny"));
        assert_eq!(unchecked(checked, 204, vec![started(), other_exec]), 1);

        let told = event(EventKind::HealthCheck, "1", None);
        assert_eq!(unchecked(checked, 204, vec![started(), told]), 0);
        let exec = event(EventKind::ExecCreate, "1", Some("/tiny healthy"));
        assert_eq!(unchecked(checked, 204, vec![started(), exec]), 0);
        for none in [&["NONE"][..], &[]] {
            assert_eq!(unchecked(none, 204, vec![started()]), 0, "{none:?}");
        }
        for failed in [404, 500] {
            assert_eq!(unchecked(checked, failed, Vec::new()), 0, "{failed}");
        }
        let mut deaf = recording(checked, 204, Vec::new());
        deaf.events.as_mut().unwrap().gap = Some("it ended".into());
        assert!(deaf.unchecked().is_empty());
        deaf.events = None;
        assert!(deaf.unchecked().is_empty());
    }
}
