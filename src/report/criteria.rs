//! What a run says about the success criteria that its scenarios carry. `docs/criteria.md` says the same in words.

use shellproof_api::facts::Answer;

use super::document::{CriterionEntry, ImageEntry, ProgramEntry, ResultEntry, WitnessEntry, WitnessWord};
use crate::policy::Rule;
use crate::policy::image::is_debug_name;
use crate::result::ContainerResult;
use crate::vocabulary::{Criterion, CriterionVerdict, Status, VerdictKind, Witness};

/// What a criterion requires of each result that it rests on, beside a clean verdict and containers that ended well.
struct Needs {
    /// The witnesses that must have spoken.
    witnesses: &'static [Witness],
    /// Images without a shell.
    is_shell_less: bool,
    /// A package that was installed.
    is_install: bool,
}

const fn needs(criterion: Criterion) -> Needs {
    Needs {
        witnesses: match criterion {
            Criterion::LayeredUnchanged => &[Witness::Wire, Witness::Kernel],
            _ => Witness::ALL,
        },
        is_shell_less: matches!(criterion, Criterion::DistrolessPrebuilt),
        is_install: matches!(criterion, Criterion::LayeredUnchanged),
    }
}

/// The words by which package managers are asked to install something; `-S` of pacman takes more letters behind it.
const INSTALLS: &[&str] = &[
    "install",
    "add",
    "reinstall",
    "localinstall",
    "groupinstall",
    "in",
    "ci",
    "sync",
    "-i",
    "--install",
    "-U",
    "--upgrade",
];

/// What one result says about a criterion that its scenario carries.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Says {
    /// It shows it.
    Shows,
    /// It shows it, but for what it accepts for a while.
    Waives,
    /// It says nothing, for or against.
    Nothing(String),
    /// It should show it, and does not.
    Lacks(String),
    /// What it expects did not hold.
    Fails,
    /// It shows the contrary.
    Violates,
}

impl Says {
    fn verdict(&self) -> Option<CriterionVerdict> {
        match self {
            Self::Shows => Some(CriterionVerdict::Clean),
            Self::Waives => Some(CriterionVerdict::Waived),
            Self::Nothing(_) => None,
            Self::Lacks(_) => Some(CriterionVerdict::Unproven),
            Self::Fails => Some(CriterionVerdict::Failed),
            Self::Violates => Some(CriterionVerdict::Violated),
        }
    }

    fn reason(&self) -> Option<&str> {
        match self {
            Self::Shows | Self::Waives => None,
            Self::Nothing(reason) | Self::Lacks(reason) => Some(reason),
            Self::Fails => Some("an expectation failed"),
            Self::Violates => Some("the policy is violated"),
        }
    }
}

pub(super) fn judge_all(results: &[ResultEntry]) -> Vec<CriterionEntry> {
    let judged = Criterion::ALL.iter().map(|criterion| judge(*criterion, results));
    judged.flatten().collect()
}

fn judge(criterion: Criterion, results: &[ResultEntry]) -> Option<CriterionEntry> {
    let carries =
        |result: &&ResultEntry| result.criteria.contains(&criterion) && criterion.mode() == Some(result.mode);
    let words: Vec<_> = results
        .iter()
        .filter(carries)
        .map(|result| (result, weigh(criterion, result)))
        .collect();
    if words.is_empty() {
        return None;
    }
    // Nothing said is nothing shown.
    let verdicts = words.iter().filter_map(|(_, word)| word.verdict());
    let verdict = verdicts.max().unwrap_or(CriterionVerdict::Unproven);
    let (counted, uncounted): (Vec<_>, Vec<_>) = words.iter().partition(|(_, word)| word.verdict().is_some());
    let shown: Vec<_> = words
        .iter()
        .filter(|(_, word)| matches!(word, Says::Shows | Says::Waives))
        .map(|(result, _)| *result)
        .collect();
    let reasons = words.iter().filter_map(|(result, word)| {
        let name = result.scenario.as_deref().unwrap_or_default();
        Some(format!("`{name}` on {}: {}", result.engine.name, word.reason()?))
    });
    let is_clean = verdict == CriterionVerdict::Clean;
    Some(CriterionEntry {
        id: criterion,
        verdict,
        results: shown.len(),
        scenarios: names(counted.iter().filter_map(|(result, _)| result.scenario.clone())),
        engines: names(counted.iter().map(|(result, _)| result.engine.name.clone())),
        witnesses: spoke_in_all(&shown),
        reasons: if is_clean { Vec::new() } else { reasons.collect() },
        stand_ins: names(uncounted.iter().filter_map(|(result, _)| stand_ins(result))),
    })
}

/// What one result says. The first thing that keeps it from showing the criterion is the one to tell.
fn weigh(criterion: Criterion, result: &ResultEntry) -> Says {
    match result.status {
        Status::Violated => return Says::Violates,
        Status::Failed => return Says::Fails,
        Status::Broken => return Says::Lacks("its run broke".into()),
        Status::Unproven | Status::NothingRan => return Says::Lacks("its verdict is unproven".into()),
        Status::Passed | Status::Waived => {}
    }
    if let Some(name) = stand_ins(result) {
        return Says::Nothing(format!("it ran on a stand-in for {name}"));
    }
    match result.verdict {
        Some(VerdictKind::Clean) => {}
        Some(verdict) => return Says::Nothing(format!("it expects the verdict `{verdict}`")),
        None => return Says::Lacks("it has no verdict".into()),
    }
    let needs = needs(criterion);
    let lack = witness_lack(&needs, result)
        .or_else(|| container_lack(result))
        .or_else(|| needs.is_shell_less.then(|| shell_lack(result)).flatten())
        .or_else(|| needs.is_install.then(|| install_lack(result)).flatten());
    match (lack, result.status) {
        (Some(reason), _) => Says::Lacks(reason),
        (None, Status::Waived) => Says::Waives,
        (None, _) => Says::Shows,
    }
}

fn witness_lack(needs: &Needs, result: &ResultEntry) -> Option<String> {
    let Some(witnesses) = &result.witnesses else {
        return Some("no witness spoke".into());
    };
    // A place that an engine does not have to look at is no witness of it.
    let is_silent = |entry: &WitnessEntry| matches!(entry.state, WitnessWord::Missing | WitnessWord::Off);
    let silent = witnesses
        .iter()
        .find(|(witness, entry)| needs.witnesses.contains(witness) && is_silent(entry));
    silent.map(|(witness, entry)| {
        let reason = entry.reason.as_ref().map(|reason| format!(": {reason}"));
        format!(
            "the {witness} witness did not speak{}",
            reason.unwrap_or_default()
        )
    })
}

fn container_lack(result: &ResultEntry) -> Option<String> {
    let unexpected = |one: &&ContainerResult| !one.as_expected;
    if let Some(one) = result.containers.iter().find(unexpected) {
        let ended = match (one.started, one.exit_code) {
            (false, _) => "could not be started".to_owned(),
            (true, Some(code)) => format!("ended with {code}, and nothing asked it to"),
            (true, None) => "was stopped, and nothing says what it was to do until then".to_owned(),
        };
        return Some(format!("`{}` {ended}", one.name));
    }
    let has_run = result.containers.iter().any(|one| one.started);
    (!has_run).then(|| "nothing ran in any of its containers".into())
}

fn shell_lack(result: &ResultEntry) -> Option<String> {
    if result.images.is_empty() {
        return Some("it ran no image that could be looked at".into());
    }
    let is_debug = |image: &&ImageEntry| {
        [&image.source, &image.reference]
            .into_iter()
            .any(|name| is_debug_name(name))
    };
    if let Some(image) = result.images.iter().find(is_debug) {
        return Some(format!("the image `{}` is a debug variant", image.reference));
    }
    result.images.iter().find_map(|image| match &image.shells {
        None => Some(format!("nobody looked for a shell in `{}`", image.reference)),
        Some(shells) => {
            let shell = shells.first()?;
            Some(format!("the image `{}` has a shell, `{shell}`", image.reference))
        }
    })
}

/// An install is what the policy noted, in a container that ended with 0, by a program that ran and was asked for one.
fn install_lack(result: &ResultEntry) -> Option<String> {
    let is_noted = |name: &str| {
        let evidence = result.evidence.iter();
        evidence
            .filter(|one| one.rule == Rule::Installed)
            .any(|one| one.container.as_deref() == Some(name))
    };
    let has_installed = |name: &str| {
        let traces = result.traces.iter().filter(|trace| trace.container == name);
        let sessions = traces.flat_map(|trace| &trace.sessions);
        sessions.flat_map(|session| &session.programs).any(is_install)
    };
    let installed: Vec<_> = result
        .containers
        .iter()
        .filter(|one| is_noted(&one.engine_name) && has_installed(&one.engine_name))
        .collect();
    match installed.as_slice() {
        [] => Some("no package was installed".into()),
        all if all.iter().any(|one| one.exit_code == Some(0)) => None,
        [one, ..] => Some(format!(
            "`{}` installed a package and did not end with 0",
            one.name
        )),
    }
}

/// Whether a package manager ran and was asked to install something.
fn is_install(program: &ProgramEntry) -> bool {
    let asks = |word: &String| INSTALLS.contains(&word.as_str()) || word.starts_with("-S");
    program.rule == Some(Rule::PackageManager)
        && program.file.is_some()
        && program.answer == Answer::Continued
        && program.argv.iter().skip(1).any(asks)
}

/// What its images stand in for, if any does.
fn stand_ins(result: &ResultEntry) -> Option<String> {
    let names: Vec<_> = result
        .images
        .iter()
        .filter_map(|image| image.stand_in.as_deref())
        .collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// The witnesses behind a criterion: those that spoke in each result that shows it.
fn spoke_in_all(shown: &[&ResultEntry]) -> Vec<String> {
    let spoke = |witness: &&Witness| {
        let is_in = |result: &&ResultEntry| {
            let mut witnesses = result.witnesses.iter().flat_map(|witnesses| witnesses.spoke());
            witnesses.any(|one| one == **witness)
        };
        !shown.is_empty() && shown.iter().all(is_in)
    };
    let witnesses = Witness::ALL.iter().filter(spoke);
    witnesses.map(|witness| witness.as_str().to_owned()).collect()
}

fn names(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut names: Vec<_> = names.collect();
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
#[path = "criteria_tests.rs"]
mod tests;
