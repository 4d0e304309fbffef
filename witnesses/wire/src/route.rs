//! What a request means, in both dialects.

use percent_encoding::percent_decode_str;

/// Which of an engine's two interfaces a request addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Docker's API, which Podman speaks too.
    Docker,
    /// Podman's own, below `/libpod`.
    Libpod,
}

/// What a request does, as far as the audit cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Only reads.
    Read,
    /// Changes something that the audit has no interest in: networks, volumes, stopping, removing, pulling.
    Harmless,
    /// Joins a container's streams, and may leave HTTP for it.
    Attach,
    /// Makes a container.
    CreateContainer,
    /// Starts a container.
    StartContainer,
    /// Prepares a further program in a running container.
    CreateExec,
    /// Starts a further program in a running container.
    StartExec,
    /// Runs a container's health check, whatever the method is.
    RunHealthCheck,
    /// Builds an image.
    Build,
    /// Makes an image of a container.
    Commit,
    /// Writes files into a container.
    CopyIn,
    /// Changes a container's configuration.
    Update,
    /// Removes a container, or containers.
    Remove,
    /// Opens a stream on which nothing can be read.
    Opaque,
    /// Changes something, and nobody here knows what.
    Unknown,
}

/// A request's target, brought to one form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Which interface.
    pub dialect: Dialect,
    /// The path: decoded, without version and `/libpod`, without empty, `.` and `..` segments.
    pub path: String,
    /// The query as sent, without its question mark.
    pub query: String,
    /// What it does.
    pub action: Action,
    /// The container, exec or image that the path names.
    pub object: Option<String>,
}

/// The routes that change something and are understood: method, path (`*` is one segment and the object, `**`
/// any number of them), meaning. The first match counts. Any other `GET`, `HEAD` and `OPTIONS` reads, any other
/// `DELETE` removes; everything else is [`Action::Unknown`].
const ROUTES: &[(&str, &str, Action)] = &[
    ("POST", "/containers/create", Action::CreateContainer),
    ("POST", "/containers/*/start", Action::StartContainer),
    ("POST", "/containers/*/restart", Action::StartContainer),
    ("POST", "/containers/*/exec", Action::CreateExec),
    ("POST", "/exec/*/start", Action::StartExec),
    ("POST", "/containers/*/attach", Action::Attach),
    ("GET", "/containers/*/attach/ws", Action::Attach),
    ("GET", "/containers/*/healthcheck", Action::RunHealthCheck),
    ("POST", "/build", Action::Build),
    ("POST", "/commit", Action::Commit),
    ("PUT", "/containers/*/archive", Action::CopyIn),
    ("POST", "/containers/*/update", Action::Update),
    ("POST", "/session", Action::Opaque),
    ("POST", "/grpc", Action::Opaque),
    // Podman's client asks so after each run whether there will be another.
    ("POST", "/containers/*/shouldrestart", Action::Read),
    ("POST", "/containers/*/stop", Action::Harmless),
    ("POST", "/containers/*/kill", Action::Harmless),
    ("POST", "/containers/*/wait", Action::Harmless),
    ("POST", "/containers/*/pause", Action::Harmless),
    ("POST", "/containers/*/unpause", Action::Harmless),
    ("POST", "/containers/*/rename", Action::Harmless),
    ("POST", "/containers/*/resize", Action::Harmless),
    ("DELETE", "/containers/*", Action::Remove),
    ("POST", "/containers/prune", Action::Remove),
    ("DELETE", "/pods/*", Action::Remove),
    ("POST", "/pods/prune", Action::Remove),
    ("POST", "/system/prune", Action::Remove),
    ("POST", "/exec/*/resize", Action::Harmless),
    ("POST", "/images/create", Action::Harmless),
    ("POST", "/images/pull", Action::Harmless),
    ("POST", "/images/load", Action::Harmless),
    ("POST", "/images/prune", Action::Harmless),
    ("POST", "/images/**/tag", Action::Harmless),
    ("POST", "/images/**/push", Action::Harmless),
    ("POST", "/networks/create", Action::Harmless),
    ("POST", "/networks/prune", Action::Harmless),
    ("POST", "/networks/*/connect", Action::Harmless),
    ("POST", "/networks/*/disconnect", Action::Harmless),
    ("POST", "/volumes/create", Action::Harmless),
    ("POST", "/volumes/prune", Action::Harmless),
    ("POST", "/auth", Action::Harmless),
];

impl Default for Route {
    /// What an empty request means: nothing that is known.
    fn default() -> Self {
        Self::parse("", "")
    }
}

impl Route {
    /// Reads a request's method and target. Never fails: what is not understood is [`Action::Unknown`].
    pub fn parse(method: &str, target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let decoded = percent_decode_str(without_origin(path)).decode_utf8_lossy();
        let mut segments = Vec::new();
        for segment in decoded.split('/') {
            match segment {
                "" | "." => {}
                ".." => drop(segments.pop()),
                segment => segments.push(segment),
            }
        }
        let mut segments = segments.as_slice();
        if let [first, rest @ ..] = segments
            && is_version(first)
        {
            segments = rest;
        }
        let mut dialect = Dialect::Docker;
        if let ["libpod", rest @ ..] = segments {
            (dialect, segments) = (Dialect::Libpod, rest);
        }
        let (mut action, object) = meaning(method, segments);
        // What pulls an image makes one of a file where it is not told what to pull.
        if segments == ["images", "create"] && !query.split('&').any(|one| one.starts_with("fromImage=")) {
            action = Action::Build;
        }
        Self {
            dialect,
            path: format!("/{}", segments.join("/")),
            query: query.to_owned(),
            action,
            object,
        }
    }
}

/// Strips `scheme://host` of an absolute target.
fn without_origin(path: &str) -> &str {
    match path.split_once("://") {
        Some((scheme, rest)) if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            rest.find('/').map_or("", |at| &rest[at..])
        }
        _ => path,
    }
}

fn is_version(segment: &str) -> bool {
    segment.strip_prefix('v').is_some_and(|rest| {
        rest.starts_with(|first: char| first.is_ascii_digit())
            // As Podman's router has it: `v5.0.0-dev` is one.
            && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
    })
}

fn meaning(method: &str, path: &[&str]) -> (Action, Option<String>) {
    let known = ROUTES.iter().find_map(|(wanted, pattern, action)| {
        if *wanted != method {
            return None;
        }
        let pattern: Vec<_> = pattern.split('/').skip(1).collect();
        matches(&pattern, path).map(|object| (*action, object))
    });
    known.unwrap_or_else(|| {
        let action = match method {
            "GET" | "HEAD" | "OPTIONS" => Action::Read,
            "DELETE" => Action::Harmless,
            _ => Action::Unknown,
        };
        (action, None)
    })
}

/// Whether a path fits a pattern, and the object that it names.
fn matches(pattern: &[&str], path: &[&str]) -> Option<Option<String>> {
    match (pattern, path) {
        ([], []) => Some(None),
        (["**", rest @ ..], _) => (1..=path.len())
            .find_map(|length| matches(rest, &path[length..]).map(|_| Some(path[..length].join("/")))),
        (["*", pattern @ ..], [object, path @ ..]) => {
            matches(pattern, path).map(|_| Some((*object).to_owned()))
        }
        ([word, pattern @ ..], [segment, path @ ..]) if word == segment => matches(pattern, path),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(method: &str, target: &str) -> Action {
        Route::parse(method, target).action
    }

    #[test]
    fn every_spelling_of_an_exec_is_an_exec() {
        for target in [
            "/containers/x/exec",
            "/v1.41/containers/x/exec",
            "/v4.0.0/libpod/containers/x/exec",
            "/libpod/containers/x/exec",
            "/containers/x/%65xec",
            "/containers/x//exec",
            "//containers/x/exec/",
            "/containers/y/../x/exec",
            "/containers/x/./exec",
            "/containers%2Fx%2Fexec",
            "http://localhost/v1.41/containers/x/exec?a=b",
            "http://d/containers/x/exec",
        ] {
            let route = Route::parse("POST", target);
            assert_eq!(route.action, Action::CreateExec, "{target}");
            assert_eq!(route.object.as_deref(), Some("x"), "{target}");
        }
        assert_eq!(action("POST", "/exec/abc/start"), Action::StartExec);
        assert_eq!(action("POST", "/v5.0.0/libpod/exec/abc/start"), Action::StartExec);
        assert_eq!(action("POST", "/v5.0.0-dev/exec/abc/start"), Action::StartExec);
    }

    #[test]
    fn look_alikes_are_not_execs() {
        assert_eq!(action("POST", "/containers/exec/start"), Action::StartContainer);
        assert_eq!(action("GET", "/containers/exec/json"), Action::Read);
        assert_eq!(
            action("POST", "/containers/create?name=exec"),
            Action::CreateContainer
        );
        assert_eq!(action("DELETE", "/containers/exec"), Action::Remove);
        assert_eq!(action("DELETE", "/images/exec"), Action::Harmless);
        assert_eq!(action("GET", "/images/bash-exporter/json"), Action::Read);
        assert_eq!(action("GET", "/exec/abc/json"), Action::Read);
    }

    #[test]
    fn a_get_that_runs_a_health_check_does_not_read() {
        let route = Route::parse("GET", "/v4.0.0/libpod/containers/x/healthcheck");
        assert_eq!(
            (route.action, route.dialect),
            (Action::RunHealthCheck, Dialect::Libpod)
        );
    }

    #[test]
    fn what_is_not_listed_and_changes_something_is_unknown() {
        for (method, target) in [
            ("POST", "/libpod/play/kube"),
            ("POST", "/services/create"),
            ("POST", "/libpod/containers/x/restore"),
            ("POST", "/libpod/images/import"),
            ("POST", "/libpod/pods/x/start"),
            ("PUT", "/anything"),
            ("PATCH", "/containers/x"),
            ("post", "/containers/x/kill"),
            ("POST", "*"),
            ("POST", ""),
        ] {
            assert_eq!(action(method, target), Action::Unknown, "{method} {target}");
        }
    }

    #[test]
    fn an_image_is_pulled_or_made_of_a_file() {
        for (query, expected) in [
            ("fromImage=x&tag=1", Action::Harmless),
            ("fromSrc=-&repo=x", Action::Build),
            ("from%53rc=-", Action::Build),
            ("", Action::Build),
        ] {
            assert_eq!(
                action("POST", &format!("/v1.41/images/create?{query}")),
                expected,
                "{query}"
            );
        }
    }

    #[test]
    fn image_names_with_slashes_fit() {
        assert_eq!(
            action("POST", "/images/registry:5000/a/b:1/tag?repo=x"),
            Action::Harmless
        );
        assert_eq!(action("DELETE", "/images/registry:5000/a/b:1"), Action::Harmless);
    }
}
