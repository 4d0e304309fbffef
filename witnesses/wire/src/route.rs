//! What a request means, whatever dialect it is in.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::action::Action;
use crate::dialect::Dialect;
use crate::target::Target;

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
    /// The version of the interface that the path asks for.
    version: Option<String>,
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
        let nothing = Target { path: "", query: "" };
        let target = Target::read(target).unwrap_or(nothing);
        let decoded = target.decoded();
        let route = Self::of(method, &target, decoded.split('/').map(Cow::Borrowed));
        if !target.path.contains('%') || !route.action.is_harmless() {
            return route;
        }
        // Docker takes a path apart when it is decoded, Podman before.
        let segments = target.path.split('/');
        let segments = segments.map(|segment| percent_decode_str(segment).decode_utf8_lossy());
        let other = Self::of(method, &target, segments);
        if other.action.is_harmless() { route } else { other }
    }

    fn of<'p>(method: &str, target: &Target<'_>, path: impl Iterator<Item = Cow<'p, str>>) -> Self {
        let mut segments: Vec<Cow<'p, str>> = Vec::new();
        for segment in path {
            match &*segment {
                "" | "." => {}
                ".." => drop(segments.pop()),
                _ => segments.push(segment),
            }
        }
        let segments: Vec<&str> = segments.iter().map(|segment| &**segment).collect();
        let (version, rest) = match segments.as_slice() {
            [first, rest @ ..] if is_version(first) => (Some((*first).to_owned()), rest),
            rest => (None, rest),
        };
        let (dialect, segments) = Dialect::of_path(rest);
        let (mut action, object) = meaning(dialect, method, segments);
        // What pulls an image makes one of a file where it is not told what to pull.
        let pulls = |names: Vec<String>| matches!(names.as_slice(), [name] if !name.is_empty());
        if segments == ["images", "create"] && !target.values("fromImage").is_some_and(pulls) {
            action = Action::Build;
        }
        let gives_name = matches!(segments, ["containers", "create"] | ["containers", _, "rename"]);
        let is_usual = |names: Vec<String>| !names.iter().any(|name| is_id(name));
        if gives_name && !target.values("name").is_some_and(is_usual) {
            action = Action::Unknown;
        }
        Self {
            dialect,
            path: format!("/{}", segments.join("/")),
            query: target.query.to_owned(),
            action,
            object,
            version,
        }
    }

    /// The target of the same request of a container, by the container's id. The query is the one that was sent.
    pub(crate) fn by_id(&self, id: &str, query: &str) -> String {
        let version = self
            .version
            .as_ref()
            .map_or(String::new(), |version| format!("/{version}"));
        let of_object = self.path.split('/').skip(3);
        let path: String = of_object.map(|segment| format!("/{segment}")).collect();
        let query = if query.is_empty() {
            String::new()
        } else {
            format!("?{query}")
        };
        format!("{version}{}/containers/{id}{path}{query}", self.dialect.prefix())
    }
}

/// Whether a name could be the id of another container, which Podman would then take for this one.
pub(crate) fn is_id(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_version(segment: &str) -> bool {
    segment.strip_prefix('v').is_some_and(|rest| {
        rest.starts_with(|first: char| first.is_ascii_digit())
            // As Podman's router has it: `v5.0.0-dev` is one.
            && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
    })
}

/// What a dialect's routes say. What they do not name is [`Action::Unknown`], whatever its method.
fn meaning(dialect: Dialect, method: &str, path: &[&str]) -> (Action, Option<String>) {
    let known = dialect.routes().find_map(|(wanted, pattern, action)| {
        if !wanted.split(' ').any(|wanted| wanted == method) {
            return None;
        }
        let pattern: Vec<_> = pattern.split('/').skip(1).collect();
        matches(&pattern, path).map(|object| (*action, object))
    });
    known.unwrap_or((Action::Unknown, None))
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
        // No version, though it begins like one.
        assert_eq!(action("POST", "/volumes/create"), Action::Harmless);
        assert_eq!(action("POST", "/v5_0/exec/abc/start"), Action::Unknown);
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
            ("GET", "/containers/x/healthcheck"),
            ("PUT", "/anything"),
            ("PATCH", "/containers/x"),
            ("post", "/containers/x/kill"),
            ("GET", "/anything"),
            ("HEAD", "/containers/x/json"),
            ("DELETE", "/anything"),
            ("GET", "/libpod/containers/x/anything"),
            ("GET", "/images%2Fjson"),
            ("GET", "http:/v4.0.0/libpod/containers/x/healthcheck"),
            ("GET", "a+b://d/v4.0.0/libpod/containers/x/healthcheck"),
            ("DELETE", ""),
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
            ("fromImage=", Action::Build),
            ("fromImage=&fromSrc=-", Action::Build),
            ("fromImage=&fromImage=x", Action::Build),
            ("fromImage=x&from%49mage=", Action::Build),
            ("fromImage=x;y", Action::Build),
            ("from%49mage=x", Action::Harmless),
            ("fromImage=x&fromSrc=", Action::Harmless),
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
    fn a_path_that_engines_take_apart_in_two_ways_means_the_worse() {
        let target = "/v4.0.0/libpod/containers/x%2F..%2F..%2Fnetworks/healthcheck";
        assert_eq!(action("GET", target), Action::RunHealthCheck);
        assert_eq!(
            action("GET", "/v4.0.0/libpod/images/localhost%2Fa%3A1/json"),
            Action::Read
        );
    }

    #[test]
    fn a_name_that_could_be_an_id_is_not_understood() {
        let id = "0123456789abcdef".repeat(4);
        for target in [
            "/containers/x/rename?name=",
            "/libpod/containers/create?name=a&n%61me=",
        ] {
            assert_eq!(
                action("POST", &format!("{target}{id}")),
                Action::Unknown,
                "{target}"
            );
            assert_ne!(
                action("POST", &format!("{target}{}", &id[1..])),
                Action::Unknown,
                "{target}"
            );
        }
    }

    #[test]
    fn a_request_is_said_anew_by_the_id_of_its_container() {
        for (target, query, expected) in [
            (
                "/v1.41/containers/x/start?a=b",
                "a=b",
                "/v1.41/containers/ID/start?a=b",
            ),
            (
                "http://d/containers/%78/attach/ws",
                "",
                "/containers/ID/attach/ws",
            ),
            (
                "/v4.0.0/libpod//containers/./x/start/",
                "",
                "/v4.0.0/libpod/containers/ID/start",
            ),
        ] {
            assert_eq!(Route::parse("POST", target).by_id("ID", query), expected);
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
