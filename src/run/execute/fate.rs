//! What became of each container, for whoever asks what a success criterion rests on.

use shellproof_api::Error;

use super::running::Running;
use super::state::Execution;
use crate::result::ContainerResult;
use crate::scenario::{AfterState, ContainerPlan, Probe};
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
        let as_expected = if container.runs_to_end {
            exit_code.is_some_and(|code| self.wanted_codes(container).all(|wanted| code == wanted))
        } else {
            // A service that lives until it is stopped, and of which something is awaited.
            let is_service = container.ready.is_some() || !container.expect.http.is_empty();
            is_service && running.is_some_and(Running::is_alive)
        };
        ContainerResult {
            name: container.name.value.clone(),
            engine_name: self.name(&container.name),
            started: is_started,
            exit_code,
            as_expected,
        }
    }

    /// The codes with which a container is to end: its own, what others wait for, or else 0.
    fn wanted_codes(&self, container: &ContainerPlan) -> impl Iterator<Item = i64> {
        let name = &container.name.value;
        let own = container.expect.exit.as_ref().map(|exit| exit.value);
        let ready = container
            .ready
            .as_ref()
            .and_then(|ready| match ready.probe.value {
                Probe::Exit(code) => Some(code),
                _ => None,
            });
        let others = self.context.plan.containers.iter().flat_map(|other| &other.after);
        let waited = others.filter_map(move |after| match after.state.value {
            AfterState::Exited(code) if after.container.value == *name => Some(code),
            _ => None,
        });
        let mut codes: Vec<u8> = own.into_iter().chain(ready).chain(waited).collect();
        if codes.is_empty() {
            codes.push(0);
        }
        codes.into_iter().map(i64::from)
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
