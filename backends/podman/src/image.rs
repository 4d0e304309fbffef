//! Images: loading, configuration, and reading single files.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::{Method, Response};
use serde::Deserialize;
use shellproof_api::archive::FirstEntry;
use shellproof_api::{ContainerId, ErrorKind, FileKind, ImageConfig, ImageFile, Labels, Reference, Result};
use shellproof_recorder::http::Body;
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use crate::fault::{Fault, Op};
use crate::model::{Created, Image};
use crate::podman::Podman;
use crate::spec;
use crate::wire::{self, escape};

/// How much of an archive is read at once.
const PIECE: usize = 256 << 10;

/// What an archive's path is, in a header of the answer. Go's mode bits, not Unix's.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PathStat {
    mode: u32,
    size: u64,
    link_target: String,
}

impl PathStat {
    const SYMLINK: u32 = 1 << 27;

    fn of(answer: &Response<Incoming>) -> Option<Self> {
        let header = answer.headers().get("X-Docker-Container-Path-Stat")?;
        serde_json::from_slice(&STANDARD.decode(header).ok()?).ok()
    }

    /// The link itself. Podman tells its target as the absolute path that it leads to.
    fn into_link(self) -> Option<ImageFile> {
        (self.mode & Self::SYMLINK != 0).then(|| ImageFile {
            kind: FileKind::Symlink(self.link_target),
            mode: self.mode & 0o777,
            owner: (0, 0),
            size: self.size,
            content: Vec::new(),
        })
    }
}

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
                Reference::parse(reference)
                    .map_err(|error| self.wire.error(op, ErrorKind::Invalid, error.to_string()))?;
                reference
            }
        };
        self.wire
            .find(op, &format!("/images/{}/json", escape(reference)))
            .await
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
        let body = spec::reader_body(reference, labels);
        let answer = self
            .wire
            .call(Method::POST, "/containers/create", Some(&body))
            .await;
        let answer = answer.map_err(|fault| fault.at(&self.wire.engine, op))?;
        let id = ContainerId(self.wire.parse::<Created>(op, &answer)?.id);
        let file = self.read_archive(op, &id, path).await;
        let removed = self.delete_container(op, &id.0).await;
        let file = file?;
        removed.map(|()| file)
    }

    async fn read_archive(&self, op: Op<'_>, id: &ContainerId, path: &str) -> Result<Option<ImageFile>> {
        let request = format!("/containers/{}/archive?path={}", escape(&id.0), escape(path));
        let answer = self
            .wire
            .send(Method::GET, &request, None, shellproof_recorder::http::empty())
            .await
            .map_err(|fault| fault.at(&self.wire.engine, op))?;
        // Podman follows the last component, too. What the path itself is stands in a header, with a dangling link
        // even beside the 404.
        if let Some(link) = PathStat::of(&answer).and_then(PathStat::into_link) {
            return Ok(Some(link));
        }
        if answer.status() == hyper::StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let answer = wire::accepted(answer).await;
        let mut body = answer
            .map_err(|fault| fault.at(&self.wire.engine, op))?
            .into_body();
        let mut entry = FirstEntry::default();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Fault::unreachable(&error).at(&self.wire.engine, op))?;
            if frame.into_data().is_ok_and(|piece| entry.push(&piece)) {
                break;
            }
        }
        entry
            .finish()
            .map_err(|error| self.wire.error(op, ErrorKind::Other, error.to_string()))
    }

    /// Takes away one tag after the other: with `force`, Podman would remove containers along with the image.
    pub(crate) async fn delete_image(&self, op: Op<'_>, id: &str) -> Result<()> {
        let Some(image) = self.find_image_entry(op, id).await? else {
            return Ok(());
        };
        let names = if image.repo_tags.is_empty() {
            vec![image.id]
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
