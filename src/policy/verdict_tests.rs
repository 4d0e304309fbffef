use std::sync::Arc;

use shellproof_api::facts::{ChangedFile, Content, Gap, ImageContent, Kind, What};
use shellproof_wire::{Record, Recording};

use super::super::kernel::tests::{facts_of, program, session, traced};
use super::super::wire::tests::{record, recording, run};
use super::*;
use crate::scenario;

#[path = "verdict_program_tests.rs"]
mod program_tests;

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

#[test]
fn where_there_is_no_wire_what_is_known_counts_against_a_container_and_never_for_it() {
    let started = ["1".to_owned()];
    let unseen = |gap| What::Unseen {
        gap,
        why: "nobody looked".into(),
        help: None,
    };
    let judged = |mode, fact: Fact| {
        let mut facts = facts_of(
            &traced(vec![session(Kind::Start, vec![program(&["/tiny"])])]),
            &Recording::default(),
        );
        facts.push(fact);
        let seen = Seen {
            wire: Standing::Absent("there is none"),
            kernel: Standing::Heard,
            ..by_wire(&facts, &started)
        };
        let judgement = judge(mode, &scenario(""), seen);
        judgement.rules().collect::<Vec<_>>()
    };
    let of_wire = |what| Fact::new(Witness::Wire, "x", what);
    let shell = || recording(run("1", &["sh"], &[])).facts().remove(0);
    let changed = || {
        of_wire(What::Changed(vec![ChangedFile {
            path: "/tool".into(),
            content: Content::Elf,
        }]))
    };
    assert_eq!(judged(Mode::Prebuilt, shell()), [Rule::Shell]);
    assert_eq!(judged(Mode::Prebuilt, changed()), [Rule::RunTimeInstall]);
    let unread = of_wire(unseen(Gap::Changes));
    assert_eq!(judged(Mode::Prebuilt, unread.clone()), [Rule::ChangesMissing]);
    // What nobody was asked for cannot be missed.
    assert_eq!(judged(Mode::Prebuilt, of_wire(unseen(Gap::Events))), []);
    assert_eq!(judged(Mode::Prebuilt, of_wire(What::Exec(None))), []);
    for fact in [shell(), changed(), unread] {
        assert_eq!(judged(Mode::Layered, fact), []);
    }
    let way_out = of_wire(unseen(Gap::WayOut));
    assert_eq!(judged(Mode::Layered, way_out.clone()), [Rule::NoWayOut]);
    assert_eq!(judged(Mode::Prebuilt, way_out.clone()), [Rule::NoWayOut]);
    // Where a witness is off, nothing of its is told.
    let off = |facts: &[Fact]| {
        let seen = Seen {
            wire: Standing::Off("the scenario says so"),
            ..by_wire(facts, &started)
        };
        judge(Mode::Prebuilt, &scenario(""), seen).evidence
    };
    assert_eq!(off(&[way_out, shell()]), []);
}

#[test]
fn an_image_is_judged_by_the_image_alone() {
    let image = Fact::new(
        Witness::Image,
        "`x`",
        What::Image {
            id: "sha256:1".into(),
            content: Arc::new(ImageContent::default()),
        },
    );
    let facts = [image];
    let judged = |image| {
        let seen = Seen {
            wire: Standing::Off("no container was started"),
            image,
            ..by_wire(&facts, &[])
        };
        judge_image(Promise::default(), seen)
    };
    let heard = judged(Standing::Heard);
    assert_eq!((heard.verdict, heard.spoke().as_str()), (Verdict::Clean, "image"));
    // By default it runs as root, which is worth knowing.
    assert!(heard.evidence.iter().any(|one| one.rule == Rule::RootUser));
    let missing = judged(Standing::Missing("it is gone"));
    let rules: Vec<_> = missing.rules().collect();
    assert_eq!(
        (missing.verdict, missing.spoke().as_str()),
        (Verdict::Unproven, "none")
    );
    assert_eq!((rules, missing.evidence.len()), (vec![Rule::WitnessMissing], 1));
}
