use shellproof_api::EngineKind;

use super::*;
use crate::policy::{Rule, WitnessState};
use crate::scenario;
use crate::vocabulary::Witness;

/// An engine that is none.
pub(crate) fn engine() -> Engine {
    Engine {
        name: "x".into(),
        kind: EngineKind::Fake,
        version: "1".into(),
        rootless: false,
        seccomp: shellproof_api::Seccomp::Off,
    }
}

/// A verdict with one piece of evidence for each of `rules`, seen in `container`.
pub(crate) fn judgement(verdict: VerdictKind, rules: &[Rule], container: Option<&str>) -> Judgement {
    let evidence = |rule: &Rule| Evidence {
        witness: Witness::Kernel,
        rule: *rule,
        container: container.map(str::to_owned),
        detail: "`sh`, a shell, was started".into(),
        path: None,
        source: "process 7".into(),
        waived: None,
        help: None,
    };
    Judgement {
        verdict,
        witnesses: Witness::ALL
            .iter()
            .map(|witness| (*witness, WitnessState::Spoke))
            .collect(),
        evidence: rules.iter().map(evidence).collect(),
        usage: Vec::new(),
    }
}

/// A result of a scenario of one container, `job`, with these lines at its end.
pub(crate) fn of_scenario(lines: &str) -> CaseResult {
    let text = format!(
        "schema: 1\nname: test\ncontainers:\n  job: {{ image: x, expect: {{ exit: 0 }} }}\n{lines}\n"
    );
    let scenario = scenario::parse("test.yaml", &text).unwrap();
    CaseResult::new(Case::Scenario(Arc::new(scenario)), Mode::Prebuilt, engine())
}

/// A failed expectation of such a result.
pub(crate) fn failed(result: &CaseResult) -> Expectation {
    let scenario = result.scenario().unwrap();
    let what = "`job` to exit with 0".to_owned();
    let span = scenario.containers[0].name.span;
    let diagnostic = Diagnostic::new(&scenario.file, span, format!("expected {what}"));
    Expectation {
        what,
        failure: Some(Failure {
            diagnostic: diagnostic.label("it exited with 3"),
            container: Some("job".into()),
            errors: vec!["FATAL: first".into()],
            log: vec!["\tthe \"cause\"".into()],
        }),
    }
}

fn audited(verdict: VerdictKind, rules: &[Rule], has_started: bool, exit: (i32, ExpectedExit)) -> Status {
    let program = Audited {
        name: None,
        exit: Some(Exit {
            code: exit.0,
            expected: exit.1,
        }),
        has_started,
        requests: 1,
    };
    let result = CaseResult {
        judgement: Some(judgement(verdict, rules, None)),
        // What a program leaves is its own affair.
        leftovers: vec!["a container".into()],
        ..CaseResult::new(Case::Audited(program), Mode::Prebuilt, engine())
    };
    result.status()
}

const ZERO: (i32, ExpectedExit) = (0, ExpectedExit::Code(0));
const THREE: (i32, ExpectedExit) = (3, ExpectedExit::Code(0));
use VerdictKind::{Clean, Unproven, Violated};

#[test]
fn a_program_that_starts_nothing_is_never_a_pass() {
    for verdict in [Clean, Unproven] {
        assert_eq!(audited(verdict, &[], false, ZERO), Status::NothingRan);
        assert_eq!(
            audited(verdict, &[Rule::Foreign], false, ZERO),
            Status::NothingRan
        );
    }
    assert_eq!(
        audited(Unproven, &[Rule::WireFault], false, ZERO),
        Status::Unproven
    );
    // An exec alone is a violation though nothing was started.
    assert_eq!(audited(Violated, &[Rule::Exec], false, ZERO), Status::Violated);
    assert_eq!(audited(Unproven, &[], true, ZERO), Status::Unproven);
}

#[test]
fn a_violation_counts_before_a_failure_and_that_before_a_gap() {
    assert_eq!(audited(Clean, &[], true, ZERO), Status::Passed);
    assert_eq!(audited(Clean, &[], true, THREE), Status::Failed);
    assert_eq!(audited(Clean, &[], true, (3, ExpectedExit::Any)), Status::Passed);
    assert_eq!(
        audited(Clean, &[], true, (3, ExpectedExit::Code(3))),
        Status::Passed
    );
    let gap = &[Rule::WireFault];
    assert_eq!(audited(Unproven, gap, true, ZERO), Status::Unproven);
    assert_eq!(audited(Unproven, gap, true, THREE), Status::Failed);
    assert_eq!(audited(Unproven, &[], false, THREE), Status::Failed);
    assert_eq!(audited(Violated, &[Rule::Shell], true, THREE), Status::Violated);
}

#[test]
fn an_expected_exit_is_a_code_or_any() {
    assert_eq!("any".parse(), Ok(ExpectedExit::Any));
    assert_eq!("3".parse(), Ok(ExpectedExit::Code(3)));
    assert_eq!(ExpectedExit::Any.to_string(), "any");
    assert_eq!(ExpectedExit::Code(3).to_string(), "3");
    for wrong in ["", "-1", "256", "ANY"] {
        assert!(wrong.parse::<ExpectedExit>().is_err(), "{wrong}");
    }
}

#[test]
fn what_a_scenario_expects_decides_how_its_verdict_counts() {
    let status = |lines: &str, verdict, rules: &[Rule]| {
        let result = of_scenario(lines);
        let judgement = Some(judgement(verdict, rules, None));
        CaseResult { judgement, ..result }.status()
    };
    let caught = "expect: { verdict: violated, rule: shell }";
    assert_eq!(status("", Clean, &[]), Status::Passed);
    assert_eq!(status("", Violated, &[Rule::Shell]), Status::Violated);
    assert_eq!(status("", Unproven, &[Rule::WireFault]), Status::Unproven);
    assert_eq!(status(caught, Violated, &[Rule::Shell]), Status::Passed);
    assert_eq!(status(caught, Violated, &[Rule::Exec]), Status::Violated);
    assert_eq!(status(caught, Clean, &[]), Status::Failed);
    assert_eq!(status(caught, Unproven, &[Rule::WireFault]), Status::Unproven);
    let unproven = "expect: { verdict: unproven }";
    assert_eq!(
        status(unproven, Unproven, &[Rule::WitnessMissing]),
        Status::Passed
    );
    assert_eq!(status(unproven, Clean, &[]), Status::Failed);
    // No container that anybody heard of is no silence of a scenario's: it is told by its rules.
    assert_eq!(status("", Unproven, &[]), Status::Unproven);
}

#[test]
fn a_violation_that_is_accepted_is_no_plain_pass() {
    let mut judged = judgement(Clean, &[Rule::Shell], None);
    judged.evidence[0].waived = Some("the vendor mends it".into());
    let mut result = CaseResult {
        judgement: Some(judged),
        ..of_scenario("")
    };
    assert_eq!(result.status(), Status::Waived);
    result.expectations = vec![failed(&result)];
    assert_eq!(result.status(), Status::Failed);
    result.expectations.clear();
    // A second violation that nobody accepts.
    result.judgement.as_mut().unwrap().verdict = Violated;
    assert_eq!(result.status(), Status::Violated);
}

#[test]
fn what_broke_or_left_something_is_broken() {
    let mut result = of_scenario("");
    assert_eq!(result.status(), Status::Broken);
    result.judgement = Some(judgement(Clean, &[], None));
    result.leftovers = vec!["a network".into()];
    assert_eq!(result.status(), Status::Broken);
    result.leftovers.clear();
    result.broken = Some("the engine is gone".into());
    assert_eq!(result.status(), Status::Broken);
    result.expectations = vec![failed(&result)];
    assert_eq!(result.status(), Status::Failed);
    result.judgement = Some(judgement(Violated, &[Rule::Exec], None));
    assert_eq!(result.status(), Status::Violated);
}
