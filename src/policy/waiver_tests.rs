use super::*;
use crate::policy::{Judgement, WitnessState, unused_waivers};
use crate::scenario;
use crate::vocabulary::{Mode, Witness};

const WAIVED: &str = "
schema: 1
name: waived
containers:
  job: { image: x, expect: { exit: 0 } }
waivers:
  - { rule: shell, program: /bin/sh, reason: the vendor mends it, until: 2026-12-31 }
";

fn seen(rule: Rule, detail: &str) -> Evidence {
    Evidence {
        witness: Witness::Wire,
        rule,
        container: None,
        detail: detail.into(),
        path: None,
        source: String::new(),
        waived: None,
        help: None,
    }
}

fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).unwrap()
}

/// Why one piece of evidence is waived on a day.
fn waived(evidence: Evidence, today: NaiveDate) -> Option<String> {
    let scenario = scenario::parse("waived.yaml", WAIVED).unwrap();
    let mut all = [evidence];
    apply(&scenario.waivers, &mut all, today);
    all[0].waived.take()
}

#[test]
fn a_waiver_covers_its_rule_and_program_until_its_day() {
    let shell = || seen(Rule::Shell, "`/bin/sh -c true`, a shell, was about to run");
    assert_eq!(
        waived(shell(), day(2026, 12, 31)).as_deref(),
        Some("the vendor mends it")
    );
    assert_eq!(waived(shell(), day(2027, 1, 1)), None);
    assert_eq!(
        waived(seen(Rule::Shell, "`/bin/shx -c true`"), day(2026, 1, 1)),
        None
    );
    assert_eq!(
        waived(seen(Rule::Exec, "exec of `/bin/sh`"), day(2026, 1, 1)),
        None
    );
}

#[test]
fn a_waiver_covers_no_words_that_are_our_own() {
    let text = WAIVED.replace("program: /bin/sh", "program: a");
    let scenario = scenario::parse("waived.yaml", &text).unwrap();
    let mut all = [seen(Rule::Shell, "`/bin/sh -c true`, a shell, was about to run")];
    apply(&scenario.waivers, &mut all, day(2026, 1, 1));
    assert_eq!(all[0].waived, None);
}

#[test]
fn a_waiver_covers_what_is_seen_today() {
    assert!(today() > day(2026, 1, 1));
}

#[test]
fn a_gap_cannot_be_waived() {
    let scenario =
        scenario::parse("waived.yaml", &WAIVED.replace("rule: shell", "rule: wire-fault")).unwrap();
    let mut all = [seen(Rule::WireFault, "`/bin/sh`")];
    apply(&scenario.waivers, &mut all, day(2026, 1, 1));
    assert_eq!(all[0].waived, None);
}

#[test]
fn a_rule_that_does_not_exist_is_a_mistake_with_its_place() {
    let misspelt = WAIVED.replace("rule: shell", "rule: shel");
    let mistakes = unknown_rules(&[scenario::parse("waived.yaml", &misspelt).unwrap()]);
    assert_eq!(mistakes.len(), 1);
    let text = mistakes[0].to_string();
    assert!(
        text.contains("no rule is called `shel`") && text.contains("waived.yaml:7:13"),
        "{text}"
    );
    assert!(text.contains("did you mean `shell`?"), "{text}");
    assert_eq!(
        unknown_rules(&[scenario::parse("waived.yaml", WAIVED).unwrap()]),
        []
    );
    let far = WAIVED.replace("rule: shell", "rule: something-else");
    let mistakes = unknown_rules(&[scenario::parse("waived.yaml", &far).unwrap()]);
    assert!(
        mistakes[0].to_string().contains("the rules are `exec`, `shell`"),
        "{}",
        mistakes[0]
    );
}

#[test]
fn a_waiver_that_has_ended_is_a_mistake_with_its_place() {
    let scenarios = [scenario::parse("waived.yaml", WAIVED).unwrap()];
    assert_eq!(ended(&scenarios, day(2026, 12, 31)), []);
    let mistakes = ended(&scenarios, day(2027, 1, 1));
    let [mistake] = mistakes.as_slice() else {
        panic!("{mistakes:?}")
    };
    let text = mistake.to_string();
    assert!(text.contains("the waiver for `/bin/sh` has ended"), "{text}");
    assert!(text.contains("waived.yaml:7:74"), "{text}");
}

#[test]
fn a_waiver_that_covers_nothing_is_told_where_all_was_seen() {
    let scenario = scenario::parse("waived.yaml", WAIVED).unwrap();
    let judgement = |evidence: Vec<Evidence>, kernel| Judgement {
        verdict: crate::vocabulary::VerdictKind::Clean,
        witnesses: vec![(Witness::Wire, WitnessState::Spoke), (Witness::Kernel, kernel)],
        evidence,
        usage: Vec::new(),
    };
    let nothing = judgement(Vec::new(), WitnessState::Spoke);
    let told = unused_waivers(Mode::Prebuilt, &scenario, &nothing);
    let [told] = told.as_slice() else {
        panic!("{told:?}")
    };
    assert!(told.to_string().contains("waived.yaml:7:5"), "{told}");
    assert_eq!(unused_waivers(Mode::Layered, &scenario, &nothing), []);
    let silent = judgement(Vec::new(), WitnessState::Missing("no listener".into()));
    assert_eq!(unused_waivers(Mode::Prebuilt, &scenario, &silent), []);
    let other = judgement(vec![seen(Rule::Exec, "exec of `/bin/sh`")], WitnessState::Spoke);
    assert_eq!(unused_waivers(Mode::Prebuilt, &scenario, &other).len(), 1);
    let covered = judgement(
        vec![seen(Rule::Shell, "`/bin/sh -c true`, a shell")],
        WitnessState::Spoke,
    );
    assert_eq!(unused_waivers(Mode::Prebuilt, &scenario, &covered), []);
}

#[test]
fn what_scenarios_say_of_the_policy_is_checked_together() {
    let parsed = |text: &str| scenario::parse("waived.yaml", text).unwrap();
    let good = WAIVED.replace("2026-12-31", "9999-12-31");
    assert!(check(&[parsed(&good)]).is_ok());
    let ended = WAIVED.replace("2026-12-31", "2020-12-31");
    let unknown = good.replace("rule: shell", "rule: shel");
    let mistakes = check(&[parsed(&good), parsed(&ended), parsed(&unknown)]).unwrap_err();
    let text = mistakes.to_string();
    assert!(text.contains("has ended") && text.contains("`shel`"), "{text}");
}
