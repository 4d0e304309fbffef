//! Images that an engine has.

use shellproof_api::{ErrorKind, ImageReference, Runtime};

use shellproof_image::{Looked, Wanted};

use super::failure;
use crate::engines::{self, Choice, Connection, EngineError, EngineSpec};
use crate::failure::Failure;
use crate::invocation::Invocation;
use crate::saved_image::{self, Unread};

/// Connects to the one engine whose images are meant.
pub(super) async fn connect(
    choices: &[Choice],
    invocation: &Invocation,
) -> Result<(EngineSpec, Connection), Failure> {
    let found = engines::find(choices, &invocation.path("")).await?;
    found.tell_notes();
    let [spec] = found.engines.as_slice() else {
        return Err(Failure::Input(
            "images are read from one engine\nhelp: name it with `--engine NAME=unix:///path`".into(),
        ));
    };
    let connection = engines::connect(spec, &invocation.path("engine.sock")).await?;
    Ok((spec.clone(), connection))
}

/// Reads an image, and files of it.
pub(super) async fn read(
    runtime: &dyn Runtime,
    reference: &ImageReference,
    wanted: &Wanted,
) -> Result<Looked, Failure> {
    let name = reference.to_string();
    saved_image::look(runtime, &name, wanted).await.map_err(|unread| match unread {
        Unread::Image(error) => failure(&name, error),
        Unread::Engine(error) => match error.kind {
            ErrorKind::ImageMissing | ErrorKind::Invalid => Failure::Input(format!(
                "{error}\nhelp: pull it first, or name a file as `docker-archive:FILE` or `oci-archive:FILE`"
            )),
            _ => Failure::Engine(EngineError::Machine(error.to_string())),
        },
    })
}
