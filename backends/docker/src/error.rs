//! From the client library's errors to the contract's.

use std::error::Error as _;

use bollard::errors::Error as Bollard;
use shellproof_api::{Error, ErrorKind};

/// An operation on an object of an engine, about to fail.
#[derive(Clone, Debug)]
pub(crate) struct Failing {
    operation: &'static str,
    engine: String,
    object: String,
}

impl Failing {
    pub(crate) fn new(operation: &'static str, engine: &str, object: &str) -> Self {
        Self {
            operation,
            engine: engine.to_owned(),
            object: object.to_owned(),
        }
    }

    /// An error of a kind that the operation itself found out.
    pub(crate) fn with(&self, kind: ErrorKind, message: impl Into<String>) -> Error {
        Error {
            operation: self.operation,
            engine: self.engine.clone(),
            object: self.object.clone(),
            kind,
            status: None,
            message: message.into(),
        }
    }

    /// An error of the client library, its kind read from status and message.
    pub(crate) fn from(&self, error: Bollard) -> Error {
        match error {
            Bollard::DockerResponseServerError { status_code, message } => self.answer(status_code, message),
            Bollard::DockerStreamError { error } => self.with(ErrorKind::Other, error),
            Bollard::JsonDataError { .. } | Bollard::JsonSerdeError { .. } => {
                self.with(ErrorKind::Other, format!("the answer is not understood: {error}"))
            }
            Bollard::SocketNotFoundError(_) => self.with(ErrorKind::Unreachable, "there is no such socket"),
            Bollard::URLParseError { .. }
            | Bollard::InvalidURIError { .. }
            | Bollard::URLEncodedError { .. } => self.with(ErrorKind::Invalid, error.to_string()),
            Bollard::IOError { .. }
            | Bollard::HyperResponseError { .. }
            | Bollard::HyperLegacyError { .. }
            | Bollard::RequestTimeoutError => self.with(ErrorKind::Unreachable, with_causes(&error)),
            _ => self.with(ErrorKind::Other, with_causes(&error)),
        }
    }

    /// An answer with a status that means failure.
    pub(crate) fn answer(&self, status: u16, message: String) -> Error {
        let kind = kind(self.operation, status, &message);
        let message = if message.is_empty() {
            "no message".to_owned()
        } else {
            message
        };
        Error {
            status: Some(status),
            ..self.with(kind, message)
        }
    }
}

fn kind(operation: &str, status: u16, message: &str) -> ErrorKind {
    let says = |words: &str| message.contains(words);
    match status {
        404 if says("No such image") => ErrorKind::ImageMissing,
        404 => ErrorKind::NotFound,
        409 if operation.starts_with("create") => ErrorKind::AlreadyExists,
        409 => ErrorKind::WrongState,
        400 if says("bind source path does not exist") => ErrorKind::NotFound,
        400 => ErrorKind::Invalid,
        // A network with containers on it: a matter of its state, not of rights.
        403 if says("has active endpoints") => ErrorKind::WrongState,
        401 | 403 => ErrorKind::Denied,
        500 if says("port is already allocated") || says("address already in use") => {
            ErrorKind::AlreadyExists
        }
        501 => ErrorKind::Unsupported,
        _ => ErrorKind::Other,
    }
}

/// The causes of an error on one line. The outermost text only names the client library's parts.
fn with_causes(error: &Bollard) -> String {
    let mut cause = error.source();
    let mut text = cause.map_or_else(|| error.to_string(), ToString::to_string);
    while let Some(error) = cause {
        let words = error.to_string();
        // Transparent errors repeat what they wrap.
        if !text.ends_with(&words) {
            text = format!("{text}: {words}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(operation: &'static str, status: u16, message: &str) -> ErrorKind {
        Failing::new(operation, "docker", "x")
            .answer(status, message.into())
            .kind
    }

    #[test]
    fn a_conflict_is_about_the_name_on_create_and_about_the_state_otherwise() {
        assert_eq!(
            answered("create container", 409, "in use"),
            ErrorKind::AlreadyExists
        );
        assert_eq!(
            answered("kill container", 409, "is not running"),
            ErrorKind::WrongState
        );
    }

    #[test]
    fn what_is_not_found_is_told_apart() {
        assert_eq!(
            answered("create container", 404, "No such image: x:1"),
            ErrorKind::ImageMissing
        );
        assert_eq!(
            answered("start container", 404, "No such container: x"),
            ErrorKind::NotFound
        );
        let missing = "invalid mount config for type \"bind\": bind source path does not exist: /x";
        assert_eq!(answered("create container", 400, missing), ErrorKind::NotFound);
    }

    #[test]
    fn an_empty_answer_still_says_something() {
        let error = Failing::new("inspect image", "docker", "x").answer(502, String::new());
        assert_eq!(
            error.to_string(),
            "failed to inspect image `x` on docker, status 502: no message"
        );
    }
}
