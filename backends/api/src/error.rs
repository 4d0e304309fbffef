use std::fmt;

/// The result of an operation on an engine.
pub type Result<T> = std::result::Result<T, Error>;

/// A failed operation: what was tried, on which object, on which engine, and what the engine said.
///
/// One concrete type for all backends; a client library's own errors are reduced to [`ErrorKind`] and a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to {operation}{} on {engine}{}: {message}", Object(.object), Status(.status))]
pub struct Error {
    /// The operation in words that follow "failed to", such as `start container`.
    pub operation: &'static str,
    /// The name of the engine, as in [`crate::Engine::name`].
    pub engine: String,
    /// The object that the operation was about: a name, id or reference. Empty when there is none.
    pub object: String,
    /// What went wrong, the same for every engine.
    pub kind: ErrorKind,
    /// The HTTP status of the engine's answer; none where there was no answer, or where it was no refusal.
    pub status: Option<u16>,
    /// The engine's own words.
    pub message: String,
}

impl Error {
    /// What the engine answered, without what was asked of it: `status 400, no such file`.
    pub fn answer(&self) -> String {
        let status = self.status.map(|status| format!("status {status}, "));
        status.unwrap_or_default() + &self.message
    }
}

struct Object<'a>(&'a str);

impl fmt::Display for Object<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            Ok(())
        } else {
            write!(f, " `{}`", self.0)
        }
    }
}

struct Status<'a>(&'a Option<u16>);

impl fmt::Display for Status<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(status) => write!(f, ", status {status}"),
            None => Ok(()),
        }
    }
}

/// Why an operation failed, the same on every engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The engine, or on a pull the registry, could not be reached, or the connection broke.
    Unreachable,
    /// The image is not present on the engine, or not in the registry.
    ImageMissing,
    /// The container, network, volume, bind source or archive does not exist.
    NotFound,
    /// An object of that name exists already.
    AlreadyExists,
    /// The container's program does not exist in its image.
    CommandNotFound,
    /// The container's program exists and cannot be executed.
    NotExecutable,
    /// The object is not in a state that allows the operation.
    WrongState,
    /// The engine or the registry refused for want of rights.
    Denied,
    /// The request was refused as malformed, or asks for what cannot be.
    Invalid,
    /// The engine cannot do this at all.
    Unsupported,
    /// Anything else; the message says it.
    Other,
}
