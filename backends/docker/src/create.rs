//! Making containers, networks and volumes.

use std::collections::HashMap;
use std::time::Duration;

use bollard::errors::Error as Bollard;
use bollard::models::{
    ContainerCreateBody, EndpointSettings, HealthConfig, HostConfig, Mount as ApiMount, MountType,
    NetworkingConfig, PortBinding, VolumeCreateRequest,
};
use bollard::query_parameters::CreateContainerOptionsBuilder;
use hyper::Method;
use serde_json::{Value, json};
use shellproof_api::{
    ContainerId, ContainerSpec, ErrorKind, HealthCheck, Labels, Mount, MountSource, NetworkSpec, Port,
    Relabel, Result, VolumeSpec,
};
use shellproof_wire::http;

use crate::Docker;
use crate::error::Failing;

/// Longer than any answer to a creation.
const ANSWER: usize = 1 << 20;

impl Docker {
    pub(crate) async fn make_container(&self, spec: &ContainerSpec) -> Result<ContainerId> {
        let failing = self.failing("create container", &spec.name);
        // The engine would accept an unknown network and fail at the start, and would make an unknown volume.
        if let Some(attachment) = &spec.network {
            self.require_network(&attachment.network, &failing).await?;
        }
        for mount in &spec.mounts {
            if let MountSource::Volume(volume) = &mount.source {
                self.require_volume(volume, &failing).await?;
            }
        }
        let mut body = body(spec, &failing)?;
        body.entrypoint = self.entrypoint(spec, &failing).await?;
        let options = CreateContainerOptionsBuilder::default().name(&spec.name).build();
        let created = self.client.create_container(Some(options), body).await;
        created
            .map(|created| ContainerId(created.id))
            .map_err(|error| failing.from(error))
    }

    /// The entrypoint to send. The engine reads an empty command as "the image's", unless an entrypoint is given:
    /// so the image's own is given where the command is to be cleared.
    async fn entrypoint(&self, spec: &ContainerSpec, failing: &Failing) -> Result<Option<Vec<String>>> {
        let clears = spec.command.as_ref().is_some_and(Vec::is_empty);
        if !clears
            || spec
                .entrypoint
                .as_ref()
                .is_some_and(|entrypoint| !entrypoint.is_empty())
        {
            return Ok(spec.entrypoint.clone());
        }
        let image = self.image_config(&spec.image).await?;
        let image = image
            .ok_or_else(|| failing.with(ErrorKind::ImageMissing, format!("No such image: {}", spec.image)))?;
        let entrypoint = spec.entrypoint.clone().unwrap_or(image.entrypoint);
        if entrypoint.is_empty() {
            return Err(failing.with(ErrorKind::Invalid, "there is neither an entrypoint nor a command"));
        }
        Ok(Some(entrypoint))
    }

    async fn require_network(&self, network: &str, failing: &Failing) -> Result<()> {
        let missing = || failing.with(ErrorKind::NotFound, format!("network `{network}` not found"));
        match self.client.inspect_network(network, None).await {
            // The engine also takes the beginning of an id for a name.
            Ok(found) if found.name.as_deref() == Some(network) => Ok(()),
            Ok(_) => Err(missing()),
            Err(Bollard::DockerResponseServerError { status_code: 404, .. }) => Err(missing()),
            Err(error) => Err(failing.from(error)),
        }
    }

    async fn require_volume(&self, volume: &str, failing: &Failing) -> Result<()> {
        match self.client.inspect_volume(volume).await {
            Ok(_) => Ok(()),
            Err(Bollard::DockerResponseServerError { status_code: 404, .. }) => {
                Err(failing.with(ErrorKind::NotFound, format!("volume `{volume}` not found")))
            }
            Err(error) => Err(failing.from(error)),
        }
    }

    pub(crate) async fn make_network(&self, spec: &NetworkSpec) -> Result<()> {
        let failing = self.failing("create network", &spec.name);
        // `bollard` cannot say `CheckDuplicate`, without which Docker before 25 makes a second one of that name.
        let body = json!({
            "Name": spec.name, "Driver": "bridge", "CheckDuplicate": true, "Labels": spec.labels,
        });
        let answer = http::call(
            &self.socket,
            Method::POST,
            "/networks/create",
            Some(&body),
            ANSWER,
        )
        .await;
        let (status, answer) =
            answer.map_err(|error| failing.with(ErrorKind::Unreachable, error.to_string()))?;
        if status.is_success() {
            return Ok(());
        }
        let message = serde_json::from_slice::<Value>(&answer).unwrap_or_default()["message"]
            .as_str()
            .map_or_else(|| String::from_utf8_lossy(&answer).into_owned(), str::to_owned);
        Err(failing.answer(status.as_u16(), message))
    }

    pub(crate) async fn make_volume(&self, spec: &VolumeSpec) -> Result<()> {
        let failing = self.failing("create volume", &spec.name);
        let exists = || failing.with(ErrorKind::AlreadyExists, "there is a volume of that name");
        // To the engine, making a volume that exists is a success.
        match self.client.inspect_volume(&spec.name).await {
            Ok(_) => return Err(exists()),
            Err(Bollard::DockerResponseServerError { status_code: 404, .. }) => {}
            Err(error) => return Err(failing.from(error)),
        }
        let request = VolumeCreateRequest {
            name: Some(spec.name.clone()),
            labels: Some(labels(&spec.labels)),
            ..VolumeCreateRequest::default()
        };
        let volume = self
            .client
            .create_volume(request)
            .await
            .map_err(|error| failing.from(error))?;
        // Somebody else may have been quicker in between: then it has their labels.
        if volume.labels == labels(&spec.labels) {
            Ok(())
        } else {
            Err(exists())
        }
    }
}

fn labels(labels: &Labels) -> HashMap<String, String> {
    labels.clone().into_iter().collect()
}

/// The request for a container, but for its entrypoint.
fn body(spec: &ContainerSpec, failing: &Failing) -> Result<ContainerCreateBody> {
    if let Some(mount) = spec.mounts.iter().find(|mount| mount.chown) {
        let message = format!(
            "the mount at `{}` has the option `U`, which Podman alone has: give its files their owner before the run, or \
             leave it out",
            mount.target
        );
        return Err(failing.with(ErrorKind::Unsupported, message));
    }
    let (labelled, plain): (Vec<_>, Vec<_>) = spec.mounts.iter().partition(|mount| mount.relabel.is_some());
    let mounts: Result<Vec<ApiMount>> = plain.into_iter().map(|mount| api_mount(mount, failing)).collect();
    let binds: Result<Vec<String>> = labelled.into_iter().map(|mount| bind(mount, failing)).collect();
    let mut security = Vec::new();
    if spec.no_new_privileges {
        security.push("no-new-privileges".to_owned());
    }
    if let Some(path) = &spec.seccomp_profile {
        let profile = std::fs::read_to_string(path).map_err(|error| {
            failing.with(
                ErrorKind::Invalid,
                format!("the seccomp profile `{}` cannot be read: {error}", path.display()),
            )
        })?;
        security.push(format!("seccomp={profile}"));
    }
    let host_config = HostConfig {
        network_mode: Some(
            spec.network
                .as_ref()
                .map_or("none", |network| &network.network)
                .to_owned(),
        ),
        port_bindings: Some(
            spec.ports
                .iter()
                .map(|port| (port_key(port), Some(vec![binding(port)])))
                .collect(),
        ),
        mounts: Some(mounts?),
        binds: Some(binds?),
        tmpfs: Some(
            spec.tmpfs
                .iter()
                .map(|path| (path.clone(), String::new()))
                .collect(),
        ),
        readonly_rootfs: Some(spec.read_only),
        cap_drop: Some(spec.cap_drop.clone()),
        cap_add: Some(spec.cap_add.clone()),
        security_opt: Some(security),
        ..HostConfig::default()
    };
    let networking_config = spec.network.as_ref().map(|attachment| {
        let endpoint = EndpointSettings {
            aliases: Some(attachment.aliases.clone()),
            ..EndpointSettings::default()
        };
        NetworkingConfig {
            endpoints_config: Some(HashMap::from([(attachment.network.clone(), endpoint)])),
        }
    });
    Ok(ContainerCreateBody {
        image: Some(spec.image.clone()),
        cmd: spec.command.clone(),
        env: Some(
            spec.env
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect(),
        ),
        user: spec.user.clone(),
        working_dir: spec.workdir.clone(),
        exposed_ports: Some(spec.ports.iter().map(port_key).collect()),
        healthcheck: spec.health_check.as_ref().map(health_config),
        labels: Some(labels(&spec.labels)),
        host_config: Some(host_config),
        networking_config,
        ..ContainerCreateBody::default()
    })
}

fn port_key(port: &Port) -> String {
    format!("{}/tcp", port.container)
}

fn binding(port: &Port) -> PortBinding {
    PortBinding {
        host_ip: Some("127.0.0.1".to_owned()),
        host_port: Some(port.host.map(|port| port.to_string()).unwrap_or_default()),
    }
}

/// A mount in the newer form: the older one, `Binds`, makes a host directory of a source that does not exist.
fn api_mount(mount: &Mount, failing: &Failing) -> Result<ApiMount> {
    let typ = match &mount.source {
        MountSource::Volume(_) => MountType::VOLUME,
        MountSource::Bind(_) => MountType::BIND,
    };
    Ok(ApiMount {
        typ: Some(typ),
        source: Some(source(mount, failing)?.to_owned()),
        target: Some(mount.target.clone()),
        read_only: Some(mount.read_only),
        ..ApiMount::default()
    })
}

/// A mount in the older form, the only one in which the engine takes labels.
fn bind(mount: &Mount, failing: &Failing) -> Result<String> {
    let source = source(mount, failing)?;
    let options: Vec<_> = [
        mount.read_only.then_some("ro"),
        mount.relabel.map(Relabel::as_str),
    ]
    .into_iter()
    .flatten()
    .collect();
    Ok(format!("{source}:{}:{}", mount.target, options.join(",")))
}

fn source<'a>(mount: &'a Mount, failing: &Failing) -> Result<&'a str> {
    match &mount.source {
        MountSource::Volume(name) => Ok(name),
        MountSource::Bind(path) => path.to_str().ok_or_else(|| {
            let message = format!("the bind source {path:?} is not UTF-8");
            failing.with(ErrorKind::Invalid, message)
        }),
    }
}

fn health_config(check: &HealthCheck) -> HealthConfig {
    // The engine takes zero for its own default.
    let nanoseconds =
        |time: Option<Duration>| time.map(|time| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX));
    HealthConfig {
        test: Some(check.test.to_api()),
        interval: nanoseconds(check.interval),
        timeout: nanoseconds(check.timeout),
        start_period: nanoseconds(check.start_period),
        retries: check.retries.map(i64::from),
        ..HealthConfig::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(mount: Mount) -> Result<HostConfig> {
        let spec = ContainerSpec {
            mounts: vec![mount],
            ..ContainerSpec::default()
        };
        Ok(body(&spec, &Failing::new("create container", "docker", "x"))?
            .host_config
            .unwrap())
    }

    #[test]
    fn a_labelled_mount_takes_the_form_that_has_labels_and_no_other_does() {
        let mount = Mount {
            source: MountSource::Volume("data".into()),
            target: "/data".into(),
            read_only: false,
            relabel: None,
            chown: false,
        };
        let plain = host(mount.clone()).unwrap();
        assert_eq!((plain.mounts.unwrap().len(), plain.binds.unwrap().len()), (1, 0));
        for (relabel, read_only, expected) in [
            (Relabel::Shared, false, "data:/data:z"),
            (Relabel::Private, true, "data:/data:ro,Z"),
        ] {
            let labelled = host(Mount {
                relabel: Some(relabel),
                read_only,
                ..mount.clone()
            });
            let labelled = labelled.unwrap();
            assert_eq!(labelled.mounts.unwrap(), []);
            assert_eq!(labelled.binds.unwrap(), [expected]);
        }
        let refused = host(Mount { chown: true, ..mount }).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Unsupported);
        assert!(refused.message.contains("the mount at `/data`"), "{refused}");
    }
}
