//! What a recording says, without the protocol that it was said in.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use shellproof_api::HealthTest;
use shellproof_api::facts::{Check, CheckKind, Container, Fact, Gap, Outcome, Start, What, Witness};

use crate::action::Action;
use crate::container::InspectedContainer;
use crate::facts::builds::{Builds, Role};
use crate::record::{Record, Recording};

mod builds;
mod changes;
mod events;
mod refusals;
mod wishes;

/// Where Podman mounts an init.
const PODMAN_INIT: &[&str] = &["/run/podman-init", "/dev/init"];

/// What the whole recording says about the objects of its requests.
#[derive(Default)]
pub(crate) struct Known<'a> {
    /// The containers that were made on the recorder, by id.
    created: HashSet<&'a str>,
    /// The containers of which a start was passed on, by id and by name.
    started: HashMap<&'a str, &'a InspectedContainer>,
    /// The execs that were prepared on the recorder, by id.
    prepared: HashSet<&'a str>,
    /// The containers whose init is a file of the client's choice, by id.
    own_init: HashSet<&'a str>,
}

impl<'a> Known<'a> {
    fn of(recording: &'a Recording) -> Self {
        let subjects = recording.starts().filter_map(|record| record.subject.as_ref());
        let prepared = recording
            .records
            .iter()
            .filter(|record| record.route.action == Action::CreateExec);
        Self {
            created: recording.created(),
            started: subjects
                .flat_map(|subject| [(subject.id.as_str(), subject), (subject.name.as_str(), subject)])
                .collect(),
            prepared: prepared.filter_map(|record| record.made.as_deref()).collect(),
            own_init: recording
                .records
                .iter()
                .filter(|record| wishes::has_own_init(&record.body))
                .filter_map(|record| record.made.as_deref())
                .collect(),
        }
    }
}

impl Recording {
    /// Everything that was seen on this recorder, in the order in which it was asked for; then what the engine itself
    /// told, what containers changed, what it refused, and what could not be followed.
    pub fn facts(&self) -> Vec<Fact> {
        let known = Known::of(self);
        let builds = Builds::of(self);
        let asked = self
            .records
            .iter()
            .filter_map(|record| match builds.role(record) {
                Role::None => fact(record, &known),
                Role::First(whole) => Some(*whole),
                Role::Further => None,
            });
        let faults = self
            .faults
            .iter()
            .map(|fault| unseen("recorder", Gap::Requests, fault.clone()));
        let disobeyed = self.starts().filter_map(disobeyed);
        asked
            .chain(disobeyed)
            .chain(events::facts(self))
            .chain(changes::facts(self))
            .chain(refusals::facts(self))
            .chain(faults)
            .collect()
    }

    /// The regular health checks of which the engine told no run, where all that it told was heard. That says something
    /// of an engine that may run none; any other runs none in a container that ends soon.
    pub fn unchecked(&self) -> Vec<Fact> {
        events::unchecked(self)
    }
}

impl Record {
    /// What a request asks for, by itself: it may not have been passed on yet. Nothing where it only reads, or changes
    /// what nobody minds.
    pub fn fact(&self) -> Option<Fact> {
        match self.route.action {
            Action::CreateContainer => Some(wish(self)),
            _ => fact(self, &Known::default()),
        }
    }
}

/// What a request asked for; nothing where it only reads, or changes what nobody minds.
fn fact(record: &Record, known: &Known<'_>) -> Option<Fact> {
    let object = record.route.object.as_deref();
    let subject = record
        .subject
        .as_ref()
        .or_else(|| object.and_then(|object| known.started.get(object).copied()));
    let what = match record.route.action {
        // Podman prepares a container's program as soon as somebody attaches to it.
        Action::Attach => match &record.subject {
            Some(subject) if !subject.running && !known.started.contains_key(subject.id.as_str()) => {
                What::Start(start(subject, known, Outcome::Prepared))
            }
            _ => return None,
        },
        // What it would run is told when it starts; a refused one never does.
        Action::CreateContainer if record.refused.is_some() => return Some(wish(record)),
        // Where no engine leaves HTTP, nobody knows what follows.
        Action::Read | Action::ListPrograms | Action::Harmless | Action::Remove | Action::CreateContainer
            if !record.left_http =>
        {
            return None;
        }
        Action::Read | Action::ListPrograms | Action::Harmless | Action::Remove | Action::CreateContainer => {
            What::OpaqueStream
        }
        Action::BuildSession | Action::BuildCalls => What::BuildKit,
        Action::StartContainer => match subject {
            Some(subject) => What::Start(start(subject, known, outcome(record))),
            // A start of what does not exist starts nothing.
            None if record.status == Some(404) => return None,
            None => What::UnreadStart,
        },
        Action::CreateExec => What::Exec(Some(wishes::exec(&record.body))),
        // The request that prepared it says what it runs.
        Action::StartExec if object.is_some_and(|exec| known.prepared.contains(exec)) => return None,
        Action::StartExec => What::Exec(None),
        Action::RunHealthCheck => {
            What::CheckRun(subject.map(|subject| (checks(subject), subject.service.clone())))
        }
        Action::Build => What::ImageBuilt,
        Action::Commit => What::ImageCommitted,
        Action::CopyIn => What::FilesWritten,
        Action::Update => match wishes::updated_checks(&record.body) {
            Ok(tests) if tests.is_empty() => return None,
            Ok(tests) => What::ChecksSet(tests),
            Err(()) => What::Reconfigured,
        },
        Action::Unknown => What::Unknown,
    };
    let container = subject.map(container).or_else(|| {
        object.map(|name| Container {
            id: None,
            name: name.to_owned(),
        })
    });
    Some(Fact {
        container,
        ..Fact::new(Witness::Wire, source(record), what)
    })
}

/// A start of a container of which the runtime may do something else than it was told: the kernel witness cannot rely on its
/// filter then.
fn disobeyed(record: &Record) -> Option<Fact> {
    let subject = record.subject.as_ref()?;
    let orders: Vec<_> = subject.orders.iter().map(|order| format!("`{order}`")).collect();
    let why = format!(
        "the annotation {} can make its runtime (crun) put another filter in the place of this witness's",
        orders.join(", ")
    );
    let what = What::Unseen {
        gap: Gap::Programs,
        why,
        help: None,
    };
    (!orders.is_empty()).then(|| Fact::new(Witness::Kernel, source(record), what).about(container(subject)))
}

fn start(subject: &InspectedContainer, known: &Known<'_>, outcome: Outcome) -> Start {
    // A file that the client names is mounted where the engine would put its own init.
    let own_init = match known.own_init.contains(subject.id.as_str()) {
        true => PODMAN_INIT,
        false => &[],
    };
    let mounts = subject.mounts.iter().map(String::as_str);
    Start {
        argv: subject.argv.clone(),
        checks: checks(subject),
        image: subject.image_id(),
        image_name: subject.image_name.clone(),
        mounts: mounts
            .chain(own_init.iter().copied())
            .map(str::to_owned)
            .collect(),
        has_init: subject.init,
        service: subject.service.clone(),
        made_here: known.created.contains(subject.id.as_str()),
        doors: subject.doors.clone(),
        outcome,
    }
}

fn outcome(record: &Record) -> Outcome {
    match record.status {
        _ if record.refused.is_some() => Outcome::Denied,
        Some(200..400) => Outcome::Begun,
        Some(_) => Outcome::Failed,
        None => Outcome::Unanswered,
    }
}

/// The health checks of a container that runs something.
fn checks(subject: &InspectedContainer) -> Vec<Check> {
    [
        (CheckKind::Regular, &subject.health_test),
        (CheckKind::Startup, &subject.startup_test),
    ]
    .into_iter()
    .filter_map(|(kind, test)| {
        let test = HealthTest::from_api(test)?;
        (test != HealthTest::None).then_some(Check {
            kind,
            test,
            lacking: None,
        })
    })
    .collect()
}

/// What a request to make a container says by itself.
fn wish(record: &Record) -> Fact {
    Fact {
        container: name_of_new(record),
        ..Fact::new(
            Witness::Wire,
            source(record),
            What::Wish(wishes::of(&record.body)),
        )
    }
}

/// The container that a request is to make, by the name that it is to have.
fn name_of_new(record: &Record) -> Option<Container> {
    let mut parameters = record.route.query.split('&');
    let name = parameters.find_map(|parameter| parameter.strip_prefix("name="));
    let name = name.or_else(|| record.body["name"].as_str())?.to_owned();
    Some(Container { id: None, name })
}

fn container(subject: &InspectedContainer) -> Container {
    Container {
        id: Some(subject.id.clone()),
        name: subject.name.clone(),
    }
}

fn unseen(source: &str, gap: Gap, why: String) -> Fact {
    Fact::new(Witness::Wire, source, What::Unseen { gap, why, help: None })
}

/// Where a request stands in the record.
fn source(record: &Record) -> String {
    let client = record.client.program.as_deref().unwrap_or("an unknown program");
    let refused = if record.refused.is_some() { ", refused" } else { "" };
    format!(
        "request {}: {} {} by {client}{refused}",
        record.number, record.method, record.target
    )
}

/// A list of words, or a word.
fn words(value: &Value) -> Vec<String> {
    match value {
        Value::String(word) => vec![word.clone()],
        Value::Array(words) => words
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::record::Refusal;
    use crate::route::Route;

    fn recording(body: Value, orders: &[&str]) -> Recording {
        let record = |target: &str| Record {
            method: "POST".into(),
            target: target.into(),
            route: Route::parse("POST", target),
            status: Some(204),
            ..Record::default()
        };
        let subject = InspectedContainer {
            id: "1".into(),
            name: "job".into(),
            argv: vec!["/x".into()],
            mounts: vec!["/data".into()],
            orders: orders.iter().map(|&order| order.to_owned()).collect(),
            ..InspectedContainer::default()
        };
        Recording {
            records: vec![
                Record {
                    made: Some("1".into()),
                    body,
                    ..record("/libpod/containers/create")
                },
                Record {
                    subject: Some(subject),
                    ..record("/containers/1/start")
                },
            ],
            ..Recording::default()
        }
    }

    #[test]
    fn an_init_of_the_clients_choice_is_a_mount_of_its_own() {
        let mounts = |body: Value| {
            let facts = recording(body, &[]).facts();
            let starts = facts.into_iter().filter_map(|fact| match fact.what {
                What::Start(start) => Some(start.mounts),
                _ => None,
            });
            starts.flatten().collect::<Vec<_>>()
        };
        let own = ["/data", "/run/podman-init", "/dev/init"];
        assert_eq!(mounts(json!({ "init": true, "init_path": "/opt/x" })), own);
        assert_eq!(mounts(json!({ "Init_Path": "/opt/x" })), own);
        for none in [
            json!({ "init": true }),
            json!({ "init_path": "" }),
            json!({ "init_path": null }),
        ] {
            assert_eq!(mounts(none), ["/data"]);
        }
    }

    #[test]
    fn a_runtime_that_is_told_more_is_a_gap_of_the_kernel_witness() {
        let gaps = |orders: &[&str]| {
            let facts = recording(json!({}), orders).facts().into_iter();
            facts
                .filter(|fact| fact.witness == Witness::Kernel)
                .collect::<Vec<_>>()
        };
        let [gap] = &gaps(&["run.oci.seccomp_bpf_data"])[..] else {
            panic!("one gap");
        };
        assert_eq!((gap.id(), gap.name()), (Some("1"), Some("job")));
        let What::Unseen { gap, why, .. } = &gap.what else {
            panic!("a gap");
        };
        assert!(
            *gap == Gap::Programs && why.contains("`run.oci.seccomp_bpf_data`"),
            "{why}"
        );
        assert!(gaps(&[]).is_empty());
    }

    #[test]
    fn an_update_that_sets_no_health_check_says_nothing() {
        let update = |body: Value| {
            let target = "/containers/1/update";
            let record = Record {
                method: "POST".into(),
                target: target.into(),
                route: Route::parse("POST", target),
                body,
                ..Record::default()
            };
            record.fact().map(|fact| fact.what)
        };
        assert!(update(json!({ "Memory": 1 })).is_none());
        assert!(
            matches!(update(json!({ "health_cmd": "exit 0" })), Some(What::ChecksSet(tests)) if tests.len() == 1)
        );
        assert!(matches!(update(Value::Null), Some(What::Reconfigured)));
    }

    #[test]
    fn what_became_of_a_start_is_what_was_answered_unless_it_was_not_passed_on() {
        let outcome = |status, is_refused: bool| {
            let refused = is_refused.then(|| Refusal { message: "no".into() });
            super::outcome(&Record {
                status,
                refused,
                ..Record::default()
            })
        };
        assert_eq!(outcome(Some(204), false), Outcome::Begun);
        assert_eq!(outcome(Some(304), false), Outcome::Begun);
        assert_eq!(outcome(Some(404), false), Outcome::Failed);
        assert_eq!(outcome(None, false), Outcome::Unanswered);
        assert_eq!(outcome(Some(403), true), Outcome::Denied);
    }
}
