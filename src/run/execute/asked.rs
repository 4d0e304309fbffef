//! What a scenario's containers were asked to be, where there is no wire to see it: a health check that is never run in the
//! time of a scenario stands against it all the same.

use shellproof_api::facts::{Check, CheckKind, Container, Fact, Gap, Outcome, Start, What, Witness};
use shellproof_api::{ContainerId, ContainerSpec, ImageConfig, ResourceKind};

use super::state::Execution;
use crate::run::checks::{self, Place};

/// Where this is known from.
const SOURCE: &str = "this run";

/// What to do where containers need what this machine does not reach.
const NO_WAY_OUT: &str = "run it where that can be reached; behind a proxy set `http_proxy` and `https_proxy` in the container's `env`; \
     or serve what it needs from a container of the scenario";
/// What to do where nobody knows what a container changed.
const HELP: &str = "run it again; where that does not help, run it on Podman or Docker";

impl Execution<'_> {
    /// Notes what its containers have changed in their file systems, where no wire looks at that. They have been removed.
    pub(in crate::run) async fn note_changes(&mut self) {
        for container in self.begun() {
            let id = ContainerId(container.id.clone().unwrap_or_default());
            let changes = self.context.runtime.changes(&id).await;
            let what = match changes.unwrap_or_else(|| Err("nobody looked before it was gone".into())) {
                Ok(files) => What::Changed(files),
                Err(why) => What::Unseen {
                    gap: Gap::Changes,
                    why: format!("what it changed in its file system is not known: {why}"),
                    help: Some(HELP),
                },
            };
            let fact = Fact::new(Witness::Wire, SOURCE, what);
            self.asked.push(fact.about(container));
        }
    }

    /// What nobody asks for is not kept: a layered install changes thousands of files.
    pub(in crate::run) async fn forget_changes(&self) {
        for container in self.begun() {
            let id = ContainerId(container.id.unwrap_or_default());
            drop(self.context.runtime.changes(&id).await);
        }
    }

    /// Notes what containers asked for and their engine could not reach. Something has failed, perhaps for that.
    pub(in crate::run) fn note_way_out(&mut self) {
        let networks = self.made.iter().filter(|made| made.kind == ResourceKind::Network);
        let asked = networks.flat_map(|network| self.context.runtime.unreached(&network.id));
        let names: Vec<_> = asked.map(|name| format!("`{name}`")).collect();
        if !names.is_empty() {
            let what = What::Unseen {
                gap: Gap::WayOut,
                why: format!(
                    "containers asked for {}, which this machine does not reach",
                    names.join(", ")
                ),
                help: Some(NO_WAY_OUT),
            };
            self.asked.push(Fact::new(Witness::Wire, SOURCE, what));
        }
    }

    fn begun(&self) -> Vec<Container> {
        let begun = |fact: &Fact| match &fact.what {
            What::Start(start) if start.outcome == Outcome::Begun => fact.container.clone(),
            _ => None,
        };
        self.asked.iter().filter_map(begun).collect()
    }

    /// Notes a container that was started here, or could not be.
    pub(super) async fn note_start(&mut self, id: &ContainerId, spec: &ContainerSpec, outcome: Outcome) {
        if !self.has_no_wire() {
            return;
        }
        // A probe's image is none of the scenario's.
        let image = self.context.runtime.image(&spec.image).await.ok().flatten();
        let none = ImageConfig::default();
        let config = image.as_ref().unwrap_or(&none);
        let test = spec.health_check.as_ref().or(config.health_check.as_ref());
        let mounts: Vec<_> = spec.mounts.iter().map(|mount| mount.target.clone()).collect();
        let mut checks = Vec::new();
        if let Some(check) = test {
            let place = Place {
                image: &config.id,
                mounts: &mounts,
                has_path: spec.env.iter().any(|(name, _)| name == "PATH"),
            };
            let (images, invocation) = (self.context.images, self.context.invocation);
            checks.push(Check {
                kind: CheckKind::Regular,
                test: check.test.clone(),
                lacking: checks::lacking(images, invocation, &place, &check.test).await,
            });
        }
        let start = Start {
            argv: spec.argv(config),
            checks,
            image: image.as_ref().map(|image| image.id.clone()),
            image_name: spec.image.clone(),
            mounts,
            has_init: false,
            service: None,
            made_here: true,
            doors: Vec::new(),
            outcome,
        };
        let container = Container {
            id: Some(id.0.clone()),
            name: spec.name.clone(),
        };
        let fact = Fact::new(Witness::Wire, SOURCE, What::Start(start));
        self.asked.push(fact.about(container));
    }
}
