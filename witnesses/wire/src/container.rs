//! A container as its engine describes it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shellproof_api::labels;

/// What an engine says that a container will run: the image's configuration merged in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InspectedContainer {
    /// The container's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its image's id.
    pub image: String,
    /// What its image was called when it was made.
    #[serde(default)]
    pub image_name: String,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Its health check's `Test`, empty when there is none.
    pub health_test: Vec<String>,
    /// The `Test` of the check that Podman runs until a container has started.
    pub startup_test: Vec<String>,
    /// The compose service that it belongs to.
    pub service: Option<String>,
    /// The engine removes it as soon as it has ended.
    pub auto_remove: bool,
    /// The run that removes it in the engine's place.
    pub kept_by: Option<String>,
    /// It runs already.
    pub running: bool,
    /// Where volumes and host directories are mounted.
    pub mounts: Vec<String>,
    /// The engine gives it an init of its own.
    #[serde(default)]
    pub init: bool,
    /// The ids of the containers that have to run before it, and that Podman starts with it.
    #[serde(default)]
    pub dependencies: Vec<String>,
    /// The doors to an engine that it is given, each in a few words.
    #[serde(default)]
    pub doors: Vec<String>,
    /// Its annotations that make some runtime (crun) do other things than the engine asks of it, by their keys.
    #[serde(default)]
    pub orders: Vec<String>,
    /// Where the engine keeps its files. Of no use to whoever reads a record elsewhere.
    #[serde(skip)]
    pub storage: Storage,
}

/// Where an engine keeps a container's files, on its host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Storage {
    /// The upper directory of its overlay: what it has changed.
    pub upper: Option<PathBuf>,
    /// Files that the engine mounts into it, by their path there.
    pub mounted: Vec<(&'static str, PathBuf)>,
}

impl InspectedContainer {
    /// Its image's id with the kind of hash that it is, which Podman leaves out; none where there is no image.
    pub fn image_id(&self) -> Option<String> {
        let hash = self.image.trim_start_matches("sha256:");
        (!hash.is_empty()).then(|| format!("sha256:{hash}"))
    }

    /// Reads the answer to an inspect of either dialect.
    pub fn from_inspect(inspect: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let words = |value: &Value| -> Vec<String> {
            value
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect()
        };
        let id = inspect.get("Id")?.as_str()?.to_owned();
        let mut argv = vec![inspect.get("Path")?.as_str()?.to_owned()];
        argv.extend(words(&inspect["Args"]));
        let (config, host) = (&inspect["Config"], &inspect["HostConfig"]);
        let mounts = inspect["Mounts"].as_array().into_iter().flatten();
        Some(Self {
            id,
            name: text(&inspect["Name"]).trim_start_matches('/').to_owned(),
            image: text(&inspect["Image"]),
            image_name: text(&config["Image"]),
            argv,
            health_test: words(&config["Healthcheck"]["Test"]),
            startup_test: words(&config["StartupHealthCheck"]["Test"]),
            service: config["Labels"]["com.docker.compose.service"]
                .as_str()
                .map(str::to_owned),
            auto_remove: host["AutoRemove"] == true,
            kept_by: config["Labels"][labels::KEPT].as_str().map(str::to_owned),
            running: inspect["State"]["Running"] == true,
            mounts: mounts.map(|mount| text(&mount["Destination"])).collect(),
            init: host["Init"] == true,
            dependencies: words(&inspect["Dependencies"]),
            // What the engine says is not enough to tell.
            doors: Vec::new(),
            orders: orders(&[&config["Annotations"], &host["Annotations"]]),
            storage: Storage::from_inspect(inspect),
        })
    }
}

/// What an annotation begins with that is meant for the runtime, and those of them that leave its programs and filters alone.
const ORDERS: &[&str] = &["run.oci.", "module.wasm.image/"];
const HARMLESS_ORDERS: &[&str] = &[
    "run.oci.keep_original_groups",
    "run.oci.delegate-cgroup",
    "run.oci.mount_context_type",
    "run.oci.timens_offset",
    "run.oci.systemd.",
];

/// The orders among annotations, which an image may bring too.
fn orders(annotations: &[&Value]) -> Vec<String> {
    let is_order = |key: &&String| {
        let begins = |all: &[&str]| all.iter().any(|one| key.starts_with(one));
        begins(ORDERS) && !begins(HARMLESS_ORDERS)
    };
    let keys = annotations
        .iter()
        .filter_map(|annotations| annotations.as_object())
        .flat_map(|annotations| annotations.keys());
    // Podman says them twice.
    let keys: BTreeSet<_> = keys.filter(is_order).cloned().collect();
    keys.into_iter().collect()
}

impl Storage {
    fn from_inspect(inspect: &Value) -> Self {
        let path = |value: &Value| {
            let path = value.as_str().filter(|path| path.starts_with('/'));
            path.map(PathBuf::from)
        };
        let driver = &inspect["GraphDriver"];
        let is_overlay = |driver: &Value| driver.as_str().is_some_and(|name| name.starts_with("overlay"));
        let files = [
            ("/etc/hosts", "HostsPath"),
            ("/etc/hostname", "HostnamePath"),
            ("/etc/resolv.conf", "ResolvConfPath"),
        ];
        let mut mounted: Vec<_> = files
            .into_iter()
            .filter_map(|(place, key)| Some((place, path(&inspect[key])?)))
            .collect();
        // Podman's lies beside them, and has no key of its own.
        if let Some(directory) = mounted.first().and_then(|(_, file)| file.parent()) {
            mounted.push(("/run/.containerenv", directory.join(".containerenv")));
        }
        Self {
            upper: is_overlay(&driver["Name"])
                .then(|| path(&driver["Data"]["UpperDir"]))
                .flatten(),
            mounted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_is_read_from_an_inspect() {
        let inspect = serde_json::json!({
            "Id": "abc", "Name": "/job", "Image": "sha256:1", "Path": "env", "Args": ["sh", "-c", "true"],
            "Config": {
                "Image": "x:1",
                "Healthcheck": { "Test": ["CMD-SHELL", "exit 0"] },
                "StartupHealthCheck": { "Test": ["CMD", "/up"] },
                "Labels": { "com.docker.compose.service": "web" }
            },
            "HostConfig": { "AutoRemove": true },
            "Mounts": [{ "Destination": "/data" }],
            "GraphDriver": { "Name": "overlay2", "Data": { "UpperDir": "/store/1/diff" } },
            "HostsPath": "/run/1/hosts", "HostnamePath": "",
            "Dependencies": ["b"]
        });
        let container = InspectedContainer::from_inspect(&inspect).unwrap();
        assert_eq!((container.id.as_str(), container.name.as_str()), ("abc", "job"));
        assert_eq!(container.argv, ["env", "sh", "-c", "true"]);
        assert_eq!(container.health_test, ["CMD-SHELL", "exit 0"]);
        assert_eq!(container.startup_test, ["CMD", "/up"]);
        assert_eq!(container.service.as_deref(), Some("web"));
        assert!(container.auto_remove);
        assert_eq!(container.mounts, ["/data"]);
        assert_eq!(
            (container.image.as_str(), container.image_name.as_str()),
            ("sha256:1", "x:1")
        );
        assert_eq!(container.dependencies, ["b"]);
        assert_eq!(container.storage.upper, Some("/store/1/diff".into()));
        assert_eq!(
            container.storage.mounted,
            [
                ("/etc/hosts", "/run/1/hosts".into()),
                ("/run/.containerenv", "/run/1/.containerenv".into())
            ]
        );
    }

    #[test]
    fn what_a_runtime_is_told_past_its_engine_is_known_by_its_annotations() {
        let orders = |config: Value, host: Value| {
            let inspect =
                serde_json::json!({ "Id": "1", "Path": "/x", "Config": config, "HostConfig": host });
            InspectedContainer::from_inspect(&inspect).unwrap().orders
        };
        let annotations = serde_json::json!({ "Annotations": {
            "run.oci.seccomp_bpf_data": "x",
            "run.oci.handler": "wasm",
            "module.wasm.image/variant": "compat",
            "run.oci.keep_original_groups": "1",
            "run.oci.systemd.subgroup": "",
            "io.podman.annotations.init": "TRUE",
            "org.example/run.oci.x": "x"
        }});
        let told = [
            "module.wasm.image/variant",
            "run.oci.handler",
            "run.oci.seccomp_bpf_data",
        ];
        let none = || serde_json::json!({});
        assert_eq!(orders(annotations.clone(), none()), told);
        assert_eq!(orders(none(), annotations.clone()), told);
        assert_eq!(orders(annotations.clone(), annotations), told);
        assert!(orders(none(), serde_json::json!({ "Annotations": null })).is_empty());
    }

    #[test]
    fn only_an_overlay_has_an_upper_directory() {
        for driver in [
            serde_json::json!({ "Name": "vfs", "Data": { "UpperDir": "/x" } }),
            serde_json::json!({ "Name": "overlay", "Data": null }),
            serde_json::json!({ "Name": "overlay", "Data": { "UpperDir": "x" } }),
            serde_json::json!(null),
        ] {
            let inspect = serde_json::json!({ "Id": "1", "Path": "/x", "GraphDriver": driver });
            let container = InspectedContainer::from_inspect(&inspect).unwrap();
            assert_eq!(container.storage, Storage::default(), "{inspect}");
        }
    }

    #[test]
    fn an_inspect_without_a_program_is_no_container() {
        assert_eq!(
            InspectedContainer::from_inspect(&serde_json::json!({ "Id": "abc" })),
            None
        );
        assert_eq!(
            InspectedContainer::from_inspect(&serde_json::json!({ "message": "no such container" })),
            None
        );
    }
}
