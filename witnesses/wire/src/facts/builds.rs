//! Builds by BuildKit: a client opens many streams for one, and none of them can be read.

use std::collections::HashMap;

use shellproof_api::facts::{Fact, What, Witness};

use super::source;
use crate::action::Action;
use crate::record::{Client, Record, Recording};
use crate::target::Target;

/// What each client asked of BuildKit, in the order in which it asked.
pub(super) struct Builds<'a>(HashMap<&'a Client, Vec<&'a Record>>);

/// What a request is among those for BuildKit.
pub(super) enum Role {
    /// It is not for BuildKit.
    None,
    /// The first of its client's, and what all of them together mean.
    First(Box<Fact>),
    /// A further one, which the first speaks for.
    Further,
}

impl<'a> Builds<'a> {
    pub(super) fn of(recording: &'a Recording) -> Self {
        let mut of_client: HashMap<_, Vec<_>> = HashMap::new();
        for record in recording.records.iter().filter(|record| is_for_buildkit(record)) {
            of_client.entry(&record.client).or_default().push(record);
        }
        Self(of_client)
    }

    pub(super) fn role(&self, record: &Record) -> Role {
        let whole = self.0.get(&record.client).filter(|_| is_for_buildkit(record));
        match whole.map(Vec::as_slice) {
            None | Some([]) => Role::None,
            Some(whole @ [first, ..]) if std::ptr::eq(*first, record) => {
                Role::First(Box::new(meaning(whole)))
            }
            Some(_) => Role::Further,
        }
    }
}

/// Whether BuildKit is to do it: the old builder takes a build without further streams.
fn is_for_buildkit(record: &Record) -> bool {
    let query = Target {
        path: "",
        query: &record.route.query,
    };
    let wants = |name, wanted: &str| {
        let values = query.values(name).unwrap_or_default();
        values.iter().any(|value| value == wanted)
    };
    match record.route.action {
        Action::Build => record.route.path == "/build" && wants("version", "2"),
        action => action.is_build_stream(),
    }
}

/// What one client asked for. Its calls alone may only list what BuildKit has; a session is opened for a build.
fn meaning(whole: &[&Record]) -> Fact {
    let of = |action| whole.iter().find(|record| record.route.action == action);
    let calls = of(Action::BuildCalls);
    let session = of(Action::BuildSession);
    let build = of(Action::Build).or(calls.filter(|_| session.is_some()));
    let what = match build {
        Some(_) => What::ImageBuilt,
        None => What::BuildKit,
    };
    // What reached the engine speaks for what did not.
    let passed = whole.iter().find(|record| record.refused.is_none());
    let shown = build.filter(|build| build.refused.is_none()).or(passed);
    let shown = shown
        .or(whole.first())
        .map_or(String::new(), |record| source(record));
    let more = match whole.len() - 1 {
        0 => String::new(),
        more => format!(", and {more} more for BuildKit"),
    };
    Fact::new(Witness::Wire, shown + &more, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Refusal;
    use crate::route::Route;

    /// What is said of requests, by their client's process and their target: whether that an image was built, and where.
    /// Those that end in `!` were refused.
    fn facts(requests: &[(i32, &str)]) -> Vec<(bool, String)> {
        let records = requests.iter().enumerate().map(|(at, (pid, target))| Record {
            number: at as u64 + 1,
            client: Client {
                pid: Some(*pid),
                program: Some("/docker".into()),
            },
            method: "POST".into(),
            target: target.trim_end_matches('!').into(),
            route: Route::parse("POST", target.trim_end_matches('!')),
            refused: target.ends_with('!').then(|| Refusal {
                message: String::new(),
            }),
            ..Record::default()
        });
        let recording = Recording {
            records: records.collect(),
            ..Recording::default()
        };
        let facts = recording.facts().into_iter();
        let is_built = |what| match what {
            What::ImageBuilt => true,
            What::BuildKit => false,
            other => panic!("{other:?}"),
        };
        facts.map(|fact| (is_built(fact.what), fact.source)).collect()
    }

    #[test]
    fn what_one_client_asks_of_buildkit_is_one_fact() {
        let calls = "/v1.45/grpc";
        let build = "/v1.45/build?session=s&version=2";
        let upload = "/v1.45/build?buildid=upload-request&version=2";
        for (requests, source) in [
            (
                vec![(7, calls), (7, calls), (7, "/session"), (7, calls)],
                "request 1: POST /v1.45/grpc by /docker, and 3 more for BuildKit".to_owned(),
            ),
            (
                vec![(7, "/session"), (7, build), (7, upload)],
                format!("request 2: POST {build} by /docker, and 2 more for BuildKit"),
            ),
            (vec![(7, build)], format!("request 1: POST {build} by /docker")),
        ] {
            assert_eq!(facts(&requests), [(true, source)], "{requests:?}");
        }
    }

    #[test]
    fn calls_without_a_session_may_be_for_anything() {
        for requests in [
            vec![(7, "/grpc")],
            vec![(7, "/grpc"), (7, "/grpc")],
            vec![(7, "/session")],
        ] {
            let found = facts(&requests);
            assert!(
                matches!(found.as_slice(), [(false, _)]),
                "{requests:?}: {found:?}"
            );
        }
    }

    #[test]
    fn each_client_and_each_build_of_the_old_builder_counts_for_itself() {
        let two = facts(&[(7, "/session"), (8, "/grpc"), (7, "/grpc"), (8, "/session")]);
        assert!(two.iter().all(|(is_built, _)| *is_built), "{two:?}");
        let sources: Vec<_> = two.iter().map(|(_, source)| source.as_str()).collect();
        assert_eq!(
            sources,
            [
                "request 3: POST /grpc by /docker, and 1 more for BuildKit",
                "request 2: POST /grpc by /docker, and 1 more for BuildKit"
            ]
        );
        let old = [
            "/build?t=a",
            "/build?t=b",
            "/build?version=1",
            "/images/create?fromSrc=-",
        ];
        let old = facts(&old.map(|target| (7, target)));
        assert_eq!(old.len(), 4, "{old:?}");
    }

    #[test]
    fn what_was_passed_on_speaks_for_what_was_refused() {
        let sources = |requests: &[(i32, &str)]| -> Vec<String> {
            facts(requests).into_iter().map(|(_, source)| source).collect()
        };
        assert_eq!(
            sources(&[(7, "/grpc!"), (7, "/session!")]),
            ["request 1: POST /grpc by /docker, refused, and 1 more for BuildKit"]
        );
        assert_eq!(
            sources(&[(7, "/grpc!"), (7, "/session")]),
            ["request 2: POST /session by /docker, and 1 more for BuildKit"]
        );
    }
}
