//! The same scenario files come to the same without an engine as on one, case by case: those that violate the policy and those that
//! only look like it.

use std::collections::{BTreeMap, BTreeSet};

use rstest::rstest;
use serde_json::Value;
use shellproof::policy::{Rule, Weight};

use crate::fixtures;
use crate::support::{beside_others, engine, finish, shellproof};

/// What one case came to.
#[derive(Debug, PartialEq)]
struct Case {
    verdict: String,
    status: String,
    /// The rules that were violated.
    violated: BTreeSet<String>,
    /// How each container ended.
    containers: Vec<(String, Value)>,
}

fn case(result: &Value) -> Case {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |key: &str| result[key].as_array().cloned().unwrap_or_default();
    let rules = list("evidence");
    let violated = rules.iter().map(|one| word(&one["rule"])).filter(|rule| {
        let rule = rule.parse::<Rule>().expect("a rule");
        rule.weight() == Weight::Violation
    });
    Case {
        verdict: word(&result["verdict"]),
        status: word(&result["status"]),
        violated: violated.collect(),
        containers: list("containers")
            .iter()
            .map(|one| (word(&one["name"]), one["exit_code"].clone()))
            .collect(),
    }
}

#[rstest]
#[ignore = "needs engines: scripts/test runs it"]
fn cases_come_to_the_same_without_an_engine(#[values("docker-26", "podman-5-rootless")] name: &str) {
    let (_gate, engine) = (beside_others(), engine(name));
    let ended = finish(
        shellproof()
            .args(["run", "--format", "json", "--env-file", "scenarios/fixtures.env"])
            .args(["--engine", "embedded", "--engine", &engine.choice(), "--fixtures"])
            .arg(fixtures::directory())
            .args(["scenarios", "tests/scenarios", "tests/scenarios-of-the-kernel"])
            .env(
                "XDG_DATA_HOME",
                concat!(env!("CARGO_MANIFEST_DIR"), "/target/data"),
            ),
    );
    let document = ended.expect(0).json();
    let mut cases: BTreeMap<String, BTreeMap<String, Case>> = BTreeMap::new();
    for result in document["results"].as_array().expect("a list") {
        let of = format!("{} {}", result["scenario"], result["mode"]);
        let on = result["engine"]["name"].as_str().expect("a name").to_owned();
        cases.entry(of).or_default().insert(on, case(result));
    }
    assert!(cases.len() > 40, "{} cases", cases.len());
    let is_violated = |both: &BTreeMap<String, Case>| both["embedded"].verdict == "violated";
    assert!(cases.values().filter(|both| is_violated(both)).count() > 10);
    for (name, both) in &cases {
        assert_eq!(both["embedded"], both[&engine.name], "{name}");
    }
}
