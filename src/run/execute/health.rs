//! What came of the health checks that a scenario gives its services.

use std::time::{Duration, Instant};

use shellproof_api::{Error, HealthCheck, HealthRun, HealthTest};

use super::state::{Execution, PAUSE};
use crate::run::expect::Checked;
use crate::scenario::{ContainerKind, ContainerPlan};

/// How long after its container an engine runs a health check for the first time, and then again, unless the check says so.
const INTERVAL: Duration = Duration::from_secs(30);
/// How long an engine lets a run of a health check take, unless the check says so.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long a run of a health check may take before nobody waits for it any longer whose engine may run none.
const GRACE: Duration = Duration::from_secs(1);

/// How long after its container was ready the scenario's own health check has run once since then.
pub(super) fn first_run(container: &ContainerPlan) -> Option<Duration> {
    Some(check_of(container)?.interval.unwrap_or(INTERVAL) + GRACE)
}

fn check_of(container: &ContainerPlan) -> Option<&HealthCheck> {
    let check = &container.healthcheck.as_ref()?.value;
    let is_service = matches!(container.kind, ContainerKind::Service { .. });
    (is_service && check.test != HealthTest::None).then_some(check)
}

impl Execution<'_> {
    /// The runs of the scenario's own health check of a service.
    pub(super) async fn health_runs(&self, container: &ContainerPlan) -> Result<Vec<HealthRun>, Error> {
        match (check_of(container), self.running(&container.name)) {
            (Some(_), Some(running)) => self.context.runtime.health_runs(&running.id).await,
            _ => Ok(Vec::new()),
        }
    }

    /// A check that has failed ever since its service was ready is a failed expectation, and one that the engine never ran
    /// is worth knowing.
    pub(super) async fn check_health(&mut self) -> Result<(), Error> {
        let plan = self.context.plan;
        for container in &plan.containers {
            let Some((check, entry)) = check_of(container).zip(container.healthcheck.as_ref()) else {
                continue;
            };
            let Some(running) = self.running(&container.name).filter(|running| running.is_alive()) else {
                // That it has ended is the failure.
                continue;
            };
            let patience = Instant::now() + check.timeout.unwrap_or(TIMEOUT);
            let known = running.checked.clone();
            let (told, since) = loop {
                let told = self.health_runs(container).await?;
                let since = since(&told, known.as_ref());
                // Where none has ever ended, perhaps none was begun.
                if !since.is_empty() || told.is_empty() || Instant::now() >= patience {
                    break (told.len(), since);
                }
                tokio::time::sleep(PAUSE).await;
            };
            if told == 0 {
                let unchecked = (self.name(&container.name), check.test.clone());
                self.unchecked.push(unchecked);
                continue;
            }
            let output = self.collected(&container.name);
            let checked = Checked {
                file: &self.context.scenario.file,
                container: &container.name,
                output: &output,
            };
            let what = format!("the health check of `{}` to succeed", container.name);
            let expectation = checked.expectation(what, entry.span, failure(&since));
            self.expectations.push(expectation);
        }
        Ok(())
    }
}

/// The runs behind one that was known before; engines forget the oldest.
fn since(told: &[HealthRun], known: Option<&HealthRun>) -> Vec<HealthRun> {
    let before = told.iter().position(|run| Some(run) == known);
    told[before.map_or(0, |before| before + 1)..].to_vec()
}

/// What is wrong if none of these runs succeeded.
fn failure(runs: &[HealthRun]) -> Option<String> {
    let Some(last) = runs.last() else {
        return Some("no run of it has ended since its container was ready".to_owned());
    };
    if runs.iter().any(|run| run.exit_code == 0) {
        return None;
    }
    let how_often = match runs.len() {
        1 => "it ran once since its container was ready".to_owned(),
        runs => format!("its last {runs} runs since its container was ready failed"),
    };
    let output = match last.output.trim() {
        "" => "it wrote nothing".to_owned(),
        output => format!("it wrote {output:?}"),
    };
    Some(format!("{how_often}: exit code {}, and {output}", last.exit_code))
}
