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
            Ok(body) if !body.message.is_empty() => body.message,
            Ok(body) => body.cause,
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
        self.as_kind(engine, op, kind)
    }

    pub fn as_kind(self, engine: &str, op: Op<'_>, kind: ErrorKind) -> Error {
        Error {
            operation: op.operation,
            engine: engine.to_owned(),
            object: op.object.to_owned(),
            kind,
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

/// Podman's own error texts (`define/errors.go`, stable since 4.0) and those of the libraries below it, the more
/// specific first. It answers 500 to nearly all of them, so that there is nothing better to go by.
const TEXTS: &[(&str, ErrorKind)] = &[
    ("command that was not found", ErrorKind::CommandNotFound),
    ("executable file not found", ErrorKind::CommandNotFound),
    ("OCI permission denied", ErrorKind::NotExecutable),
    ("image not known", ErrorKind::ImageMissing),
    ("no such image", ErrorKind::ImageMissing),
    ("manifest unknown", ErrorKind::ImageMissing),
    ("name unknown", ErrorKind::ImageMissing),
    ("already in use", ErrorKind::AlreadyExists),
    ("already exists", ErrorKind::AlreadyExists),
    ("already used", ErrorKind::AlreadyExists),
    ("no such container", ErrorKind::NotFound),
    ("network not found", ErrorKind::NotFound),
    ("no such network", ErrorKind::NotFound),
    ("no such volume", ErrorKind::NotFound),
    ("state improper", ErrorKind::WrongState),
    ("is being used", ErrorKind::WrongState),
    ("unauthorized", ErrorKind::Denied),
    ("authentication required", ErrorKind::Denied),
    ("access to the resource is denied", ErrorKind::Denied),
    ("invalid username/password", ErrorKind::Denied),
    ("no command or entrypoint provided", ErrorKind::Invalid),
    ("invalid reference format", ErrorKind::Invalid),
    // A bind mount whose source has gone since the container was made.
    ("statfs", ErrorKind::NotFound),
];

pub(crate) fn kind_of_text(text: &str) -> Option<ErrorKind> {
    TEXTS
        .iter()
        .find(|(part, _)| text.contains(part))
        .map(|(_, kind)| *kind)
}
