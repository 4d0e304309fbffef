//! The parts of libpod's answers that are used here, read tolerantly: whatever is absent or null is empty.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use shellproof_api::{
    ContainerState, ContainerStatus, HealthCheck, HealthRun, HealthTest, ImageConfig, Labels,
};

/// Go writes `null` for an empty list, map or pointer.
fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

/// `GET /containers/{id}/json`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Container {
    #[serde(deserialize_with = "nullable")]
    path: String,
    #[serde(deserialize_with = "nullable")]
    args: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    pub state: State,
    #[serde(deserialize_with = "nullable")]
    config: ContainerConfig,
    #[serde(deserialize_with = "nullable")]
    network_settings: NetworkSettings,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct State {
    #[serde(deserialize_with = "nullable")]
    status: String,
    #[serde(deserialize_with = "nullable")]
    pub exit_code: i64,
    /// Why the last start failed. Podman 5 keeps it, Podman 4 forgets it.
    #[serde(deserialize_with = "nullable")]
    pub error: String,
    #[serde(alias = "Healthcheck", deserialize_with = "nullable")]
    health: HealthState,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct HealthState {
    #[serde(deserialize_with = "nullable")]
    log: Vec<LoggedRun>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct LoggedRun {
    #[serde(deserialize_with = "nullable")]
    start: String,
    #[serde(deserialize_with = "nullable")]
    exit_code: i64,
    #[serde(deserialize_with = "nullable")]
    output: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ContainerConfig {
    /// A line of words up to API 4, a list from 5 on.
    entrypoint: serde_json::Value,
    #[serde(deserialize_with = "nullable")]
    cmd: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct NetworkSettings {
    #[serde(deserialize_with = "nullable")]
    networks: BTreeMap<String, Address>,
    #[serde(deserialize_with = "nullable")]
    ports: BTreeMap<String, Option<Vec<Binding>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Address {
    #[serde(rename = "IPAddress", deserialize_with = "nullable")]
    ip: String,
    #[serde(rename = "GlobalIPv6Address", deserialize_with = "nullable")]
    ipv6: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Binding {
    #[serde(deserialize_with = "nullable")]
    host_port: String,
}

impl State {
    pub fn health_runs(&self) -> Vec<HealthRun> {
        let run = |run: LoggedRun| HealthRun {
            began: run.start,
            exit_code: run.exit_code,
            output: run.output,
        };
        self.health.log.iter().cloned().map(run).collect()
    }

    pub fn status(&self) -> ContainerStatus {
        match self.status.as_str() {
            // Attaching before the start makes a container `initialized`.
            "created" | "configured" | "initialized" => ContainerStatus::Created,
            "running" => ContainerStatus::Running,
            // `stopped` becomes `exited` when the engine has cleaned up; the exit code is there already.
            "exited" | "stopped" => ContainerStatus::Exited,
            _ => ContainerStatus::Other,
        }
    }
}

impl Container {
    /// What the engine runs.
    pub fn argv(&self) -> Vec<String> {
        let mut argv = vec![self.path.clone()];
        // Podman shows a command of a single word as its own argument, and of `[a, a]` the same.
        if self.args != [self.path.as_str()] || self.words() == 2 {
            argv.extend(self.args.iter().cloned());
        }
        argv.retain(|word| !(word.is_empty() && self.path.is_empty()));
        argv
    }

    fn words(&self) -> usize {
        let entrypoint = match &self.config.entrypoint {
            serde_json::Value::String(line) => line.split_whitespace().count(),
            serde_json::Value::Array(words) => words.len(),
            _ => 0,
        };
        entrypoint + self.config.cmd.len()
    }

    pub fn to_state(&self) -> ContainerState {
        let status = self.state.status();
        let running = status == ContainerStatus::Running;
        let (mut addresses, mut ports) = (Vec::new(), Vec::new());
        if running {
            addresses = self.network_settings.addresses();
            ports = self.network_settings.ports();
        }
        ContainerState {
            status,
            exit_code: (status == ContainerStatus::Exited).then_some(self.state.exit_code),
            addresses,
            ports,
            argv: self.argv(),
        }
    }
}

impl NetworkSettings {
    fn addresses(&self) -> Vec<IpAddr> {
        let texts = self
            .networks
            .values()
            .flat_map(|network| [&network.ip, &network.ipv6]);
        texts.filter_map(|text| text.parse().ok()).collect()
    }

    fn ports(&self) -> Vec<(u16, u16)> {
        let mut ports = Vec::new();
        for (port, bindings) in &self.ports {
            let Some(container) = port.strip_suffix("/tcp").and_then(|port| port.parse().ok()) else {
                continue;
            };
            let bindings = bindings.iter().flatten();
            ports.extend(bindings.filter_map(|binding| Some((container, binding.host_port.parse().ok()?))));
        }
        ports
    }
}

/// `GET /images/{reference}/json`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Image {
    #[serde(deserialize_with = "nullable")]
    pub id: String,
    #[serde(deserialize_with = "nullable")]
    pub repo_tags: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    repo_digests: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    config: Config,
    #[serde(alias = "HealthCheck", deserialize_with = "nullable")]
    healthcheck: Health,
    #[serde(deserialize_with = "nullable")]
    size: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Config {
    #[serde(deserialize_with = "nullable")]
    entrypoint: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    cmd: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    env: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    user: String,
    #[serde(deserialize_with = "nullable")]
    labels: Labels,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Health {
    #[serde(deserialize_with = "nullable")]
    test: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    interval: u64,
    #[serde(deserialize_with = "nullable")]
    timeout: u64,
    #[serde(deserialize_with = "nullable")]
    start_period: u64,
    #[serde(deserialize_with = "nullable")]
    retries: u32,
}

impl Health {
    fn to_check(&self) -> Option<HealthCheck> {
        let span = |nanoseconds| (nanoseconds > 0).then(|| Duration::from_nanos(nanoseconds));
        Some(HealthCheck {
            test: HealthTest::from_api(&self.test)?,
            interval: span(self.interval),
            timeout: span(self.timeout),
            start_period: span(self.start_period),
            retries: (self.retries > 0).then_some(self.retries),
        })
    }
}

impl Image {
    pub fn into_config(self) -> ImageConfig {
        let health_check = self.healthcheck.to_check();
        let digest = self.pulled_digest();
        ImageConfig {
            id: format!("sha256:{}", self.id.trim_start_matches("sha256:")),
            digest,
            entrypoint: self.config.entrypoint,
            command: self.config.cmd,
            env: self.config.env,
            user: self.config.user,
            labels: self.config.labels,
            health_check,
            size: self.size,
        }
    }

    /// Podman makes up a digest for an image that was loaded or built, too. Under `localhost/` nothing was pulled.
    fn pulled_digest(&self) -> Option<String> {
        self.repo_digests.iter().find_map(|name| {
            let (name, digest) = name.split_once('@')?;
            (!name.starts_with("localhost/")).then(|| digest.to_owned())
        })
    }
}

/// One entry of the lists of containers and images.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Listed {
    #[serde(deserialize_with = "nullable")]
    pub id: String,
    #[serde(deserialize_with = "nullable")]
    pub names: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    pub labels: Labels,
}

/// What the engine says of itself, as far as it matters.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Info {
    pub version: InfoVersion,
    pub host: InfoHost,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct InfoVersion {
    pub version: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct InfoHost {
    pub security: InfoSecurity,
    pub network_backend: Option<String>,
    pub network_backend_info: Option<InfoNetwork>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct InfoSecurity {
    pub rootless: Option<bool>,
    pub seccomp_enabled: bool,
    #[serde(deserialize_with = "nullable")]
    pub seccomp_profile_path: String,
}

/// Podman tells this since 4.5.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct InfoNetwork {
    #[serde(deserialize_with = "nullable")]
    pub dns: InfoNameServer,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct InfoNameServer {
    #[serde(deserialize_with = "nullable")]
    pub path: String,
}

/// The answer to a create request.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Created {
    pub id: String,
}

/// One line of a pull.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PullLine {
    #[serde(deserialize_with = "nullable")]
    pub stream: String,
    #[serde(deserialize_with = "nullable")]
    pub error: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads one capture of each version.
    macro_rules! captures {
        ($type:ty, $name:literal) => {
            [
                (
                    "4.3",
                    include_str!(concat!("../tests/data/", $name, "-4.3.json")),
                ),
                (
                    "5.4",
                    include_str!(concat!("../tests/data/", $name, "-5.4.json")),
                ),
            ]
            .map(|(version, json)| (version, serde_json::from_str::<$type>(json).unwrap()))
        };
    }

    #[test]
    fn a_running_container_tells_addresses_and_ports() {
        for (version, container) in captures!(Container, "container-running") {
            let state = container.to_state();
            assert_eq!(
                (state.status, state.exit_code),
                (ContainerStatus::Running, None),
                "{version}"
            );
            assert_eq!(state.argv, ["/tiny", "sleep", "60"], "{version}");
            assert_eq!(state.addresses.len(), 1, "{version}");
            assert!(
                matches!(state.ports[..], [(8080, host)] if host > 0),
                "{version}: {:?}",
                state.ports
            );
        }
    }

    #[test]
    fn an_exited_container_tells_its_code_and_no_address() {
        for (version, container) in captures!(Container, "container-exited") {
            let state = container.to_state();
            assert_eq!(
                (state.status, state.exit_code),
                (ContainerStatus::Exited, Some(3)),
                "{version}"
            );
            assert!(state.addresses.is_empty() && state.ports.is_empty(), "{version}");
        }
    }

    #[test]
    fn a_failed_start_looks_like_none_and_only_podman_5_says_why() {
        for (version, container) in captures!(Container, "container-failed") {
            assert_eq!(container.to_state().status, ContainerStatus::Created, "{version}");
            assert_eq!(container.argv(), ["/nope"], "{version}");
            assert_eq!(container.state.error.is_empty(), version == "4.3", "{version}");
        }
    }

    #[test]
    fn an_image_tells_its_configuration_and_health_check() {
        for (version, image) in captures!(Image, "image") {
            let image = image.into_config();
            assert!(image.id.starts_with("sha256:ea157d"), "{version}: {}", image.id);
            assert_eq!(image.digest, None, "{version}: it was loaded, not pulled");
            assert_eq!(image.entrypoint, ["/tiny"], "{version}");
            assert_eq!(image.command, ["echo", "from-cmd"], "{version}");
            assert_eq!(image.env, ["A=1"], "{version}");
            assert_eq!(image.labels["x"], "y", "{version}");
            assert!(image.size > 0, "{version}");
            let check = image.health_check.unwrap();
            assert_eq!(check.test, HealthTest::Shell("exit 0".into()), "{version}");
            assert_eq!(check.interval, Some(Duration::from_secs(5)), "{version}");
            assert_eq!((check.timeout, check.retries), (None, None), "{version}");
        }
    }

    fn argv(path: &str, args: &[&str], entrypoint: serde_json::Value, cmd: &[&str]) -> Vec<String> {
        let json = serde_json::json!({
            "Path": path,
            "Args": args,
            "Config": { "Entrypoint": entrypoint, "Cmd": cmd },
        });
        serde_json::from_value::<Container>(json).unwrap().argv()
    }

    #[test]
    fn a_command_of_one_word_is_not_taken_for_two() {
        assert_eq!(argv("/a", &["/a"], "/a".into(), &[]), ["/a"]);
        assert_eq!(argv("/a", &["/a"], "/a /a".into(), &[]), ["/a", "/a"]);
        assert_eq!(argv("/a", &["/a"], vec!["/a"].into(), &["/a"]), ["/a", "/a"]);
        assert_eq!(argv("/a", &["b"], "/a".into(), &["b"]), ["/a", "b"]);
        // What Podman 5 shows of a container that has nothing to run.
        assert_eq!(argv("", &[""], "".into(), &[]), Vec::<String>::new());
    }

    #[test]
    fn what_is_absent_or_null_is_empty() {
        let container: Container = serde_json::from_str(r#"{"State":null,"Args":null,"New":1}"#).unwrap();
        assert_eq!(container.to_state().status, ContainerStatus::Other);
        let image: Image = serde_json::from_str(r#"{"Healthcheck":null,"Config":{"Cmd":null}}"#).unwrap();
        assert_eq!(image.into_config().health_check, None);
    }
}
