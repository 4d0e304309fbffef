//! What became of each container, for whoever asks what a success criterion rests on.

use shellproof_api::Error;
use shellproof_api::facts::{Container, Fact, What, Witness};
use shellproof_wire::Recording;

use super::running::Running;
use super::state::Execution;
use crate::result::ContainerResult;
use crate::run::checks;
use crate::scenario::{ContainerKind, ContainerPlan};
use crate::vocabulary::Criterion;

impl Execution<'_> {
    /// The containers of the scenario, by both of their names, and how far each has got by now.
    pub(in crate::run) fn containers(&self) -> Vec<ContainerResult> {
        let containers = self.context.plan.containers.iter();
        containers.map(|container| self.container(container)).collect()
    }

    fn container(&self, container: &ContainerPlan) -> ContainerResult {
        let running = self.running(&container.name);
        let exit_code = running.and_then(Running::exit_code);
        let is_started = running.is_some_and(|running| running.is_started);
        let as_expected = match container.kind {
            ContainerKind::Job { exit, .. } => exit_code == Some(i64::from(exit.value)),
            ContainerKind::Service { .. } => running.is_some_and(Running::is_alive),
        };
        let watched_ms = running.and_then(|running| u64::try_from(running.watched().as_millis()).ok());
        ContainerResult {
            name: container.name.value.clone(),
            engine_name: self.name(&container.name),
            started: is_started,
            exit_code,
            as_expected,
            is_service: matches!(container.kind, ContainerKind::Service { .. }),
            watched_ms,
        }
    }

    /// The health checks of which the engine told no run.
    pub(in crate::run) fn unchecked(&self) -> impl Iterator<Item = Fact> {
        self.unchecked.iter().map(|(container, test)| {
            let container = Container {
                id: None,
                name: container.clone(),
            };
            let what = What::CheckNotRun(test.clone());
            Fact::new(Witness::Wire, "what the engine tells of the container", what).about(container)
        })
    }

    /// Looks for the programs of health checks in their images.
    pub(in crate::run) async fn look_for_checks(&self, recording: &Recording, facts: &mut [Fact]) {
        checks::look(self.context.images, self.context.invocation, recording, facts).await;
    }

    /// Where a criterion says something of what the images contain, they are looked at.
    pub(super) async fn look_for_shells(&mut self) -> Result<(), Error> {
        let (scenario, mode) = (self.context.scenario, self.context.plan.mode);
        let claims = |criterion: Criterion| {
            let is_carried = scenario.criteria.iter().any(|one| one.value == criterion);
            is_carried && criterion.mode() == Some(mode)
        };
        if !claims(Criterion::DistrolessPrebuilt) {
            return Ok(());
        }
        for image in &mut self.images {
            let shells = self.context.images.shells(image, self.context.invocation).await?;
            image.shells = Some(shells);
        }
        Ok(())
    }
}
