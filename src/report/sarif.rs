//! A report as a SARIF 2.1.0 file, for what collects the findings of many tools.

use serde_json::{Value, json};

use super::document::{Document, EvidenceEntry, ExpectationEntry, ResultEntry};
use crate::policy::{Rule, Weight};
use crate::vocabulary::{Status, VerdictKind};

/// The rule of what is no finding of a witness: something that was expected and is not so.
const EXPECTATION: &str = "expectation";

/// A run, an audit or a verification as SARIF, with a line break at the end.
///
/// # Errors
/// Never for what this program makes.
pub fn sarif(document: &Document) -> serde_json::Result<String> {
    let broken = document
        .results
        .iter()
        .filter_map(|one| Some((one, one.broken.as_ref()?)));
    let notifications: Vec<_> = broken
        .map(|(result, reason)| {
            json!({
                "level": "error",
                "message": { "text": reason },
                "locations": [{ "logicalLocations": subject(result) }],
            })
        })
        .collect();
    let is_whole = notifications.is_empty() && !document.summary.interrupted;
    let results: Vec<_> = document.results.iter().flat_map(results).collect();
    let sarif = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "shellproof",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules(),
            }},
            "automationDetails": { "id": format!("shellproof/{}", document.run_id) },
            "invocations": [{
                "executionSuccessful": is_whole,
                "toolExecutionNotifications": notifications,
            }],
            "results": results,
        }],
    });
    serde_json::to_string_pretty(&sarif).map(|text| text + "\n")
}

/// What a weight is in SARIF, and what it means for a verdict.
const fn level(weight: Weight) -> (&'static str, &'static str) {
    match weight {
        Weight::Violation => ("error", "The verdict is `violated`."),
        Weight::Gap => ("warning", "The verdict is `unproven`."),
        Weight::Note => ("note", "Worth knowing, and no obstacle to a clean verdict."),
    }
}

fn rules() -> Vec<Value> {
    let rule = |id: &str, meaning: &str, (level, help): (&str, &str)| {
        json!({
            "id": id,
            "shortDescription": { "text": meaning },
            "help": { "text": format!("{meaning} {help}") },
            "defaultConfiguration": { "level": level },
        })
    };
    let rules = Rule::ALL
        .iter()
        .map(|one| rule(one.as_str(), one.meaning(), level(one.weight())));
    let expected = ("error", "The exit code is that of a failed expectation.");
    rules
        .chain([rule(
            EXPECTATION,
            "Something that was expected is not so.",
            expected,
        )])
        .collect()
}

/// The place of a rule among [`rules`].
fn index(rule: Rule) -> usize {
    Rule::ALL
        .iter()
        .position(|one| *one == rule)
        .unwrap_or(Rule::ALL.len())
}

fn results(result: &ResultEntry) -> Vec<Value> {
    let found = result.evidence.iter().map(|evidence| finding(result, evidence));
    let failed = result.expectations.iter().filter(|one| !one.passed);
    let mut all: Vec<_> = found.chain(failed.map(|one| failure(result, one))).collect();
    // Whoever counts errors and warnings must not take it for a pass.
    let is_told = |one: &Value| matches!(one["level"].as_str(), Some("error" | "warning"));
    let is_pass = matches!(result.status, Status::Passed | Status::Waived);
    if !is_pass && result.broken.is_none() && !all.iter().any(is_told) {
        let text = match (result.status, result.verdict) {
            (Status::NothingRan, _) | (_, None) => "nothing ran".to_owned(),
            (_, Some(verdict)) => format!(
                "expected the verdict `{}`{}, it is `{verdict}`",
                result.expected_verdict,
                result
                    .expected_rule
                    .iter()
                    .map(|rule| format!(" by the rule `{rule}`"))
                    .collect::<String>(),
            ),
        };
        all.push(unmet(result, &text, None));
    }
    all
}

fn finding(result: &ResultEntry, evidence: &EvidenceEntry) -> Value {
    let weight = evidence.rule.weight();
    // What a scenario wants to be caught, and was, is no fault.
    let is_wanted = result.as_expected && result.verdict != Some(VerdictKind::Clean) && weight > Weight::Note;
    let (kind, level) = match is_wanted {
        true => ("informational", "none"),
        false => ("fail", level(weight).0),
    };
    let help = evidence.help.iter().map(|help| format!("\nhelp: {help}"));
    let mut location = json!({ "logicalLocations": place(result, evidence) });
    if let Some(place) = evidence.at.as_deref().and_then(physical) {
        location["physicalLocation"] = place;
    }
    let mut finding = json!({
        "ruleId": evidence.rule.as_str(),
        "ruleIndex": index(evidence.rule),
        "kind": kind,
        "level": level,
        "message": { "text": evidence.seen() + &help.collect::<String>() },
        "locations": [location],
        "properties": properties(result),
    });
    finding["properties"]["witness"] = json!(evidence.witness.as_str());
    finding["properties"]["source"] = json!(evidence.source);
    if let Some(reason) = &evidence.waived {
        finding["suppressions"] = json!([{ "kind": "external", "justification": reason }]);
    }
    finding
}

fn failure(result: &ResultEntry, expectation: &ExpectationEntry) -> Value {
    let failure = expectation.failure.as_ref();
    let actual = failure.and_then(|failure| failure.actual.as_ref());
    let actual = actual.map(|actual| format!(", {actual}")).unwrap_or_default();
    let at = failure.and_then(|failure| failure.at.as_deref());
    unmet(result, &format!("expected {}{actual}", expectation.what), at)
}

fn unmet(result: &ResultEntry, text: &str, at: Option<&str>) -> Value {
    let mut location = json!({ "logicalLocations": subject(result) });
    if let Some(place) = at.and_then(physical) {
        location["physicalLocation"] = place;
    }
    json!({
        "ruleId": EXPECTATION,
        "ruleIndex": Rule::ALL.len(),
        "kind": "fail",
        "level": "error",
        "message": { "text": text },
        "locations": [location],
        "properties": properties(result),
    })
}

fn properties(result: &ResultEntry) -> Value {
    json!({ "engine": result.engine.name, "mode": result.mode.as_str() })
}

/// What was judged.
fn subject(result: &ResultEntry) -> Vec<Value> {
    let kind = match (result.is_of_image(), result.file.is_some()) {
        (true, _) => "image",
        (false, true) => "scenario",
        (false, false) => "program",
    };
    let name = result.scenario.as_deref().unwrap_or("(whoever came)");
    vec![json!({ "name": name, "kind": kind })]
}

/// The image, the layer and the file; or the scenario and the container.
fn place(result: &ResultEntry, evidence: &EvidenceEntry) -> Vec<Value> {
    let mut place = subject(result);
    let subject = result.scenario.as_deref().unwrap_or_default();
    let mut below = |name: &str, kind: &str| {
        place.push(json!({ "name": name, "fullyQualifiedName": format!("{subject}: {name}"), "kind": kind }));
    };
    if let Some(container) = evidence
        .scenario_container
        .as_ref()
        .or(evidence.container.as_ref())
    {
        below(container, "container");
    }
    if let Some(path) = &evidence.path {
        below(&evidence.source, "layer");
        below(path, "file");
    } else if result.is_of_image() {
        below(&evidence.source, "part");
    }
    place
}

/// `scenarios/a.yaml:16:17`, as a place in a file.
fn physical(at: &str) -> Option<Value> {
    let (rest, column) = at.rsplit_once(':')?;
    let (file, line) = rest.rsplit_once(':')?;
    let (line, column): (usize, usize) = (line.parse().ok()?, column.parse().ok()?);
    Some(json!({
        "artifactLocation": { "uri": uri(file) },
        "region": { "startLine": line, "startColumn": column },
    }))
}

/// A path as a relative or absolute reference of RFC 3986.
fn uri(path: &str) -> String {
    let mut uri = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => {
                uri.push(byte.into())
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

#[cfg(test)]
#[path = "sarif_tests.rs"]
mod tests;
