//! What a scenario means in one image mode: each container with its mode's block merged in.

use std::collections::BTreeMap;
use std::time::Duration;

use super::keys::container_keys;
use super::schema::{
    After, AfterState, Argv, Container, EnvVar, Expect, HealthCheck, ImageChoice, Mount, MountSource,
    Outcome, Port, Probe, Ready, Scenario, Settings, TextExpect,
};
use crate::source::Spanned;
use crate::vocabulary::Mode;

/// How long a job may take, unless it says otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a service is watched at least, unless it says otherwise.
const DEFAULT_OBSERVE: Duration = Duration::from_secs(1);

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

/// A container's life in a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerKind {
    /// It ends by itself, and its end is awaited.
    Job {
        /// The code that it must end with, and where that is said; at its name if nobody says so.
        exit: Spanned<u8>,
        /// How long it may take.
        timeout: Duration,
    },
    /// It lives as long as the scenario.
    Service {
        /// How long it is watched at least, from when it is ready.
        observe: Duration,
    },
}

macro_rules! planned {
    (kept $type:ty) => { Option<$type> };
    (filled $type:ty) => { $type };
}

macro_rules! fill {
    (kept $value:expr) => {
        $value
    };
    (filled $value:expr) => {
        $value.unwrap_or_default()
    };
}

macro_rules! plan_of_container {
    ($($(#[$doc:meta])* $key:ident: $kind:ident $type:ty = $read:ident,)+) => {
        /// A container in one image mode. What is said of a key holds for what the mode's block made of it.
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub struct ContainerPlan {
            /// The key under `containers`.
            pub name: Spanned<String>,
            /// Whether it is a job or a service.
            pub kind: ContainerKind,
            /// Which image it runs.
            pub image: Spanned<ImageChoice>,
            $($(#[$doc])* pub $key: planned!($kind $type),)+
        }

        impl Settings {
            /// Replaces each key that a mode's block has, as a whole.
            fn replace(&mut self, over: Self) {
                macro_rules! replace {
                    ($one:ident) => { if over.$one.is_some() { self.$one = over.$one; } };
                }
                replace!(image);
                replace!(command);
                $(replace!($key);)+
            }

            /// The plan of a container with these settings, if it has an image.
            fn plan(self, name: Spanned<String>, kind: ContainerKind) -> Option<ContainerPlan> {
                Some(ContainerPlan { name, kind, image: self.image?, $($key: fill!($kind self.$key),)+ })
            }
        }
    };
}
container_keys!(plan_of_container);

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
            containers.push(self.plan(&merged, index)?);
        }
        Some(Plan {
            mode,
            containers,
            outcome: self.expect.for_mode(mode).clone(),
        })
    }

    fn plan(&self, all: &[Merged<'_>], index: usize) -> Option<ContainerPlan> {
        let kind = kind(all, index)?;
        let mut settings = all[index].settings.clone();
        if let Some(command) = settings.command.take() {
            (settings.entrypoint, settings.args) = (Some(command), None);
        }
        for mount in settings.volumes.iter_mut().flatten() {
            if let MountSource::Bind(path) = &mut mount.value.source {
                *path = self.file.directory().join(&*path);
            }
        }
        settings.plan(all[index].container.name.clone(), kind)
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

/// A container's keys in one mode: the mode's block replaces key by key, and adds to `env` and `expect`.
pub(super) fn merge(container: &Container, mode: Mode) -> Merged<'_> {
    let over = match mode {
        Mode::Layered => &container.layered,
        Mode::Prebuilt => &container.prebuilt,
    };
    let mut settings = container.base.clone();
    if let Some(over) = over {
        let mut over = over.value.clone();
        if let (Some(kept), Some(new)) = (&settings.env, &mut over.env) {
            let is_replaced = |old: &EnvVar| new.iter().any(|new| new.name == old.name);
            let mut all: Vec<EnvVar> = kept.iter().filter(|old| !is_replaced(old)).cloned().collect();
            all.append(new);
            *new = all;
        }
        if let (Some(common), Some(more)) = (&settings.expect, &mut over.expect) {
            *more = common.clone().and(std::mem::take(more));
        }
        settings.replace(over);
    }
    Merged { container, settings }
}

impl Expect {
    /// These expectations and more. Where both say what one thing is, the others count.
    fn and(mut self, more: Self) -> Self {
        self.http.extend(more.http);
        self.files.extend(more.files);
        Self {
            exit: more.exit.or(self.exit),
            stdout: TextExpect::both(self.stdout, more.stdout),
            stderr: TextExpect::both(self.stderr, more.stderr),
            http: self.http,
            files: self.files,
        }
    }
}

impl TextExpect {
    fn both(one: Option<Self>, more: Option<Self>) -> Option<Self> {
        let (mut all, more) = match (one, more) {
            (Some(one), Some(more)) => (one, more),
            (one, more) => return more.or(one),
        };
        all.contains.extend(more.contains);
        all.not_contains.extend(more.not_contains);
        if !more.matches.is_empty() {
            all.matches = more.matches;
        }
        all.not_matches.extend(more.not_matches);
        all.equals = more.equals.or(all.equals);
        Some(all)
    }
}

/// The codes that the scenario says a container ends with, and where: its own `expect`, its `ready`, and what others
/// wait for, in this order.
pub(super) fn exit_codes(all: &[Merged<'_>], index: usize) -> impl Iterator<Item = Spanned<u8>> {
    let Merged { container, settings } = &all[index];
    let expected = settings.expect.as_ref().and_then(|expect| expect.exit);
    let ready = settings.ready.as_ref().and_then(|ready| match ready.probe.value {
        Probe::Exit(code) => Some(Spanned::new(code, ready.probe.span)),
        _ => None,
    });
    let waiters = all.iter().flat_map(Merged::after);
    let awaited = waiters.filter_map(|after| match after.state.value {
        AfterState::Exited(code) if after.container == container.name => {
            Some(Spanned::new(code, after.state.span))
        }
        _ => None,
    });
    expected.into_iter().chain(ready).chain(awaited)
}

/// Whether a container is a job or a service; nothing when it does not say. A job is one with an exit code, or
/// without a `ready` and with expectations of its output, which is whole when it has ended. A service has a `ready`.
pub(super) fn kind(all: &[Merged<'_>], index: usize) -> Option<ContainerKind> {
    let Merged { container, settings } = &all[index];
    let timeout = settings.timeout.map_or(DEFAULT_TIMEOUT, |timeout| timeout.value);
    if let Some(exit) = exit_codes(all, index).next() {
        return Some(ContainerKind::Job { exit, timeout });
    }
    if settings.ready.is_some() {
        let observe = settings.observe.map_or(DEFAULT_OBSERVE, |observe| observe.value);
        return Some(ContainerKind::Service { observe });
    }
    let expect = settings.expect.as_ref()?;
    (expect.stdout.is_some() || expect.stderr.is_some()).then(|| ContainerKind::Job {
        exit: Spanned::new(0, container.name.span),
        timeout,
    })
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
