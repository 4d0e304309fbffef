//! From a scenario's container to what an engine is asked for.

use shellproof_api::{ContainerSpec, HealthCheck, HealthTest, Mount, MountSource, NetworkAttachment, Port};

use super::state::Execution;
use crate::result::Image;
use crate::scenario::{self, ContainerPlan, Timing};
use crate::source::Spanned;

impl Execution<'_> {
    pub(super) fn spec(&self, container: &ContainerPlan, image: &Image) -> ContainerSpec {
        let words = |argv: &Spanned<scenario::Argv>| values(&argv.value);
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
            ports: container
                .ports
                .iter()
                .map(|port| Port {
                    container: port.container,
                    host: port.host,
                })
                .collect(),
            read_only: container.read_only,
            cap_drop: values(&container.cap_drop),
            cap_add: values(&container.cap_add),
            no_new_privileges: container.no_new_privileges,
            health_check: container
                .healthcheck
                .as_ref()
                .map(|check| health_check(&check.value)),
            labels: self.labels(),
            seccomp_profile: None,
        }
    }

    fn mount(&self, mount: &scenario::Mount) -> Mount {
        let source = match &mount.source {
            scenario::MountSource::Volume(name) => MountSource::Volume(self.name(name)),
            // Engines want absolute paths; what does not exist is theirs to report.
            scenario::MountSource::Bind(path) => {
                MountSource::Bind(std::path::absolute(path).unwrap_or_else(|_| path.clone()))
            }
        };
        Mount {
            source,
            target: mount.target.clone(),
            read_only: mount.read_only,
        }
    }
}

fn values(words: &[Spanned<String>]) -> Vec<String> {
    words.iter().map(|word| word.value.clone()).collect()
}

fn health_check(check: &scenario::HealthCheck) -> HealthCheck {
    let (test, timing) = match check {
        scenario::HealthCheck::None => (HealthTest::None, Timing::default()),
        scenario::HealthCheck::Command(argv, timing) => (HealthTest::Command(values(argv)), *timing),
        scenario::HealthCheck::Shell(line, timing) => (HealthTest::Shell(line.value.clone()), *timing),
    };
    HealthCheck {
        test,
        interval: timing.interval,
        timeout: timing.timeout,
        start_period: timing.start_period,
        retries: timing.retries,
    }
}
