//! What a scenario means in one image mode: each container with its mode's block merged in.

use std::collections::BTreeMap;
use std::time::Duration;

use super::schema::{
    After, AfterState, Argv, Container, EnvVar, Expect, HealthCheck, Mount, MountSource, Outcome, Port,
    Probe, Ready, Scenario, Settings, Source,
};
use crate::source::Spanned;
use crate::vocabulary::Mode;

/// How long a container that runs to its end may take, unless it says otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// A scenario in one image mode.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Plan {
    /// The mode.
    pub mode: Mode,
    /// The containers in an order in which they can be started: the file's order, except that a
    /// container comes after the ones it waits for.
    pub containers: Vec<ContainerPlan>,
    /// The expected verdict.
    pub outcome: Outcome,
}

impl Plan {
    /// The container with this name.
    pub fn container(&self, name: &str) -> Option<&ContainerPlan> {
        self.containers
            .iter()
            .find(|container| container.name.value == name)
    }
}

/// A container in one image mode.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ContainerPlan {
    /// The key under `containers`.
    pub name: Spanned<String>,
    /// Where the image comes from.
    pub source: Spanned<Source>,
    /// Replaces the image's entrypoint. A `command:` stands here whole, and then `args` is absent.
    pub entrypoint: Option<Spanned<Argv>>,
    /// Replaces the image's command.
    pub args: Option<Spanned<Argv>>,
    /// The environment; a mode's variables come last and replace those of the same name.
    pub env: Vec<EnvVar>,
    /// The user, if not the image's.
    pub user: Option<Spanned<String>>,
    /// The working directory, if not the image's.
    pub workdir: Option<Spanned<String>>,
    /// The declared network it joins.
    pub network: Option<Spanned<String>>,
    /// More host names on that network; its own name always is one.
    pub aliases: Vec<Spanned<String>>,
    /// What is mounted; relative host paths now start where the scenario file's path does.
    pub volumes: Vec<Spanned<Mount>>,
    /// Ports published on the host.
    pub ports: Vec<Spanned<Port>>,
    /// Whether the root file system cannot be written.
    pub read_only: bool,
    /// Capabilities taken away, without the `CAP_` prefix.
    pub cap_drop: Vec<Spanned<String>>,
    /// Capabilities given, without the `CAP_` prefix.
    pub cap_add: Vec<Spanned<String>>,
    /// Whether programs in it can gain no privileges.
    pub no_new_privileges: bool,
    /// Paths that are held in memory.
    pub tmpfs: Vec<Spanned<String>>,
    /// The health check, if not the image's.
    pub healthcheck: Option<Spanned<HealthCheck>>,
    /// How to know that it is ready.
    pub ready: Option<Ready>,
    /// What must have happened before it starts.
    pub after: Vec<After>,
    /// What must be true of it.
    pub expect: Expect,
    /// Whether it runs to its end by itself; otherwise it is stopped when the scenario ends.
    pub runs_to_end: bool,
    /// How long running to its end may take.
    pub timeout: Duration,
}

impl Scenario {
    /// The scenario in one image mode, or nothing when it is not meant for that mode.
    pub fn for_mode(&self, mode: Mode) -> Option<Plan> {
        if !self.modes.contains(&mode) {
            return None;
        }
        let merged: Vec<Merged<'_>> = self
            .containers
            .iter()
            .map(|container| merge(container, mode))
            .collect();
        let mut containers = Vec::with_capacity(merged.len());
        for index in start_order(&merged) {
            let runs_to_end = runs_to_end(&merged, index);
            containers.push(self.plan(&merged[index], runs_to_end)?);
        }
        Some(Plan {
            mode,
            containers,
            outcome: self.expect.for_mode(mode).clone(),
        })
    }

    fn plan(&self, merged: &Merged<'_>, runs_to_end: bool) -> Option<ContainerPlan> {
        let settings = merged.settings.clone();
        let (entrypoint, args) = match settings.command {
            Some(command) => (Some(command), None),
            None => (settings.entrypoint, settings.args),
        };
        let mut volumes = settings.volumes.unwrap_or_default();
        for mount in &mut volumes {
            if let MountSource::Bind(path) = &mut mount.value.source {
                *path = self.file.directory().join(&*path);
            }
        }
        Some(ContainerPlan {
            name: merged.container.name.clone(),
            source: settings.source?,
            entrypoint,
            args,
            env: settings.env,
            user: settings.user,
            workdir: settings.workdir,
            network: settings.network,
            aliases: settings.aliases.unwrap_or_default(),
            volumes,
            ports: settings.ports.unwrap_or_default(),
            read_only: settings.read_only.is_some_and(|flag| flag.value),
            cap_drop: settings.cap_drop.unwrap_or_default(),
            cap_add: settings.cap_add.unwrap_or_default(),
            no_new_privileges: settings.no_new_privileges.is_some_and(|flag| flag.value),
            tmpfs: settings.tmpfs.unwrap_or_default(),
            healthcheck: settings.healthcheck,
            ready: settings.ready,
            after: settings.after.unwrap_or_default(),
            expect: settings.expect.map(|expect| expect.value).unwrap_or_default(),
            runs_to_end,
            timeout: settings.timeout.map_or(DEFAULT_TIMEOUT, |timeout| timeout.value),
        })
    }
}

/// A container and its settings in one mode.
pub(super) struct Merged<'a> {
    pub(super) container: &'a Container,
    pub(super) settings: Settings,
}

impl Merged<'_> {
    /// What it waits for.
    pub(super) fn after(&self) -> &[After] {
        self.settings.after.as_deref().unwrap_or_default()
    }
}

/// A container's keys in one mode: the mode's block replaces key by key, and adds to `env`.
pub(super) fn merge(container: &Container, mode: Mode) -> Merged<'_> {
    let over = match mode {
        Mode::Layered => &container.layered,
        Mode::Prebuilt => &container.prebuilt,
    };
    let mut settings = container.base.clone();
    if let Some(over) = over {
        let over = over.value.clone();
        macro_rules! replace {
            ($($key:ident),+) => { $(if over.$key.is_some() { settings.$key = over.$key; })+ };
        }
        replace!(
            source,
            entrypoint,
            args,
            command,
            user,
            workdir,
            network,
            aliases,
            volumes,
            ports,
            read_only,
            cap_drop,
            cap_add,
            no_new_privileges,
            tmpfs,
            healthcheck,
            ready,
            after,
            expect,
            timeout
        );
        settings
            .env
            .retain(|kept| over.env.iter().all(|new| new.name.value != kept.name.value));
        settings.env.extend(over.env);
    }
    Merged { container, settings }
}

/// Whether a container ends by itself: it says with which code, or another waits for that.
pub(super) fn runs_to_end(all: &[Merged<'_>], index: usize) -> bool {
    let settings = &all[index].settings;
    let name = &all[index].container.name.value;
    settings
        .expect
        .as_ref()
        .is_some_and(|expect| expect.exit.is_some())
        || settings
            .ready
            .as_ref()
            .is_some_and(|ready| matches!(ready.probe.value, Probe::Exit(_)))
        || all
            .iter()
            .flat_map(|other| other.after())
            .any(|after| after.container.value == *name && matches!(after.state.value, AfterState::Exited(_)))
}

/// The indices in an order in which each container comes after the ones it waits for. What waits in
/// a circle, or for an unknown container, keeps the file's order; `check` has reported it.
fn start_order(all: &[Merged<'_>]) -> Vec<usize> {
    let index_of: BTreeMap<&str, usize> = all
        .iter()
        .enumerate()
        .map(|(index, merged)| (merged.container.name.value.as_str(), index))
        .collect();
    let mut placed = vec![false; all.len()];
    let mut order = Vec::with_capacity(all.len());
    while order.len() < all.len() {
        let is_free = |index: usize| {
            !placed[index]
                && all[index].after().iter().all(|after| {
                    index_of
                        .get(after.container.value.as_str())
                        .is_none_or(|&other| placed[other])
                })
        };
        let next = (0..all.len())
            .find(|&index| is_free(index))
            .or_else(|| placed.iter().position(|done| !done));
        let Some(next) = next else { break };
        placed[next] = true;
        order.push(next);
    }
    order
}
