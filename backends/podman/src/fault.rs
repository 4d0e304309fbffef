//! What went wrong, from an engine's answer or from the client library.

use serde::Deserialize;
use shellproof_api::{Error, ErrorKind};

/// An operation on an object, as an [`Error`] names them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Op<'a> {
    pub operation: &'static str,
    pub object: &'a str,
}

/// A refusal or a broken connection, before it is known what it was about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The HTTP status; `None` when there was no answer at all.
    pub status: Option<u16>,
    pub message: String,
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    cause: String,
    #[serde(default)]
    message: String,
}

impl Fault {
    pub fn answered(status: u16, body: &[u8]) -> Self {
        let message = match serde_json::from_slice::<Body>(body) {
            // Most messages end with their cause already.
            Ok(Body { cause, message }) if message.ends_with(&cause) => message,
            Ok(Body { cause, message }) => format!("{message}: {cause}"),
            // An unknown route is answered in plain text.
            Err(_) => String::from_utf8_lossy(body).trim().to_owned(),
        };
        Self {
            status: Some(status),
            message,
        }
    }

    pub fn unreachable(error: &dyn std::error::Error) -> Self {
        Self {
            status: None,
            message: chain(error),
        }
    }

    pub fn kind(&self) -> ErrorKind {
        let Some(status) = self.status else {
            return ErrorKind::Unreachable;
        };
        // The text comes first: libpod answers 500 to much of what has a status of its own, and 404 to a missing
        // image as well as to a missing container.
        kind_of_text(&self.message).unwrap_or(match status {
            400 => ErrorKind::Invalid,
            401 | 403 => ErrorKind::Denied,
            404 => ErrorKind::NotFound,
            409 => ErrorKind::WrongState,
            501 => ErrorKind::Unsupported,
            _ => ErrorKind::Other,
        })
    }

    pub fn at(self, engine: &str, op: Op<'_>) -> Error {
        let kind = self.kind();
        self.with_kind(engine, op, kind)
    }

    pub fn with_kind(self, engine: &str, op: Op<'_>, kind: ErrorKind) -> Error {
        Error {
            operation: op.operation,
            engine: engine.to_owned(),
            object: op.object.to_owned(),
            kind,
            status: self.status,
            message: self.message,
        }
    }
}

impl From<podman_api::Error> for Fault {
    fn from(error: podman_api::Error) -> Self {
        use podman_api::Error as E;
        match error {
            E::Fault { code, message } => Self {
                status: Some(code.as_u16()),
                message: without_repeated_cause(&message).to_owned(),
            },
            E::IO(_) | E::Error(_) => Self::unreachable(&error),
            // The engine answered, and the client library does not understand it.
            other => Self {
                status: Some(200),
                message: chain(&other),
            },
        }
    }
}

/// An error and what is below it, each text once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        source = error.source();
    }
    text
}

/// `podman-api` joins an answer's message and its cause, with which the message already ends.
fn without_repeated_cause(message: &str) -> &str {
    message
        .match_indices(": ")
        .map(|(at, _)| (&message[..at], &message[at + 2..]))
        .find(|(head, tail)| head.ends_with(tail))
        .map_or(message, |(head, _)| head)
}

/// Podman's own errors (`define/errors.go`), with which an answer's message ends. It answers 500 to most of them, so
/// that there is nothing better to go by; they were the same in 4.3 and 5.4.
const CAUSES: &[(&str, ErrorKind)] = &[
    ("command that was not found", ErrorKind::CommandNotFound),
    ("OCI permission denied", ErrorKind::NotExecutable),
    // What runc of 2025 says of a directory, and Podman does not know yet.
    ("is a directory: OCI runtime error", ErrorKind::NotExecutable),
    ("image not known", ErrorKind::ImageMissing),
    ("that name is already in use", ErrorKind::AlreadyExists),
    ("volume already exists", ErrorKind::AlreadyExists),
    ("network already exists", ErrorKind::AlreadyExists),
    // A published port.
    ("address already in use", ErrorKind::AlreadyExists),
    ("no such container", ErrorKind::NotFound),
    ("no such volume", ErrorKind::NotFound),
    ("network not found", ErrorKind::NotFound),
    ("container state improper", ErrorKind::WrongState),
    ("image is in use by a container", ErrorKind::WrongState),
    ("network is being used", ErrorKind::WrongState),
    ("volume is being used", ErrorKind::WrongState),
    ("and no CMD or ENTRYPOINT from image", ErrorKind::Invalid),
    ("no matching entries in passwd file", ErrorKind::Invalid),
    ("invalid reference format", ErrorKind::Invalid),
];

/// Errors that have no text of their own at the end, by how they begin.
const BEGINNINGS: &[(&str, ErrorKind)] = &[
    // The source of a bind mount: Podman resolves it when it creates a container, and never makes it.
    ("statfs ", ErrorKind::NotFound),
    ("invalid signal", ErrorKind::Invalid),
    ("workdir ", ErrorKind::Invalid),
];

/// What registries and the way to them say, anywhere in the message of a failed pull.
const PULL_CAUSES: &[(&str, ErrorKind)] = &[
    ("manifest unknown", ErrorKind::ImageMissing),
    ("name unknown", ErrorKind::ImageMissing),
    ("invalid username/password", ErrorKind::Denied),
    ("unauthorized", ErrorKind::Denied),
    ("authentication required", ErrorKind::Denied),
    ("denied", ErrorKind::Denied),
    ("connection refused", ErrorKind::Unreachable),
    ("no such host", ErrorKind::Unreachable),
    ("i/o timeout", ErrorKind::Unreachable),
    ("unreachable", ErrorKind::Unreachable),
    ("no route to host", ErrorKind::Unreachable),
    ("connection reset", ErrorKind::Unreachable),
];

/// The kind of a failure, by Podman's words.
pub(crate) fn kind_of_text(text: &str) -> Option<ErrorKind> {
    let ends = CAUSES.iter().find(|(cause, _)| text.ends_with(cause));
    let begins = || BEGINNINGS.iter().find(|(start, _)| text.starts_with(start));
    match ends.or_else(begins).map(|(_, kind)| *kind) {
        // Podman says the same where the machine denies something else, such as a resource limit. Only of a program do
        // runc (`exec: "/x": …`) and crun (`open executable: …`) name the exec.
        Some(ErrorKind::NotExecutable) if !text.contains("exec") => Some(ErrorKind::Denied),
        kind => kind,
    }
}

/// The kind of a failed pull, by the words of the registry.
pub(crate) fn kind_of_pull(text: &str) -> ErrorKind {
    let found = PULL_CAUSES.iter().find(|(cause, _)| text.contains(cause));
    let found = found.map(|(_, kind)| *kind);
    kind_of_text(text).or(found).unwrap_or(ErrorKind::Other)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers as Podman 4.3.1 and 5.4.2 gave them: the status of each, what they said, and what it means.
    const ANSWERS: &str = include_str!("../tests/data/refusals.json");

    #[test]
    fn what_the_machine_denies_is_no_fault_of_the_program() {
        let limit = "runc: runc create failed: unable to start container process: error during container init: error \
            setting rlimits for ready process: error setting rlimit type 7: operation not permitted: OCI permission denied";
        assert_eq!(kind_of_text(limit), Some(ErrorKind::Denied));
        let program = "runc: runc create failed: unable to start container process: exec: \"/x\": permission denied: \
            OCI permission denied";
        assert_eq!(kind_of_text(program), Some(ErrorKind::NotExecutable));
    }

    #[derive(Deserialize)]
    struct Answer {
        about: String,
        kind: String,
        response: u16,
        body: serde_json::Value,
    }

    #[test]
    fn captured_refusals_have_their_kinds() {
        let answers: Vec<Answer> = serde_json::from_str(ANSWERS).unwrap();
        assert!(answers.len() > 20);
        for answer in answers {
            let fault = Fault::answered(answer.response, answer.body.to_string().as_bytes());
            assert_eq!(format!("{:?}", fault.kind()), answer.kind, "{}", answer.about);
            // The same through podman-api, which appends the cause to the message.
            let part = |key: &str| answer.body[key].as_str().unwrap().to_owned();
            let joined = format!("{}: {}", part("message"), part("cause"));
            assert_eq!(without_repeated_cause(&joined), fault.message, "{}", answer.about);
        }
    }

    #[test]
    fn what_is_no_json_is_the_message() {
        let fault = Fault::answered(404, b"Not Found\n");
        assert_eq!(
            (fault.message.as_str(), fault.kind()),
            ("Not Found", ErrorKind::NotFound)
        );
    }

    #[test]
    fn no_answer_at_all_means_unreachable() {
        let fault = Fault::unreachable(&std::io::Error::other("connection reset"));
        assert_eq!(
            (fault.kind(), fault.message.as_str()),
            (ErrorKind::Unreachable, "connection reset")
        );
    }

    #[test]
    fn failed_pulls_have_their_kinds() {
        let source = "initializing source docker://127.0.0.1:1/x:1: ";
        for (text, kind) in [
            (
                "pinging container registry 127.0.0.1:1: Get \"https://127.0.0.1:1/v2/\": dial tcp 127.0.0.1:1: connect: connection refused",
                ErrorKind::Unreachable,
            ),
            (
                "reading manifest 1 in 127.0.0.1:1/x: authentication required",
                ErrorKind::Denied,
            ),
            (
                "reading manifest 1 in 127.0.0.1:1/x: unauthorized: authentication required",
                ErrorKind::Denied,
            ),
            (
                "unable to retrieve auth token: invalid username/password: authentication required",
                ErrorKind::Denied,
            ),
            (
                "reading manifest 1 in 127.0.0.1:1/x: manifest unknown",
                ErrorKind::ImageMissing,
            ),
        ] {
            assert_eq!(kind_of_pull(&format!("{source}{text}")), kind, "{text}");
        }
        assert_eq!(kind_of_pull("invalid reference format"), ErrorKind::Invalid);
    }
}
