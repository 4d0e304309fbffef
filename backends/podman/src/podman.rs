use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shellproof_api::{ContainerId, Engine, EngineKind, ErrorKind, Result, Seccomp};
use shellproof_wire::RecordedEndpoint;

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
        let client = podman_api::Podman::unix(&wire.socket);
        let info = client
            .info()
            .await
            .map_err(|error| Fault::from(error).at(name, op))?;
        let version = info.version.and_then(|version| version.version);
        let security = info.host.and_then(|host| host.security);
        let rootless = security.as_ref().and_then(|security| security.rootless);
        let seccomp = security
            .filter(|security| security.seccomp_enabled == Some(true))
            .and_then(|security| security.seccomp_profile_path)
            .filter(|path| !path.is_empty())
            .map_or(Seccomp::Off, |path| Seccomp::File(path.into()));
        let (Some(version), Some(rootless)) = (version, rootless) else {
            let message = "the engine does not tell its version, or whether it is rootless";
            return Err(wire.error(op, ErrorKind::Other, message));
        };
        let engine = Engine {
            name: name.to_owned(),
            kind: EngineKind::Podman,
            version,
            rootless,
            seccomp,
        };
        Ok(Self::connect_again(endpoint, engine))
    }

    /// One more way to an engine that has said already who it is: nothing is asked of it again. Podman runs other
    /// programs to find out about itself, which takes as long as a third of a short container's life.
    pub fn connect_again(endpoint: &RecordedEndpoint, engine: Engine) -> Self {
        let wire = Wire {
            socket: endpoint.socket().to_owned(),
            engine: engine.name.clone(),
        };
        Self {
            engine,
            client: podman_api::Podman::unix(&wire.socket),
            wire,
            failed_starts: Mutex::default(),
            listings: Mutex::default(),
        }
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
