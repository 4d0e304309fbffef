//! The contract in memory.

use std::path::Path;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use futures_util::stream;
use shellproof_api::{
    ByteStream, ContainerId, ContainerSpec, ContainerState, Credentials, Engine, Error, ErrorKind, HealthRun,
    ImageConfig, ImageFile, ImageReference, Inspect, Labels, MountSource, Naming, NetworkSpec, OutputStream,
    PullProgress, Resource, ResourceKind, Result, Runtime, VolumeSpec, labels,
};
use tokio::sync::{mpsc, watch};

use crate::state::{Container, Life, State, resource};
use crate::{Behaviour, Fake, Image};

/// Methods that can fail, and how errors call them.
pub(crate) const OPERATIONS: [(&str, &str); 15] = [
    ("load_image", "load image"),
    ("image", "inspect image"),
    ("pull_image", "pull image"),
    ("read_image_file", "read a file of image"),
    ("save_image", "save image"),
    ("create_network", "create network"),
    ("create_volume", "create volume"),
    ("create_container", "create container"),
    ("attach", "attach to container"),
    ("start_container", "start container"),
    ("wait_container", "wait for container"),
    ("inspect_container", "inspect container"),
    ("health_runs", "read the health of container"),
    ("remove", "remove"),
    ("owned", "list what is owned"),
];

/// An operation that has begun.
struct Doing<'a> {
    fake: &'a Fake,
    operation: &'static str,
    object: &'a str,
}

impl Doing<'_> {
    fn error(&self, kind: ErrorKind, message: impl Into<String>) -> Error {
        Error {
            operation: self.operation,
            engine: self.fake.engine.name.clone(),
            object: self.object.to_owned(),
            kind,
            status: None,
            message: message.into(),
        }
    }

    fn present(&self, reference: &str) -> Result<&Image> {
        let missing = || {
            self.error(
                ErrorKind::ImageMissing,
                format!("there is no image `{reference}`"),
            )
        };
        self.fake.present(reference).ok_or_else(missing)
    }

    /// The container that the operation is about.
    fn container<'s>(&self, state: &'s mut State) -> Result<&'s mut Container> {
        let missing = || self.error(ErrorKind::NotFound, "there is no such container");
        state.containers.get_mut(self.object).ok_or_else(missing)
    }
}

impl Fake {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins an operation, unless it was scripted to fail.
    fn begin<'a>(&'a self, method: &str, object: &'a str) -> Result<Doing<'a>> {
        let known = OPERATIONS.into_iter().find(|(known, _)| *known == method);
        let doing = Doing {
            fake: self,
            operation: known.map_or("do", |(_, words)| words),
            object,
        };
        match self.failures.get(method) {
            Some(&kind) => Err(doing.error(kind, "scripted to fail")),
            None => Ok(doing),
        }
    }

    fn present(&self, reference: &str) -> Option<&Image> {
        let state = self.state();
        let here = |image: &&Image| {
            (!image.remote || state.pulled.contains(reference)) && !state.removed.contains(reference)
        };
        self.images.get(reference).filter(here)
    }

    /// Ends a container in a while, if it still runs then.
    fn end_later(&self, id: &str, after: std::time::Duration, code: i64) {
        let (state, id) = (Arc::clone(&self.state), id.to_owned());
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(container) = state.containers.get_mut(&id)
                && *container.life.borrow() == Life::Running
            {
                container.end(code);
            }
        });
    }
}

/// The argv of a container, merged as engines do.
fn argv(spec: &ContainerSpec, image: &ImageConfig) -> Vec<String> {
    let replaced = spec
        .entrypoint
        .as_ref()
        .is_some_and(|entrypoint| !entrypoint.is_empty());
    let inherited = if replaced { &[][..] } else { &image.command };
    let entrypoint = spec.entrypoint.as_ref().unwrap_or(&image.entrypoint);
    let command = spec.command.as_deref().unwrap_or(inherited);
    entrypoint.iter().chain(command).cloned().collect()
}

#[async_trait]
impl Runtime for Fake {
    fn engine(&self) -> &Engine {
        &self.engine
    }

    fn naming(&self) -> Naming {
        self.naming.clone()
    }

    fn may_lose_output(&self) -> bool {
        self.loses_output
    }

    async fn load_image(&self, archive: &Path) -> Result<()> {
        let object = archive.to_string_lossy();
        let doing = self.begin("load_image", &object)?;
        // What is in it was scripted; that it is there is all that can be asked.
        if archive.exists() {
            Ok(())
        } else {
            Err(doing.error(ErrorKind::NotFound, "there is no such file"))
        }
    }

    async fn image(&self, reference: &str) -> Result<Option<ImageConfig>> {
        let doing = self.begin("image", reference)?;
        reference
            .parse::<ImageReference>()
            .map_err(|error| doing.error(ErrorKind::Invalid, error.to_string()))?;
        Ok(self.present(reference).map(|image| image.config.clone()))
    }

    async fn pull_image(
        &self,
        reference: &str,
        _credentials: Option<&Credentials>,
        progress: &(dyn Fn(PullProgress) + Send + Sync),
    ) -> Result<()> {
        let doing = self.begin("pull_image", reference)?;
        if !self.images.contains_key(reference) {
            let parsed = reference.parse::<ImageReference>();
            let registry = parsed.as_ref().map_or("", ImageReference::canonical_registry);
            let message = format!("registry `{registry}`: there is no such image");
            return Err(doing.error(ErrorKind::ImageMissing, message));
        }
        progress(PullProgress {
            status: "Pulling".to_owned(),
            current: None,
            total: None,
        });
        let mut state = self.state();
        state.pulled.insert(reference.to_owned());
        state.removed.remove(reference);
        Ok(())
    }

    async fn read_image_file(
        &self,
        reference: &str,
        path: &str,
        _labels: &Labels,
    ) -> Result<Option<ImageFile>> {
        let doing = self.begin("read_image_file", reference)?;
        Ok(doing.present(reference)?.files.get(path).cloned())
    }

    async fn save_image(&self, reference: &str) -> Result<ByteStream> {
        let doing = self.begin("save_image", reference)?;
        match doing.present(reference)?.archive.clone() {
            Some(archive) => Ok(Box::pin(stream::iter([Ok(archive)]))),
            None => Err(doing.error(ErrorKind::Unsupported, "images of the fake engine have no layers")),
        }
    }

    async fn create_network(&self, spec: &NetworkSpec) -> Result<()> {
        let doing = self.begin("create_network", &spec.name)?;
        let mut state = self.state();
        if state.networks.contains_key(&spec.name) {
            return Err(doing.error(ErrorKind::AlreadyExists, "there is a network of that name"));
        }
        state.networks.insert(spec.name.clone(), spec.labels.clone());
        Ok(())
    }

    async fn create_volume(&self, spec: &VolumeSpec) -> Result<()> {
        let doing = self.begin("create_volume", &spec.name)?;
        let mut state = self.state();
        if state.volumes.contains_key(&spec.name) {
            return Err(doing.error(ErrorKind::AlreadyExists, "there is a volume of that name"));
        }
        state.volumes.insert(spec.name.clone(), spec.labels.clone());
        Ok(())
    }

    async fn create_container(&self, spec: &ContainerSpec) -> Result<ContainerId> {
        let doing = self.begin("create_container", &spec.name)?;
        let argv = argv(spec, &doing.present(&spec.image)?.config);
        let mut state = self.state();
        let not_found = |what: String| Err(doing.error(ErrorKind::NotFound, format!("there is no {what}")));
        if state
            .containers
            .values()
            .any(|container| container.spec.name == spec.name)
        {
            return Err(doing.error(ErrorKind::AlreadyExists, "there is a container of that name"));
        }
        if let Some(attachment) = &spec.network
            && !state.networks.contains_key(&attachment.network)
        {
            return not_found(format!("network `{}`", attachment.network));
        }
        for mount in &spec.mounts {
            match &mount.source {
                MountSource::Volume(name) if !state.volumes.contains_key(name) => {
                    return not_found(format!("volume `{name}`"));
                }
                MountSource::Bind(path) if !path.exists() => {
                    return not_found(format!("bind source `{}`", path.display()));
                }
                _ => {}
            }
        }
        if argv.is_empty() {
            return Err(doing.error(ErrorKind::Invalid, "there is no program to run"));
        }
        state.made += 1;
        let id = format!("{:064x}", state.made);
        let container = Container {
            spec: spec.clone(),
            argv,
            number: state.made,
            attached: Vec::new(),
            health_runs: Vec::new(),
            life: watch::Sender::new(Life::Created),
        };
        state.containers.insert(id.clone(), container);
        Ok(ContainerId(id))
    }

    async fn attach(&self, id: &ContainerId) -> Result<OutputStream> {
        let doing = self.begin("attach", &id.0)?;
        let mut state = self.state();
        let container = doing.container(&mut state)?;
        let (sender, receiver) = mpsc::unbounded_channel();
        // An ended container has nothing more to say: without a sender the stream is at its end.
        if !matches!(*container.life.borrow(), Life::Exited(_)) {
            container.attached.push(sender);
        }
        let chunks = stream::unfold(receiver, async |mut receiver| {
            Some((receiver.recv().await?, receiver))
        });
        Ok(Box::pin(chunks))
    }

    async fn start_container(&self, id: &ContainerId) -> Result<()> {
        let doing = self.begin("start_container", &id.0)?;
        let (spec, argv) = {
            let mut state = self.state();
            let container = doing.container(&mut state)?;
            if *container.life.borrow() == Life::Running {
                return Ok(());
            }
            (container.spec.clone(), container.argv.clone())
        };
        let Behaviour {
            output,
            refusal,
            breaks,
            health_runs,
            end,
        } = (doing.present(&spec.image)?.program)(&spec, &argv);
        let mut state = self.state();
        let container = doing.container(&mut state)?;
        if let Some(kind) = refusal {
            container.end(127);
            return Err(doing.error(kind, format!("`{}` cannot be started", argv.join(" "))));
        }
        container.life.send_replace(Life::Running);
        let now = Instant::now();
        let health_runs = health_runs.into_iter().map(|(after, run)| (now + after, run));
        container.health_runs = health_runs.collect();
        output.into_iter().for_each(|chunk| container.write(chunk));
        if let Some(kind) = breaks {
            for reader in container.attached.drain(..) {
                // Whoever dropped the stream does not want to hear of it.
                let _ = reader.send(Err(doing.error(kind, "the stream broke")));
            }
        }
        match end {
            Some((after, code)) if after.is_zero() => container.end(code),
            Some((after, code)) => self.end_later(&id.0, after, code),
            None => {}
        }
        Ok(())
    }

    async fn wait_container(&self, id: &ContainerId) -> Result<i64> {
        let doing = self.begin("wait_container", &id.0)?;
        let mut life = doing.container(&mut self.state())?.life.subscribe();
        if *life.borrow() == Life::Created {
            return Err(doing.error(ErrorKind::WrongState, "it was never started"));
        }
        let ended = life.wait_for(|life| matches!(life, Life::Exited(_))).await;
        match ended.as_deref() {
            Ok(Life::Exited(code)) => Ok(*code),
            _ => Err(doing.error(ErrorKind::NotFound, "it was removed")),
        }
    }

    async fn health_runs(&self, id: &ContainerId) -> Result<Vec<HealthRun>> {
        let doing = self.begin("health_runs", &id.0)?;
        let mut state = self.state();
        let container = doing.container(&mut state)?;
        let ended = container
            .health_runs
            .iter()
            .filter(|(at, _)| *at <= Instant::now());
        Ok(ended.map(|(_, run)| run.clone()).collect())
    }

    async fn remove(&self, resource: &Resource) -> Result<()> {
        let doing = self.begin("remove", &resource.name)?;
        let mut state = self.state();
        let id = &resource.id;
        match resource.kind {
            ResourceKind::Container => {
                // By name too, as real engines do: whoever was interrupted while making it knows no id.
                state
                    .containers
                    .retain(|known, container| known != id && container.spec.name != *id);
            }
            ResourceKind::Network => {
                let on_it = |container: &Container| {
                    container
                        .spec
                        .network
                        .as_ref()
                        .is_some_and(|network| network.network == *id)
                };
                if state.containers.values().any(on_it) {
                    return Err(doing.error(ErrorKind::WrongState, "there are containers on it"));
                }
                state.networks.remove(id);
            }
            ResourceKind::Volume => {
                state.volumes.remove(id);
            }
            ResourceKind::Image => {
                state.removed.insert(id.clone());
            }
        }
        Ok(())
    }

    async fn owned(&self) -> Result<Vec<Resource>> {
        self.begin("owned", "")?;
        let mut owned = self.state().owned();
        for (reference, image) in &self.images {
            let labels = &image.config.labels;
            if labels.contains_key(labels::RUN) && self.present(reference).is_some() {
                owned.push(resource(ResourceKind::Image, reference, reference, labels));
            }
        }
        Ok(owned)
    }
}

#[async_trait]
impl Inspect for Fake {
    async fn inspect_container(&self, id: &ContainerId) -> Result<ContainerState> {
        let doing = self.begin("inspect_container", &id.0)?;
        Ok(doing.container(&mut self.state())?.state())
    }
}
