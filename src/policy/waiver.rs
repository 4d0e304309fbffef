//! Violations that a scenario accepts for a while.

use chrono::{NaiveDate, Utc};

use super::{Evidence, Rule, Weight};
use crate::scenario::{Scenario, Waiver};
use crate::source::{Diagnostic, Diagnostics, Spanned};

/// Marks the violations that a waiver covers today.
pub(super) fn apply(waivers: &[Waiver], evidence: &mut [Evidence], today: NaiveDate) {
    for one in evidence.iter_mut() {
        let waiver = waivers
            .iter()
            .find(|waiver| waiver.until.value >= today && covers(waiver, one));
        one.waived = waiver.map(|waiver| waiver.reason.value.clone());
    }
}

/// Whether a waiver is meant for a violation: of its rule, and with its program in what was seen.
fn covers(waiver: &Waiver, evidence: &Evidence) -> bool {
    // Between backticks is what was seen; the rest are our own words about it.
    let quoted = evidence.detail.split('`').skip(1).step_by(2);
    let mut words = quoted.flat_map(str::split_whitespace);
    evidence.rule.weight() == Weight::Violation
        && waiver.rule.value == evidence.rule.as_str()
        && words.any(|word| word == waiver.program.value)
}

/// The waivers of a scenario that cover nothing of what was found, as mistakes of the file.
pub(super) fn unused(scenario: &Scenario, evidence: &[Evidence]) -> Vec<Diagnostic> {
    let is_unused = |waiver: &&Waiver| !evidence.iter().any(|one| covers(waiver, one));
    let unused = scenario.waivers.iter().filter(is_unused).map(|waiver| {
        let (rule, program) = (&waiver.rule, &waiver.program);
        let title = format!("expected `{program}` to break the rule `{rule}`, which is waived for it");
        Diagnostic::new(&scenario.file, waiver.span, title)
            .label("nothing was waived")
            .help("remove the waiver, or correct its program, which is one word of what was seen")
    });
    unused.collect()
}

/// Finds what scenarios say of the policy and cannot hold: rules that do not exist, and waivers that have ended.
pub fn check(scenarios: &[Scenario]) -> Result<(), Diagnostics> {
    let mut mistakes = unknown_rules(scenarios);
    mistakes.extend(ended(scenarios, today()));
    Diagnostics::from_vec(mistakes).map_or(Ok(()), Err)
}

fn ended(scenarios: &[Scenario], today: NaiveDate) -> Vec<Diagnostic> {
    let mut mistakes = Vec::new();
    for scenario in scenarios {
        for waiver in scenario
            .waivers
            .iter()
            .filter(|waiver| waiver.until.value < today)
        {
            let title = format!("the waiver for `{}` has ended", waiver.program);
            let mistake = Diagnostic::new(&scenario.file, waiver.until.span, title);
            mistakes.push(
                mistake
                    .label(format!("was its last day, and today is {today}"))
                    .help("mend what it waived and remove it, or say until when it is accepted again"),
            );
        }
    }
    mistakes
}

/// The day in UTC.
pub(super) fn today() -> NaiveDate {
    Utc::now().date_naive()
}

/// Rules that scenarios name and that do not exist, each with what was probably meant.
fn unknown_rules(scenarios: &[Scenario]) -> Vec<Diagnostic> {
    let mut mistakes = Vec::new();
    for scenario in scenarios {
        let expected = [&scenario.expect.layered.rule, &scenario.expect.prebuilt.rule]
            .into_iter()
            .flatten();
        for name in expected.chain(scenario.waivers.iter().map(|waiver| &waiver.rule)) {
            if name.value.parse::<Rule>().is_err() {
                mistakes.push(unknown(scenario, name));
            }
        }
    }
    mistakes
}

fn unknown(scenario: &Scenario, name: &Spanned<String>) -> Diagnostic {
    let closest = Rule::ALL
        .iter()
        .min_by_key(|rule| strsim::damerau_levenshtein(rule.as_str(), name));
    let all: Vec<_> = Rule::ALL.iter().map(|rule| format!("`{rule}`")).collect();
    let help = match closest {
        Some(rule) if strsim::damerau_levenshtein(rule.as_str(), name) <= 3 => {
            format!("did you mean `{rule}`?")
        }
        _ => format!("the rules are {}", all.join(", ")),
    };
    Diagnostic::new(&scenario.file, name.span, format!("no rule is called `{name}`")).help(help)
}

#[cfg(test)]
#[path = "waiver_tests.rs"]
mod tests;
