use super::*;

use crate::policy::Rule;
use crate::result::tests::{failed, judgement, of_scenario};
use crate::result::{Case, CaseResult, Report};

fn run(results: Vec<CaseResult>) -> Value {
    let document = Document::of(&Report {
        run_id: "00000000".into(),
        results,
        interrupted: false,
        leftovers: Vec::new(),
    });
    let mut sarif: Value = serde_json::from_str(&sarif(&document).unwrap()).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    sarif["runs"][0].take()
}

fn seen(verdict: VerdictKind, rules: &[Rule]) -> CaseResult {
    CaseResult {
        judgement: Some(judgement(verdict, rules, Some("job"))),
        ..of_scenario("")
    }
}

fn levels(run: &Value) -> Vec<(&str, &str)> {
    let results = run["results"].as_array().unwrap().iter();
    results
        .map(|one| (one["ruleId"].as_str().unwrap(), one["level"].as_str().unwrap()))
        .collect()
}

#[test]
fn a_weight_is_a_level() {
    let run = run(vec![seen(
        VerdictKind::Violated,
        &[Rule::Shell, Rule::WireFault, Rule::Foreign],
    )]);
    assert_eq!(
        levels(&run),
        [("shell", "error"), ("wire-fault", "warning"), ("foreign", "note")]
    );
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    for result in run["results"].as_array().unwrap() {
        let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!(rule["id"], result["ruleId"]);
        assert_eq!(rule["defaultConfiguration"]["level"], result["level"]);
        assert!(!rule["help"]["text"].as_str().unwrap().starts_with(' '));
    }
}

#[test]
fn what_is_no_pass_is_no_pass_here() {
    for status in [
        seen(VerdictKind::Unproven, &[]),
        CaseResult {
            judgement: Some(judgement(VerdictKind::Clean, &[], None)),
            ..of_scenario("expect: { verdict: violated, rule: exec }")
        },
    ] {
        assert!(
            levels(&run(vec![status]))
                .iter()
                .any(|(_, level)| matches!(*level, "error" | "warning"))
        );
    }
    let mut result = seen(VerdictKind::Clean, &[]);
    assert_eq!(levels(&run(vec![result.clone()])), []);
    result.expectations.push(failed(&result));
    let sarif = run(vec![result.clone()]);
    assert_eq!(levels(&sarif), [(EXPECTATION, "error")]);
    let place = &sarif["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "test.yaml");
    assert_eq!(place["region"]["startLine"], 4);
    result.broken = Some("the engine has gone".into());
    let sarif = run(vec![result]);
    assert_eq!(sarif["invocations"][0]["executionSuccessful"], false);
    assert_eq!(
        sarif["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"],
        "the engine has gone"
    );
}

#[test]
fn what_was_to_be_caught_is_no_error_and_what_is_waived_is_suppressed() {
    let caught = CaseResult {
        judgement: Some(judgement(VerdictKind::Violated, &[Rule::Exec], None)),
        ..of_scenario("expect: { verdict: violated, rule: exec }")
    };
    let sarif = run(vec![caught]);
    assert_eq!(levels(&sarif), [("exec", "none")]);
    assert_eq!(sarif["results"][0]["kind"], "informational");
    let mut waived = judgement(VerdictKind::Clean, &[Rule::Shell], None);
    waived.evidence[0].waived = Some("until spring".into());
    let sarif = run(vec![CaseResult {
        judgement: Some(waived),
        ..of_scenario("")
    }]);
    let expected = json!([{ "kind": "external", "justification": "until spring" }]);
    assert_eq!(sarif["results"][0]["suppressions"], expected);
}

#[test]
fn an_image_a_layer_and_a_file_are_named() {
    let mut judged = judgement(VerdictKind::Violated, &[Rule::ShellInImage], None);
    judged.evidence[0].path = Some("/opt/a b".into());
    judged.evidence[0].source = "layer 2 of 5".into();
    let result = CaseResult {
        judgement: Some(judged),
        case: Case::Verified {
            image: "oci:dir".into(),
            roles: Vec::new(),
        },
        ..of_scenario("")
    };
    let sarif = run(vec![result]);
    let expected = json!([
        { "name": "oci:dir", "kind": "image" },
        { "name": "layer 2 of 5", "fullyQualifiedName": "oci:dir: layer 2 of 5", "kind": "layer" },
        { "name": "/opt/a b", "fullyQualifiedName": "oci:dir: /opt/a b", "kind": "file" },
    ]);
    assert_eq!(sarif["results"][0]["locations"][0]["logicalLocations"], expected);
    assert_eq!(uri("dir/a b.yaml"), "dir/a%20b.yaml");
}
