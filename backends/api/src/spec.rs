use std::fmt;
use std::path::PathBuf;

use crate::{HealthCheck, ImageConfig, Labels};

/// The id that an engine gave a container.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContainerId(pub String);

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A network to make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkSpec {
    /// Its name, unique on the engine.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
}

/// A named volume to make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumeSpec {
    /// Its name, unique on the engine.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
}

/// A container to make. `Default` asks for the image as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerSpec {
    /// Its name, unique on the engine.
    pub name: String,
    /// The image reference.
    pub image: String,
    /// Replaces the image's entrypoint; `None` keeps it, an empty list clears it.
    pub entrypoint: Option<Vec<String>>,
    /// Replaces the image's command, and an empty list clears it. `None` keeps it, unless `entrypoint` names a
    /// program: that drops the image's command, as Docker, Podman and Kubernetes do.
    pub command: Option<Vec<String>>,
    /// Environment variables on top of the image's.
    pub env: Vec<(String, String)>,
    /// User, as `uid`, `uid:gid` or a name in the image; `None` keeps the image's.
    pub user: Option<String>,
    /// Working directory; `None` keeps the image's.
    pub workdir: Option<String>,
    /// The network it joins; `None` means no network at all.
    pub network: Option<NetworkAttachment>,
    /// Volumes and bind mounts.
    pub mounts: Vec<Mount>,
    /// Paths that are in-memory file systems.
    pub tmpfs: Vec<String>,
    /// Ports published on the host's loopback interface.
    pub ports: Vec<Port>,
    /// The root file system is read-only.
    pub read_only: bool,
    /// Capabilities to drop, without `CAP_`; `ALL` drops all.
    pub cap_drop: Vec<String>,
    /// Capabilities to add, without `CAP_`.
    pub cap_add: Vec<String>,
    /// No program in it gains privileges by set-user-id or file capabilities.
    pub no_new_privileges: bool,
    /// A seccomp profile: a file that this process and the engine both see at this path. `None` keeps the engine's.
    pub seccomp_profile: Option<PathBuf>,
    /// Replaces the image's health check; `None` keeps it.
    pub health_check: Option<HealthCheck>,
    /// Its labels.
    pub labels: Labels,
}

impl ContainerSpec {
    /// The program and its arguments, with the image's configuration merged in; empty where there is no program.
    pub fn argv(&self, image: &ImageConfig) -> Vec<String> {
        let entrypoint = self.entrypoint.as_ref().unwrap_or(&image.entrypoint);
        let drops = self.entrypoint.as_ref().is_some_and(|words| !words.is_empty());
        let command = match (&self.command, drops) {
            (Some(command), _) => command.as_slice(),
            (None, true) => &[],
            (None, false) => &image.command,
        };
        entrypoint.iter().chain(command).cloned().collect()
    }
}

/// How a container joins a network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkAttachment {
    /// The network's name.
    pub network: String,
    /// Further names under which the container is found there.
    pub aliases: Vec<String>,
}

/// Something mounted into a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// What is mounted.
    pub source: MountSource,
    /// Where, as an absolute path in the container.
    pub target: String,
    /// The container cannot write to it.
    pub read_only: bool,
    /// It gets a label that containers may use, on a host with SELinux.
    pub relabel: Option<Relabel>,
    /// All that is in it is given to the container's user. Docker cannot: [`crate::ErrorKind::Unsupported`].
    pub chown: bool,
}

/// For whom the SELinux label of a mount is. On a host without SELinux it changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relabel {
    /// `z`: for every container.
    Shared,
    /// `Z`: for this container alone.
    Private,
}

impl Relabel {
    /// The option that asks for it, the same for both engines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shared => "z",
            Self::Private => "Z",
        }
    }
}

/// What a mount shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MountSource {
    /// A named volume that exists.
    Volume(String),
    /// A file or directory on the engine's host.
    Bind(PathBuf),
}

/// A TCP port published on 127.0.0.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    /// The port in the container.
    pub container: u16,
    /// The port on the host; `None` lets the engine choose.
    pub host: Option<u16>,
}

#[cfg(test)]
mod tests {
    use super::ContainerSpec;
    use crate::ImageConfig;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn what_is_given_replaces_what_the_image_says() {
        let image = ImageConfig {
            entrypoint: words(&["/e"]),
            command: words(&["c"]),
            ..ImageConfig::default()
        };
        for (entrypoint, command, expected) in [
            (None, None, &["/e", "c"][..]),
            (None, Some(&["d"][..]), &["/e", "d"]),
            (None, Some(&[]), &["/e"]),
            (Some(&["/f"][..]), None, &["/f"]),
            (Some(&["/f"]), Some(&["d"]), &["/f", "d"]),
            (Some(&[]), None, &["c"]),
            (Some(&[]), Some(&[]), &[]),
        ] {
            let spec = ContainerSpec {
                entrypoint: entrypoint.map(words),
                command: command.map(words),
                ..ContainerSpec::default()
            };
            assert_eq!(spec.argv(&image), words(expected), "{entrypoint:?} {command:?}");
        }
    }
}
