use super::*;
use crate::report::document::EngineEntry;
use crate::result::tests::{engine, of_scenario};

fn entry(status: Status) -> ResultEntry {
    ResultEntry {
        status,
        ..ResultEntry::of(&of_scenario(""))
    }
}

fn document(statuses: &[Status], interrupted: bool, leftovers: &[&str]) -> Document {
    let results: Vec<_> = statuses.iter().map(|status| entry(*status)).collect();
    Document {
        schema: 1,
        run_id: "00000000".into(),
        criteria: Vec::new(),
        ratios: ratios(&results),
        summary: count(&results, interrupted),
        leftovers: leftovers.iter().map(|left| (*left).to_owned()).collect(),
        results,
    }
}

#[test]
fn the_worst_result_gives_the_exit_code() {
    use Status::{Broken, Failed, NothingRan, Passed, Unproven, Violated, Waived};
    let code = |statuses: &[Status]| document(statuses, false, &[]).exit_code();
    // From the code that yields to all others to the one that yields to none.
    let order = [
        (ExitCode::Clean, [Passed, Waived]),
        (ExitCode::NothingRan, [NothingRan; 2]),
        (ExitCode::Unproven, [Unproven; 2]),
        (ExitCode::Broken, [Broken; 2]),
        (ExitCode::Violated, [Failed, Violated]),
    ];
    for (place, (expected, statuses)) in order.iter().enumerate() {
        for status in statuses {
            assert_eq!(code(&[*status]), *expected, "{status}");
            for (_, weaker) in &order[..=place] {
                for other in weaker {
                    assert_eq!(code(&[*status, *other]), *expected, "{status} and {other}");
                    assert_eq!(code(&[*other, *status]), *expected, "{other} and {status}");
                }
            }
        }
    }
    assert_eq!(code(&[]), ExitCode::NothingRan);
}

#[test]
fn what_was_left_is_a_broken_run_and_yields_to_a_violation() {
    let code = |statuses: &[Status]| document(statuses, false, &["a network"]).exit_code();
    assert_eq!(code(&[]), ExitCode::Broken);
    assert_eq!(code(&[Status::Passed]), ExitCode::Broken);
    assert_eq!(code(&[Status::Unproven]), ExitCode::Broken);
    assert_eq!(code(&[Status::Failed]), ExitCode::Violated);
    let interrupted = document(&[Status::Violated], true, &["a network"]);
    assert_eq!(interrupted.exit_code(), ExitCode::Interrupted);
}

#[test]
fn each_result_is_counted_once() {
    let document = document(Status::ALL, true, &[]);
    let expected = SummaryEntry {
        passed: 1,
        clean: 0,
        violated: 1,
        unproven: 2,
        failed: 2,
        waived: 1,
        interrupted: true,
    };
    assert_eq!(document.summary, expected);
}

#[test]
fn a_clean_verdict_is_counted_unless_something_is_waived() {
    let clean = |status| ResultEntry {
        verdict: Some(VerdictKind::Clean),
        ..entry(status)
    };
    let results = [
        clean(Status::Passed),
        clean(Status::Failed),
        clean(Status::Waived),
    ];
    assert_eq!(count(&results, false).clean, 2);
}

#[test]
fn times_are_compared_on_one_engine_of_what_carries_the_criterion_and_passed() {
    let timed = |mode, duration_ms, engine_name: &str, criteria: &[Criterion]| ResultEntry {
        mode,
        duration_ms,
        criteria: criteria.to_vec(),
        engine: EngineEntry {
            name: engine_name.into(),
            ..EngineEntry::from(&engine())
        },
        ..entry(Status::Passed)
    };
    let carried = &[Criterion::NoShellPrebuilt, Criterion::LayeredUnchanged];
    let mut results = vec![
        timed(Mode::Layered, 400, "a", carried),
        timed(Mode::Prebuilt, 100, "a", carried),
        timed(Mode::Prebuilt, 100, "b", carried),
        timed(Mode::Layered, 400, "c", &[]),
        timed(Mode::Prebuilt, 100, "c", &[]),
    ];
    let expected = RatioEntry {
        scenario: "test".into(),
        engine: "a".into(),
        prebuilt_over_layered: 0.25,
    };
    assert_eq!(ratios(&results), [expected]);
    results[0].status = Status::Failed;
    assert_eq!(ratios(&results), []);
}
