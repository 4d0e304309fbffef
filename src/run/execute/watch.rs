//! How long containers are watched, and that services live as long as their scenario.

use std::time::{Duration, Instant};

use shellproof_api::Error;

use super::health;
use super::running::ended_first;
use super::state::Execution;
use crate::kernel::Watch;
use crate::run::expect::Checked;
use crate::scenario::ContainerKind;

/// How long an engine is waited for that has not told yet what the kernel's witness has seen: a container's end.
const TOLD: Duration = Duration::from_secs(10);

impl Execution<'_> {
    /// Watches the services until each had its time, and notes which of them did not live that long.
    pub(super) async fn watch_services(&mut self) -> Result<(), Error> {
        let plan = self.context.plan;
        let services = || {
            plan.containers
                .iter()
                .filter_map(|container| match container.kind {
                    ContainerKind::Service { observe } => Some((container, observe)),
                    ContainerKind::Job { .. } => None,
                })
        };
        let needs = services().filter_map(|(container, observe)| {
            let running = self.running(&container.name)?;
            let ready = running.ready.unwrap_or(running.started);
            let checked = health::first_run(container);
            Some(ready + checked.map_or(observe, |checked| observe.max(checked)))
        });
        let until = needs.max().unwrap_or_else(Instant::now);
        for (container, _) in services() {
            let Some(running) = self.running(&container.name) else {
                continue;
            };
            let actual = tokio::select! {
                biased;
                ended = running.ended() => Some(ended_first(ended?)),
                () = tokio::time::sleep_until(until.into()) => match self.has_ended(&container.name) {
                    false => None,
                    true => Some(match tokio::time::timeout(TOLD, running.ended()).await {
                        Ok(ended) => ended_first(ended?),
                        Err(_) => "nothing of it runs any longer, though the engine has not told of its end".to_owned(),
                    }),
                },
            };
            let output = self.collected(&container.name);
            let checked = Checked {
                file: &self.context.scenario.file,
                container: &container.name,
                output: &output,
            };
            let what = format!("`{}` to live as long as the scenario", container.name);
            let span = container
                .ready
                .as_ref()
                .map_or(container.name.span, |ready| ready.probe.span);
            let mut expectation = checked.expectation(what, span, actual);
            if let Some(failure) = &mut expectation.failure {
                let help = "a container that ends is a job, and says so with `expect: { exit: … }`";
                failure.diagnostic.help = Some(help.to_owned());
            }
            self.expectations.push(expectation);
        }
        Ok(())
    }

    /// Whether the kernel's witness has seen a container end. A busy engine tells of it up to some seconds later.
    fn has_ended(&self, container: &str) -> bool {
        let name = self.name(container);
        let watches = self.watches.iter().filter(|(watched, _)| *watched == name);
        watches.map(|(_, watch)| watch).any(Watch::has_ended)
    }
}
