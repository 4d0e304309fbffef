//! One scenario, in one mode, on one engine: from its networks to the last expectation.

mod asked;
mod fate;
mod health;
mod launch;
mod one_user;
mod probe;
mod running;
mod spec;
mod state;
mod users;
mod watch;

use std::time::{Duration, Instant};

use shellproof_api::facts::Traced;
use shellproof_api::{EngineKind, Error, NetworkSpec, Resource, ResourceKind, StdStream, VolumeSpec};

use super::expect::{Checked, Exited, more_might_meet};
use super::output::Collected;
use crate::kernel::Watch;
use crate::policy::Standing;
use crate::result::{Expectation, Image};
use crate::scenario::{AfterState, ContainerKind, ContainerPlan, Probe, Ready, Scenario};
use crate::source::{Diagnostic, Span, Spanned};
use probe::Question;
use running::ended_first;
use state::PAUSE;
pub(super) use state::{Context, Execution, Stop};

impl<'a> Execution<'a> {
    /// Runs the scenario to its last expectation.
    pub(super) async fn run(&mut self) -> Result<(), Stop> {
        let plan = self.context.plan;
        let mut images = Vec::new();
        for container in &plan.containers {
            let image = self.context.images.for_container(
                &container.image.value,
                self.context.platform,
                plan.mode,
                self.context.progress,
            );
            let image = image.await?;
            if self.needs_images() {
                // Only the verdict waits for it.
                self.context.images.contents.begin(&image.config.id);
            }
            if !self.images.contains(&image) {
                self.images.push(image.clone());
            }
            images.push(image);
        }
        self.make_surroundings().await?;
        let began = Instant::now();
        self.began = Some(began);
        for (container, image) in plan.containers.iter().zip(&images) {
            self.wait_for_others(container).await?;
            self.start(container, image).await?;
        }
        for container in &plan.containers {
            if let Some(ready) = &container.ready {
                self.await_ready(container, ready).await?;
            }
        }
        self.check_answers().await?;
        for container in &plan.containers {
            if let ContainerKind::Job { exit, .. } = container.kind {
                self.check_end(container, exit).await?;
            }
        }
        self.duration = began.elapsed();
        self.watch_services().await?;
        self.check_health().await?;
        for container in &plan.containers {
            self.check_output(container)?;
        }
        for (container, image) in plan.containers.iter().zip(&images) {
            self.check_files(container, image).await?;
        }
        Ok(())
    }

    /// Removes what was made, goes on after errors and reports them. `keep` leaves the containers.
    pub(super) async fn clean_up(&mut self, keep: bool) -> Vec<String> {
        if let (true, Some(began)) = (self.duration.is_zero(), self.began) {
            self.duration = began.elapsed();
        }
        self.running.clear();
        let mut errors = Vec::new();
        let mut made = std::mem::take(&mut self.made);
        made.sort_by_key(|resource| resource.kind);
        for resource in made {
            if keep {
                errors.push(format!(
                    "{resource} was kept, as asked; `shellproof clean` removes it"
                ));
            } else if let Err(error) = self.remove(&resource).await {
                errors.push(error.to_string());
            }
        }
        errors
    }

    /// Removes one object, and tries again when that fails: networks of several containers that end at once get into each
    /// other's way (Podman's name server).
    async fn remove(&self, resource: &Resource) -> Result<(), Error> {
        let runtime = self.context.runtime;
        if runtime.remove(resource).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
        runtime.remove(resource).await
    }

    /// Whether nothing is asked of anybody: the containers are made here.
    pub(super) fn has_no_wire(&self) -> bool {
        self.context.runtime.engine().kind == EngineKind::Embedded
    }

    /// Whether the kernel witness is heard.
    pub(super) fn kernel_standing(&self) -> Standing<'_> {
        self.context
            .kernel
            .map_or_else(|unheard| unheard, |_| Standing::Heard)
    }

    /// The programs that its containers have started so far.
    pub(super) fn traces(&self) -> Vec<Traced> {
        let traced = |(container, watch): &(String, Watch)| Traced {
            container: container.clone(),
            trace: watch.trace(),
        };
        self.watches.iter().map(traced).collect()
    }

    /// All programs of its containers, which have been removed.
    pub(super) async fn last_traces(&mut self) -> Vec<Traced> {
        let watches = std::mem::take(&mut self.watches);
        let traced = |(container, watch): (String, Watch)| Traced {
            container,
            trace: watch.ended(),
        };
        let traces = tokio::task::spawn_blocking(move || watches.into_iter().map(traced).collect());
        traces.await.unwrap_or_default()
    }

    pub(super) fn scenario(&self) -> &'a Scenario {
        self.context.scenario
    }

    async fn make_surroundings(&mut self) -> Result<(), Error> {
        for network in &self.context.scenario.networks {
            let name = self.name(network);
            self.making(ResourceKind::Network, &name);
            self.context
                .runtime
                .create_network(&NetworkSpec {
                    name,
                    labels: self.labels(),
                })
                .await?;
        }
        for volume in &self.context.scenario.volumes {
            let name = self.name(volume);
            self.making(ResourceKind::Volume, &name);
            self.context
                .runtime
                .create_volume(&VolumeSpec {
                    name,
                    labels: self.labels(),
                })
                .await?;
        }
        Ok(())
    }

    async fn start(&mut self, container: &ContainerPlan, image: &Image) -> Result<(), Stop> {
        (self.context.progress)(format!("starting {}", container.name));
        let mut spec = self.spec(container, image);
        self.note_user(container, image);
        if let Ok(kernel) = self.context.kernel {
            let watch = kernel.watch(None).map_err(Stop::Kernel)?;
            spec.seccomp_profile = Some(watch.profile().to_owned());
            self.watches.push((spec.name.clone(), watch));
        }
        let running = self.launch(&spec).await?;
        self.running.insert(container.name.value.clone(), running);
        Ok(())
    }

    /// Notes an expectation, and stops the scenario if it failed and others depend on it.
    fn note(
        &mut self,
        container: &str,
        what: String,
        span: Span,
        actual: Option<String>,
    ) -> Result<(), Stop> {
        let output = self.collected(container);
        let checked = Checked {
            file: &self.context.scenario.file,
            container,
            output: &output,
        };
        let failed = actual.is_some();
        let expectation = checked.expectation(what, span, actual);
        self.expectations.push(expectation);
        if failed { Err(Stop::Failed) } else { Ok(()) }
    }

    /// `after:`.
    async fn wait_for_others(&mut self, container: &ContainerPlan) -> Result<(), Stop> {
        for after in &container.after {
            let name = &after.container.value;
            let Some(other) = self.context.plan.container(name) else {
                continue;
            };
            match after.state.value {
                AfterState::Started => {}
                AfterState::Ready => {
                    if let Some(ready) = &other.ready {
                        self.await_ready(other, ready).await?;
                    }
                }
                AfterState::Exited(code) => {
                    let what = format!("`{name}` to exit with {code}");
                    let actual = match self.end(other).await? {
                        Ok(ended) if ended.code == i64::from(code) => None,
                        Ok(ended) => Some(ended.to_string()),
                        Err(reason) => Some(reason),
                    };
                    self.note(name, what, after.state.span, actual)?;
                }
            }
        }
        Ok(())
    }

    /// How a container ended within its own time, or why it did not.
    async fn end(&self, container: &ContainerPlan) -> Result<Result<Exited, String>, Error> {
        let Some(running) = self.running(&container.name) else {
            return Ok(Err("it was never started".into()));
        };
        // Nobody waits for the end of a service.
        let ContainerKind::Job { timeout, .. } = container.kind else {
            return Ok(Err("it is a service".into()));
        };
        match tokio::time::timeout(timeout, running.ended()).await {
            Ok(ended) => ended.map(Ok),
            Err(_) => Ok(Err(format!("it still ran after {timeout:?}"))),
        }
    }

    async fn await_ready(&mut self, container: &ContainerPlan, ready: &Ready) -> Result<(), Stop> {
        let name = container.name.value.as_str();
        let what = format!("`{name}` to be ready within {:?}", ready.within);
        if self
            .expectations
            .iter()
            .any(|expectation| expectation.what == what)
        {
            return Ok(());
        }
        (self.context.progress)(format!("waiting for {name}"));
        let deadline = Instant::now() + ready.within;
        let actual = match &ready.probe.value {
            Probe::Exit(code) => {
                let Some(running) = self.running(name) else {
                    return Ok(());
                };
                match tokio::time::timeout(ready.within, running.ended()).await {
                    Ok(ended) => match ended? {
                        ended if ended.code == i64::from(*code) => None,
                        ended => Some(ended.to_string()),
                    },
                    Err(_) => Some("it still ran".to_owned()),
                }
            }
            Probe::Log(pattern) => {
                let Some(running) = self.running(name) else {
                    return Ok(());
                };
                let found = running.output.line(|line| pattern.is_match(line));
                tokio::select! {
                    biased;
                    () = found => None,
                    ended = running.ended() => Some(ended_first(ended?)),
                    () = tokio::time::sleep(ready.within) => Some("no such line".to_owned()),
                }
            }
            Probe::Tcp(port) => self
                .ask_until(container, Question::Tcp(*port), deadline)
                .await?
                .err(),
            Probe::Http { port, path, status } => {
                let question = Question::Http {
                    port: *port,
                    path,
                    status: Some(*status),
                };
                self.ask_until(container, question, deadline).await?.err()
            }
        };
        self.note(name, what, ready.probe.span, actual)?;
        let checked = self.health_runs(container).await?.pop();
        if let Some(running) = self.running.get_mut(name) {
            running.ready = Some(Instant::now());
            running.checked = checked;
        }
        Ok(())
    }

    /// The end of a job: within its time, and with its exit code.
    async fn check_end(&mut self, container: &ContainerPlan, exit: Spanned<u8>) -> Result<(), Error> {
        let ended = self.end(container).await?;
        let output = self.collected(&container.name);
        let checked = Checked {
            file: &self.context.scenario.file,
            container: &container.name,
            output: &output,
        };
        let mut expectation = checked.exit(&exit, &ended);
        // Whoever waited for this container may have checked it already.
        if self.expectations.iter().any(|one| one.what == expectation.what) {
            return Ok(());
        }
        if let (Some(failure), true) = (&mut expectation.failure, exit.span == container.name.span) {
            let help = "a job ends with 0 unless its `expect: { exit: … }` says otherwise";
            failure.diagnostic.help = Some(help.to_owned());
        }
        self.expectations.push(expectation);
        Ok(())
    }

    fn check_output(&mut self, container: &ContainerPlan) -> Result<(), Error> {
        let output = match self.running(&container.name) {
            Some(running) => running.output()?,
            None => Collected::default(),
        };
        let checked = Checked {
            file: &self.context.scenario.file,
            container: &container.name,
            output: &output,
        };
        let expected = &container.expect;
        let streams = [
            (StdStream::Stdout, &expected.stdout),
            (StdStream::Stderr, &expected.stderr),
        ];
        let mut expectations = Vec::new();
        let mut lacking = 0;
        for (stream, expected) in streams {
            if let Some(expected) = expected {
                let checks = checked.stream(stream, expected);
                if more_might_meet(expected, &output.text(stream)) {
                    lacking += checks.iter().filter(|check| check.failure.is_some()).count();
                }
                expectations.extend(checks);
            }
        }
        self.lacking += lacking;
        self.expectations.extend(expectations);
        Ok(())
    }

    async fn check_files(&mut self, container: &ContainerPlan, image: &Image) -> Result<(), Error> {
        for expected in &container.expect.files {
            let found = self
                .context
                .images
                .read_file(image, &expected.path, self.context.invocation)
                .await?;
            let output = Collected::default();
            let checked = Checked {
                file: &self.context.scenario.file,
                container: &container.name,
                output: &output,
            };
            let expectations = checked.file(expected, found.as_ref());
            self.expectations.extend(expectations);
        }
        Ok(())
    }

    /// Notes that the whole scenario took too long.
    pub(super) fn took_too_long(&mut self, limit: Duration) {
        let scenario = self.context.scenario;
        let title = format!("expected the scenario to end within {limit:?}");
        let diagnostic = Diagnostic::new(&scenario.file, scenario.name.span, title);
        self.expectations.push(Expectation {
            what: "the scenario to end in time".to_owned(),
            ..Expectation::of_file(diagnostic)
        });
    }
}
