//! Compares the parts of a scenario with each other.
//!
//! What both modes share is reported once. What holds in one mode only says so.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::resolve::{ContainerKind, Merged, exit_codes, kind, merge};
use super::schema::{AfterState, MountSource, Scenario};
use crate::source::Diagnostic;
use crate::source::spelling::{quoted, similar};
use crate::source::{SourceFile, Span, Spanned};
use crate::vocabulary::Mode;

/// Adds the mistakes of a scenario to those of the earlier stages. A container in which an earlier
/// stage found a mistake is not told that something is missing: it may stand in the wrong part.
pub(super) fn check(scenario: &Scenario, errors: &mut Vec<Diagnostic>) {
    let broken: Vec<Span> = errors.iter().filter_map(|error| error.span).collect();
    let mut found = Vec::new();
    modes(scenario, &mut found);
    let by_mode: Vec<(Mode, Vec<Diagnostic>)> = scenario
        .modes
        .iter()
        .map(|&mode| (mode, InMode::new(scenario, mode, &broken).check()))
        .collect();
    match by_mode.as_slice() {
        [(first_mode, first), (second_mode, second)] => {
            found.extend(first.iter().filter(|error| second.contains(error)).cloned());
            for (mode, own, other) in [(first_mode, first, second), (second_mode, second, first)] {
                found.extend(
                    own.iter()
                        .filter(|error| !other.contains(error))
                        .cloned()
                        .map(|mut error| {
                            error.title = format!("in {mode} mode, {}", error.title);
                            error
                        }),
                );
            }
        }
        rest => found.extend(rest.iter().flat_map(|(_, errors)| errors).cloned()),
    }
    errors.append(&mut found);
}

/// What the modes of a scenario leave without a meaning.
fn modes(scenario: &Scenario, found: &mut Vec<Diagnostic>) {
    let file = &scenario.file;
    let is_off = |mode: Mode| !scenario.modes.is_empty() && !scenario.modes.contains(&mode);
    for container in &scenario.containers {
        for (mode, block) in [
            (Mode::Layered, &container.layered),
            (Mode::Prebuilt, &container.prebuilt),
        ] {
            if let Some(block) = block.as_ref().filter(|_| is_off(mode)) {
                let title = format!("a `{mode}` block in a scenario that does not run in {mode} mode");
                let error = Diagnostic::new(file, block.span, title).label("has no effect");
                found.push(error.help(format!("add `{mode}` to `modes`, or remove the block")));
            }
        }
    }
    for criterion in &scenario.criteria {
        if !criterion.is_for_scenarios() {
            let title = format!("no scenario can show the criterion `{criterion}`");
            let error =
                Diagnostic::new(file, criterion.span, title).label("is judged by the project's own tests");
            found.push(error.help("remove it; `scripts/test` prints its verdict"));
        }
        if let Some(mode) = criterion.mode().filter(|&mode| is_off(mode)) {
            let title = format!("the criterion `{criterion}` needs {mode} mode");
            let error = Diagnostic::new(file, criterion.span, title);
            found.push(error.label(format!("this scenario does not run in {mode} mode")));
        }
    }
    let (layered, prebuilt) = (&scenario.expect.layered, &scenario.expect.prebuilt);
    if layered.span != prebuilt.span {
        for (mode, outcome) in [(Mode::Layered, layered), (Mode::Prebuilt, prebuilt)] {
            if let Some(span) = outcome.span.filter(|_| is_off(mode)) {
                let title = format!("a verdict for {mode} mode, in which the scenario does not run");
                found.push(Diagnostic::new(file, span, title).label("has no effect"));
            }
        }
    }
}

/// The checks of one mode, after the mode's blocks are merged in.
struct InMode<'s> {
    scenario: &'s Scenario,
    file: &'s Arc<SourceFile>,
    all: Vec<Merged<'s>>,
    index_of: BTreeMap<&'s str, usize>,
    broken: &'s [Span],
    found: Vec<Diagnostic>,
}

impl<'s> InMode<'s> {
    fn new(scenario: &'s Scenario, mode: Mode, broken: &'s [Span]) -> Self {
        let all = scenario
            .containers
            .iter()
            .map(|container| merge(container, mode))
            .collect();
        let names = scenario
            .containers
            .iter()
            .map(|container| container.name.value.as_str());
        let index_of = names.enumerate().map(|(index, name)| (name, index)).collect();
        Self {
            scenario,
            file: &scenario.file,
            all,
            index_of,
            broken,
            found: Vec::new(),
        }
    }

    fn check(mut self) -> Vec<Diagnostic> {
        let all = std::mem::take(&mut self.all);
        for (index, merged) in all.iter().enumerate() {
            self.names(merged);
            self.mounts(merged);
            self.foreign_programs(merged);
            self.after(merged, &all);
            let is_sound = !self
                .broken
                .iter()
                .any(|&error| merged.container.span.contains(error));
            if is_sound {
                self.needs(merged);
                self.kind(&all, index);
            }
        }
        self.host_ports(&all);
        (0..all.len()).for_each(|index| self.exit_codes(&all, index));
        self.cycles(&all);
        self.found
    }

    fn report(&mut self, span: Span, title: impl Into<String>, label: impl Into<String>) -> &mut Diagnostic {
        let index = self.found.len();
        self.found
            .push(Diagnostic::new(self.file, span, title).label(label));
        &mut self.found[index]
    }

    /// Reports a name that is not declared, with the declared one that was probably meant.
    fn unknown(&mut self, kind: &str, section: &str, name: &Spanned<String>, declared: &[&Spanned<String>]) {
        let words = declared.iter().map(|name| name.value.as_str());
        let meant = similar(&name.value, words).and_then(|meant| {
            let line = declared.iter().find(|name| name.value == meant)?.span.line;
            Some(format!("did you mean {} (line {line})?", quoted(meant)))
        });
        let title = format!("no {kind} named {} in this scenario", quoted(&name.value));
        let help = meant.or_else(|| {
            declared
                .is_empty()
                .then(|| format!("declare it under `{section}`"))
        });
        self.report(name.span, title, format!("not declared under `{section}`"))
            .help = help;
    }

    fn names(&mut self, merged: &Merged<'_>) {
        let scenario = self.scenario;
        if let Some(network) = &merged.settings.network {
            let declared: Vec<_> = scenario.networks.iter().collect();
            if !declared.contains(&network) {
                self.unknown("network", "networks", network, &declared);
            }
        }
        for mount in merged.settings.volumes.iter().flatten() {
            let MountSource::Volume(name) = &mount.value.source else {
                continue;
            };
            let declared: Vec<_> = scenario.volumes.iter().collect();
            if !declared.iter().any(|volume| volume.value == *name) {
                let name = Spanned::new(name.clone(), self.file.part(mount.span, name, 0..name.len()));
                self.unknown("volume", "volumes", &name, &declared);
            }
        }
    }

    fn mounts(&mut self, merged: &Merged<'_>) {
        let mut seen: HashMap<&str, Span> = HashMap::new();
        let volumes = merged
            .settings
            .volumes
            .iter()
            .flatten()
            .map(|it| (it.value.target.as_str(), it.span));
        let tmpfs = merged
            .settings
            .tmpfs
            .iter()
            .flatten()
            .map(|it| (it.value.as_str(), it.span));
        for (target, span) in volumes.chain(tmpfs) {
            if let Some(first) = seen.insert(target, span) {
                let title = format!("two mounts at {}", quoted(target));
                self.report(span, title, "the second one")
                    .secondary
                    .push((first, "the first one".into()));
            }
        }
    }

    /// Programs may come from what is mounted, and from nowhere else.
    fn foreign_programs(&mut self, merged: &Merged<'_>) {
        let volumes = merged.settings.volumes.iter().flatten();
        let targets: Vec<&str> = volumes.map(|mount| mount.value.target.as_str()).collect();
        for place in merged.settings.foreign_programs.iter().flatten() {
            if !targets.contains(&place.value.as_str()) {
                let title = format!("no volume is mounted at {}", quoted(&place.value));
                self.report(place.span, title, "nothing that may have programs of its own")
                    .help = Some("name the place of one of the container's `volumes`".to_owned());
            }
        }
    }

    /// What a container cannot do without.
    fn needs(&mut self, merged: &Merged<'_>) {
        let (name, settings) = (&merged.container.name, &merged.settings);
        if settings.image.is_none() {
            self.report(
                name.span,
                format!("the container `{name}` has no image"),
                "no `image` and no `role`",
            );
        }
        if settings.network.is_some() {
            return;
        }
        let why = "needs a `network`";
        if let Some(alias) = settings.aliases.iter().flatten().next() {
            self.report(
                alias.span,
                format!("an alias of `{name}` {why}"),
                "a name on no network",
            );
        }
        let help =
            || Some("the probe is a container of its own and reaches this one over its network".to_owned());
        if let Some(ready) = settings
            .ready
            .as_ref()
            .filter(|ready| ready.probe.value.needs_network())
        {
            let title = format!("the `ready` of `{name}` {why}");
            self.report(ready.probe.span, title, "cannot be reached").help = help();
        }
        if let Some(http) = settings.expect.as_ref().and_then(|expect| expect.http.first()) {
            let title = format!("an `http` expectation of `{name}` {why}");
            self.report(http.port.span, title, "cannot be reached").help = help();
        }
    }

    /// What is neither a job nor a service proves nothing, and a time of the other kind would do nothing.
    fn kind(&mut self, all: &[Merged<'_>], index: usize) {
        let Merged { container, settings } = &all[index];
        let name = &container.name;
        match kind(all, index) {
            None => {
                let help = match settings
                    .expect
                    .as_ref()
                    .is_some_and(|expect| !expect.http.is_empty())
                {
                    true => "what answers is a service: say with `ready` when it is",
                    false => {
                        "a job ends, and says so with `expect: { exit: 0 }`; a service stays, and has a `ready`"
                    }
                };
                let title = format!("`{name}` is neither a job nor a service");
                self.report(name.span, title, "nothing says what it does").help = Some(help.into());
            }
            Some(ContainerKind::Job { .. }) => {
                if let Some(observe) = &settings.observe {
                    let title = format!("`{name}` is a job, which is watched until it ends");
                    self.report(observe.span, title, "would have no effect").help =
                        Some("how long it may take is its `timeout`".into());
                }
            }
            Some(ContainerKind::Service { .. }) => {
                if let Some(timeout) = &settings.timeout {
                    let title = format!("`{name}` is a service, whose end nothing waits for");
                    self.report(timeout.span, title, "would have no effect").help = Some(
                        "expect an `exit` code of a job, or say with `observe` how long a service is watched"
                            .into(),
                    );
                }
            }
        }
    }

    fn after(&mut self, merged: &Merged<'_>, all: &[Merged<'_>]) {
        for after in merged.after() {
            let Some(&index) = self.index_of.get(after.container.value.as_str()) else {
                let declared: Vec<_> = self.scenario.containers.iter().map(|it| &it.name).collect();
                self.unknown("container", "containers", &after.container, &declared);
                continue;
            };
            let other = &all[index];
            let is_broken = self
                .broken
                .iter()
                .any(|&error| other.container.span.contains(error));
            if after.state.value == AfterState::Ready && other.settings.ready.is_none() && !is_broken {
                let name = &other.container.name;
                let title = format!("nothing says when `{name}` is ready");
                let error = self.report(after.state.span, title, "would wait forever");
                error.secondary.push((name.span, "has no `ready`".into()));
                error.help = Some("give it a `ready`, or wait for `started` or `exited-0`".into());
            }
        }
    }

    /// Two containers cannot publish on one port of the host.
    fn host_ports(&mut self, all: &[Merged<'_>]) {
        let mut seen: HashMap<u16, Span> = HashMap::new();
        for port in all
            .iter()
            .flat_map(|merged| merged.settings.ports.iter().flatten())
        {
            let Some(host) = port.value.host else { continue };
            if let Some(first) = seen.insert(host, port.span) {
                let title = format!("the host's port {host} is published twice");
                let error = self.report(port.span, title, "the second one");
                error.secondary.push((first, "the first one".into()));
                error.help = Some("without a host port, a free one is chosen".into());
            }
        }
    }

    /// A container ends with one code, whoever says so.
    fn exit_codes(&mut self, all: &[Merged<'_>], index: usize) {
        let name = &all[index].container.name;
        let mut said = exit_codes(all, index);
        let Some(first) = said.next() else { return };
        for other in said.filter(|other| other.value != first.value) {
            let title = format!("`{name}` cannot end with both {first} and {other}");
            let error = self.report(other.span, title, format!("expects {other}"));
            error.secondary.push((first.span, format!("expects {first}")));
        }
    }

    /// Containers that wait for each other never start. Every circle is reported once.
    fn cycles(&mut self, all: &[Merged<'_>]) {
        let mut state = vec![Visit::New; all.len()];
        for index in 0..all.len() {
            self.visit(index, all, &mut state, &mut Vec::new());
        }
    }

    fn visit(&mut self, index: usize, all: &[Merged<'_>], state: &mut [Visit], path: &mut Vec<usize>) {
        if state[index] != Visit::New {
            return;
        }
        state[index] = Visit::Open;
        path.push(index);
        for after in all[index].after() {
            let Some(&next) = self.index_of.get(after.container.value.as_str()) else {
                continue;
            };
            if state[next] == Visit::Open {
                let from = path.iter().position(|&step| step == next).unwrap_or_default();
                let names = path[from..]
                    .iter()
                    .chain([&next])
                    .map(|&step| all[step].container.name.as_str());
                let circle = names.collect::<Vec<_>>().join(" → ");
                if path.len() - from == 1 {
                    let title = format!("the container `{}` waits for itself", all[next].container.name);
                    self.report(after.container.span, title, "never starts");
                } else {
                    let title = format!("containers wait for each other: {circle}");
                    let help = "an arrow points from a container to the one it waits for";
                    self.report(after.container.span, title, "closes the circle").help = Some(help.into());
                }
            } else {
                self.visit(next, all, state, path);
            }
        }
        path.pop();
        state[index] = Visit::Done;
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Visit {
    New,
    Open,
    Done,
}
