//! Reading an image's files without running it.

use bollard::errors::Error as Bollard;
use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::{CreateContainerOptions, DownloadFromContainerOptionsBuilder};
use futures_util::StreamExt;
use shellproof_api::archive::FirstEntry;
use shellproof_api::{ContainerId, ErrorKind, ImageFile, Labels, Result};

use crate::Docker;
use crate::error::Failing;

/// The program of a container that never starts. An image without a command needs one to make a container.
const NEVER: &str = "/shellproof/never-started";

impl Docker {
    pub(crate) async fn file(&self, image: &str, path: &str, labels: &Labels) -> Result<Option<ImageFile>> {
        let failing = self.failing("read a file of image", image);
        if !path.starts_with('/') {
            return Err(failing.with(ErrorKind::Invalid, format!("`{path}` is no absolute path")));
        }
        // A slash at the end would ask for what a link leads to.
        let path = match path.trim_end_matches('/') {
            "" => "/",
            path => path,
        };
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            entrypoint: Some(vec![NEVER.to_owned()]),
            labels: Some(labels.clone().into_iter().collect()),
            host_config: Some(HostConfig {
                network_mode: Some("none".to_owned()),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let created = self
            .client
            .create_container(None::<CreateContainerOptions>, body)
            .await;
        let id = ContainerId(created.map_err(|error| failing.from(error))?.id);
        let file = self.first_entry(&id, path, &failing).await;
        let removed = self.remove_container(&id.0).await;
        // The first error is the one that explains the other.
        let file = file?;
        removed?;
        Ok(file)
    }

    async fn first_entry(
        &self,
        id: &ContainerId,
        path: &str,
        failing: &Failing,
    ) -> Result<Option<ImageFile>> {
        let options = DownloadFromContainerOptionsBuilder::default().path(path).build();
        let mut pieces = self.client.download_from_container(&id.0, Some(options));
        let mut entry = FirstEntry::default();
        while let Some(piece) = pieces.next().await {
            match piece {
                Ok(piece) if entry.push(&piece) => break,
                Ok(_) => {}
                Err(Bollard::DockerResponseServerError { message, .. }) if is_absent(&message) => {
                    return Ok(None);
                }
                Err(error) => return Err(failing.from(error)),
            }
        }
        entry
            .finish()
            .map_err(|error| failing.with(ErrorKind::Other, format!("cannot read `{path}`: {error}")))
    }
}

/// Whether the engine says that the path, and not the container, is missing.
fn is_absent(message: &str) -> bool {
    message.contains("Could not find the file") || message.contains("not a directory")
}
