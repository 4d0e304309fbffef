//! What became of each container, for whoever asks what a success criterion rests on.

use shellproof_api::facts::{Container, Fact, What, Witness};
use shellproof_wire::Recording;

use super::running::Running;
use super::state::Execution;
use crate::policy::{self, Allowed};
use crate::result::{ContainerResult, Image};
use crate::run::{checks, contents};
use crate::scenario::{ContainerKind, ContainerPlan};
use crate::source::Spanned;
use crate::vocabulary::Need;

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

    /// What the images of its containers are and contain, as far as somebody wants to know; waits for them unless it broke.
    pub(in crate::run) async fn facts_of_images(&self, recorded: &[Fact], is_awaited: bool) -> Vec<Fact> {
        match self.needs_images() {
            true => contents::facts(&self.context.images.contents, recorded, is_awaited).await,
            false => Vec::new(),
        }
    }

    /// The mounts whose programs it allows.
    pub(in crate::run) fn allowed(&self) -> Vec<Allowed> {
        let containers = self.context.plan.containers.iter();
        let of_container = |container: &ContainerPlan| {
            let name = self.name(&container.name);
            let allowed = |mount: &Spanned<String>| Allowed {
                container: name.clone(),
                mount: mount.value.clone(),
            };
            container.foreign_programs.iter().map(allowed).collect::<Vec<_>>()
        };
        containers.flat_map(of_container).collect()
    }

    /// Whether anybody wants to know what its images are and contain.
    pub(super) fn needs_images(&self) -> bool {
        let (audit, mode) = (&self.context.scenario.audit, self.context.plan.mode);
        audit.need(Witness::Image, mode) != Need::Off
    }

    /// Notes the shells of its images, as far as those have been read.
    pub(in crate::run) fn name_shells(&self, images: &mut [Image]) {
        for image in images {
            if let Some(Ok(content)) = self.context.images.contents.by_now(&image.config.id) {
                image.shells = Some(policy::image::shells(&content));
            }
        }
    }
}
