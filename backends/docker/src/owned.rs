//! Finding and removing what shellproof made.

use std::collections::HashMap;

use bollard::errors::Error as Bollard;
use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListImagesOptionsBuilder, ListNetworksOptionsBuilder,
    ListVolumesOptionsBuilder, RemoveContainerOptionsBuilder, RemoveImageOptionsBuilder, RemoveVolumeOptions,
    WaitContainerOptionsBuilder,
};
use futures_util::StreamExt;
use shellproof_api::{ErrorKind, Labels, Resource, ResourceKind, Result, labels};

use crate::Docker;

impl Docker {
    pub(crate) async fn list_owned(&self) -> Result<Vec<Resource>> {
        let mut owned = self.owned_containers().await?;
        owned.extend(self.owned_networks().await?);
        owned.extend(self.owned_volumes().await?);
        owned.extend(self.owned_images().await?);
        Ok(owned)
    }

    async fn owned_containers(&self) -> Result<Vec<Resource>> {
        let failing = self.failing("list containers", "");
        let options = ListContainersOptionsBuilder::default()
            .all(true)
            .filters(&by_label())
            .build();
        let containers = self.client.list_containers(Some(options)).await;
        let containers = containers.map_err(|error| failing.from(error))?.into_iter();
        Ok(containers
            .map(|container| {
                let id = container.id.unwrap_or_default();
                let name = container.names.unwrap_or_default().into_iter().next();
                let name = name.map_or_else(|| id.clone(), |name| name.trim_start_matches('/').to_owned());
                resource(
                    ResourceKind::Container,
                    id,
                    name,
                    container.labels.unwrap_or_default(),
                )
            })
            .collect())
    }

    async fn owned_networks(&self) -> Result<Vec<Resource>> {
        let failing = self.failing("list networks", "");
        let options = ListNetworksOptionsBuilder::default().filters(&by_label()).build();
        let networks = self.client.list_networks(Some(options)).await;
        let networks = networks.map_err(|error| failing.from(error))?.into_iter();
        Ok(networks
            .map(|network| {
                let (id, name) = (network.id.unwrap_or_default(), network.name.unwrap_or_default());
                resource(
                    ResourceKind::Network,
                    id,
                    name,
                    network.labels.unwrap_or_default(),
                )
            })
            .collect())
    }

    async fn owned_volumes(&self) -> Result<Vec<Resource>> {
        let failing = self.failing("list volumes", "");
        let options = ListVolumesOptionsBuilder::default().filters(&by_label()).build();
        let volumes = self.client.list_volumes(Some(options)).await;
        let volumes = volumes.map_err(|error| failing.from(error))?.volumes;
        Ok(volumes
            .into_iter()
            .flatten()
            .map(|volume| {
                resource(
                    ResourceKind::Volume,
                    volume.name.clone(),
                    volume.name,
                    volume.labels,
                )
            })
            .collect())
    }

    async fn owned_images(&self) -> Result<Vec<Resource>> {
        let failing = self.failing("list images", "");
        // Images belong to no run: fixtures and the probe carry labels of their own, and no engine filters by a prefix.
        let options = ListImagesOptionsBuilder::default().build();
        let images = self.client.list_images(Some(options)).await;
        let images = images.map_err(|error| failing.from(error))?.into_iter();
        Ok(images
            .filter(|image| image.labels.keys().any(|key| key.starts_with(labels::PREFIX)))
            .flat_map(|image| {
                let names = match image.repo_tags {
                    names if names.is_empty() => vec![image.id],
                    names => names,
                };
                let labels = image.labels;
                names
                    .into_iter()
                    .map(move |name| resource(ResourceKind::Image, name.clone(), name, labels.clone()))
            })
            .collect())
    }

    pub(crate) async fn remove_resource(&self, resource: &Resource) -> Result<()> {
        let id = resource.id.as_str();
        let (operation, removed) = match resource.kind {
            ResourceKind::Container => return self.remove_container(id).await,
            ResourceKind::Network => ("remove network", self.client.remove_network(id).await),
            ResourceKind::Volume => (
                "remove volume",
                self.client.remove_volume(id, None::<RemoveVolumeOptions>).await,
            ),
            ResourceKind::Image => {
                // By its id, an image with several names is only removed by force.
                let by_force = id.starts_with("sha256:");
                let options = RemoveImageOptionsBuilder::default().force(by_force).build();
                let removed = self.client.remove_image(id, Some(options), None).await;
                ("remove image", removed.map(|_| ()))
            }
        };
        match removed {
            Ok(()) | Err(Bollard::DockerResponseServerError { status_code: 404, .. }) => Ok(()),
            Err(error) => Err(self.failing(operation, &resource.name).from(error)),
        }
    }

    /// Removes a container, running or not, with the anonymous volumes that its image asks for.
    pub(crate) async fn remove_container(&self, id: &str) -> Result<()> {
        let failing = self.failing("remove container", id);
        let options = RemoveContainerOptionsBuilder::default()
            .force(true)
            .v(true)
            .build();
        match self.client.remove_container(id, Some(options)).await {
            Ok(()) | Err(Bollard::DockerResponseServerError { status_code: 404, .. }) => Ok(()),
            // Somebody else is at it: then it is enough to see it gone.
            Err(Bollard::DockerResponseServerError {
                status_code: 409,
                message,
            }) if message.contains("already in progress") => {
                let options = WaitContainerOptionsBuilder::default()
                    .condition("removed")
                    .build();
                match self.client.wait_container(id, Some(options)).next().await {
                    None | Some(Ok(_) | Err(Bollard::DockerContainerWaitError { .. })) => Ok(()),
                    Some(Err(error)) => match failing.from(error) {
                        error if error.kind == ErrorKind::NotFound => Ok(()),
                        error => Err(error),
                    },
                }
            }
            Err(error) => Err(failing.from(error)),
        }
    }
}

fn by_label() -> HashMap<String, Vec<String>> {
    HashMap::from([("label".to_owned(), vec![labels::RUN.to_owned()])])
}

fn resource(kind: ResourceKind, id: String, name: String, labels: HashMap<String, String>) -> Resource {
    Resource {
        kind,
        id,
        name,
        labels: Labels::from_iter(labels),
    }
}
