//! Images: loading, configuration, and reading single files.

use std::io;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, StreamBody};
use hyper::Method;
use hyper::body::{Frame, Incoming};
use shellproof_api::archive::FirstEntry;
use shellproof_api::{
    ByteStream, ContainerId, Error, ErrorKind, FileKind, ImageConfig, ImageFile, ImageReference, Labels,
    ReferenceError, Result,
};
use shellproof_wire::http::{self, Body};
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;

use crate::fault::{Fault, Op};
use crate::listing::{Listing, Pipe};
use crate::model::{Created, Image};
use crate::podman::Podman;
use crate::spec;
use crate::wire::escape;

/// How much of an archive is read at once.
const PIECE: usize = 256 << 10;

/// How many pieces of an export may wait for its reader.
const PIECES: usize = 16;

impl Podman {
    pub(crate) async fn load(&self, archive: &Path) -> Result<()> {
        let path = archive.display().to_string();
        let op = Op {
            operation: "load image archive",
            object: &path,
        };
        let file = File::open(archive).await;
        let file = file.map_err(|error| self.wire.error(op, ErrorKind::NotFound, error.to_string()))?;
        let answer = self
            .wire
            .open(
                Method::POST,
                "/images/load",
                Some("application/x-tar"),
                stream_of(file),
            )
            .await
            .map_err(|fault| fault.at(&self.wire.engine, op))?;
        let read = answer.into_body().collect().await;
        read.map_err(|error| Fault::unreachable(&error).at(&self.wire.engine, op))?;
        Ok(())
    }

    /// Podman makes an archive of one image at a time.
    pub(crate) async fn save(&self, reference: &str) -> Result<ByteStream> {
        let op = Op {
            operation: "save image",
            object: reference,
        };
        let image = self.existing_image(op, reference).await?;
        // By id: the tag may move to another image at any time.
        let request = format!("/images/{}/get?format=docker-archive", escape(&image.id));
        let body = self.download(op, &request).await?;
        let (engine, object) = (self.wire.engine.clone(), reference.to_owned());
        let pieces = body.into_data_stream().map(move |piece| {
            let op = Op {
                operation: "save image",
                object: &object,
            };
            piece.map_err(|error| Fault::unreachable(&error).at(&engine, op))
        });
        Ok(Box::pin(pieces))
    }

    pub(crate) async fn find_image(&self, op: Op<'_>, reference: &str) -> Result<Option<ImageConfig>> {
        Ok(self
            .find_image_entry(op, reference)
            .await?
            .map(Image::into_config))
    }

    pub(crate) async fn find_image_entry(&self, op: Op<'_>, reference: &str) -> Result<Option<Image>> {
        let reference = match reference.strip_prefix("sha256:") {
            Some(id) => id,
            None => {
                reference
                    .parse::<ImageReference>()
                    .map_err(|error: ReferenceError| {
                        self.wire.error(op, ErrorKind::Invalid, error.to_string())
                    })?;
                reference
            }
        };
        self.wire
            .find(op, &format!("/images/{}/json", escape(reference)))
            .await
    }

    pub(crate) async fn existing_image(&self, op: Op<'_>, reference: &str) -> Result<ImageConfig> {
        self.find_image(op, reference).await?.ok_or_else(|| {
            let message = format!("no image `{reference}` on the engine");
            self.wire.error(op, ErrorKind::ImageMissing, message)
        })
    }

    pub(crate) async fn read_file(
        &self,
        reference: &str,
        path: &str,
        labels: &Labels,
    ) -> Result<Option<ImageFile>> {
        let object = format!("{reference}:{path}");
        let op = Op {
            operation: "read image file",
            object: &object,
        };
        let image = self.existing_image(op, reference).await?;
        if let Some(listing) = self.listing(&image.id)
            && listing.find(path).is_none_or(|(_, file)| !has_content(file))
        {
            return Ok(listing.find(path).map(|(_, file)| file.clone()));
        }
        // By id: the tag may move to another image at any time.
        let body = spec::reader_body(&image.id, labels);
        let answer = self
            .wire
            .call(Method::POST, "/containers/create", Some(&body))
            .await;
        let answer = answer.map_err(|fault| fault.at(&self.wire.engine, op))?;
        let id = ContainerId(self.wire.parse::<Created>(op, &answer)?.id);
        let file = self.read_from(op, &image.id, &id, path).await;
        let removed = self.delete_container(op, &id.0).await;
        let file = file?;
        removed.map(|()| file)
    }

    async fn read_from(
        &self,
        op: Op<'_>,
        image: &str,
        id: &ContainerId,
        path: &str,
    ) -> Result<Option<ImageFile>> {
        let listing = match self.listing(image) {
            Some(listing) => listing,
            None => self.remember(image, self.list(op, id).await?),
        };
        let Some((path, file)) = listing.find(path) else {
            return Ok(None);
        };
        let mut file = file.clone();
        if has_content(&file) {
            file.content = self.read_content(op, id, &path).await?;
        }
        Ok(Some(file))
    }

    /// Reads an export of a container that never started: its image's files, as they are.
    async fn list(&self, op: Op<'_>, id: &ContainerId) -> Result<Listing> {
        let request = format!("/containers/{}/export", escape(&id.0));
        let mut body = self.download(op, &request).await?;
        let (sender, pieces) = mpsc::channel(PIECES);
        let piece = Bytes::new();
        let reading = tokio::task::spawn_blocking(move || Listing::read(Pipe { pieces, piece }));
        while let Some(frame) = body.frame().await {
            let piece = frame
                .map_err(io::Error::other)
                .map(|frame| frame.into_data().unwrap_or_default());
            if sender.send(piece).await.is_err() {
                break; // The reader has met an error, and tells it below.
            }
        }
        drop(sender);
        let listing = reading.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        listing.map_err(|error| self.wire.error(op, ErrorKind::Other, error.to_string()))
    }

    /// The beginning of a file to which no link leads any more.
    async fn read_content(&self, op: Op<'_>, id: &ContainerId, path: &str) -> Result<Vec<u8>> {
        let request = format!("/containers/{}/archive?path=/{}", escape(&id.0), escape(path));
        let mut body = self.download(op, &request).await?;
        let mut entry = FirstEntry::default();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Fault::unreachable(&error).at(&self.wire.engine, op))?;
            if frame.into_data().is_ok_and(|piece| entry.push(&piece)) {
                break;
            }
        }
        let file = entry.finish();
        let file = file.map_err(|error| self.wire.error(op, ErrorKind::Other, error.to_string()))?;
        Ok(file.map(|file| file.content).unwrap_or_default())
    }

    async fn download(&self, op: Op<'_>, route: &str) -> Result<Incoming> {
        let answer = self.wire.open(Method::GET, route, None, http::empty()).await;
        Ok(answer
            .map_err(|fault| fault.at(&self.wire.engine, op))?
            .into_body())
    }

    /// Takes away one tag after the other: with `force`, Podman would remove containers along with the image.
    pub(crate) async fn delete_image(&self, op: Op<'_>, id: &str) -> Result<()> {
        let mut tried = 0;
        loop {
            match self.delete_image_once(op, id).await {
                Err(error)
                    if error.kind != ErrorKind::ImageMissing
                        && others_interfered(&error, &mut tried).await => {}
                deleted => return deleted,
            }
        }
    }

    async fn delete_image_once(&self, op: Op<'_>, id: &str) -> Result<()> {
        let Some(image) = self.find_image_entry(op, id).await? else {
            return Ok(());
        };
        let names = if image.repo_tags.is_empty() {
            vec![image.id]
        } else if image.repo_tags.iter().any(|name| name == id) {
            vec![id.to_owned()]
        } else {
            image.repo_tags
        };
        for name in names {
            let deleted = self.client.images().get(escape(&name)).delete().await;
            deleted.map_err(self.fault(op))?;
        }
        Ok(())
    }
}

/// How often Podman is asked again.
const PATIENCE: u32 = 5;
/// Before it is.
const PAUSE: Duration = Duration::from_millis(200);

/// Whether Podman failed because other images came and went while it looked at all of them, as its version 4 does, and is
/// to be asked once more. Waits a moment then.
pub(crate) async fn others_interfered(error: &Error, tried: &mut u32) -> bool {
    const SIGNS: [&str; 3] = [
        "image not known",
        "size is not known",
        "invalid memory address or nil pointer dereference",
    ];
    let is_sign = SIGNS.iter().any(|sign| error.message.contains(sign));
    *tried += 1;
    if !is_sign || *tried > PATIENCE {
        return false;
    }
    tokio::time::sleep(PAUSE).await;
    true
}

fn has_content(file: &ImageFile) -> bool {
    file.kind == FileKind::File && file.size > 0
}

/// A file as a request body, of which one piece at a time is in memory.
fn stream_of(file: File) -> Body {
    let pieces = stream::unfold(Some(file), |file| async move {
        let mut file = file?;
        let mut piece = vec![0; PIECE];
        match file.read(&mut piece).await {
            Ok(0) => None,
            Ok(length) => {
                piece.truncate(length);
                Some((Ok(Frame::data(Bytes::from(piece))), Some(file)))
            }
            Err(error) => Some((Err(error), None)),
        }
    });
    BodyExt::boxed(StreamBody::new(pieces))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn podman_is_asked_again_when_other_images_came_in_between_and_not_for_ever() {
        let error = |message: &str| Error {
            engine: "podman-4".into(),
            operation: "list images",
            object: String::new(),
            kind: ErrorKind::Other,
            status: None,
            message: message.into(),
        };
        let mut tried = 0;
        assert!(!others_interfered(&error("no space left on device"), &mut tried).await);
        let passing = error("locating image with ID \"bba5\": image not known");
        for _ in 1..PATIENCE {
            assert!(others_interfered(&passing, &mut tried).await);
        }
        assert!(!others_interfered(&passing, &mut tried).await);
    }
}
