//! What has been made, and what became of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use shellproof_api::{
    ContainerSpec, ContainerState, ContainerStatus, HealthRun, Labels, OutputChunk, Resource, ResourceKind,
    Result, labels,
};
use tokio::sync::{mpsc, watch};

/// Everything on the engine.
#[derive(Default)]
pub(crate) struct State {
    /// By id, which is not the name.
    pub(crate) containers: BTreeMap<String, Container>,
    pub(crate) networks: BTreeMap<String, Labels>,
    pub(crate) volumes: BTreeMap<String, Labels>,
    /// Images that were pulled, and images that were removed.
    pub(crate) pulled: BTreeSet<String>,
    pub(crate) removed: BTreeSet<String>,
    pub(crate) made: u16,
}

pub(crate) struct Container {
    pub(crate) spec: ContainerSpec,
    pub(crate) argv: Vec<String>,
    pub(crate) number: u16,
    pub(crate) attached: Vec<mpsc::UnboundedSender<Result<OutputChunk>>>,
    /// The runs of its health check, and when each has ended.
    pub(crate) health_runs: Vec<(Instant, HealthRun)>,
    pub(crate) life: watch::Sender<Life>,
}

/// Where a container is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Created,
    Running,
    Exited(i64),
}

impl Container {
    pub(crate) fn write(&mut self, chunk: OutputChunk) {
        // Whoever dropped the stream does not want to hear of it.
        self.attached
            .retain(|reader| reader.send(Ok(chunk.clone())).is_ok());
    }

    /// Ends the program and with it the attached streams.
    pub(crate) fn end(&mut self, code: i64) {
        self.attached.clear();
        self.life.send_replace(Life::Exited(code));
    }

    pub(crate) fn state(&self) -> ContainerState {
        let (status, exit_code) = match *self.life.borrow() {
            Life::Created => (ContainerStatus::Created, None),
            Life::Running => (ContainerStatus::Running, None),
            Life::Exited(code) => (ContainerStatus::Exited, Some(code)),
        };
        let running = status == ContainerStatus::Running;
        let [high, low] = self.number.to_be_bytes();
        let address = self
            .spec
            .network
            .as_ref()
            .filter(|_| running)
            .map(|_| [10, 0, high, low].into());
        let host = |index: usize| 40_000 + self.number * 10 + u16::try_from(index).unwrap_or_default();
        let ports = self.spec.ports.iter().enumerate();
        let ports = ports.map(|(index, port)| (port.container, port.host.unwrap_or_else(|| host(index))));
        ContainerState {
            status,
            exit_code,
            addresses: address.into_iter().collect(),
            ports: ports.filter(|_| running).collect(),
            argv: self.argv.clone(),
        }
    }
}

impl State {
    /// Everything that carries the run's label, but for images.
    pub(crate) fn owned(&self) -> Vec<Resource> {
        let containers = self.containers.iter().map(|(id, container)| {
            resource(
                ResourceKind::Container,
                id,
                &container.spec.name,
                &container.spec.labels,
            )
        });
        let networks = self
            .networks
            .iter()
            .map(|(name, labels)| resource(ResourceKind::Network, name, name, labels));
        let volumes = self
            .volumes
            .iter()
            .map(|(name, labels)| resource(ResourceKind::Volume, name, name, labels));
        let all = containers.chain(networks).chain(volumes);
        all.filter(|resource| resource.labels.contains_key(labels::RUN))
            .collect()
    }
}

pub(crate) fn resource(kind: ResourceKind, id: &str, name: &str, labels: &Labels) -> Resource {
    Resource {
        kind,
        id: id.to_owned(),
        name: name.to_owned(),
        labels: labels.clone(),
    }
}
