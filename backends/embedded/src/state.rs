//! What a runtime has made: containers, networks and volumes. It is kept in memory, since none of it outlives the holder.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

use shellproof_api::facts::ChangedFile;
use shellproof_api::{ContainerSpec, HealthCheck, Labels, Resource, ResourceKind, labels};
use shellproof_store::Image;

use crate::health::Runs;
use crate::link::End;
use crate::names::Names;
use crate::outside::Unreached;
use crate::plan::Plan;
use crate::protocol::Number;
use crate::task::Task;

/// What a container has changed, or why nobody knows.
pub(crate) type Changes = Result<Vec<ChangedFile>, String>;

/// Everything that was made and not removed yet.
#[derive(Default)]
pub(crate) struct State {
    /// By their ids.
    pub(crate) containers: HashMap<String, Container>,
    /// By their names.
    pub(crate) networks: HashMap<String, Network>,
    /// By their names.
    pub(crate) volumes: HashMap<String, Volume>,
    /// What removed containers had changed, by their ids, until somebody asks.
    pub(crate) changes: HashMap<String, Changes>,
}

/// A container.
pub(crate) struct Container {
    pub(crate) spec: ContainerSpec,
    pub(crate) number: Number,
    pub(crate) plan: Plan,
    pub(crate) listener: Option<PathBuf>,
    pub(crate) health_check: Option<HealthCheck>,
    /// As long as it is held, its layers stay.
    pub(crate) image: Arc<Image>,
    /// Where its outputs go, if somebody attached to it before its start.
    pub(crate) outputs: Option<[OwnedFd; 2]>,
    pub(crate) life: Life,
}

/// Where a container is in its life.
pub(crate) enum Life {
    Created,
    /// It was started, and perhaps has ended since.
    Started(Running),
    /// It did not become its program.
    Failed(i64),
}

/// A container that was started.
pub(crate) struct Running {
    pub(crate) end: End,
    pub(crate) address: Option<Ipv4Addr>,
    /// In the container and on the host.
    pub(crate) ports: Vec<(u16, u16)>,
    /// Its published ports and its health check.
    pub(crate) tasks: Vec<Task>,
    /// Those of its health check.
    pub(crate) health_runs: Runs,
}

/// A network.
pub(crate) struct Network {
    pub(crate) number: Number,
    pub(crate) labels: Labels,
    pub(crate) names: Names,
    /// What its containers asked for and this machine could not reach.
    pub(crate) unreached: Unreached,
    /// Its way out.
    pub(crate) _outside: Task,
}

/// A volume.
pub(crate) struct Volume {
    pub(crate) number: Number,
    pub(crate) labels: Labels,
}

impl State {
    /// The id of a container, by that or by its name.
    pub(crate) fn id_of(&self, container: &str) -> Option<String> {
        if self.containers.contains_key(container) {
            return Some(container.to_owned());
        }
        let named = |(_, one): &(&String, &Container)| one.spec.name == container;
        self.containers.iter().find(named).map(|(id, _)| id.clone())
    }

    /// What carries our label.
    pub(crate) fn owned(&self) -> Vec<Resource> {
        let resource = |kind, id: &String, name: &String, labels: &Labels| {
            labels.contains_key(labels::RUN).then(|| Resource {
                kind,
                id: id.clone(),
                name: name.clone(),
                labels: labels.clone(),
            })
        };
        let containers = self.containers.iter();
        let containers = containers
            .filter_map(|(id, one)| resource(ResourceKind::Container, id, &one.spec.name, &one.spec.labels));
        let networks = self.networks.iter();
        let networks =
            networks.filter_map(|(name, one)| resource(ResourceKind::Network, name, name, &one.labels));
        let volumes = self.volumes.iter();
        let volumes =
            volumes.filter_map(|(name, one)| resource(ResourceKind::Volume, name, name, &one.labels));
        containers.chain(networks).chain(volumes).collect()
    }
}

impl Container {
    /// Whether it has a process.
    pub(crate) fn is_running(&self) -> bool {
        matches!(&self.life, Life::Started(running) if running.end.borrow().is_none())
    }
}
