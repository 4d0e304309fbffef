use shellproof_wire::Recording;

use super::{Evidence, Rule, Testimony, Weight, kernel, waiver, wire};
use crate::scenario::Scenario;
use crate::vocabulary::{Mode, Need, VerdictKind as Verdict, Witness};

/// Whether a witness spoke in one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WitnessState {
    /// It saw the run.
    Spoke,
    /// It should have and did not.
    Missing(String),
    /// It was not asked.
    Off(String),
}

impl WitnessState {
    /// `spoke`, `missing` or `off`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Spoke => "spoke",
            Self::Missing(_) => "missing",
            Self::Off(_) => "off",
        }
    }

    /// Why it did not speak.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Spoke => None,
            Self::Missing(reason) | Self::Off(reason) => Some(reason),
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

/// What the witnesses saw of one run of one scenario.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// What the recorder saw.
    pub recording: &'a Recording,
    /// The containers that the harness started, by id.
    pub started: &'a [String],
    /// What the supervisors saw.
    pub kernel: Testimony<'a>,
}

/// Weighs what was seen.
///
/// In layered mode nothing is forbidden, but what a witness could not follow is a gap there too.
pub fn judge(mode: Mode, scenario: &Scenario, seen: Seen<'_>) -> Judgement {
    let (recording, started) = (seen.recording, seen.started);
    let mut evidence = Vec::new();
    let mut witnesses = Vec::new();
    for witness in Witness::ALL {
        let state = match (witness, scenario.audit.need(*witness, mode)) {
            (Witness::Kernel, _) => {
                let (state, seen) = kernel_state(mode, seen);
                evidence.extend(seen);
                state
            }
            (_, Need::Off) => WitnessState::Off("the scenario says so".into()),
            (Witness::Wire, _) => {
                evidence.extend(wire::gaps(recording, started));
                if mode == Mode::Prebuilt {
                    evidence.extend(wire::judge(recording));
                }
                wire_state(&evidence, started)
            }
            (_, Need::Required) => WitnessState::Missing(NOT_BUILT.into()),
            _ => WitnessState::Off(NOT_BUILT.into()),
        };
        if let WitnessState::Missing(reason) = &state {
            evidence.push(missing(*witness, reason));
        }
        witnesses.push((*witness, state));
    }
    see_through(seen.kernel, &witnesses, &mut evidence);
    waiver::apply(&scenario.waivers, &mut evidence, waiver::today());
    conclude(witnesses, evidence)
}

fn missing(witness: Witness, reason: &str) -> Evidence {
    let detail = format!("{witness} evidence unavailable: {reason}");
    Evidence::new(witness, "shellproof", Rule::WitnessMissing, detail)
}

/// Weighs what was seen of a program that is no scenario.
///
/// A program that starts no container is unproven, without any evidence against it.
pub fn judge_program(mode: Mode, seen: Seen<'_>) -> Judgement {
    let recording = seen.recording;
    let mut evidence = wire::gaps(recording, &[]);
    let fault = evidence.first().map(|fault| fault.detail.clone());
    if mode == Mode::Prebuilt {
        evidence.extend(wire::judge(recording));
    }
    let has_seen = evidence.iter().any(|one| one.weight() > Weight::Note);
    let wire = match fault {
        Some(fault) => WitnessState::Missing(fault),
        None if wire::has_started(recording) || has_seen => WitnessState::Spoke,
        None => WitnessState::Missing("no container start was recorded".into()),
    };
    let (kernel, found) = kernel_state(mode, seen);
    evidence.extend(found);
    if let Testimony::Traced(traced) = seen.kernel {
        evidence.extend(kernel::outliving(traced));
    }
    // Where nothing was started, the missing start is all there is to say.
    if let (WitnessState::Missing(reason), true) = (&kernel, wire::has_started(recording)) {
        evidence.push(missing(Witness::Kernel, reason));
    }
    let image = WitnessState::Off(NOT_BUILT.into());
    let witnesses = vec![
        (Witness::Wire, wire),
        (Witness::Image, image),
        (Witness::Kernel, kernel),
    ];
    see_through(seen.kernel, &witnesses, &mut evidence);
    conclude(witnesses, evidence)
}

/// A wrapper that the wire cannot see through is no gap where the kernel saw what it started.
fn see_through(kernel: Testimony<'_>, witnesses: &[(Witness, WitnessState)], evidence: &mut Vec<Evidence>) {
    let Testimony::Traced(traced) = kernel else {
        return;
    };
    if !witnesses.contains(&(Witness::Kernel, WitnessState::Spoke)) {
        return;
    }
    let is_watched = |name: &Option<String>| traced.iter().any(|one| Some(&one.container) == name.as_ref());
    evidence.retain(|one| {
        let is_seen = one.witness == Witness::Wire && is_watched(&one.container);
        !(is_seen && one.rule == Rule::UnreadableWrapper)
    });
}

fn conclude(witnesses: Vec<(Witness, WitnessState)>, evidence: Vec<Evidence>) -> Judgement {
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
    }
}

/// The kernel's word, and whether it was whole.
fn kernel_state(mode: Mode, seen: Seen<'_>) -> (WitnessState, Vec<Evidence>) {
    let traced = match seen.kernel {
        Testimony::Off(reason) => return (WitnessState::Off(reason.to_owned()), Vec::new()),
        Testimony::Missing(reason) => return (WitnessState::Missing(reason.to_owned()), Vec::new()),
        Testimony::Traced(traced) => traced,
    };
    let mut evidence = kernel::gaps(traced, seen.recording, seen.started);
    let state = match evidence.first() {
        Some(gap) => WitnessState::Missing(gap.to_string()),
        None if traced.is_empty() => WitnessState::Missing("no container was started".into()),
        None => WitnessState::Spoke,
    };
    evidence.extend(kernel::judge(mode, traced, seen.recording));
    (state, evidence)
}

/// Why one of the three witnesses does not speak yet.
const NOT_BUILT: &str = "this version of shellproof does not have it";

/// The recorder spoke if it saw every start and could follow everything.
fn wire_state(evidence: &[Evidence], started: &[String]) -> WitnessState {
    let missed = evidence
        .iter()
        .find(|evidence| matches!(evidence.rule, Rule::WireFault | Rule::WireSilent));
    match missed {
        Some(missed) => WitnessState::Missing(missed.detail.clone()),
        None if started.is_empty() => WitnessState::Missing("no container was started".into()),
        None => WitnessState::Spoke,
    }
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
pub(super) mod tests;
