//! Images that an engine has.

use shellproof_api::{ErrorKind, ImageReference, Runtime};
use shellproof_image::{Looked, WantedFiles};

use super::failure;
use super::named::Wanted;
use crate::engines::{self, Choice, Connection, EngineError, EngineSpec, Found};
use crate::failure::Failure;
use crate::invocation::Invocation;
use crate::saved_image::{self, Unread};

/// The one engine whose images are meant.
pub(super) struct Chosen {
    pub(super) spec: EngineSpec,
    pub(super) connection: Connection,
    /// A service that was started for it ends with this.
    _found: Found,
}

/// Connects to it.
pub(super) async fn connect(choices: &[Choice], invocation: &Invocation) -> Result<Chosen, Failure> {
    let found = engines::find(choices, &invocation.path("")).await?;
    found.tell_notes();
    let [spec] = found.engines.as_slice() else {
        return Err(Failure::Input(
            "images are read from one engine\nhelp: name it with `--engine NAME=unix:///path`".into(),
        ));
    };
    Ok(Chosen {
        connection: engines::connect(spec, &invocation.path("engine.sock")).await?,
        spec: spec.clone(),
        _found: found,
    })
}

/// Reads an image, and files of it.
pub(super) async fn read(
    runtime: &dyn Runtime,
    reference: &ImageReference,
    wanted: &Wanted,
    files: &WantedFiles,
) -> Result<Looked, Failure> {
    let name = reference.to_string();
    saved_image::look(runtime, &name, files)
        .await
        .map_err(|unread| match unread {
            Unread::Image(error) => failure(&name, error),
            Unread::Engine(error) => match error.kind {
                ErrorKind::ImageMissing | ErrorKind::Invalid => {
                    Failure::Input(format!("{}{error}\nhelp: {}", wanted.place(), wanted.cure()))
                }
                _ => Failure::Engine(EngineError::Machine(error.to_string())),
            },
        })
}
