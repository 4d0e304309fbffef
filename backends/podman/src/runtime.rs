use std::path::Path;

use async_trait::async_trait;
use podman_api::opts::{
    NetworkCreateOpts, NetworkListFilter, NetworkListOpts, VolumeCreateOpts, VolumeListFilter, VolumeListOpts,
};
use shellproof_api::{
    ByteStream, ContainerId, ContainerSpec, ContainerState, Credentials, Engine, ErrorKind, HealthRun,
    ImageConfig, ImageFile, Inspect, Labels, Naming, NetworkSpec, OutputStream, PullProgress, Resource,
    ResourceKind, Result, Runtime, VolumeSpec, labels,
};

use crate::fault::Op;
use crate::image::others_interfered;
use crate::model::Listed;
use crate::podman::Podman;
use crate::wire::escape;

#[async_trait]
impl Runtime for Podman {
    fn engine(&self) -> &Engine {
        self.about()
    }

    fn naming(&self) -> Naming {
        self.naming.clone()
    }

    async fn load_image(&self, archive: &Path) -> Result<()> {
        self.load(archive).await
    }

    async fn image(&self, reference: &str) -> Result<Option<ImageConfig>> {
        let op = Op {
            operation: "inspect image",
            object: reference,
        };
        self.find_image(op, reference).await
    }

    async fn pull_image(
        &self,
        reference: &str,
        credentials: Option<&Credentials>,
        progress: &(dyn Fn(PullProgress) + Send + Sync),
    ) -> Result<()> {
        self.pull(reference, credentials, progress).await
    }

    async fn read_image_file(
        &self,
        reference: &str,
        path: &str,
        labels: &Labels,
    ) -> Result<Option<ImageFile>> {
        self.read_file(reference, path, labels).await
    }

    async fn save_image(&self, reference: &str) -> Result<ByteStream> {
        self.save(reference).await
    }

    async fn create_network(&self, spec: &NetworkSpec) -> Result<()> {
        let op = Op {
            operation: "create network",
            object: &spec.name,
        };
        let options = NetworkCreateOpts::builder()
            .name(&spec.name)
            .driver("bridge")
            .dns_enabled(true)
            .labels(&spec.labels)
            .build();
        let created = self.client.networks().create(&options).await;
        created.map(|_| ()).map_err(self.fault(op))
    }

    async fn create_volume(&self, spec: &VolumeSpec) -> Result<()> {
        let op = Op {
            operation: "create volume",
            object: &spec.name,
        };
        let options = VolumeCreateOpts::builder()
            .name(&spec.name)
            .labels(&spec.labels)
            .build();
        let created = self.client.volumes().create(&options).await;
        created.map(|_| ()).map_err(self.fault(op))
    }

    async fn create_container(&self, spec: &ContainerSpec) -> Result<ContainerId> {
        self.create(spec).await
    }

    async fn attach(&self, id: &ContainerId) -> Result<OutputStream> {
        self.open_output(id).await
    }

    async fn start_container(&self, id: &ContainerId) -> Result<()> {
        self.start(id).await
    }

    async fn wait_container(&self, id: &ContainerId) -> Result<i64> {
        self.wait(id).await
    }

    async fn health_runs(&self, id: &ContainerId) -> Result<Vec<HealthRun>> {
        let op = Op {
            operation: "read the health of container",
            object: &id.0,
        };
        Ok(self.inspect(op, id).await?.state.health_runs())
    }

    async fn remove(&self, resource: &Resource) -> Result<()> {
        let id = &resource.id;
        let (operation, removed) = match resource.kind {
            ResourceKind::Container => {
                let operation = "remove container";
                (
                    operation,
                    self.delete_container(
                        Op {
                            operation,
                            object: id,
                        },
                        id,
                    )
                    .await,
                )
            }
            ResourceKind::Network => ("remove network", self.delete_network(id).await),
            ResourceKind::Volume => {
                let op = Op {
                    operation: "remove volume",
                    object: id,
                };
                let deleted = self.client.volumes().get(escape(id)).delete().await;
                (op.operation, deleted.map_err(self.fault(op)))
            }
            ResourceKind::Image => {
                let operation = "remove image";
                (
                    operation,
                    self.delete_image(
                        Op {
                            operation,
                            object: id,
                        },
                        id,
                    )
                    .await,
                )
            }
        };
        match removed {
            Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::ImageMissing) => Ok(()),
            Err(error) => Err(shellproof_api::Error { operation, ..error }),
            Ok(()) => Ok(()),
        }
    }

    async fn owned(&self) -> Result<Vec<Resource>> {
        let mut owned = self.owned_containers().await?;
        owned.extend(self.owned_networks().await?);
        owned.extend(self.owned_volumes().await?);
        owned.extend(self.owned_images().await?);
        Ok(owned)
    }
}

impl Podman {
    async fn delete_network(&self, name: &str) -> Result<()> {
        let op = Op {
            operation: "remove network",
            object: name,
        };
        let reports = self.client.networks().get(escape(name)).delete().await;
        // Each network that was asked for is reported on, in an answer that is successful either way.
        let failed = reports
            .map_err(self.fault(op))?
            .into_iter()
            .find_map(|report| report.err);
        failed.map_or(Ok(()), |message| {
            let kind = crate::fault::kind_of_text(&message).unwrap_or(ErrorKind::Other);
            Err(self.wire.error(op, kind, message))
        })
    }

    async fn owned_containers(&self) -> Result<Vec<Resource>> {
        let op = Op {
            operation: "list containers",
            object: "",
        };
        let filter = escape(&serde_json::json!({ "label": [labels::RUN] }).to_string());
        let path = format!("/containers/json?all=true&filters={filter}");
        let found: Vec<Listed> = self.wire.get(op, &path).await?;
        Ok(resources(ResourceKind::Container, found))
    }

    async fn owned_images(&self) -> Result<Vec<Resource>> {
        let op = Op {
            operation: "list images",
            object: "",
        };
        let mut tried = 0;
        let mut found: Vec<Listed> = loop {
            match self.wire.get(op, "/images/json").await {
                Err(error) if others_interfered(&error, &mut tried).await => {}
                found => break found?,
            }
        };
        found.retain(|image| image.labels.keys().any(|key| key.starts_with(labels::PREFIX)));
        let by_name = |image: Listed| {
            let names = match image.names {
                names if names.is_empty() => vec![image.id],
                names => names,
            };
            names
                .into_iter()
                .map(move |name| (name, Some(image.labels.clone())))
        };
        Ok(named_resources(
            ResourceKind::Image,
            found.into_iter().flat_map(by_name),
        ))
    }

    async fn owned_networks(&self) -> Result<Vec<Resource>> {
        let op = Op {
            operation: "list networks",
            object: "",
        };
        let filter = NetworkListFilter::LabelKey(labels::RUN.into());
        let options = NetworkListOpts::builder().filter([filter]).build();
        let found = self
            .client
            .networks()
            .list(&options)
            .await
            .map_err(self.fault(op))?;
        let named = found
            .into_iter()
            .filter_map(|network| Some((network.name?, network.labels)));
        Ok(named_resources(ResourceKind::Network, named))
    }

    async fn owned_volumes(&self) -> Result<Vec<Resource>> {
        let op = Op {
            operation: "list volumes",
            object: "",
        };
        let filter = VolumeListFilter::LabelKey(labels::RUN.into());
        let options = VolumeListOpts::builder().filter([filter]).build();
        let found = self
            .client
            .volumes()
            .list(&options)
            .await
            .map_err(self.fault(op))?;
        let named = found.into_iter().map(|volume| (volume.name, Some(volume.labels)));
        Ok(named_resources(ResourceKind::Volume, named))
    }
}

fn resources(kind: ResourceKind, found: Vec<Listed>) -> Vec<Resource> {
    let resource = |listed: Listed| Resource {
        kind,
        name: listed
            .names
            .into_iter()
            .next()
            .unwrap_or_else(|| listed.id.clone()),
        id: listed.id,
        labels: listed.labels,
    };
    found.into_iter().map(resource).collect()
}

/// Images, networks and volumes are removed by the name they are known by.
fn named_resources<L>(kind: ResourceKind, found: impl Iterator<Item = (String, Option<L>)>) -> Vec<Resource>
where
    L: IntoIterator<Item = (String, String)>,
{
    let resource = |(name, labels): (String, Option<L>)| Resource {
        kind,
        id: name.clone(),
        name,
        labels: labels.into_iter().flatten().collect(),
    };
    found.map(resource).collect()
}

#[async_trait]
impl Inspect for Podman {
    async fn inspect_container(&self, id: &ContainerId) -> Result<ContainerState> {
        let op = Op {
            operation: "inspect container",
            object: &id.0,
        };
        self.state(op, id).await
    }
}
