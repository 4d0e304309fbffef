//! The contract.

use std::os::fd::OwnedFd;
use std::path::Path;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use shellproof_api::facts::ChangedFile;
use shellproof_api::{
    ByteStream, ContainerId, ContainerSpec, ContainerState, ContainerStatus, Credentials, Engine, ErrorKind,
    HealthRun, ImageConfig, ImageFile, ImageReference, Inspect, Labels, NetworkSpec, OneId, OutputStream,
    PullProgress, Resource, ResourceKind, Result, Runtime, VolumeSpec, labels,
};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

use crate::containers::is_used;
use crate::embedded::Embedded;
use crate::images::blocking;
use crate::link::Answer;
use crate::names::Names;
use crate::output;
use crate::outside::{self, Unreached};
use crate::protocol::Ask;
use crate::state::{Life, Network, Volume};

/// How much of an image that is saved is read in one go, in bytes.
const PART: usize = 256 << 10;

#[async_trait]
impl Runtime for Embedded {
    fn engine(&self) -> &Engine {
        &self.engine
    }

    fn unreached(&self, network: &str) -> Vec<String> {
        let state = self.state();
        let network = state.networks.get(network);
        network.map_or_else(Vec::new, |network| network.unreached.all())
    }

    fn one_id(&self) -> Option<OneId> {
        let narrow = self.ids().narrow.as_ref()?;
        Some(OneId {
            cause: narrow.cause.clone(),
            help: narrow.help.clone(),
        })
    }

    async fn load_image(&self, archive: &Path) -> Result<()> {
        const LOAD: &str = "load image";
        let name = archive.display().to_string();
        if !archive.exists() {
            return Err(self.failed(LOAD, &name, ErrorKind::NotFound, "there is no such file"));
        }
        let loaded = self.images.load(archive.to_owned()).await;
        loaded.map_err(self.other(LOAD, &name))
    }

    async fn image(&self, reference: &str) -> Result<Option<ImageConfig>> {
        let image = self.image_if_there("look for image", reference).await?;
        Ok(image.map(|image| image.config().clone()))
    }

    async fn pull_image(
        &self,
        reference: &str,
        credentials: Option<&Credentials>,
        progress: &(dyn Fn(PullProgress) + Send + Sync),
    ) -> Result<()> {
        const PULL: &str = "pull image";
        let name = reference.parse::<ImageReference>();
        let name =
            name.map_err(|error| self.failed(PULL, reference, ErrorKind::Invalid, error.to_string()))?;
        let pulled = self.images.store().pull(&name, credentials, progress).await;
        pulled.map(drop).map_err(|error| match error {
            shellproof_store::Error::Registry { kind, message, .. } => {
                self.failed(PULL, reference, kind, message)
            }
            error => self.failed(PULL, reference, ErrorKind::Other, error.to_string()),
        })
    }

    async fn read_image_file(
        &self,
        reference: &str,
        path: &str,
        _labels: &Labels,
    ) -> Result<Option<ImageFile>> {
        const READ: &str = "read a file of image";
        let image = self.image_there(READ, reference, reference).await?;
        let other = self.other(READ, reference);
        let layers = self.images.layers(&image, self.ids()).await.map_err(&other)?;
        let most = ImageFile::MAX_CONTENT as u64;
        self.images
            .file(&self.link, layers, path, most)
            .await
            .map_err(&other)
    }

    async fn save_image(&self, reference: &str) -> Result<ByteStream> {
        const SAVE: &str = "save image";
        let image = self.image_there(SAVE, reference, reference).await?;
        let engine = self.engine.name.clone();
        let object = reference.to_owned();
        let failed = move |message: String| shellproof_api::Error {
            operation: SAVE,
            engine: engine.clone(),
            object: object.clone(),
            kind: ErrorKind::Other,
            status: None,
            message,
        };
        let pipe = || -> std::io::Result<_> {
            let (reader, writer) = std::io::pipe()?;
            Ok((Receiver::from_owned_fd(OwnedFd::from(reader))?, writer))
        };
        let (reader, writer) = pipe().map_err(|error| failed(error.to_string()))?;
        // It ends when nobody reads any more.
        let writing = tokio::task::spawn_blocking(move || image.save(writer));
        let state = Some((reader, writing, failed));
        Ok(Box::pin(stream::unfold(state, async |state| {
            let (mut reader, writing, failed) = state?;
            let mut bytes = Vec::with_capacity(PART);
            match reader.read_buf(&mut bytes).await {
                Ok(0) => {
                    let why = match writing.await {
                        Ok(Ok(())) => return None,
                        Ok(Err(error)) => error.to_string(),
                        Err(error) => error.to_string(),
                    };
                    Some((Err(failed(why)), None))
                }
                Ok(_) => Some((Ok(Bytes::from(bytes)), Some((reader, writing, failed)))),
                Err(error) => Some((Err(failed(error.to_string())), None)),
            }
        })))
    }

    async fn create_network(&self, spec: &NetworkSpec) -> Result<()> {
        const CREATE: &str = "create network";
        let exists = || {
            let why = format!("there is a network `{}` already", spec.name);
            self.failed(CREATE, &spec.name, ErrorKind::AlreadyExists, why)
        };
        if self.state().networks.contains_key(&spec.name) {
            return Err(exists());
        }
        let other = self.other(CREATE, &spec.name);
        let number = self.link.number();
        let made = self.link.ask(number, &Ask::Network(number), &[]).await;
        let Answer::Done(sockets) = made.map_err(&other)? else {
            return Err(other("the holder gave another answer".into()));
        };
        let Ok([socket, packets, answers]) = <[OwnedFd; 3]>::try_from(sockets) else {
            return Err(other("the holder gave other sockets".into()));
        };
        let failed = |error: std::io::Error| other(error.to_string());
        let unreached = Unreached::default();
        let names = Names::serve(socket, unreached.clone()).map_err(failed)?;
        let wire = outside::Wire::new(packets, answers).map_err(failed)?;
        let network = Network {
            number,
            labels: spec.labels.clone(),
            names,
            _outside: outside::serve(wire, unreached.clone()),
            unreached,
        };
        let mut state = self.state();
        if state.networks.contains_key(&spec.name) {
            return Err(exists());
        }
        state.networks.insert(spec.name.clone(), network);
        Ok(())
    }

    async fn create_volume(&self, spec: &VolumeSpec) -> Result<()> {
        const CREATE: &str = "create volume";
        let exists = || {
            let why = format!("there is a volume `{}` already", spec.name);
            self.failed(CREATE, &spec.name, ErrorKind::AlreadyExists, why)
        };
        if self.state().volumes.contains_key(&spec.name) {
            return Err(exists());
        }
        let number = self.link.number();
        let made = self.link.ask(number, &Ask::Volume(number), &[]).await;
        made.map_err(self.other(CREATE, &spec.name))?;
        let volume = Volume {
            number,
            labels: spec.labels.clone(),
        };
        let mut state = self.state();
        if state.volumes.contains_key(&spec.name) {
            return Err(exists());
        }
        state.volumes.insert(spec.name.clone(), volume);
        Ok(())
    }

    async fn create_container(&self, spec: &ContainerSpec) -> Result<ContainerId> {
        self.make(spec).await
    }

    async fn attach(&self, id: &ContainerId) -> Result<OutputStream> {
        const ATTACH: &str = "attach to container";
        let mut state = self.state();
        let container = state.containers.get_mut(&id.0);
        let container = container.ok_or_else(|| self.no_container(ATTACH, id))?;
        if !matches!(container.life, Life::Created) {
            let why = "it was started already";
            return Err(self.failed(ATTACH, &id.0, ErrorKind::WrongState, why));
        }
        let (engine, object) = (self.engine.name.clone(), id.0.clone());
        let failed = move |error: std::io::Error| shellproof_api::Error {
            operation: ATTACH,
            engine: engine.clone(),
            object: object.clone(),
            kind: ErrorKind::Other,
            status: None,
            message: error.to_string(),
        };
        let (stream, outputs) = output::pipes(failed.clone()).map_err(failed)?;
        container.outputs = Some(outputs);
        Ok(stream)
    }

    async fn start_container(&self, id: &ContainerId) -> Result<()> {
        self.begin(id).await
    }

    async fn wait_container(&self, id: &ContainerId) -> Result<i64> {
        self.wait(id).await
    }

    async fn health_runs(&self, id: &ContainerId) -> Result<Vec<HealthRun>> {
        let state = self.state();
        let container = state.containers.get(&id.0);
        let container = container.ok_or_else(|| self.no_container("read the health of container", id))?;
        Ok(match &container.life {
            Life::Started(running) => running.health_runs.all(),
            Life::Created | Life::Failed(_) => Vec::new(),
        })
    }

    async fn remove(&self, resource: &Resource) -> Result<()> {
        let removed = self.remove_one(resource).await;
        if removed.is_err() && resource.kind != ResourceKind::Image && self.link.is_gone() {
            // With its holder all of it has gone.
            let mut state = self.state();
            if let Some(id) = state.id_of(&resource.id) {
                state.containers.remove(&id);
            }
            return Ok(());
        }
        removed
    }

    async fn changes(&self, id: &ContainerId) -> Option<std::result::Result<Vec<ChangedFile>, String>> {
        let number = match self.state().containers.get(&id.0) {
            Some(container) if matches!(container.life, Life::Started(_)) => Some(container.number),
            _ => None,
        };
        match number {
            Some(number) => Some(self.changes_of(number).await),
            None => self.state().changes.remove(&id.0),
        }
    }

    async fn owned(&self) -> Result<Vec<Resource>> {
        let mut owned = self.state().owned();
        let store = self.images.store().clone();
        let images = blocking(move || {
            let mut images = Vec::new();
            for named in store.images()? {
                let name = named.name.unwrap_or(named.id);
                // One that was removed meanwhile is not there.
                let Some(image) = store.image(&name)? else {
                    continue;
                };
                let labels = image.config().labels.clone();
                if labels.keys().any(|key| key.starts_with(labels::PREFIX)) {
                    images.push(Resource {
                        kind: ResourceKind::Image,
                        id: name.clone(),
                        name,
                        labels,
                    });
                }
            }
            Ok(images)
        })
        .await;
        owned.extend(images.map_err(self.other("list what is ours", ""))?);
        Ok(owned)
    }
}

impl Embedded {
    async fn remove_one(&self, resource: &Resource) -> Result<()> {
        let name = &resource.id;
        match resource.kind {
            ResourceKind::Container => self.remove_container(name).await,
            ResourceKind::Network => {
                let Some(network) = self.state().networks.remove(name) else {
                    return Ok(());
                };
                let number = self.link.number();
                let remove = Ask::RemoveNetwork {
                    number,
                    network: network.number,
                };
                let removed = self.link.ask(number, &remove, &[]).await;
                removed.map(drop).map_err(self.other("remove network", name))
            }
            ResourceKind::Volume => {
                let Some(volume) = self.state().volumes.remove(name) else {
                    return Ok(());
                };
                let number = self.link.number();
                let remove = Ask::RemoveVolume {
                    number,
                    volume: volume.number,
                };
                let removed = self.link.ask(number, &remove, &[]).await;
                removed.map(drop).map_err(self.other("remove volume", name))
            }
            ResourceKind::Image => self.remove_image(name).await,
        }
    }

    async fn remove_image(&self, name: &str) -> Result<()> {
        const REMOVE: &str = "remove image";
        let other = self.other(REMOVE, name);
        let Some(image) = self.image_if_there(REMOVE, name).await? else {
            return Ok(());
        };
        if image.names().len() < 2 && is_used(&self.state(), &image) {
            let why = "a container uses it";
            return Err(self.failed(REMOVE, name, ErrorKind::WrongState, why));
        }
        // Whoever holds it keeps its files.
        drop(image);
        let (store, name) = (self.images.store().clone(), name.to_owned());
        blocking(move || store.remove(&name))
            .await
            .map(drop)
            .map_err(other)
    }
}

#[async_trait]
impl Inspect for Embedded {
    async fn inspect_container(&self, id: &ContainerId) -> Result<ContainerState> {
        let state = self.state();
        let container = state.containers.get(&id.0);
        let container = container.ok_or_else(|| self.no_container("inspect container", id))?;
        let mut seen = ContainerState {
            status: ContainerStatus::Created,
            exit_code: None,
            addresses: Vec::new(),
            ports: Vec::new(),
            argv: container.plan.argv.clone(),
        };
        match &container.life {
            Life::Created => {}
            Life::Failed(code) => {
                seen.status = ContainerStatus::Exited;
                seen.exit_code = Some(*code);
            }
            Life::Started(running) => match &*running.end.borrow() {
                None => {
                    seen.status = ContainerStatus::Running;
                    seen.addresses = running.address.into_iter().map(Into::into).collect();
                    seen.ports = running.ports.clone();
                }
                Some(ended) => {
                    seen.status = ContainerStatus::Exited;
                    seen.exit_code = ended.as_ref().ok().map(|code| i64::from(*code));
                }
            },
        }
        Ok(seen)
    }
}
