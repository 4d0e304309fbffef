//! Containers that the engine was asked for and did not make or start.

use shellproof_api::facts::{Asked, Container, Fact, Refused, What, Witness};

use super::{container, name_of_new, source};
use crate::action::Action;
use crate::record::{Record, Recording};

pub(super) fn facts(recording: &Recording) -> impl Iterator<Item = Fact> + '_ {
    let refused = recording.records.iter().enumerate();
    // What was refused made nothing, so that it is none of the later ones that did.
    refused.filter_map(|(at, record)| of(record, &recording.records[at..]))
}

fn of(record: &Record, later: &[Record]) -> Option<Fact> {
    let (said, status) = (record.answer.clone()?, record.status?);
    let (asked, about) = match record.route.action {
        // A client whose image is not there pulls it and asks again.
        Action::CreateContainer if later.iter().any(|other| is_made_after_all(record, other)) => return None,
        Action::CreateContainer => (Asked::Make, name_of_new(record)),
        // It joins the streams of what runs already.
        Action::Attach if record.subject.as_ref().is_none_or(|subject| subject.running) => return None,
        Action::StartContainer | Action::Attach => {
            let named = record.route.object.as_ref().map(|name| Container {
                id: None,
                name: name.clone(),
            });
            (Asked::Start, record.subject.as_ref().map(container).or(named))
        }
        _ => return None,
    };
    Some(Fact {
        container: about,
        ..Fact::new(
            Witness::Wire,
            source(record),
            What::Refused(Refused { asked, status, said }),
        )
    })
}

fn is_made_after_all(record: &Record, other: &Record) -> bool {
    other.made.is_some()
        && other.route.action == Action::CreateContainer
        && (&other.route.query, &other.body) == (&record.route.query, &record.body)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::container::InspectedContainer;
    use crate::route::Route;

    fn refused(target: &str) -> Record {
        Record {
            method: "POST".into(),
            target: target.into(),
            route: Route::parse("POST", target),
            status: Some(409),
            answer: Some("no".into()),
            body: json!({ "Image": "x" }),
            ..Record::default()
        }
    }

    fn told(records: Vec<Record>) -> Vec<(Option<String>, What)> {
        let recording = Recording {
            records,
            ..Recording::default()
        };
        let told = recording.facts().into_iter();
        let told = told.filter(|fact| matches!(fact.what, What::Refused(_)));
        told.map(|fact| (fact.name().map(str::to_owned), fact.what))
            .collect()
    }

    #[test]
    fn a_request_that_is_made_again_and_done_was_not_refused() {
        let create = || refused("/containers/create?name=job");
        let made = Record {
            status: Some(201),
            made: Some("1".into()),
            answer: None,
            ..create()
        };
        let other = Record {
            body: json!({ "Image": "y" }),
            ..made.clone()
        };
        assert_eq!(told(vec![create(), made.clone()]).len(), 0);
        for records in [vec![create()], vec![made, create()], vec![create(), other]] {
            let [(name, What::Refused(told))] = &told(records)[..] else {
                panic!("not told")
            };
            assert_eq!(
                (name.as_deref(), told.asked, told.status),
                (Some("job"), Asked::Make, 409)
            );
        }
    }

    #[test]
    fn who_joins_a_container_that_runs_starts_nothing() {
        let attach = |running| Record {
            subject: Some(InspectedContainer {
                id: "1".into(),
                name: "job".into(),
                running,
                ..InspectedContainer::default()
            }),
            ..refused("/containers/1/attach")
        };
        assert_eq!(told(vec![attach(true), refused("/containers/1/wait")]).len(), 0);
        for record in [attach(false), refused("/containers/job/start")] {
            let [(name, What::Refused(told))] = &told(vec![record])[..] else {
                panic!("not told")
            };
            assert_eq!((name.as_deref(), told.asked), (Some("job"), Asked::Start));
        }
    }
}
