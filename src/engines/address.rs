//! Which engines the environment names: by variable, or by the context that Docker's own program has switched to.

use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};

/// An engine that the environment names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) by: By,
    /// Its address, or why it cannot be told.
    pub(super) url: Result<String, String>,
}

/// By what it is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// Podman's variable.
    ContainerHost,
    /// Docker's variable.
    DockerHost,
    /// Docker's current context.
    Context,
}

impl By {
    /// Those that are set for this program and its like, and must not be passed over.
    pub(super) const VARIABLES: [Self; 2] = [Self::ContainerHost, Self::DockerHost];

    /// What reports call such an engine.
    pub(super) fn engine_name(self) -> &'static str {
        match self {
            Self::ContainerHost => "container-host",
            Self::DockerHost => "docker-host",
            Self::Context => "docker-context",
        }
    }
}

/// The engines that are named, in the order of preference. Docker's variable overrides its context, as it does for Docker.
pub(super) fn in_environment(variable: &dyn Fn(&str) -> Option<String>) -> Vec<Address> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let by_variable = |by, name| set(name).map(|url| Address { by, url: Ok(url) });
    let docker = by_variable(By::DockerHost, "DOCKER_HOST").or_else(|| context(&set));
    by_variable(By::ContainerHost, "CONTAINER_HOST")
        .into_iter()
        .chain(docker)
        .collect()
}

fn context(set: &dyn Fn(&str) -> Option<String>) -> Option<Address> {
    let home = || set("HOME").map(|home| Path::new(&home).join(".docker"));
    let directory = set("DOCKER_CONFIG").map(PathBuf::from).or_else(home)?;
    let name = set("DOCKER_CONTEXT").or_else(|| {
        let config = json(&directory.join("config.json"))?;
        config["currentContext"].as_str().map(str::to_owned)
    })?;
    if name.is_empty() || name == "default" {
        return None;
    }
    let hash: String = Sha256::digest(&name)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let file = directory.join("contexts/meta").join(hash).join("meta.json");
    let url = json(&file)
        .and_then(|meta| meta["Endpoints"]["docker"]["Host"].as_str().map(str::to_owned))
        .ok_or_else(|| {
            format!(
                "Docker's current context `{name}` is passed over: `{}` names no address",
                file.display()
            )
        });
    Some(Address { by: By::Context, url })
}

/// A file of Docker's; what it cannot read either is not there.
fn json(file: &Path) -> Option<Value> {
    serde_json::from_str(&std::fs::read_to_string(file).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    type Told = (By, Result<String, String>);

    fn named(variables: &[(&str, &str)]) -> Vec<Told> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        in_environment(&variable)
            .into_iter()
            .map(|address| (address.by, address.url))
            .collect()
    }

    #[test]
    fn variables_come_before_contexts() {
        let home = tempfile::tempdir().unwrap();
        let docker = home.path().join(".docker");
        // What `docker context create rootless` makes.
        let hash = "12b961af5feb3e9d39f93b2cefb9a1a944f18d02cca0cac2f04f5a982240605f";
        let meta = docker.join("contexts/meta").join(hash);
        fs::create_dir_all(&meta).unwrap();
        fs::write(
            meta.join("meta.json"),
            r#"{"Name":"rootless","Metadata":{},"Endpoints":{"docker":{"Host":"unix:///run/user/1000/docker.sock","SkipTLSVerify":false}}}"#,
        )
        .unwrap();
        let home = home.path().to_str().unwrap();
        let config = |name: &str| {
            fs::write(
                docker.join("config.json"),
                format!(r#"{{"currentContext":"{name}"}}"#),
            )
            .unwrap()
        };
        let rootless = || -> Told { (By::Context, Ok("unix:///run/user/1000/docker.sock".to_owned())) };
        let by = |by, url: &str| -> Told { (by, Ok(url.to_owned())) };

        assert!(named(&[("HOME", home)]).is_empty());
        assert_eq!(
            named(&[("HOME", home), ("DOCKER_CONTEXT", "rootless")]),
            [rootless()]
        );
        config("rootless");
        assert_eq!(named(&[("HOME", home)]), [rootless()]);
        let config_directory = docker.to_str().unwrap();
        assert_eq!(named(&[("DOCKER_CONFIG", config_directory)]), [rootless()]);
        assert_eq!(
            named(&[("HOME", home), ("CONTAINER_HOST", "unix:///p")]),
            [by(By::ContainerHost, "unix:///p"), rootless()]
        );
        assert_eq!(
            named(&[
                ("HOME", home),
                ("CONTAINER_HOST", ""),
                ("DOCKER_HOST", "unix:///d")
            ]),
            [by(By::DockerHost, "unix:///d")]
        );
        assert!(named(&[("HOME", home), ("DOCKER_CONTEXT", "default")]).is_empty());
        config("gone");
        let gone = named(&[("HOME", home)]);
        let [(By::Context, Err(reason))] = gone.as_slice() else {
            panic!("a context that is not there is named");
        };
        assert!(
            reason.starts_with("Docker's current context `gone` is passed over"),
            "{reason}"
        );
        config("default");
        assert!(named(&[("HOME", home)]).is_empty());
    }
}
