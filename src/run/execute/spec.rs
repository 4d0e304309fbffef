//! From a scenario's container to what an engine is asked for.

use shellproof_api::{ContainerSpec, Mount, MountSource, NetworkAttachment};

use super::state::Execution;
use crate::result::Image;
use crate::scenario::{Argv, ContainerPlan};
use crate::source::Spanned;

impl Execution<'_> {
    pub(super) fn spec(&self, container: &ContainerPlan, image: &Image) -> ContainerSpec {
        let words = |argv: &Spanned<Argv>| values(&argv.value);
        ContainerSpec {
            name: self.name(&container.name),
            image: image.reference.clone(),
            entrypoint: container.entrypoint.as_ref().map(words),
            command: container.args.as_ref().map(words),
            env: container
                .env
                .iter()
                .map(|env| (env.name.value.clone(), env.value.value.clone()))
                .collect(),
            user: container.user.as_ref().map(|user| user.value.clone()),
            workdir: container.workdir.as_ref().map(|workdir| workdir.value.clone()),
            network: container.network.as_ref().map(|network| NetworkAttachment {
                network: self.name(network),
                aliases: std::iter::once(container.name.value.clone())
                    .chain(values(&container.aliases))
                    .collect(),
            }),
            mounts: container
                .volumes
                .iter()
                .map(|mount| self.mount(&mount.value))
                .collect(),
            tmpfs: values(&container.tmpfs),
            ports: container.ports.iter().map(|port| port.value).collect(),
            read_only: container.read_only,
            cap_drop: values(&container.cap_drop),
            cap_add: values(&container.cap_add),
            no_new_privileges: container.no_new_privileges,
            health_check: container.healthcheck.as_ref().map(|check| check.value.clone()),
            labels: self.labels(),
            seccomp_profile: None,
        }
    }

    /// A mount as the engine knows it: volumes have names of this run, and paths are absolute. What does not exist is
    /// the engine's to report.
    fn mount(&self, mount: &Mount) -> Mount {
        let source = match &mount.source {
            MountSource::Volume(name) => MountSource::Volume(self.name(name)),
            MountSource::Bind(path) => {
                MountSource::Bind(std::path::absolute(path).unwrap_or_else(|_| path.clone()))
            }
        };
        Mount {
            source,
            ..mount.clone()
        }
    }
}

fn values(words: &[Spanned<String>]) -> Vec<String> {
    words.iter().map(|word| word.value.clone()).collect()
}
