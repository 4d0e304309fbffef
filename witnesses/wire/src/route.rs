//! What a request means, whatever dialect it is in.

use percent_encoding::percent_decode_str;

use crate::action::Action;
use crate::dialect::Dialect;

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
        let (dialect, segments) = Dialect::of_path(segments);
        let (mut action, object) = meaning(dialect, method, segments);
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

/// What a dialect's routes say. Any other `GET`, `HEAD` and `OPTIONS` reads, and any other `DELETE` removes something that no
/// program runs in; everything else is [`Action::Unknown`].
fn meaning(dialect: Dialect, method: &str, path: &[&str]) -> (Action, Option<String>) {
    let known = dialect.routes().find_map(|(wanted, pattern, action)| {
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
