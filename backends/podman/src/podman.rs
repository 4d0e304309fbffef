use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shellproof_api::{ContainerId, Engine, EngineKind, ErrorKind, Naming, Result, Seccomp};
use shellproof_wire::RecordedEndpoint;

use crate::fault::{Fault, Op};
use crate::listing::Listing;
use crate::model::{Info, InfoHost};
use crate::wire::Wire;

/// A Podman engine, driven through the recorder's socket.
#[derive(Debug)]
pub struct Podman {
    engine: Engine,
    pub(crate) naming: Naming,
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
        let info: Info = wire.get(op, "/info").await?;
        let (version, rootless) = (info.version.version, info.host.security.rootless);
        let seccomp = match &info.host.security.seccomp_profile_path {
            path if info.host.security.seccomp_enabled && !path.is_empty() => Seccomp::File(path.into()),
            _ => Seccomp::Off,
        };
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
        let naming = naming_of(&engine.version, &info.host);
        Ok(Self {
            naming,
            ..Self::connect_again(endpoint, engine)
        })
    }

    /// One more way to an engine that has said already who it is: nothing is asked of it again. Podman runs other
    /// programs to find out about itself, which takes as long as a third of a short container's life.
    pub fn connect_again(endpoint: &RecordedEndpoint, engine: Engine) -> Self {
        let wire = Wire {
            socket: endpoint.socket().to_owned(),
            engine: engine.name.clone(),
        };
        Self {
            naming: naming_of(&engine.version, &InfoHost::default()),
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

/// Whether containers find each other by name, as far as the engine tells it.
fn naming_of(version: &str, host: &InfoHost) -> Naming {
    let name_server = host
        .network_backend_info
        .as_ref()
        .map(|network| &network.dns.path);
    match host.network_backend.as_deref() {
        Some("cni") => Naming::Doubtful(
            "its networks are CNI's, and CNI's plugin `dnsname` is missing\nhelp: install that plugin \
             (`golang-github-containernetworking-plugin-dnsname`, elsewhere `podman-plugins`), or install `netavark` and \
             `aardvark-dns`, set `network_backend = \"netavark\"` under `[network]` in containers.conf, and run `podman \
             system reset`, which removes all containers and images"
                .to_owned(),
        ),
        Some("netavark") if name_server.is_some_and(String::is_empty) => Naming::Doubtful(
            "its name server `aardvark-dns` is missing\nhelp: install the package `aardvark-dns`".to_owned(),
        ),
        // Podman 5 gives each network a name server that lasts as long as it does.
        _ if version.split('.').next() == Some("4") => Naming::WhileInUse,
        _ => Naming::Lasting,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn naming(version: &str, host: Value) -> Naming {
        naming_of(version, &serde_json::from_value(host).unwrap())
    }

    #[test]
    fn names_are_doubted_where_nothing_may_resolve_them() {
        let netavark =
            |dns: Value| json!({ "networkBackend": "netavark", "networkBackendInfo": { "dns": dns } });
        let there = json!({ "path": "/usr/lib/podman/aardvark-dns" });
        assert_eq!(naming("5.4.2", netavark(there)), Naming::Lasting);
        for missing in [json!({}), json!({ "version": "x" }), Value::Null] {
            assert!(matches!(naming("5.4.2", netavark(missing)), Naming::Doubtful(_)));
        }
        // Podman 4.3 tells no more than this.
        let told = json!({ "networkBackend": "netavark", "networkBackendInfo": null });
        assert_eq!(naming("4.3.1", told), Naming::WhileInUse);
        let Naming::Doubtful(cause) = naming("4.3.1", json!({ "networkBackend": "cni" })) else {
            panic!("CNI resolves names only by a plugin that may be missing");
        };
        assert!(cause.contains("dnsname"), "{cause}");
        assert_eq!(naming("4.3.1", json!({})), Naming::WhileInUse);
    }
}
