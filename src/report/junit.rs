use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use super::human;
use crate::run::{Report, ScenarioResult, Status};

/// A run as a JUnit file: one suite per engine, one case per scenario and mode. A broken run is an `error`, a failed
/// expectation, a violation or a missing proof a `failure`.
///
/// # Errors
/// The document cannot be written.
pub fn junit(report: &Report) -> Result<String, quick_junit::SerializeError> {
    let mut document = quick_junit::Report::new("shellproof");
    let mut suites: Vec<TestSuite> = Vec::new();
    for result in &report.results {
        let name = result.engine.name.as_str();
        let at = suites
            .iter()
            .position(|suite| suite.name.as_str() == name)
            .unwrap_or_else(|| {
                suites.push(TestSuite::new(name));
                suites.len() - 1
            });
        suites[at].add_test_case(case(result));
    }
    document.add_test_suites(suites);
    document.to_string()
}

fn case(result: &ScenarioResult) -> TestCase {
    let kind = match result.status() {
        Status::Passed => None,
        Status::Broken => Some(NonSuccessKind::Error),
        Status::Violated | Status::Failed | Status::Unproven => Some(NonSuccessKind::Failure),
    };
    let status = kind.map_or_else(TestCaseStatus::success, |kind| {
        let mut status = TestCaseStatus::non_success(kind);
        status.set_type(super::json::status(result.status()));
        status.set_description(human::plain(&human::detail(result)));
        status
    });
    let mut case = TestCase::new(
        format!("{} ({})", result.scenario.name.value, result.mode),
        status,
    );
    case.set_classname(result.scenario.file.path().display().to_string());
    case.set_time(result.duration);
    case
}
