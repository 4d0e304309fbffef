use std::collections::HashSet;

use shellproof_api::facts::{Fact, Gap, What, Witness};

use super::fold::fold;
use super::image::{Images, Promise};
use super::{Allowed, Evidence, Rule, Usage, Weight, foreign, image, kernel, usage, waiver, wire};
use crate::scenario::Scenario;
use crate::source::Diagnostic;
use crate::vocabulary::{Mode, Need, VerdictKind as Verdict};

/// Whether a witness spoke in one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WitnessState {
    /// It saw the run.
    Spoke,
    /// There is no such place to look at, and its part falls to the others.
    Absent(String),
    /// It should have and did not.
    Missing(String),
    /// It was not asked.
    Off(String),
}

impl WitnessState {
    /// `spoke`, `none`, `missing` or `off`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Spoke => "spoke",
            Self::Absent(_) => "none",
            Self::Missing(_) => "missing",
            Self::Off(_) => "off",
        }
    }

    /// Why it did not speak.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Spoke => None,
            Self::Absent(reason) | Self::Missing(reason) | Self::Off(reason) => Some(reason),
        }
    }
}

/// The verdict on one run of one scenario, and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// The three witnesses.
    pub witnesses: Vec<(Witness, WitnessState)>,
    /// All that was seen.
    pub evidence: Vec<Evidence>,
    /// What ran of what the images offer, where both were seen.
    pub usage: Vec<Usage>,
}

impl Judgement {
    /// The rules that keep the verdict from being clean.
    pub fn rules(&self) -> impl Iterator<Item = Rule> {
        self.against().map(|evidence| evidence.rule)
    }

    /// The evidence that keeps the verdict from being clean.
    pub fn against(&self) -> impl Iterator<Item = &Evidence> {
        self.evidence
            .iter()
            .filter(|evidence| evidence.weight() > Weight::Note)
    }

    /// The witnesses that spoke, as they stand behind a verdict: `wire`, or `none`.
    pub fn spoke(&self) -> String {
        let spoke: Vec<_> = self
            .witnesses
            .iter()
            .filter(|(_, state)| *state == WitnessState::Spoke)
            .collect();
        let names: Vec<_> = spoke.iter().map(|(witness, _)| witness.as_str()).collect();
        if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        }
    }
}

/// Whether a witness is heard in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing<'a> {
    /// What it saw counts.
    Heard,
    /// There is no such place to look at, and its part falls to the others.
    Absent(&'a str),
    /// Nobody asks it.
    Off(&'a str),
    /// It is needed and cannot speak.
    Missing(&'a str),
}

impl<'a> Standing<'a> {
    /// Where nobody watched.
    pub fn unheard(need: Need, reason: &'a str) -> Self {
        match need {
            Need::Required => Self::Missing(reason),
            Need::IfAvailable | Need::Off => Self::Off(reason),
        }
    }
}

/// What was seen of one run.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// What all witnesses saw, also those whose word does not count: it may explain what another saw.
    pub facts: &'a [Fact],
    /// The containers that the harness itself started, by id.
    pub started: &'a [String],
    /// The mounts whose programs may be started although they are none of the image's.
    pub allowed: &'a [Allowed],
    /// Whether what was asked of the engine counts.
    pub wire: Standing<'a>,
    /// Whether what the images are and contain counts.
    pub image: Standing<'a>,
    /// Whether what was started in the containers counts.
    pub kernel: Standing<'a>,
}

/// Weighs what was seen of a scenario.
///
/// In layered mode nothing is forbidden, but what a witness could not follow is a gap there too.
pub fn judge(mode: Mode, scenario: &Scenario, seen: Seen<'_>) -> Judgement {
    let mut heard = Heard::default();
    heard.wire(mode, seen, !seen.started.is_empty(), "no container was started");
    heard.image(mode, seen, scenario.audit.need(Witness::Image, mode));
    heard.kernel(mode, seen);
    heard.programs(mode, seen);
    heard.users(seen);
    heard.missing(|_| true);
    heard.see_through(seen);
    heard.nothing(seen);
    waiver::apply(&scenario.waivers, &mut heard.evidence, waiver::today());
    heard.conclude()
}

/// Weighs what was seen of a program that is no scenario.
///
/// A program that starts no container is unproven, without any evidence against it.
pub fn judge_program(mode: Mode, seen: Seen<'_>) -> Judgement {
    let has_started = wire::has_started(seen.facts);
    let mut heard = Heard {
        evidence: wire::refusals(seen.facts),
        ..Heard::default()
    };
    let without_start = match heard.evidence.is_empty() {
        true => "no container start was recorded",
        false => "no container was started, since the engine refused",
    };
    heard.wire(mode, seen, has_started, without_start);
    heard.image(mode, seen, Need::Required);
    heard.kernel(mode, seen);
    heard.programs(mode, seen);
    // Where nothing was started, the missing start is all there is to say.
    heard.missing(|witness| witness != Witness::Wire && has_started);
    heard.see_through(seen);
    heard.conclude()
}

/// Weighs what an image is and contains.
pub fn judge_image(promise: Promise, seen: Seen<'_>) -> Judgement {
    let mut heard = Heard::default();
    heard.silent(Witness::Wire, seen.wire);
    if !heard.silent(Witness::Image, seen.image) {
        let found = seen.facts.iter().flat_map(|fact| image::judge(promise, fact));
        heard.evidence.extend(found);
        heard.evidence.extend(image::gaps(seen.facts));
        heard.witnesses.push((Witness::Image, WitnessState::Spoke));
    }
    heard.silent(Witness::Kernel, seen.kernel);
    heard.missing(|_| true);
    heard.conclude()
}

/// The waivers of a scenario that covered nothing in a run, as mistakes of the file. Where a witness was missing, or in
/// a mode that forbids nothing, nobody can say that.
pub(crate) fn unused_waivers(mode: Mode, scenario: &Scenario, judgement: &Judgement) -> Vec<Diagnostic> {
    let is_missing = |(_, state): &(Witness, WitnessState)| matches!(state, WitnessState::Missing(_));
    if mode == Mode::Layered || judgement.witnesses.iter().any(is_missing) {
        return Vec::new();
    }
    waiver::unused(scenario, &judgement.evidence)
}

/// What was said so far.
#[derive(Default)]
struct Heard {
    witnesses: Vec<(Witness, WitnessState)>,
    evidence: Vec<Evidence>,
    usage: Vec<Usage>,
}

impl Heard {
    /// Whether a witness is not heard; its state says why.
    fn silent(&mut self, witness: Witness, standing: Standing<'_>) -> bool {
        let state = match standing {
            Standing::Absent(reason) => WitnessState::Absent(reason.to_owned()),
            Standing::Off(reason) => WitnessState::Off(reason.to_owned()),
            Standing::Missing(reason) => WitnessState::Missing(reason.to_owned()),
            Standing::Heard => return false,
        };
        self.witnesses.push((witness, state));
        true
    }

    /// What was asked of the engine. Without a start, there was nothing to ask for.
    fn wire(&mut self, mode: Mode, seen: Seen<'_>, has_started: bool, without_start: &str) {
        if self.silent(Witness::Wire, seen.wire) {
            // Where containers are made here, what they were asked to be and have changed is known without a witness, and may
            // stand against them.
            let is_known = |fact: &&Fact| match fact.what {
                What::Start(_) | What::Changed(_) => true,
                What::Unseen { gap, .. } => gap == Gap::Changes,
                _ => false,
            };
            let is_limit = |fact: &&Fact| matches!(fact.what, What::Unseen { gap: Gap::WayOut, .. });
            if let Standing::Absent(_) = seen.wire {
                let known = seen
                    .facts
                    .iter()
                    .filter(|fact| is_limit(fact) || mode == Mode::Prebuilt && is_known(fact));
                self.evidence.extend(known.flat_map(wire::judge));
            }
            return;
        }
        let gaps = wire::gaps(seen.facts, seen.started);
        let missed = gaps.first().map(|gap| gap.detail.clone());
        self.evidence.extend(gaps);
        if mode == Mode::Prebuilt {
            self.evidence.extend(seen.facts.iter().flat_map(wire::judge));
        }
        let has_found = self.evidence.iter().any(|one| one.weight() > Weight::Note);
        let state = match missed {
            Some(missed) => WitnessState::Missing(missed),
            None if has_started || has_found => WitnessState::Spoke,
            None => WitnessState::Missing(without_start.to_owned()),
        };
        self.witnesses.push((Witness::Wire, state));
    }

    /// What the images of the containers are and contain. Where nobody needs all of them, what cannot be read is no gap.
    fn image(&mut self, mode: Mode, seen: Seen<'_>, need: Need) {
        if self.silent(Witness::Image, seen.image) {
            return;
        }
        let gaps = image::gaps(seen.facts);
        let has_read = || Images::of(seen.facts).any();
        let unread = match gaps.first() {
            Some(gap) => Some(gap.detail.clone()),
            None => (!has_read()).then(|| "no container was started".to_owned()),
        };
        let state = match (unread, need) {
            (None, _) => WitnessState::Spoke,
            (Some(reason), Need::Required) => WitnessState::Missing(reason),
            (Some(reason), Need::IfAvailable | Need::Off) => WitnessState::Off(reason),
        };
        if need == Need::Required {
            self.evidence.extend(gaps);
        }
        if mode == Mode::Prebuilt {
            self.evidence.extend(image::judge_run(seen.facts));
        }
        self.witnesses.push((Witness::Image, state));
    }

    /// What was started in the containers.
    fn kernel(&mut self, mode: Mode, seen: Seen<'_>) {
        if self.silent(Witness::Kernel, seen.kernel) {
            return;
        }
        let gaps = kernel::gaps(seen.facts, seen.started);
        let state = match gaps.first() {
            Some(gap) => WitnessState::Missing(gap.to_string()),
            None if kernel::facts(seen.facts).next().is_none() => {
                WitnessState::Missing("no container was started".into())
            }
            None => WitnessState::Spoke,
        };
        self.evidence.extend(gaps);
        self.evidence.extend(kernel::judge(mode, seen.facts));
        self.witnesses.push((Witness::Kernel, state));
    }

    /// What was started against what the images hold.
    fn programs(&mut self, mode: Mode, seen: Seen<'_>) {
        if (seen.image, seen.kernel) != (Standing::Heard, Standing::Heard) {
            return;
        }
        self.evidence
            .extend(foreign::judge(mode, seen.facts, seen.allowed));
        self.usage = usage::of(seen.facts);
    }

    /// A run in which no program was there that could be started shows nothing, unless it shows what is wrong.
    fn nothing(&mut self, seen: Seen<'_>) {
        let is_more = |one: &Evidence| one.weight() > Weight::Note;
        if seen.kernel != Standing::Heard
            || kernel::has_programs(seen.facts)
            || self.evidence.iter().any(is_more)
        {
            return;
        }
        let detail = "no program ran in any container, so that nothing was shown".to_owned();
        self.evidence.push(Evidence {
            help: Some(
                "correct `entrypoint` or `args`, or expect something of a container that runs".to_owned(),
            ),
            ..Evidence::new(Witness::Kernel, "shellproof", Rule::KernelSilent, detail)
        });
    }

    /// What rests on users that are all one.
    fn users(&mut self, seen: Seen<'_>) {
        let resting = seen.facts.iter().filter_map(|fact| match &fact.what {
            What::OneUser { why, help } => Some(Evidence {
                help: help.clone(),
                ..Evidence::of(fact, Rule::OneUser, why.clone())
            }),
            _ => None,
        });
        self.evidence.extend(resting);
    }

    /// Those that are needed and did not speak.
    fn missing(&mut self, counts: impl Fn(Witness) -> bool) {
        let silent = self.witnesses.iter().filter(|(witness, _)| counts(*witness));
        let missing = silent.filter_map(|(witness, state)| match state {
            WitnessState::Missing(reason) => {
                let detail = format!("{witness} evidence unavailable: {reason}");
                Some(Evidence::new(
                    *witness,
                    "shellproof",
                    Rule::WitnessMissing,
                    detail,
                ))
            }
            _ => None,
        });
        self.evidence.extend(missing.collect::<Vec<_>>());
    }

    /// What is judged by its name alone, where the kernel saw what it was and started: a wrapper that wire and image cannot
    /// see through is no gap then, and a program that is called as a shell or a package manager is none where its
    /// image's content says so.
    fn see_through(&mut self, seen: Seen<'_>) {
        if !self.witnesses.contains(&(Witness::Kernel, WitnessState::Spoke)) {
            return;
        }
        let watched: HashSet<&str> = kernel::facts(seen.facts).filter_map(Fact::name).collect();
        let images = match seen.image {
            Standing::Heard => Images::of(seen.facts),
            _ => Images::default(),
        };
        let cleared: HashSet<(&str, Option<&str>)> = kernel::starts(seen.facts)
            .into_iter()
            .filter(|(_, start)| {
                images
                    .of_start(start)
                    .is_some_and(|(_, image)| image::clears(image, start))
            })
            .map(|(fact, _)| (fact.source.as_str(), fact.name()))
            .collect();
        self.evidence.retain(|one| {
            let container = one.container.as_deref();
            let is_watched = container.is_some_and(|name| watched.contains(name));
            let is_by_name = match one.rule {
                Rule::UnreadableWrapper => true,
                Rule::Shell | Rule::PackageManager | Rule::HealthCheckShell => {
                    cleared.contains(&(one.source.as_str(), container))
                }
                _ => false,
            };
            !(one.witness != Witness::Kernel && is_watched && is_by_name)
        });
    }

    fn conclude(self) -> Judgement {
        let Self {
            witnesses,
            evidence,
            usage,
        } = self;
        let evidence = fold(evidence);
        let nobody_spoke = witnesses.iter().all(|(_, state)| *state != WitnessState::Spoke);
        let heaviest = evidence.iter().map(Evidence::weight).max();
        let verdict = match heaviest {
            Some(Weight::Violation) => Verdict::Violated,
            Some(Weight::Gap) => Verdict::Unproven,
            Some(Weight::Note) | None if nobody_spoke => Verdict::Unproven,
            Some(Weight::Note) | None => Verdict::Clean,
        };
        Judgement {
            verdict,
            witnesses,
            evidence,
            usage,
        }
    }
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
pub(super) mod tests;
