use std::time::Duration;

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use super::document::{Document, ResultEntry};
use super::human;
use super::styles::Styles;
use crate::vocabulary::Status;

/// A run as a JUnit file: one suite per engine, one case per scenario and mode. A broken run is an `error`, a failed
/// expectation, a violation or a missing proof a `failure`.
///
/// # Errors
/// The document cannot be written.
pub fn junit(report: &Document) -> Result<String, quick_junit::SerializeError> {
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

fn case(result: &ResultEntry) -> TestCase {
    let kind = match result.status {
        Status::Passed | Status::Waived => None,
        Status::Broken => Some(NonSuccessKind::Error),
        Status::Violated | Status::Failed | Status::Unproven | Status::NothingRan => {
            Some(NonSuccessKind::Failure)
        }
    };
    let status = kind.map_or_else(TestCaseStatus::success, |kind| {
        let mut status = TestCaseStatus::non_success(kind);
        status.set_type(result.status.as_str());
        status.set_description(human::detail(result, &Styles::PLAIN));
        status
    });
    let name = result.scenario.as_deref().unwrap_or("(whoever came)");
    let mut case = TestCase::new(format!("{name} ({})", result.mode), status);
    if let Some(file) = &result.file {
        case.set_classname(file.clone());
    }
    case.set_time(Duration::from_millis(result.duration_ms));
    case
}
