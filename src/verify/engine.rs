//! Images that an engine has, read from the archive that it makes of them, as it comes.

use futures_util::StreamExt;
use shellproof_api::facts::ImageContent;
use shellproof_api::{ErrorKind, ImageReference, Runtime};
use shellproof_image::{Form, read_stream};
use shellproof_wire::http::Pieces;
use tokio::sync::mpsc;

use super::{ended, failure};
use crate::engines::{self, Choice, Connection, EngineError};
use crate::failure::Failure;
use crate::invocation::Invocation;

/// How many pieces wait for the reader.
const PIECES: usize = 16;

/// Connects to the one engine whose images are meant.
pub(super) async fn connect(choices: &[Choice], invocation: &Invocation) -> Result<Connection, Failure> {
    let found = engines::find(choices, &invocation.path("")).await?;
    found.tell_notes();
    let [spec] = found.engines.as_slice() else {
        return Err(Failure::Input(
            "images are read from one engine\nhelp: name it with `--engine NAME=unix:///path`".into(),
        ));
    };
    Ok(engines::connect(spec, &invocation.path("engine.sock")).await?)
}

/// Reads an image. Nothing of it is kept, here or on the engine.
pub(super) async fn read(runtime: &dyn Runtime, reference: &ImageReference) -> Result<ImageContent, Failure> {
    let name = reference.to_string();
    let failed = |error: shellproof_api::Error| match error.kind {
        ErrorKind::ImageMissing | ErrorKind::Invalid => Failure::Input(format!(
            "{error}\nhelp: pull it first, or name a file as `docker-archive:FILE` or `oci-archive:FILE`"
        )),
        _ => Failure::Engine(EngineError::Machine(error.to_string())),
    };
    let mut saved = runtime.save_image(&name).await.map_err(failed)?;
    let (sender, pieces) = mpsc::channel(PIECES);
    let reading =
        tokio::task::spawn_blocking(move || read_stream(Pieces::from(pieces), Form::DockerArchive, None));
    while let Some(piece) = saved.next().await {
        // What was cut by the engine is no image's fault.
        let piece = piece.map_err(failed)?;
        if sender.send(piece).await.is_err() {
            // The reader has met an error, and tells it below.
            break;
        }
    }
    drop(sender);
    ended(reading.await).map_err(|error| failure(&name, error))
}
