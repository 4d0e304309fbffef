//! Loading and describing images.

use std::io;
use std::path::Path;
use std::time::Duration;

use bollard::errors::Error as Bollard;
use bollard::models::{HealthConfig, ImageInspect};
use bollard::query_parameters::ImportImageOptionsBuilder;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};
use shellproof_api::{
    ByteStream, ErrorKind, HealthCheck, HealthTest, ImageConfig, ImageReference, ReferenceError, Result,
};
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use crate::Docker;

/// How much of an archive is in memory at a time.
const PIECE: usize = 64 << 10;

impl Docker {
    pub(crate) async fn load(&self, archive: &Path) -> Result<()> {
        let failing = self.failing("load image", &archive.to_string_lossy());
        let file = File::open(archive).await.map_err(|error| {
            let missing = error.kind() == io::ErrorKind::NotFound;
            let kind = if missing {
                ErrorKind::NotFound
            } else {
                ErrorKind::Other
            };
            failing.with(kind, error.to_string())
        })?;
        let options = ImportImageOptionsBuilder::default().build();
        let mut answer = self.client.import_image_stream(options, pieces(file), None);
        let mut loaded = false;
        while let Some(step) = answer.next().await {
            let step = step.map_err(|error| failing.from(error))?;
            loaded |= step.stream.is_some_and(|line| line.starts_with("Loaded image"));
        }
        // An archive without an image is a success to the engine.
        if loaded {
            Ok(())
        } else {
            Err(failing.with(ErrorKind::Invalid, "there is no image in the archive"))
        }
    }

    pub(crate) async fn save(&self, reference: &str) -> Result<ByteStream> {
        let failing = self.failing("save image", reference);
        if self.image_config(reference).await?.is_none() {
            return Err(failing.with(ErrorKind::ImageMissing, "there is no such image"));
        }
        let pieces = self.client.export_image(reference);
        Ok(Box::pin(
            pieces.map(move |piece| piece.map_err(|error| failing.from(error))),
        ))
    }

    pub(crate) async fn image_config(&self, reference: &str) -> Result<Option<ImageConfig>> {
        let failing = self.failing("inspect image", reference);
        let parsed: ImageReference = reference
            .parse()
            .map_err(|error: ReferenceError| failing.with(ErrorKind::Invalid, error.to_string()))?;
        match self.client.inspect_image(reference).await {
            Ok(image) => Ok(Some(image_config(image, &parsed))),
            Err(Bollard::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
            Err(error) => Err(failing.from(error)),
        }
    }
}

/// A file, piece by piece.
fn pieces(file: File) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream::try_unfold(file, async |mut file| {
        let mut piece = BytesMut::with_capacity(PIECE);
        let read = file.read_buf(&mut piece).await?;
        Ok((read > 0).then(|| (piece.freeze(), file)))
    })
}

fn image_config(image: ImageInspect, reference: &ImageReference) -> ImageConfig {
    let config = image.config.unwrap_or_default();
    let digests = image.repo_digests.unwrap_or_default();
    ImageConfig {
        id: image.id.unwrap_or_default(),
        digest: digest(&digests, reference),
        entrypoint: config.entrypoint.unwrap_or_default(),
        command: config.cmd.unwrap_or_default(),
        env: config.env.unwrap_or_default(),
        user: config.user.unwrap_or_default(),
        labels: config.labels.unwrap_or_default().into_iter().collect(),
        health_check: config.healthcheck.and_then(health_check),
        size: image
            .size
            .and_then(|size| size.try_into().ok())
            .unwrap_or_default(),
    }
}

/// The digest under this name, or else under any: an image may have been pulled by several.
fn digest(digests: &[String], wanted: &ImageReference) -> Option<String> {
    let known = || {
        digests
            .iter()
            .filter_map(|text| text.parse::<ImageReference>().ok())
    };
    let named = known().find(|known| known.canonical_name() == wanted.canonical_name());
    named.or_else(|| known().next())?.digest().map(str::to_owned)
}

fn health_check(config: HealthConfig) -> Option<HealthCheck> {
    let time = |nanoseconds: Option<i64>| {
        let nanoseconds = nanoseconds.and_then(|time| u64::try_from(time).ok())?;
        (nanoseconds > 0).then(|| Duration::from_nanos(nanoseconds))
    };
    Some(HealthCheck {
        test: HealthTest::from_api(&config.test.unwrap_or_default())?,
        interval: time(config.interval),
        timeout: time(config.timeout),
        start_period: time(config.start_period),
        retries: config
            .retries
            .and_then(|retries| u32::try_from(retries).ok())
            .filter(|&retries| retries > 0),
    })
}

#[cfg(test)]
mod tests {
    use super::digest;

    #[test]
    fn the_digest_is_the_one_under_the_images_name() {
        let (one, two) = (
            format!("sha256:{}", "1".repeat(64)),
            format!("sha256:{}", "2".repeat(64)),
        );
        let digests = [format!("reg.corp/python@{one}"), format!("python@{two}")];
        for (name, expected) in [
            ("python:3", &two),
            ("docker.io/library/python", &two),
            ("reg.corp/python:3", &one),
            ("other", &one),
        ] {
            assert_eq!(
                digest(&digests, &name.parse().unwrap()).as_ref(),
                Some(expected),
                "{name}"
            );
        }
    }
}
