//! Asking a container from its own network, with a probe: a host cannot reach rootless networks.

use std::time::{Duration, Instant};

use shellproof_api::{ContainerSpec, NetworkAttachment, StdStream};

use super::running::ended_first;
use super::state::{Execution, PAUSE, Stop};
use crate::run::expect::Checked;
use crate::scenario::ContainerPlan;

/// How long a probe may take beyond its own deadline: its container must be made and started.
const PROBE_GRACE: Duration = Duration::from_secs(30);
/// How long one probe asks before another takes its place. Podman 4's name server may miss a network's start, and is
/// started again only when another container joins.
const PROBE_TURN: Duration = Duration::from_secs(5);

/// What a probe asks.
#[derive(Clone, Copy)]
pub(super) enum Question<'a> {
    /// Whether a port takes connections.
    Tcp(u16),
    /// What is answered to a request, with this status if one is wanted.
    Http {
        port: u16,
        path: &'a str,
        status: Option<u16>,
    },
}

impl Question<'_> {
    /// The probe's arguments.
    fn words(self, host: &str, within: Duration) -> Vec<String> {
        let within = within.as_millis().to_string();
        match self {
            Self::Tcp(port) => vec!["tcp".into(), host.into(), port.to_string(), within],
            Self::Http { port, path, status } => {
                let words = ["http".into(), host.into(), port.to_string(), within, path.into()];
                words
                    .into_iter()
                    .chain(status.map(|status| status.to_string()))
                    .collect()
            }
        }
    }
}

impl Execution<'_> {
    /// Asks with one probe after another until there is an answer, or the container has ended.
    pub(super) async fn ask_until(
        &mut self,
        container: &ContainerPlan,
        question: Question<'_>,
        deadline: Instant,
    ) -> Result<Result<String, String>, Stop> {
        loop {
            let turn = deadline.min(Instant::now() + PROBE_TURN);
            let answer = self.ask(container, question, turn).await?;
            let has_ended = self
                .running(&container.name)
                .is_none_or(|running| running.ended.borrow().is_some());
            if answer.is_ok() || has_ended || Instant::now() + PAUSE >= deadline {
                return Ok(answer);
            }
        }
    }

    /// Asks a container from its own network. Gives the probe's answer, or what kept it from having one.
    async fn ask(
        &mut self,
        container: &ContainerPlan,
        question: Question<'_>,
        deadline: Instant,
    ) -> Result<Result<String, String>, Stop> {
        let Some(network) = &container.network else {
            return Ok(Err("it is on no network, so nothing can reach it".into()));
        };
        let left = deadline.saturating_duration_since(Instant::now());
        self.probes += 1;
        let name = self.name(&format!("probe{}", self.probes));
        let words = question.words(&container.name, left);
        let (images, invocation) = (self.context.images, self.context.invocation);
        let spec = ContainerSpec {
            network: Some(NetworkAttachment {
                network: self.name(network),
                aliases: Vec::new(),
            }),
            labels: self.labels(),
            ..images.probe_container(invocation, &name, words).await?
        };
        let probe = self.launch(&spec).await?;
        let Some(target) = self.running(&container.name) else {
            return Ok(Err("it was never started".into()));
        };
        Ok(tokio::select! {
            biased;
            ended = probe.ended() => {
                let output = probe.output.snapshot();
                match ended?.code {
                    0 => Ok(output.text(StdStream::Stdout)),
                    _ => Err(output.text(StdStream::Stderr).trim().to_owned()),
                }
            }
            ended = target.ended() => Err(ended_first(ended?)),
            () = tokio::time::sleep(left + PROBE_GRACE) => Err("its probe did not end".into()),
        })
    }

    /// `http:` expectations: asked again until the answer fits or its time is over.
    pub(super) async fn check_answers(&mut self) -> Result<(), Stop> {
        for container in &self.context.plan.containers {
            for expected in &container.expect.http {
                let deadline = Instant::now() + expected.within;
                let expectations = loop {
                    let question = Question::Http {
                        port: *expected.port,
                        path: &expected.path,
                        status: None,
                    };
                    let turn = deadline.min(Instant::now() + PROBE_TURN);
                    let answer = self.ask(container, question, turn).await?;
                    let output = self.collected(&container.name);
                    let checked = Checked {
                        file: &self.context.scenario.file,
                        container: &container.name,
                        output: &output,
                    };
                    let expectations = checked.answer(expected, &answer);
                    let fits = expectations
                        .iter()
                        .all(|expectation| expectation.failure.is_none());
                    if fits || Instant::now() + PAUSE >= deadline {
                        break expectations;
                    }
                    tokio::time::sleep(PAUSE).await;
                };
                self.expectations.extend(expectations);
            }
        }
        Ok(())
    }
}
