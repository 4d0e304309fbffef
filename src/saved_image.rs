//! An engine's image, read from the archive that the engine makes of it, as it comes. Nothing of it is kept, here or there.

use futures_util::StreamExt;
use shellproof_api::Runtime;
use shellproof_api::facts::ImageContent;
use shellproof_image::{Form, Looked, WantedFiles, look_stream};
use shellproof_wire::http::Pieces;
use tokio::sync::mpsc;

/// How many pieces wait for the reader.
const PIECES: usize = 16;

/// Why an image was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unread {
    /// The engine does not have it, or did not give all of it.
    #[error(transparent)]
    Engine(#[from] shellproof_api::Error),
    /// What came is no image, or one that is not read.
    #[error(transparent)]
    Image(#[from] shellproof_image::Error),
}

/// Reads an image, by its name or its id.
///
/// # Errors
/// The engine failed, or what it gave is no image.
pub(crate) async fn read(runtime: &dyn Runtime, reference: &str) -> Result<ImageContent, Unread> {
    Ok(once(runtime, reference, WantedFiles::default()).await?.content)
}

/// The same with files of it. It is read once, and again where links of the image lead from those paths elsewhere.
///
/// # Errors
/// As [`read`].
pub(crate) async fn look(
    runtime: &dyn Runtime,
    reference: &str,
    wanted: &WantedFiles,
) -> Result<Looked, Unread> {
    let mut wanted = wanted.clone();
    loop {
        let looked = once(runtime, reference, wanted.clone()).await?;
        match looked.next(&wanted) {
            Some(more) => wanted = more,
            None => return Ok(looked),
        }
    }
}

async fn once(runtime: &dyn Runtime, reference: &str, wanted: WantedFiles) -> Result<Looked, Unread> {
    let mut saved = runtime.save_image(reference).await?;
    let (sender, pieces) = mpsc::channel(PIECES);
    let reading = tokio::task::spawn_blocking(move || {
        look_stream(Pieces::from(pieces), Form::DockerArchive, None, &wanted)
    });
    while let Some(piece) = saved.next().await {
        // What was cut by the engine is no image's fault.
        if sender.send(piece?).await.is_err() {
            // The reader has met an error, and tells it below.
            break;
        }
    }
    drop(sender);
    Ok(ended(reading.await)?)
}

/// What a thread has read.
pub(crate) fn ended(
    reading: Result<shellproof_image::Result<Looked>, tokio::task::JoinError>,
) -> shellproof_image::Result<Looked> {
    reading.unwrap_or_else(|error| {
        Err(shellproof_image::Error::Machine {
            what: "the reader failed".into(),
            error: std::io::Error::other(error),
        })
    })
}
