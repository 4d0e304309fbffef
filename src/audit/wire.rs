//! The wire witness: what a recording says about the policy for prebuilt mode.

use std::collections::{HashMap, HashSet};

use shellproof_api::HealthTest;
use shellproof_recorder::{Action, Record, Recording, Subject};

use super::programs::{self, Reading};
use super::{Evidence, Rule};
use crate::scenario::Witness;

/// Reads a recording under the policy for prebuilt mode.
pub fn judge(recording: &Recording) -> Vec<Evidence> {
    let created = recording.created();
    let subjects: HashMap<&str, &Subject> = recording
        .records
        .iter()
        .filter_map(|record| record.subject.as_ref())
        .flat_map(|subject| [(subject.id.as_str(), subject), (subject.name.as_str(), subject)])
        .collect();
    recording
        .records
        .iter()
        .flat_map(|record| judge_record(record, &created, &subjects))
        .collect()
}

/// Whether the recorder saw everything: its faults, and starts that the harness made and it did not see.
///
/// This holds in every mode, since a recorder that did not see the run has nothing to say about it.
pub fn gaps(recording: &Recording, started: &[String]) -> Vec<Evidence> {
    let seen: HashSet<&str> = starts(recording)
        .filter_map(|record| record.subject.as_ref())
        .map(|s| s.id.as_str())
        .collect();
    let faults = recording
        .faults
        .iter()
        .map(|fault| gap(Rule::WireFault, fault.clone()));
    let silent = started.iter().filter(|id| !seen.contains(id.as_str())).map(|id| {
        gap(
            Rule::WireSilent,
            format!("the start of container {id} was not recorded"),
        )
    });
    faults.chain(silent).collect()
}

fn starts(recording: &Recording) -> impl Iterator<Item = &Record> {
    recording
        .records
        .iter()
        .filter(|record| record.route.action == Action::StartContainer)
}

fn gap(rule: Rule, detail: String) -> Evidence {
    Evidence {
        witness: Witness::Wire,
        rule,
        container: None,
        detail,
        source: "recorder".into(),
        waived: None,
    }
}

fn judge_record(
    record: &Record,
    created: &HashSet<String>,
    subjects: &HashMap<&str, &Subject>,
) -> Vec<Evidence> {
    let object = record.route.object.as_deref();
    let subject = record
        .subject
        .as_ref()
        .or_else(|| object.and_then(|object| subjects.get(object).copied()));
    let evidence = |rule: Rule, detail: String| Evidence {
        witness: Witness::Wire,
        rule,
        container: subject
            .map(|subject| subject.name.clone())
            .or_else(|| object.map(str::to_owned)),
        detail,
        source: source(record),
        waived: None,
    };
    let request = |rule: Rule, what: &str| {
        vec![evidence(
            rule,
            format!("{what}: {} {}", record.method, record.route.path),
        )]
    };
    match record.route.action {
        Action::Attach => Vec::new(),
        // Where no engine leaves HTTP, nobody knows what follows.
        Action::Read | Action::Harmless | Action::CreateContainer if !record.left_http => Vec::new(),
        Action::Read | Action::Harmless | Action::CreateContainer | Action::Opaque => {
            request(Rule::OpaqueStream, "a stream that cannot be read")
        }
        Action::StartContainer => match subject {
            Some(subject) => judge_start(subject, created, evidence),
            // A start of what does not exist starts nothing.
            None if record.status == Some(404) => Vec::new(),
            None => request(
                Rule::UnknownStart,
                "a start of which the engine does not say what it runs",
            ),
        },
        Action::CreateExec => vec![evidence(Rule::Exec, format!("exec of `{}`", exec_argv(record)))],
        Action::StartExec => request(Rule::Exec, "a prepared exec was started"),
        Action::RunHealthCheck => match subject {
            Some(subject) => health_check(subject, "health check run", evidence)
                .into_iter()
                .collect(),
            None => request(
                Rule::HealthCheckUnknown,
                "a health check of a container whose start was not recorded",
            ),
        },
        Action::Build => request(Rule::Build, "an image was built"),
        Action::Commit => request(Rule::Commit, "an image was made of a container"),
        Action::CopyIn => request(Rule::CopyIn, "files were written into a container"),
        Action::Update => request(Rule::Update, "a container's configuration was changed"),
        Action::Unknown => request(Rule::UnknownRequest, "a request that may start anything"),
    }
}

/// A container that starts: its program and its health check.
fn judge_start(
    subject: &Subject,
    created: &HashSet<String>,
    evidence: impl Fn(Rule, String) -> Evidence,
) -> Vec<Evidence> {
    let argv = subject.argv.join(" ");
    let program = match programs::read(&subject.argv) {
        Reading::Other => None,
        Reading::Shell(_) => Some(evidence(
            Rule::Shell,
            format!("`{argv}`, a shell, was about to run"),
        )),
        Reading::PackageManager(_) => Some(evidence(
            Rule::PackageManager,
            format!("`{argv}`, a package manager, was about to run"),
        )),
        Reading::Unreadable(wrapper) => Some(evidence(
            Rule::UnreadableWrapper,
            format!("`{argv}` was about to run, and what `{wrapper}` makes of it cannot be read"),
        )),
    };
    let foreign = (!created.contains(&subject.id)).then(|| {
        evidence(
            Rule::Foreign,
            "a container that was not made on this recorder was started".into(),
        )
    });
    program
        .into_iter()
        .chain(health_check(subject, "health check", &evidence))
        .chain(foreign)
        .collect()
}

fn health_check(
    subject: &Subject,
    what: &str,
    evidence: impl Fn(Rule, String) -> Evidence,
) -> Option<Evidence> {
    let found = |rule, line: &str| Some(evidence(rule, format!("{what} `{line}`, run by a shell")));
    match HealthTest::from_api(&subject.health_test)? {
        HealthTest::None => None,
        HealthTest::Shell(line) => found(Rule::HealthCheckShell, &format!("CMD-SHELL {line}")),
        HealthTest::Command(argv) => match programs::read(&argv) {
            Reading::Other => None,
            Reading::Shell(_) => found(Rule::HealthCheckShell, &argv.join(" ")),
            Reading::PackageManager(_) => Some(evidence(
                Rule::PackageManager,
                format!("{what} `{}`, a package manager", argv.join(" ")),
            )),
            Reading::Unreadable(wrapper) => Some(evidence(
                Rule::UnreadableWrapper,
                format!(
                    "{what} `{}`, and what `{wrapper}` makes of it cannot be read",
                    argv.join(" ")
                ),
            )),
        },
    }
}

fn exec_argv(record: &Record) -> String {
    let body: serde_json::Value = serde_json::from_slice(&record.body).unwrap_or_default();
    let argv = body
        .as_object()
        .into_iter()
        .flatten()
        .find(|(key, _)| key.eq_ignore_ascii_case("cmd"));
    let words = argv
        .and_then(|(_, argv)| argv.as_array())
        .into_iter()
        .flatten()
        .filter_map(serde_json::Value::as_str);
    words.collect::<Vec<_>>().join(" ")
}

fn source(record: &Record) -> String {
    let client = record.client.program.as_deref().unwrap_or("an unknown program");
    format!(
        "request {}: {} {} by {client}",
        record.number, record.method, record.target
    )
}

#[cfg(test)]
#[path = "wire_tests.rs"]
pub(in crate::audit) mod tests;
