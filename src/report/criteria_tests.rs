use shellproof_api::EngineKind;
use shellproof_api::facts::Kind;

use super::*;
use crate::report::document::{
    EngineEntry, EvidenceEntry, FileEntry, ImageEntry, LookWord, SessionEntry, TraceEntry, WitnessEntry,
    Witnesses,
};
use crate::vocabulary::Mode;

#[path = "criteria_needs_tests.rs"]
mod needs;

const PREBUILT: [Criterion; 2] = [Criterion::DistrolessPrebuilt, Criterion::NoShellPrebuilt];

fn witness(state: WitnessWord) -> WitnessEntry {
    WitnessEntry {
        state,
        reason: (state != WitnessWord::Spoke).then(|| "the scenario says so".into()),
    }
}

fn image() -> ImageEntry {
    ImageEntry {
        source: "x".into(),
        reference: "x:1".into(),
        id: "sha256:0".into(),
        digest: None,
        stand_in: None,
        shells: Some(Vec::new()),
        programs: None,
    }
}

fn container() -> ContainerResult {
    ContainerResult {
        name: "job".into(),
        engine_name: "run-job".into(),
        started: true,
        exit_code: Some(0),
        as_expected: true,
        is_service: false,
        watched_ms: None,
    }
}

/// A result that shows both criteria of prebuilt mode.
fn shown() -> ResultEntry {
    ResultEntry {
        scenario: Some("one".into()),
        file: Some("one.yaml".into()),
        roles: Vec::new(),
        mode: Mode::Prebuilt,
        engine: EngineEntry {
            name: "docker".into(),
            kind: EngineKind::Docker,
            version: "26".into(),
            rootless: false,
        },
        status: Status::Passed,
        verdict: Some(VerdictKind::Clean),
        expected_verdict: VerdictKind::Clean,
        expected_rule: None,
        as_expected: true,
        criteria: Criterion::ALL.to_vec(),
        reasons: Vec::new(),
        broken: None,
        witnesses: Some(Witnesses {
            wire: witness(WitnessWord::Spoke),
            image: witness(WitnessWord::Spoke),
            kernel: witness(WitnessWord::Spoke),
        }),
        images: vec![image()],
        containers: vec![container()],
        expectations: Vec::new(),
        evidence: Vec::new(),
        traces: Vec::new(),
        exit_code: None,
        requests: None,
        leftovers: Vec::new(),
        duration_ms: 100,
    }
}

fn program(argv: &[&str]) -> ProgramEntry {
    let file = FileEntry {
        path: argv[0].into(),
        sha256: None,
    };
    ProgramEntry {
        at_ms: 1.0,
        pid: 7,
        parent: None,
        caller: None,
        call: "execve".into(),
        path: argv[0].into(),
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
        argv_cut: false,
        readable: true,
        file: Some(file),
        interpreters: Vec::new(),
        answer: Answer::Continued,
        look: LookWord::Same,
        ran: None,
        ran_argv: None,
        rule: Some(Rule::PackageManager),
    }
}

/// A result that shows `layered-unchanged`, if this program was an install.
fn installing(program: ProgramEntry) -> ResultEntry {
    let evidence = EvidenceEntry {
        witness: Witness::Kernel,
        rule: Rule::Installed,
        container: Some("run-job".into()),
        scenario_container: None,
        at: None,
        detail: "a package manager was started".into(),
        path: None,
        source: "process 7".into(),
        waived: None,
        help: None,
    };
    let session = SessionEntry {
        kind: Kind::Start,
        started_ms: 0.0,
        ended_ms: None,
        lost: 0,
        programs: vec![program],
    };
    let trace = TraceEntry {
        container: "run-job".into(),
        scenario_container: None,
        faults: Vec::new(),
        sessions: vec![session],
    };
    ResultEntry {
        mode: Mode::Layered,
        evidence: vec![evidence],
        traces: vec![trace],
        ..shown()
    }
}

fn install() -> ResultEntry {
    installing(program(&["apt-get", "install", "-y", "krb5-user"]))
}

fn entry(criterion: Criterion, results: &[ResultEntry]) -> CriterionEntry {
    let all = judge_all(results);
    let found = all.iter().find(|entry| entry.id == criterion);
    found
        .unwrap_or_else(|| panic!("nothing is said of {criterion}"))
        .clone()
}

fn verdict_on(criterion: Criterion, results: &[ResultEntry]) -> CriterionVerdict {
    entry(criterion, results).verdict
}

/// That a result shows neither criterion of prebuilt mode, beside the reason that it gives.
#[track_caller]
fn lacks(result: &ResultEntry, reason: &str) {
    for criterion in PREBUILT {
        let said = entry(criterion, std::slice::from_ref(result));
        assert_eq!(
            (said.verdict, said.results),
            (CriterionVerdict::Unproven, 0),
            "{reason}"
        );
        assert_eq!(said.reasons, [format!("`one` on docker: {reason}")]);
        assert_eq!(said.witnesses, [""; 0]);
        // A hole is one beside others that show the criterion, too.
        assert_eq!(
            verdict_on(criterion, &[shown(), result.clone()]),
            CriterionVerdict::Unproven,
            "{reason}"
        );
    }
}

#[test]
fn a_clean_verdict_from_a_container_that_ended_well_shows_its_criteria() {
    for criterion in PREBUILT {
        let said = entry(criterion, &[shown()]);
        let expected = CriterionEntry {
            id: criterion,
            verdict: CriterionVerdict::Clean,
            results: 1,
            scenarios: vec!["one".into()],
            engines: vec!["docker".into()],
            witnesses: vec!["wire".into(), "image".into(), "kernel".into()],
            reasons: Vec::new(),
            stand_ins: Vec::new(),
        };
        assert_eq!(said, expected);
    }
    let said = entry(Criterion::LayeredUnchanged, &[install()]);
    assert_eq!((said.verdict, said.results), (CriterionVerdict::Clean, 1));
}

#[test]
fn a_criterion_is_about_its_own_mode_and_about_scenarios_that_carry_it() {
    let ids = |results: &[ResultEntry]| judge_all(results).iter().map(|one| one.id).collect::<Vec<_>>();
    assert_eq!(ids(&[shown()]), PREBUILT);
    assert_eq!(ids(&[install()]), [Criterion::LayeredUnchanged]);
    let other = ResultEntry {
        criteria: vec![Criterion::NoShellPrebuilt],
        ..shown()
    };
    assert_eq!(ids(&[other]), [Criterion::NoShellPrebuilt]);
    // Whatever a scenario says, it cannot show these.
    let claims = [Criterion::Documentation, Criterion::Dockerfiles];
    for mode in [Mode::Layered, Mode::Prebuilt] {
        let result = ResultEntry {
            mode,
            criteria: claims.to_vec(),
            ..install()
        };
        assert_eq!(ids(&[result]), []);
    }
    assert_eq!(ids(&[]), []);
}

#[test]
fn what_was_expected_to_be_caught_or_unproven_says_nothing() {
    for verdict in [VerdictKind::Violated, VerdictKind::Unproven] {
        let caught = ResultEntry {
            verdict: Some(verdict),
            expected_verdict: verdict,
            ..shown()
        };
        for criterion in PREBUILT {
            let said = entry(criterion, std::slice::from_ref(&caught));
            assert_eq!((said.verdict, said.results), (CriterionVerdict::Unproven, 0));
            let reason = format!("`one` on docker: it expects the verdict `{verdict}`");
            assert_eq!(said.reasons, [reason]);
            assert_eq!((said.scenarios.len(), said.stand_ins.len()), (0, 0));
            // It is no hole in what another shows.
            let said = entry(criterion, &[caught.clone(), shown()]);
            assert_eq!((said.verdict, said.results), (CriterionVerdict::Clean, 1));
            assert_eq!(said.reasons, [""; 0]);
        }
    }
}

#[test]
fn a_result_without_a_verdict_shows_nothing() {
    let result = ResultEntry {
        verdict: None,
        ..shown()
    };
    lacks(&result, "it has no verdict");
}

#[test]
fn a_witness_that_did_not_speak_leaves_a_hole() {
    for state in [WitnessWord::Off, WitnessWord::Missing] {
        let mut result = shown();
        result.witnesses.as_mut().unwrap().kernel = witness(state);
        lacks(&result, "the kernel witness did not speak: the scenario says so");
        let mut result = shown();
        result.witnesses.as_mut().unwrap().wire = witness(state);
        lacks(&result, "the wire witness did not speak: the scenario says so");
        let mut result = install();
        result.witnesses.as_mut().unwrap().kernel = witness(state);
        assert_eq!(
            verdict_on(Criterion::LayeredUnchanged, &[result]),
            CriterionVerdict::Unproven
        );
    }
    let result = ResultEntry {
        witnesses: None,
        ..shown()
    };
    lacks(&result, "no witness spoke");
}

#[test]
fn a_container_in_which_nothing_ran_leaves_a_hole() {
    let with = |containers: &[ContainerResult]| ResultEntry {
        containers: containers.to_vec(),
        ..shown()
    };
    lacks(&with(&[]), "nothing ran in any of its containers");
    // It was to end with 127, and did.
    let unstarted = ContainerResult {
        started: false,
        exit_code: Some(127),
        ..container()
    };
    lacks(
        &with(std::slice::from_ref(&unstarted)),
        "nothing ran in any of its containers",
    );
    let beside = with(&[unstarted.clone(), container()]);
    assert_eq!(
        verdict_on(Criterion::NoShellPrebuilt, &[beside]),
        CriterionVerdict::Clean
    );
    let unasked = ContainerResult {
        as_expected: false,
        ..unstarted
    };
    lacks(&with(&[container(), unasked]), "`job` could not be started");
}

#[test]
fn a_container_that_did_not_end_as_it_was_to_leaves_a_hole() {
    let with = |exit_code| {
        let ended = ContainerResult {
            exit_code,
            as_expected: false,
            ..container()
        };
        ResultEntry {
            containers: vec![container(), ended],
            ..shown()
        }
    };
    lacks(&with(Some(1)), "`job` ended with 1, and nothing asked it to");
    lacks(
        &with(None),
        "`job` was stopped, and nothing says what it was to do until then",
    );
}

#[test]
fn what_failed_is_failed_and_what_violated_is_violated() {
    let with = |status| ResultEntry { status, ..shown() };
    for criterion in PREBUILT {
        let of = |statuses: &[Status]| {
            let results: Vec<_> = statuses.iter().map(|status| with(*status)).collect();
            verdict_on(criterion, &results)
        };
        assert_eq!(of(&[Status::Failed]), CriterionVerdict::Failed);
        assert_eq!(of(&[Status::Violated]), CriterionVerdict::Violated);
        assert_eq!(of(&[Status::Broken]), CriterionVerdict::Unproven);
        assert_eq!(of(&[Status::Unproven]), CriterionVerdict::Unproven);
        assert_eq!(of(&[Status::NothingRan]), CriterionVerdict::Unproven);
        assert_eq!(
            of(&[Status::Passed, Status::Unproven]),
            CriterionVerdict::Unproven
        );
        assert_eq!(of(&[Status::Failed, Status::Passed]), CriterionVerdict::Failed);
        assert_eq!(
            of(&[Status::Unproven, Status::Failed, Status::Passed]),
            CriterionVerdict::Failed
        );
        assert_eq!(
            of(&[Status::Violated, Status::Failed, Status::Passed]),
            CriterionVerdict::Violated
        );
    }
    lacks(&with(Status::Broken), "its run broke");
    lacks(&with(Status::Unproven), "its verdict is unproven");
    let failed = entry(Criterion::NoShellPrebuilt, &[with(Status::Failed)]);
    assert_eq!(failed.reasons, ["`one` on docker: an expectation failed"]);
    let violated = entry(Criterion::NoShellPrebuilt, &[with(Status::Violated)]);
    assert_eq!(violated.reasons, ["`one` on docker: the policy is violated"]);
}

#[test]
fn what_is_accepted_for_a_while_is_waived_and_no_more() {
    let waived = ResultEntry {
        status: Status::Waived,
        ..shown()
    };
    for criterion in PREBUILT {
        let said = entry(criterion, &[waived.clone(), shown()]);
        assert_eq!((said.verdict, said.results), (CriterionVerdict::Waived, 2));
        assert_eq!(said.witnesses, ["wire", "image", "kernel"]);
    }
    let mut hole = waived.clone();
    hole.witnesses.as_mut().unwrap().kernel = witness(WitnessWord::Off);
    lacks(&hole, "the kernel witness did not speak: the scenario says so");
    let mut hole = waived;
    hole.witnesses.as_mut().unwrap().image = witness(WitnessWord::Off);
    lacks(&hole, "the image witness did not speak: the scenario says so");
}

#[test]
fn a_stand_in_says_nothing_of_the_real_thing() {
    let on_stand_in = |status| {
        let stand_in = ImageEntry {
            stand_in: Some("OpenSearch".into()),
            ..image()
        };
        ResultEntry {
            scenario: Some("search".into()),
            images: vec![image(), stand_in],
            status,
            ..shown()
        }
    };
    let alone = entry(Criterion::NoShellPrebuilt, &[on_stand_in(Status::Passed)]);
    assert_eq!((alone.verdict, alone.results), (CriterionVerdict::Unproven, 0));
    assert_eq!(
        alone.reasons,
        ["`search` on docker: it ran on a stand-in for OpenSearch"]
    );
    let beside = entry(
        Criterion::NoShellPrebuilt,
        &[on_stand_in(Status::Passed), shown()],
    );
    assert_eq!((beside.verdict, beside.results), (CriterionVerdict::Clean, 1));
    assert_eq!(beside.scenarios, ["one"]);
    assert_eq!(beside.stand_ins, ["OpenSearch"]);
    // A stand-in that violates is the scenario's own fault.
    let bad = [on_stand_in(Status::Violated), shown()];
    assert_eq!(
        verdict_on(Criterion::NoShellPrebuilt, &bad),
        CriterionVerdict::Violated
    );
}

#[test]
fn the_witnesses_are_those_of_every_result_that_counts() {
    let mut without_image = install();
    without_image.witnesses.as_mut().unwrap().image = witness(WitnessWord::Off);
    let of = |results: &[ResultEntry]| entry(Criterion::LayeredUnchanged, results).witnesses;
    assert_eq!(of(&[install()]), ["wire", "image", "kernel"]);
    assert_eq!(of(&[without_image, install()]), ["wire", "kernel"]);
}

#[test]
fn a_debug_variant_shows_nothing_of_an_image_without_a_shell() {
    for (source, reference) in [("x:1-debug", "x:1"), ("fixture:x", "localhost/x:debug")] {
        let mut result = shown();
        result.images[0].source = source.into();
        result.images[0].reference = reference.into();
        let said = entry(Criterion::DistrolessPrebuilt, &[result.clone()]);
        assert_eq!(said.verdict, CriterionVerdict::Unproven);
        assert!(
            said.reasons[0].contains("is a debug variant"),
            "{:?}",
            said.reasons
        );
        assert_eq!(
            verdict_on(Criterion::NoShellPrebuilt, &[result]),
            CriterionVerdict::Clean
        );
    }
}

#[test]
fn names_are_listed_once_and_in_order() {
    let named = |scenario: &str, engine: &str| {
        let mut result = shown();
        result.scenario = Some(scenario.into());
        result.engine.name = engine.into();
        result
    };
    let said = entry(
        Criterion::NoShellPrebuilt,
        &[named("b", "podman"), named("a", "podman"), named("b", "docker")],
    );
    assert_eq!(said.scenarios, ["a", "b"]);
    assert_eq!(said.engines, ["docker", "podman"]);
    assert_eq!(said.results, 3);
}
