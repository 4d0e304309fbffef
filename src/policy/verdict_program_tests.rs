//! Verdicts on programs that are no scenarios, and what one witness says of what another saw.

use shellproof_api::facts::{Digest, ImageProgram, Likeness, Traced};

use super::super::super::kernel::tests::like;
use super::*;

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
            true => {
                let mut main = program(&["/app/main"]);
                main.file.as_mut().unwrap().content = Some(Digest([1; 32]));
                traced(vec![session(Kind::Start, vec![main])])
            }
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
        let (foreign, rules): (Vec<_>, Vec<_>) =
            judgement.rules().partition(|rule| *rule == Rule::ForeignProgram);
        // What ran is none of the image's, and both must have been heard to know it.
        let known = usize::from(kernel && image_heard);
        assert_eq!((foreign.len(), judgement.usage.len()), (known, known), "{line}");
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
    // A note shows nothing either.
    let mut records = run("1", &["/nope"], &[]);
    records.extend(run("2", &["/tiny"], &[]).pop());
    let mut absent = program(&["/nope"]);
    absent.file = None;
    let facts = facts_of(
        &traced(vec![session(Kind::Start, vec![absent])]),
        &recording(records),
    );
    let seen = Seen {
        kernel: Standing::Heard,
        ..by_wire(&facts, &started)
    };
    let judgement = judge(Mode::Prebuilt, &scenario(""), seen);
    let silent = judgement
        .evidence
        .iter()
        .find(|one| one.rule == Rule::KernelSilent);
    assert!(
        silent
            .unwrap()
            .help
            .as_ref()
            .unwrap()
            .starts_with("correct `entrypoint`")
    );
    assert!(
        judgement.evidence.iter().any(|one| one.rule == Rule::Foreign),
        "{judgement:?}"
    );
    // What was tried is worse, and enough.
    let (verdict, rules) = judged(&["/bin/sh"], false);
    assert_eq!(verdict, Verdict::Violated);
    assert!(!rules.contains(&Rule::KernelSilent), "{rules:?}");
}

#[test]
fn a_missing_witness_is_told_where_something_was_started() {
    let judged = |records: Vec<Record>, faults: Vec<String>| {
        let mut recording = recording(records);
        recording.faults = faults;
        let facts = recording.facts();
        let seen = Seen {
            kernel: Standing::Missing("no engine has it"),
            ..by_wire(&facts, &[])
        };
        judge_program(Mode::Prebuilt, seen).rules().collect::<Vec<_>>()
    };
    assert_eq!(judged(Vec::new(), Vec::new()), []);
    assert_eq!(
        judged(run("1", &["/tiny"], &[]), Vec::new()),
        [Rule::WitnessMissing]
    );
    // The wire's own gap says so already.
    let broken = vec!["connection 1: broken".to_owned()];
    assert_eq!(
        judged(run("1", &["/tiny"], &[]), broken),
        [Rule::WireFault, Rule::WitnessMissing]
    );
}
