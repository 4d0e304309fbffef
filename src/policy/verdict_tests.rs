use std::sync::Arc;

use shellproof_api::facts::{Gap, ImageContent, ImageProgram, Kind, Likeness, Traced, What};
use shellproof_wire::{Record, Recording};

use super::super::kernel::tests::{facts_of, like, program, session, traced};
use super::super::wire::tests::{record, recording, run};
use super::*;
use crate::scenario;

const STARTED: &[&str] = &["1"];

/// A scenario with some more lines.
fn scenario(lines: &str) -> Scenario {
    let text = format!(
        "schema: 1\nname: test\ncontainers: {{ job: {{ image: x, expect: {{ exit: 0 }} }} }}\n{lines}"
    );
    scenario::parse("test.yaml", &text).unwrap()
}

fn verdict(mode: Mode, recording: &Recording, started: &[&str]) -> Judgement {
    let started: Vec<String> = started.iter().map(|id| (*id).to_owned()).collect();
    judge(mode, &scenario(""), by_wire(&recording.facts(), &started))
}

/// What the wire alone has seen.
pub(in crate::policy) fn by_wire<'a>(facts: &'a [Fact], started: &'a [String]) -> Seen<'a> {
    Seen {
        facts,
        started,
        allowed: &[],
        wire: Standing::Heard,
        image: Standing::Off("not here"),
        kernel: Standing::Off("not here"),
    }
}

#[test]
fn a_seen_run_without_a_finding_is_clean_and_says_which_witness_spoke() {
    for mode in [Mode::Layered, Mode::Prebuilt] {
        let judgement = verdict(mode, &recording(run("1", &["/tiny"], &[])), STARTED);
        assert_eq!(judgement.verdict, Verdict::Clean);
        assert_eq!(judgement.spoke(), "wire");
        assert_eq!(judgement.witnesses[0], (Witness::Wire, WitnessState::Spoke));
    }
}

#[test]
fn a_shell_violates_prebuilt_mode_and_only_that() {
    let shell = recording(run("1", &["sh", "-c", "true"], &[]));
    let judgement = verdict(Mode::Prebuilt, &shell, STARTED);
    assert_eq!(judgement.verdict, Verdict::Violated);
    assert_eq!(judgement.rules().collect::<Vec<_>>(), [Rule::Shell]);
    assert_eq!(verdict(Mode::Layered, &shell, STARTED).verdict, Verdict::Clean);
}

#[test]
fn silence_is_never_clean() {
    for mode in [Mode::Layered, Mode::Prebuilt] {
        let judgement = verdict(mode, &Recording::default(), &[]);
        assert_eq!(
            (judgement.verdict, judgement.spoke().as_str()),
            (Verdict::Unproven, "none")
        );
        let judgement = verdict(mode, &Recording::default(), STARTED);
        assert_eq!(judgement.verdict, Verdict::Unproven);
        assert_eq!(
            judgement.rules().collect::<Vec<_>>(),
            [Rule::WireSilent, Rule::WitnessMissing]
        );
        assert_eq!(
            judgement.witnesses[0].1.reason(),
            Some("the start of container 1 was not recorded")
        );
    }
}

#[test]
fn a_violation_weighs_more_than_a_gap() {
    let mut faulty = recording(run("1", &["sh"], &[]));
    faulty.faults.push("connection 1: broken".into());
    let judgement = verdict(Mode::Prebuilt, &faulty, STARTED);
    assert_eq!(judgement.verdict, Verdict::Violated);
    assert_eq!(judgement.spoke(), "none");
    faulty.records = run("1", &["/tiny"], &[]);
    assert_eq!(
        verdict(Mode::Prebuilt, &faulty, STARTED).verdict,
        Verdict::Unproven
    );
}

#[test]
fn a_note_does_not_stand_against_a_clean_verdict() {
    let mut foreign = recording(run("1", &["/tiny"], &[]));
    foreign.records.extend(run("2", &["/tiny"], &[]).pop());
    let judgement = verdict(Mode::Prebuilt, &foreign, STARTED);
    assert_eq!(judgement.verdict, Verdict::Clean);
    assert_eq!(judgement.evidence.len(), 1);
    assert_eq!(judgement.against().count(), 0);
}

#[test]
fn a_gap_in_prebuilt_mode_is_unproven() {
    let mut unknown = recording(run("1", &["/tiny"], &[]));
    unknown.records.push(record("POST", "/libpod/play/kube"));
    let judgement = verdict(Mode::Prebuilt, &unknown, STARTED);
    assert_eq!(judgement.verdict, Verdict::Unproven);
    assert_eq!(judgement.spoke(), "wire");
}

#[test]
fn a_witness_that_is_required_and_missing_is_unproven() {
    let clean = recording(run("1", &["/tiny"], &[])).facts();
    let started = ["1".to_owned()];
    let seen = by_wire(&clean, &started);
    for need in [Need::Required, Need::IfAvailable] {
        let unheard = Standing::unheard(need, "no engine has it");
        for seen in [
            Seen {
                image: unheard,
                ..seen
            },
            Seen {
                kernel: unheard,
                ..seen
            },
        ] {
            let judgement = judge(Mode::Prebuilt, &scenario(""), seen);
            let rules: Vec<_> = judgement.rules().collect();
            match need {
                Need::Required => {
                    assert_eq!(judgement.verdict, Verdict::Unproven);
                    assert_eq!(rules, [Rule::WitnessMissing]);
                }
                _ => {
                    assert_eq!(judgement.verdict, Verdict::Clean);
                    assert_eq!(rules, []);
                }
            }
        }
    }
}

#[test]
fn an_image_that_could_not_be_read_counts_where_all_of_them_are_needed() {
    let mut facts = recording(run("1", &["/tiny"], &[])).facts();
    let started = ["1".to_owned()];
    let judged = |facts: &[Fact], lines: &str, mode| {
        let seen = Seen {
            image: Standing::Heard,
            ..by_wire(facts, &started)
        };
        let judgement = judge(mode, &scenario(lines), seen);
        let rules: Vec<_> = judgement.rules().collect();
        (judgement.verdict, judgement.witnesses[1].1.as_str(), rules)
    };
    // Silence is no word of it.
    let missing = vec![Rule::WitnessMissing];
    assert_eq!(
        judged(&facts, "", Mode::Prebuilt),
        (Verdict::Unproven, "missing", missing)
    );
    assert_eq!(judged(&facts, "", Mode::Layered), (Verdict::Clean, "off", vec![]));
    facts.push(Fact::new(
        Witness::Image,
        "x",
        What::Image {
            id: "sha256:1".into(),
            content: Arc::default(),
        },
    ));
    for mode in [Mode::Layered, Mode::Prebuilt] {
        assert_eq!(judged(&facts, "", mode), (Verdict::Clean, "spoke", vec![]));
    }
    facts.push(Fact::new(
        Witness::Image,
        "y",
        What::Unseen {
            gap: Gap::Image,
            why: "it is gone".into(),
            help: None,
        },
    ));
    let (verdict, state, rules) = judged(&facts, "", Mode::Prebuilt);
    assert_eq!((verdict, state), (Verdict::Unproven, "missing"));
    assert_eq!(rules, [Rule::ImageFault, Rule::WitnessMissing]);
    let relaxed = judged(&facts, "audit: { image: if-available }", Mode::Prebuilt);
    assert_eq!(relaxed, (Verdict::Clean, "off", vec![]));
    assert_eq!(judged(&facts, "", Mode::Layered), (Verdict::Clean, "off", vec![]));
}

#[test]
fn what_an_engine_cannot_reach_proves_nothing_in_any_mode() {
    let facts = [Fact::new(
        Witness::Wire,
        "x",
        What::Unseen {
            gap: Gap::WayOut,
            why: "a container asked for more".into(),
            help: None,
        },
    )];
    for mode in [Mode::Layered, Mode::Prebuilt] {
        let seen = Seen {
            wire: Standing::Absent("there is none"),
            ..by_wire(&facts, &[])
        };
        let judgement = judge(mode, &scenario(""), seen);
        assert_eq!(judgement.verdict, Verdict::Unproven);
        assert!(judgement.rules().any(|rule| rule == Rule::NoWayOut));
    }
}

#[test]
fn what_rests_on_users_that_are_all_one_is_unproven_in_both_modes() {
    let started = ["1".to_owned()];
    let mut facts = recording(run("1", &["/app"], &[])).facts();
    facts.push(Fact::new(
        Witness::Kernel,
        "this run",
        What::OneUser {
            why: "there is one user id only".into(),
            help: Some("as root".into()),
        },
    ));
    for mode in [Mode::Layered, Mode::Prebuilt] {
        let judgement = judge(mode, &scenario(""), by_wire(&facts, &started));
        assert_eq!(judgement.verdict, Verdict::Unproven);
        let against: Vec<_> = judgement
            .against()
            .map(|one| (one.rule, one.help.as_deref()))
            .collect();
        assert_eq!(against, [(Rule::OneUser, Some("as root"))]);
    }
}

#[test]
fn with_every_witness_off_nothing_is_proven() {
    let shell = recording(run("1", &["sh"], &[])).facts();
    let started = ["1".to_owned()];
    let seen = Seen {
        wire: Standing::Off("the scenario says so"),
        ..by_wire(&shell, &started)
    };
    let judgement = judge(Mode::Prebuilt, &scenario(""), seen);
    assert_eq!(
        (judgement.verdict, judgement.spoke().as_str()),
        (Verdict::Unproven, "none")
    );
    assert_eq!(judgement.evidence, []);
}

#[test]
fn an_engine_without_a_wire_is_judged_by_the_kernel_alone() {
    let started = ["1".to_owned()];
    let verdict = |programs| {
        let facts = facts_of(
            &traced(vec![session(Kind::Start, programs)]),
            &Recording::default(),
        );
        let seen = Seen {
            wire: Standing::Absent("nothing but shellproof starts programs there"),
            kernel: Standing::Heard,
            ..by_wire(&facts, &started)
        };
        let judgement = judge(Mode::Prebuilt, &scenario(""), seen);
        (
            judgement.verdict,
            judgement.spoke(),
            judgement.witnesses[0].1.as_str(),
        )
    };
    assert_eq!(
        verdict(vec![program(&["/tiny"])]),
        (Verdict::Clean, "kernel".to_owned(), "none")
    );
    assert_eq!(verdict(vec![program(&["sh"])]).0, Verdict::Violated);
    assert_eq!(verdict(Vec::new()).0, Verdict::Unproven);
}

#[test]
fn a_waived_violation_does_not_stand_against_a_clean_verdict_and_stays_visible() {
    let waiver = "waivers: [{ rule: shell, program: sh, reason: the vendor mends it, until: 9999-12-31 }]";
    let shell = recording(run("1", &["sh", "-c", "true"], &[])).facts();
    let judgement = judge(
        Mode::Prebuilt,
        &scenario(waiver),
        by_wire(&shell, &["1".to_owned()]),
    );
    assert_eq!(judgement.verdict, Verdict::Clean);
    assert_eq!(
        judgement.evidence[0].waived.as_deref(),
        Some("the vendor mends it")
    );
    let both = recording(run("1", &["sh"], &["CMD-SHELL", "true"])).facts();
    assert_eq!(
        judge(
            Mode::Prebuilt,
            &scenario(waiver),
            by_wire(&both, &["1".to_owned()])
        )
        .verdict,
        Verdict::Violated
    );
}

#[test]
fn a_witness_that_was_silent_says_why() {
    let states = [
        (WitnessState::Spoke, "spoke", None),
        (WitnessState::Absent("no wire".into()), "none", Some("no wire")),
        (WitnessState::Missing("broken".into()), "missing", Some("broken")),
        (WitnessState::Off("unwanted".into()), "off", Some("unwanted")),
    ];
    for (state, name, reason) in states {
        assert_eq!((state.as_str(), state.reason()), (name, reason));
    }
}

/// What is said of a program; the kernel is heard where there are traces.
fn of_program(records: Vec<Record>, traced: Option<&[Traced]>) -> Judgement {
    let facts = facts_of(traced.unwrap_or_default(), &recording(records));
    let seen = by_wire(&facts, &[]);
    let kernel = traced.map_or(seen.kernel, |_| Standing::Heard);
    judge_program(Mode::Prebuilt, Seen { kernel, ..seen })
}

fn wire(judgement: &Judgement) -> &'static str {
    judgement.witnesses[0].1.as_str()
}

#[test]
fn a_program_without_a_start_is_unproven_unless_it_violates() {
    let nothing = of_program(Vec::new(), None);
    assert_eq!((nothing.verdict, wire(&nothing)), (Verdict::Unproven, "missing"));
    let started = of_program(run("1", &["/tiny"], &[]), None);
    assert_eq!((started.verdict, wire(&started)), (Verdict::Clean, "spoke"));
    let exec = of_program(vec![record("POST", "/containers/1/exec")], None);
    assert_eq!((exec.verdict, wire(&exec)), (Verdict::Violated, "spoke"));
    // Another's container, and its engine did not start it: that is a note, and nobody saw a start.
    let mut foreign = run("1", &["/tiny"], &[]).pop().unwrap();
    foreign.status = Some(500);
    let foreign = of_program(vec![foreign], None);
    let rules: Vec<_> = foreign.evidence.iter().map(|one| one.rule).collect();
    assert_eq!(rules, [Rule::Foreign]);
    assert_eq!((foreign.verdict, wire(&foreign)), (Verdict::Unproven, "missing"));
}

#[test]
fn a_kernel_witness_with_nothing_to_watch_did_not_speak() {
    let nothing = of_program(Vec::new(), Some(&[]));
    let (_, kernel) = &nothing.witnesses[2];
    assert_eq!(
        (kernel.as_str(), kernel.reason()),
        ("missing", Some("no container was started"))
    );
}

#[test]
fn the_kernel_sees_through_a_wrapper_that_the_wire_does_not() {
    let watched = traced(vec![session(Kind::Start, vec![program(&["xargs", "sort"])])]);
    let of = |argv: &[&str], traced: &[Traced]| {
        let judgement = of_program(run("1", argv, &[]), Some(traced));
        let rules: Vec<_> = judgement.rules().collect();
        (judgement.verdict, judgement.witnesses[2].1.as_str(), rules)
    };
    assert_eq!(
        of(&["xargs", "sort"], &watched),
        (Verdict::Clean, "spoke", vec![])
    );
    // Whatever else the wire found stays.
    assert_eq!(
        of(&["sh"], &watched),
        (Verdict::Violated, "spoke", vec![Rule::Shell])
    );
    // A kernel witness that lost something vouches for nothing.
    let mut broken = watched.clone();
    broken[0].trace.faults.push("lost".into());
    let (verdict, kernel, rules) = of(&["xargs", "sort"], &broken);
    assert_eq!((verdict, kernel), (Verdict::Unproven, "missing"));
    assert!(rules.contains(&Rule::UnreadableWrapper), "{rules:?}");
    // What the kernel itself cannot judge stays.
    let loader = like("/opt/tool", Likeness::Loader, &["tool", "--unheard-of", "/x"]);
    let loads = traced(vec![session(Kind::Start, vec![loader])]);
    assert_eq!(
        of(&["/tiny"], &loads),
        (Verdict::Unproven, "spoke", vec![Rule::UnreadableWrapper])
    );
}

#[test]
fn a_name_is_outranked_by_content_that_image_and_kernel_saw() {
    let script = |path: &str| ImageProgram {
        path: path.into(),
        mode: 0o755,
        likeness: Some(Likeness::Script),
        interpreter: Some(("/usr/bin/python3".into(), None)),
        ..ImageProgram::default()
    };
    let content = ImageContent {
        programs: vec![
            script("/app/dash"),
            script("/app/pip"),
            ImageProgram {
                likeness: None,
                interpreter: None,
                ..script("/usr/bin/python3")
            },
        ],
        ..ImageContent::default()
    };
    let image = Fact::new(
        Witness::Image,
        "`x`",
        What::Image {
            id: "sha256:1".into(),
            content: Arc::new(content),
        },
    );
    let of = |line: &str, kernel: bool, image_heard: bool, more: Option<Record>| {
        let argv: Vec<_> = line.split(' ').collect();
        let mut records = run("1", &argv, &[]);
        records.extend(more);
        let traced = match kernel {
            true => traced(vec![session(Kind::Start, vec![program(&["/app/main"])])]),
            false => Vec::new(),
        };
        let mut facts = facts_of(&traced, &recording(records));
        for fact in &mut facts {
            if let What::Start(start) = &mut fact.what {
                start.image = Some("sha256:1".into());
            }
        }
        facts.push(image.clone());
        let heard = |is_heard| match is_heard {
            true => Standing::Heard,
            false => Standing::Off("not here"),
        };
        let seen = Seen {
            kernel: heard(kernel),
            image: heard(image_heard),
            ..by_wire(&facts, &[])
        };
        let judgement = judge_program(Mode::Prebuilt, seen);
        let rules: Vec<_> = judgement
            .rules()
            .filter(|rule| *rule != Rule::ForeignProgram)
            .collect();
        rules
    };
    assert_eq!(of("/app/dash -c x", true, true, None), []);
    assert_eq!(of("/app/pip install x", true, true, None), []);
    // Who says so must have been heard.
    assert_eq!(of("/app/dash -c x", false, true, None), [Rule::Shell]);
    assert_eq!(of("/app/dash -c x", true, false, None), [Rule::Shell]);
    // What is not in the image is its name.
    assert_eq!(of("/app/bash -c x", true, true, None), [Rule::Shell, Rule::Shell]);
    // Nothing else that was found is cleared.
    let exec = record("POST", "/containers/1/exec");
    assert_eq!(of("/app/dash", true, true, Some(exec)), [Rule::Exec]);
}

#[test]
fn a_refused_start_is_told_with_the_engines_answer_in_each_mode() {
    let mut records = run("1", &["/nope"], &[]);
    records[1].status = Some(400);
    records[1].answer = Some("no such file".into());
    let facts = recording(records.clone()).facts();
    for mode in [Mode::Layered, Mode::Prebuilt] {
        let judgement = judge_program(mode, by_wire(&facts, &[]));
        let [refused] = judgement.evidence.as_slice() else {
            panic!("{judgement:?}")
        };
        assert_eq!(refused.rule, Rule::EngineRefused);
        assert_eq!(
            refused.detail,
            "the engine did not start `job`: status 400, no such file"
        );
        assert_eq!(judgement.verdict, Verdict::Unproven);
        assert_eq!(
            judgement.witnesses[0].1.reason(),
            Some("no container was started, since the engine refused")
        );
    }
    // Beside a start that went well it is worth knowing, and no obstacle.
    records.extend(run("2", &["/tiny"], &[]));
    let judgement = of_program(records, None);
    assert_eq!((judgement.verdict, judgement.evidence.len()), (Verdict::Clean, 1));
}

#[test]
fn a_scenario_in_which_no_program_was_there_shows_nothing() {
    let started = ["1".to_owned()];
    let judged = |argv: &[&str], is_there: bool| {
        let mut tried = program(argv);
        if !is_there {
            tried.file = None;
        }
        let traced = traced(vec![session(Kind::Start, vec![tried])]);
        let facts = facts_of(&traced, &recording(run("1", argv, &[])));
        let seen = Seen {
            kernel: Standing::Heard,
            ..by_wire(&facts, &started)
        };
        let judgement = judge(Mode::Prebuilt, &scenario(""), seen);
        let rules: Vec<_> = judgement.against().map(|one| one.rule).collect();
        (judgement.verdict, rules)
    };
    assert_eq!(judged(&["/app"], true), (Verdict::Clean, vec![]));
    assert_eq!(
        judged(&["/nope"], false),
        (Verdict::Unproven, vec![Rule::KernelSilent])
    );
    // What was tried is worse, and enough.
    let (verdict, rules) = judged(&["/bin/sh"], false);
    assert_eq!(verdict, Verdict::Violated);
    assert!(!rules.contains(&Rule::KernelSilent), "{rules:?}");
}
