//! A network with one sleeping container that lasts as long as a run, for engines whose name server ends with their last
//! network in use.

use std::sync::Arc;

use shellproof_api::{
    ContainerSpec, Error, Naming, NetworkAttachment, NetworkSpec, Resource, ResourceKind, Runtime,
};

use super::clean::remove_all;
use super::images::{ImageError, Images};
use crate::invocation::Invocation;

/// A day, in milliseconds: longer than any run.
const FOREVER: &str = "86400000";

/// What an engine with a forgetful name server was given for the time of a run.
#[derive(Debug)]
pub(super) struct Anchor {
    made: Vec<Resource>,
}

impl Anchor {
    /// Makes network and container where the engine needs them.
    pub(super) async fn start(images: &Images, invocation: &Invocation) -> Result<Option<Self>, ImageError> {
        if images.runtime().naming() != Naming::WhileInUse {
            return Ok(None);
        }
        let name = format!("shellproof-{}-anchor", invocation.id());
        let resource = |kind| Resource {
            kind,
            id: name.clone(),
            name: name.clone(),
            labels: invocation.labels(),
        };
        let made = vec![resource(ResourceKind::Container), resource(ResourceKind::Network)];
        let anchor = Self { made };
        let network = NetworkSpec {
            name: name.clone(),
            labels: invocation.labels(),
        };
        // Nothing listens on port 1, so the probe waits.
        let words = ["tcp", "127.0.0.1", "1", FOREVER].map(str::to_owned).to_vec();
        let spec = ContainerSpec {
            network: Some(NetworkAttachment {
                network: name.clone(),
                aliases: Vec::new(),
            }),
            ..images.probe_container(invocation, &name, words).await?
        };
        let runtime = images.runtime();
        if let Err(error) = start(runtime, &network, &spec).await {
            anchor.remove(runtime).await;
            return Err(error.into());
        }
        Ok(Some(anchor))
    }

    /// Removes both, and reports what could not be.
    pub(super) async fn remove(self, runtime: &Arc<dyn Runtime>) -> Vec<String> {
        remove_all(&**runtime, self.made).await
    }
}

async fn start(runtime: &Arc<dyn Runtime>, network: &NetworkSpec, spec: &ContainerSpec) -> Result<(), Error> {
    runtime.create_network(network).await?;
    let id = runtime.create_container(spec).await?;
    runtime.start_container(&id).await
}
