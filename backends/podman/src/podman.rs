use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::Method;
use serde::Deserialize;
use shellproof_api::{ContainerId, Engine, EngineKind, Result};
use shellproof_recorder::RecordedEndpoint;

use crate::fault::{Fault, Op};
use crate::listing::Listing;
use crate::wire::Wire;

/// A Podman engine, driven through the recorder's socket.
#[derive(Debug)]
pub struct Podman {
    engine: Engine,
    pub(crate) wire: Wire,
    pub(crate) client: podman_api::Podman,
    /// Why starts failed. Podman 4 forgets it, and shows such a container as one that was never started.
    failed_starts: Mutex<HashMap<ContainerId, String>>,
    /// What is in the images of which a file was read, by their ids.
    listings: Mutex<HashMap<String, Arc<Listing>>>,
}

#[derive(Deserialize)]
struct Info {
    host: Host,
    version: Version,
}

#[derive(Deserialize)]
struct Host {
    security: Security,
}

#[derive(Deserialize)]
struct Security {
    rootless: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Version {
    version: String,
}

impl Podman {
    /// Asks the engine behind the recorder who it is. `name` is what reports and errors call it.
    ///
    /// # Errors
    /// Nothing answers there, or what answers is not Podman.
    pub async fn connect(endpoint: &RecordedEndpoint, name: &str) -> Result<Self> {
        let wire = Wire {
            socket: endpoint.socket().to_owned(),
            engine: name.to_owned(),
        };
        let op = Op {
            operation: "connect to Podman",
            object: "",
        };
        // One small call tells both version and rootless; podman-api's model of it does not fit newer engines.
        let info = wire.call(Method::GET, "/info", None).await;
        let info: Info = wire.parse(op, &info.map_err(|fault| fault.at(name, op))?)?;
        Ok(Self {
            engine: Engine {
                name: name.to_owned(),
                kind: EngineKind::Podman,
                version: info.version.version,
                rootless: info.host.security.rootless,
            },
            client: podman_api::Podman::unix(&wire.socket),
            wire,
            failed_starts: Mutex::default(),
            listings: Mutex::default(),
        })
    }

    pub(crate) fn about(&self) -> &Engine {
        &self.engine
    }

    /// Turns a failure of `podman-api` into ours.
    pub(crate) fn fault<'a>(
        &'a self,
        op: Op<'a>,
    ) -> impl FnOnce(podman_api::Error) -> shellproof_api::Error + 'a {
        move |error| Fault::from(error).at(&self.engine.name, op)
    }

    pub(crate) fn failed_starts(&self) -> MutexGuard<'_, HashMap<ContainerId, String>> {
        locked(&self.failed_starts)
    }

    pub(crate) fn listing(&self, image: &str) -> Option<Arc<Listing>> {
        locked(&self.listings).get(image).cloned()
    }

    pub(crate) fn remember(&self, image: &str, listing: Listing) -> Arc<Listing> {
        let listing = Arc::new(listing);
        locked(&self.listings).insert(image.to_owned(), Arc::clone(&listing));
        listing
    }
}

/// A map has no state in between that a panic could leave behind.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
