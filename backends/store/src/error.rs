use std::io;
use std::path::Path;

use shellproof_api::ErrorKind;

/// Why an image cannot be had from a store, or not be kept in it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What came is no image, or one that is larger than what is kept.
    #[error(transparent)]
    Image(#[from] shellproof_image::Error),
    /// The store has no such image.
    #[error("the store has no image `{0}`")]
    Missing(String),
    /// A layer cannot be unpacked.
    #[error("layer {place} of image {id} cannot be unpacked: {reason}")]
    Layer {
        /// Which one, the lowest being 1.
        place: usize,
        /// The image's id.
        id: String,
        /// Why; perhaps with a cure, in a line that begins with `help: `.
        reason: String,
    },
    /// There can be no user namespace to unpack in.
    #[error(transparent)]
    Namespace(#[from] shellproof_userns::Error),
    /// No registry gave an image.
    #[error("image `{reference}` cannot be pulled: {message}")]
    Registry {
        /// What was asked for.
        reference: String,
        /// Why the last one that was asked, the registry itself, did not.
        kind: ErrorKind,
        /// What each that was asked has said, a line each.
        message: String,
    },
    /// The machine failed.
    #[error("{what}: {error}")]
    Machine {
        /// What was tried, with the path.
        what: String,
        /// Why it failed.
        error: io::Error,
    },
}

/// The result of working with a store.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// For `map_err`: what was tried with which path.
    pub(crate) fn machine(what: &str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let what = format!("`{}` cannot be {what}", path.display());
        move |error| Self::Machine { what, error }
    }
}
