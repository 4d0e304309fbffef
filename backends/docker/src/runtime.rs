//! The contract, method by method; each is written where its like are.

use std::path::Path;

use async_trait::async_trait;
use shellproof_api::{
    ByteStream, ContainerId, ContainerSpec, ContainerState, Credentials, Engine, HealthRun, ImageConfig,
    ImageFile, Inspect, Labels, NetworkSpec, OutputStream, PullProgress, Resource, Result, Runtime,
    VolumeSpec,
};

use crate::Docker;

#[async_trait]
impl Runtime for Docker {
    fn engine(&self) -> &Engine {
        &self.engine
    }

    fn may_lose_output(&self) -> bool {
        // When a container has ended, `dockerd` closes the pipes of its output, whether it has read them or not (its log
        // says "stream copy error: reading from a closed fifo"). Then attach and logs are both empty, with exit code 0.
        true
    }

    async fn load_image(&self, archive: &Path) -> Result<()> {
        self.load(archive).await
    }

    async fn image(&self, reference: &str) -> Result<Option<ImageConfig>> {
        self.image_config(reference).await
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
        self.file(reference, path, labels).await
    }

    async fn save_image(&self, reference: &str) -> Result<ByteStream> {
        self.save(reference).await
    }

    async fn create_network(&self, spec: &NetworkSpec) -> Result<()> {
        self.make_network(spec).await
    }

    async fn create_volume(&self, spec: &VolumeSpec) -> Result<()> {
        self.make_volume(spec).await
    }

    async fn create_container(&self, spec: &ContainerSpec) -> Result<ContainerId> {
        self.make_container(spec).await
    }

    async fn attach(&self, id: &ContainerId) -> Result<OutputStream> {
        self.attach_to(id).await
    }

    async fn start_container(&self, id: &ContainerId) -> Result<()> {
        self.start(id).await
    }

    async fn wait_container(&self, id: &ContainerId) -> Result<i64> {
        self.wait(id).await
    }

    async fn health_runs(&self, id: &ContainerId) -> Result<Vec<HealthRun>> {
        self.health(id).await
    }

    async fn remove(&self, resource: &Resource) -> Result<()> {
        self.remove_resource(resource).await
    }

    async fn owned(&self) -> Result<Vec<Resource>> {
        self.list_owned().await
    }
}

#[async_trait]
impl Inspect for Docker {
    async fn inspect_container(&self, id: &ContainerId) -> Result<ContainerState> {
        self.state(id).await
    }
}
