//! Violations that a scenario accepts for a while.

use chrono::{NaiveDate, Utc};

use super::{Evidence, Rule, Weight};
use crate::scenario::{Scenario, Waiver};
use crate::source::{Diagnostic, Spanned};

/// Marks the violations that a waiver covers today: of its rule, and with its program in what was seen.
pub(super) fn apply(waivers: &[Waiver], evidence: &mut [Evidence], today: NaiveDate) {
    for one in evidence
        .iter_mut()
        .filter(|one| one.rule.weight() == Weight::Violation)
    {
        let covers = |waiver: &&Waiver| {
            waiver.rule.value == one.rule.as_str()
                && waiver.until.value >= today
                && one
                    .detail
                    .split(|c: char| c.is_whitespace() || c == '`')
                    .any(|word| word == waiver.program.value)
        };
        one.waived = waivers
            .iter()
            .find(covers)
            .map(|waiver| waiver.reason.value.clone());
    }
}

/// The day in UTC.
pub(super) fn today() -> NaiveDate {
    Utc::now().date_naive()
}

/// Rules that scenarios name and that do not exist, each with what was probably meant.
pub fn unknown_rules(scenarios: &[Scenario]) -> Vec<Diagnostic> {
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
