//! What differs between the interfaces that engines have: one file for each, and here the choice between them.

use serde_json::Value;
use shellproof_api::EngineKind;

use crate::action::Action;
use crate::event::EventKind;

mod docker;
mod libpod;

/// The interface that a request addresses, or that is an engine's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Docker's API, which Podman speaks too.
    Docker,
    /// Podman's own, below `/libpod`.
    Libpod,
}

/// What a request does, by its methods and the segments of its path: `*` is one segment and names the object, `**` is any
/// number of them.
pub(crate) type Meaning = (&'static str, &'static str, Action);

impl Dialect {
    /// What the engines of this project speak, for finding out which one answers.
    const ALL: [Self; 2] = [Self::Docker, Self::Libpod];

    /// An engine's own interface.
    pub(crate) fn of(engine: EngineKind) -> Self {
        match engine {
            EngineKind::Podman => Self::Libpod,
            EngineKind::Docker | EngineKind::Embedded | EngineKind::Fake | EngineKind::None => Self::Docker,
        }
    }

    /// The interface that the segments of a path address, and the segments that it reads.
    pub(crate) fn of_path<'s, 'p>(segments: &'s [&'p str]) -> (Self, &'s [&'p str]) {
        match segments {
            ["libpod", rest @ ..] => (Self::Libpod, rest),
            _ => (Self::Docker, segments),
        }
    }

    /// The kind of engine whose name is in the `Server` header of an answer.
    pub(crate) fn engine_of_server(header: &str) -> Option<EngineKind> {
        let (name, _) = header.split_once('/')?;
        let is_it = |dialect: &&Self| dialect.server() == name;
        Self::ALL.iter().find(is_it).map(|dialect| dialect.engine())
    }

    /// The kind of engine whose answer to `GET /version` this is.
    pub(crate) fn engine_of_version(version: &Value) -> Option<EngineKind> {
        let name = version["Components"][0]["Name"].as_str()?;
        let is_it = |dialect: &&Self| match dialect {
            Self::Docker => docker::is_component(name),
            Self::Libpod => libpod::is_component(name),
        };
        Self::ALL.iter().find(is_it).map(|dialect| dialect.engine())
    }

    fn engine(self) -> EngineKind {
        match self {
            Self::Docker => EngineKind::Docker,
            Self::Libpod => EngineKind::Podman,
        }
    }

    fn server(self) -> &'static str {
        match self {
            Self::Docker => docker::SERVER,
            Self::Libpod => libpod::SERVER,
        }
    }

    /// What is before the paths of this interface.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Docker => "",
            Self::Libpod => "/libpod",
        }
    }

    /// The routes of this interface that are understood. The first match counts.
    pub(crate) fn routes(self) -> impl Iterator<Item = &'static Meaning> {
        let own = match self {
            Self::Docker => &[],
            Self::Libpod => libpod::ROUTES,
        };
        own.iter().chain(docker::ROUTES)
    }

    /// Where an engine of this kind says what a container runs. The name is percent-encoded already.
    pub(crate) fn inspect(self, container: &str) -> String {
        match self {
            Self::Docker => docker::inspect(container),
            Self::Libpod => libpod::inspect(container),
        }
    }

    /// Whether an engine of this kind takes what it is given for a name first, and for an id only then.
    pub(crate) fn prefers_names(self) -> bool {
        self == Self::Libpod
    }

    /// The body of an answer that refuses a request.
    pub(crate) fn error(self, status: u16, message: &str) -> Value {
        match self {
            Self::Docker => docker::error(message),
            Self::Libpod => libpod::error(status, message),
        }
    }

    /// A request to make a container, changed so that the container stays when it has ended and carries the labels of a run.
    /// `None` where it would stay anyway, or where that cannot be asked for.
    pub(crate) fn kept(self, body: &[u8], run: &str) -> Option<Vec<u8>> {
        match self {
            Self::Docker => docker::kept(body, run),
            Self::Libpod => libpod::kept(body, run),
        }
    }

    /// Whether an engine of this kind takes the value of a parameter for yes.
    pub(crate) fn is_true(self, value: &str) -> bool {
        match self {
            Self::Docker => docker::is_true(value),
            Self::Libpod => libpod::is_true(value),
        }
    }

    /// The requests that end a container as an engine of this kind does when it removes one that runs. The timeout is the
    /// removal's own.
    pub(crate) fn ending(self, timeout: Option<&str>) -> Vec<String> {
        match self {
            Self::Docker => docker::ending(),
            Self::Libpod => libpod::ending(timeout),
        }
    }

    /// Whether an engine of this kind takes a path in a container for a pattern, and so gives another file.
    pub(crate) fn is_pattern(self, path: &str) -> bool {
        match self {
            Self::Docker => false,
            Self::Libpod => libpod::is_pattern(path),
        }
    }

    /// The files that an engine of this kind puts into a container itself, and so leaves out of the list of what the container
    /// has changed. Its own init is one of them when it was asked for.
    pub(crate) fn hidden(self, has_init: bool) -> impl Iterator<Item = &'static &'static str> {
        let (own, init) = match self {
            Self::Docker => (&[][..], &[][..]),
            Self::Libpod => (libpod::HIDDEN, libpod::INIT),
        };
        let init = if has_init { &[] } else { init };
        docker::HIDDEN.iter().chain(own).chain(init)
    }

    /// The same, directories.
    pub(crate) fn hidden_directories(self) -> &'static [&'static str] {
        match self {
            Self::Docker => &[],
            Self::Libpod => libpod::HIDDEN_DIRECTORIES,
        }
    }

    /// What the action of an event means, and the program that it names.
    pub(crate) fn event(self, action: &str) -> Option<(EventKind, Option<&str>)> {
        let (word, rest) = match action.split_once(':') {
            Some((word, rest)) => (word, Some(rest.trim())),
            None => (action, None),
        };
        let kind = match self {
            Self::Docker => docker::event(word),
            Self::Libpod => libpod::event(word),
        }?;
        let names_program = matches!(kind, EventKind::ExecCreate | EventKind::ExecStart);
        Some((kind, rest.filter(|_| names_program)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Dialect::{Docker, Libpod};
    use super::*;

    #[test]
    fn an_engine_is_known_by_its_answers() {
        let server = Dialect::engine_of_server;
        assert_eq!(server("Docker/26.1.5 (linux)"), Some(EngineKind::Docker));
        assert_eq!(server("Libpod/5.4.2 (linux)"), Some(EngineKind::Podman));
        assert_eq!((server("nginx/1.2"), server("Docker")), (None, None));
        let version = |name: &str| Dialect::engine_of_version(&json!({ "Components": [{ "Name": name }] }));
        assert_eq!(version("Engine"), Some(EngineKind::Docker));
        assert_eq!(version("Podman Engine"), Some(EngineKind::Podman));
        assert_eq!(
            (version("x"), Dialect::engine_of_version(&json!({}))),
            (None, None)
        );
        assert_eq!(Dialect::of(EngineKind::Podman), Libpod);
        for kind in [
            EngineKind::Docker,
            EngineKind::Embedded,
            EngineKind::Fake,
            EngineKind::None,
        ] {
            assert_eq!(Dialect::of(kind), Docker);
        }
    }

    #[test]
    fn each_interface_has_its_own_paths_and_answers() {
        assert_eq!(Dialect::of_path(&["libpod", "info"]), (Libpod, &["info"][..]));
        assert_eq!(
            Dialect::of_path(&["info", "libpod"]),
            (Docker, &["info", "libpod"][..])
        );
        assert_eq!((Docker.prefix(), Libpod.prefix()), ("", "/libpod"));
        assert_eq!(Docker.inspect("a"), "/containers/a/json");
        assert_eq!(Libpod.inspect("a"), "/v4.0.0/libpod/containers/a/json");
        assert_eq!((Docker.prefers_names(), Libpod.prefers_names()), (false, true));
        assert_eq!(Docker.error(403, "no"), json!({ "message": "no" }));
        let error = json!({ "cause": "no", "message": "no", "response": 403 });
        assert_eq!(Libpod.error(403, "no"), error);
        let own = |dialect: Dialect| dialect.routes().any(|(_, path, _)| *path == "/play/kube");
        let common = |dialect: Dialect| dialect.routes().any(|(_, path, _)| *path == "/containers/create");
        assert_eq!((own(Docker), own(Libpod)), (false, true));
        assert!(common(Docker) && common(Libpod));
    }

    #[test]
    fn a_container_that_wants_to_go_is_kept_in_the_words_of_its_engine() {
        let docker = json!({ "HostConfig": { "AutoRemove": true } }).to_string();
        let libpod = json!({ "remove": true }).to_string();
        let kept = |dialect: Dialect, body: &str| {
            let body = dialect.kept(body.as_bytes(), "r1")?;
            serde_json::from_slice::<Value>(&body).ok()
        };
        assert_eq!(kept(Docker, &docker).unwrap()["HostConfig"]["AutoRemove"], false);
        assert_eq!(kept(Libpod, &libpod).unwrap()["remove"], false);
        assert_eq!((kept(Docker, &libpod), kept(Libpod, &docker)), (None, None));
        assert_eq!(Docker.ending(Some("3")), ["kill", "wait"]);
        assert_eq!(
            (Libpod.ending(Some("3")), Libpod.ending(None)),
            (vec!["stop?t=3".into()], vec!["stop".into()])
        );
    }

    #[test]
    fn yes_and_a_pattern_are_what_the_engine_takes_for_them() {
        for (value, docker, libpod) in [
            ("1", true, true),
            ("true", true, true),
            ("on", true, true),
            ("T", true, true),
            ("yes", true, false),
            ("2", true, false),
            ("0", false, false),
            ("no", false, false),
            ("False", false, false),
            (" none ", false, false),
            ("", false, false),
        ] {
            assert_eq!(
                (Docker.is_true(value), Libpod.is_true(value)),
                (docker, libpod),
                "{value:?}"
            );
        }
        for (path, is_pattern) in [
            ("/a*", true),
            ("/a?", true),
            ("/[a", true),
            ("/a]", true),
            ("/a\\b", true),
            ("/a", false),
        ] {
            assert_eq!(
                (Docker.is_pattern(path), Libpod.is_pattern(path)),
                (false, is_pattern),
                "{path}"
            );
        }
    }

    #[test]
    fn what_an_engine_puts_into_a_container_is_hidden_unless_it_was_not_asked_for() {
        let hidden = |dialect: Dialect, has_init| dialect.hidden(has_init).copied().collect::<Vec<_>>();
        let docker = ["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"];
        let libpod = ["/etc/mtab", "/run/.containerenv", "/run/notify"];
        let init = ["/dev/init", "/run/podman-init"];
        assert_eq!(
            (hidden(Docker, true), hidden(Docker, false)),
            (docker.to_vec(), docker.to_vec())
        );
        assert_eq!(hidden(Libpod, true), [docker, libpod].concat());
        assert_eq!(hidden(Libpod, false), [&docker[..], &libpod, &init].concat());
        assert_eq!(
            (Docker.hidden_directories(), Libpod.hidden_directories()),
            (&[][..], &["/run/secrets"][..])
        );
    }

    #[test]
    fn an_event_is_read_in_the_words_of_its_engine() {
        for (action, docker, libpod) in [
            ("start", Some(EventKind::Start), Some(EventKind::Start)),
            ("restart", Some(EventKind::Start), Some(EventKind::Start)),
            (
                "health_status",
                Some(EventKind::HealthCheck),
                Some(EventKind::HealthCheck),
            ),
            ("exec_create", Some(EventKind::ExecCreate), None),
            ("exec_start", Some(EventKind::ExecStart), None),
            ("exec", None, Some(EventKind::ExecStart)),
            ("die", None, None),
        ] {
            let kinds = [Docker, Libpod].map(|dialect| dialect.event(action).map(|(kind, _)| kind));
            assert_eq!(kinds, [docker, libpod], "{action}");
        }
        let told = Some((EventKind::ExecCreate, Some("/tiny a:b")));
        assert_eq!(Docker.event("exec_create: /tiny a:b"), told);
        assert_eq!(
            Docker.event("health_status: healthy"),
            Some((EventKind::HealthCheck, None))
        );
    }
}
