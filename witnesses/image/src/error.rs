use std::io;

/// Why an image could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name of the image makes no sense, or there is nothing behind it; what was expected, and what to do about it.
    #[error("{0}")]
    Name(String),
    /// It is not what an image has to be, or is larger than what is read.
    #[error("{0}")]
    Malformed(String),
    /// The machine failed to read it.
    #[error("{what}: {error}")]
    Machine {
        /// What was tried.
        what: String,
        /// Why it failed.
        error: io::Error,
    },
}

/// The result of reading.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// What went wrong in the middle of a stream: either the machine failed, or what stands in it is no image.
    pub(crate) fn in_stream(what: &str, error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(_) => Self::Machine {
                what: format!("{what} cannot be read"),
                error,
            },
            None => Self::Malformed(format!("{what} cannot be read: {error}")),
        }
    }
}
