//! The wire witness: what a recording says about the policy for prebuilt mode.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use shellproof_wire::{Action, Gate, Record, Recording, Refusal, Subject};

use super::health::{self, Finding};
use super::programs::{self, Reading};
use super::{Evidence, Rule, Weight, changes, events};
use crate::vocabulary::Witness;

/// What the whole recording says about the objects of its requests.
#[derive(Default)]
struct Known<'a> {
    /// The containers that were made on the recorder, by id.
    created: HashSet<&'a str>,
    /// The containers of which a start was passed on, by id and by name.
    started: HashMap<&'a str, &'a Subject>,
    /// The execs that were prepared on the recorder, by id.
    prepared: HashSet<&'a str>,
}

impl<'a> Known<'a> {
    fn of(recording: &'a Recording) -> Self {
        let subjects = recording.starts().filter_map(|record| record.subject.as_ref());
        let prepared = recording
            .records
            .iter()
            .filter(|record| record.route.action == Action::CreateExec);
        Self {
            created: recording.created(),
            started: subjects
                .flat_map(|subject| [(subject.id.as_str(), subject), (subject.name.as_str(), subject)])
                .collect(),
            prepared: prepared.filter_map(|record| record.made.as_deref()).collect(),
        }
    }
}

/// Reads a recording under the policy for prebuilt mode.
pub fn judge(recording: &Recording) -> Vec<Evidence> {
    let known = Known::of(recording);
    recording
        .records
        .iter()
        .flat_map(|record| judge_record(record, &known))
        .chain(events::judge(recording))
        .chain(changes::judge(recording))
        .collect()
}

/// Refuses what violates the policy for prebuilt mode, and what cannot be judged by it.
pub fn gate() -> Gate {
    Gate::new(refuse)
}

fn refuse(record: &Record) -> Option<Refusal> {
    let against = match record.route.action {
        Action::CreateContainer => judge_create(record),
        _ => judge_record(record, &Known::default()),
    };
    let reason = against.into_iter().find(|one| one.weight() > Weight::Note)?;
    Some(Refusal {
        message: format!("shellproof: refused by rule `{}`: {reason}", reason.rule),
    })
}

/// Whether the engine was asked to start a container, and did.
pub fn has_started(recording: &Recording) -> bool {
    recording
        .starts()
        .any(|record| record.status.is_some_and(|status| (200..400).contains(&status)))
}

/// Whether the recorder saw everything: its faults, and starts that the harness made and it did not see.
///
/// This holds in every mode, since a recorder that did not see the run has nothing to say about it.
pub fn gaps(recording: &Recording, started: &[String]) -> Vec<Evidence> {
    let seen: HashSet<&str> = recording
        .starts()
        .filter_map(|record| record.subject.as_ref())
        .map(|s| s.id.as_str())
        .collect();
    let gap = |rule, detail| Evidence::new(Witness::Wire, "recorder", rule, detail);
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

fn judge_record(record: &Record, known: &Known<'_>) -> Vec<Evidence> {
    let object = record.route.object.as_deref();
    let subject = record
        .subject
        .as_ref()
        .or_else(|| object.and_then(|object| known.started.get(object).copied()));
    let evidence = |rule: Rule, detail: String| Evidence {
        container: subject
            .map(|subject| subject.name.clone())
            .or_else(|| object.map(str::to_owned)),
        ..Evidence::new(Witness::Wire, &source(record), rule, detail)
    };
    let request = |rule: Rule, what: &str| {
        vec![evidence(
            rule,
            format!("{what}: {} {}", record.method, record.route.path),
        )]
    };
    match record.route.action {
        // Podman prepares a container's program as soon as somebody attaches to it.
        Action::Attach => match &record.subject {
            Some(subject) if !subject.running && !known.started.contains_key(subject.id.as_str()) => {
                judge_start(subject, known, evidence)
            }
            _ => Vec::new(),
        },
        // What it would run is judged when it starts; a refused one never does.
        Action::CreateContainer if record.refused.is_some() => judge_create(record),
        // Where no engine leaves HTTP, nobody knows what follows.
        Action::Read | Action::Harmless | Action::Remove | Action::CreateContainer if !record.left_http => {
            Vec::new()
        }
        Action::Read | Action::Harmless | Action::Remove | Action::CreateContainer | Action::Opaque => {
            request(Rule::OpaqueStream, "a stream that cannot be read")
        }
        Action::StartContainer => match subject {
            Some(subject) => judge_start(subject, known, evidence),
            // A start of what does not exist starts nothing.
            None if record.status == Some(404) => Vec::new(),
            None => request(
                Rule::UnknownStart,
                "a start of which the engine does not say what it runs",
            ),
        },
        Action::CreateExec => vec![evidence(Rule::Exec, format!("exec of `{}`", exec_argv(record)))],
        // The request that prepared it says what it runs.
        Action::StartExec if object.is_some_and(|exec| known.prepared.contains(exec)) => Vec::new(),
        Action::StartExec => request(Rule::Exec, "a prepared exec was started"),
        Action::RunHealthCheck => match subject {
            Some(subject) => health::judge_all(subject, "health check run")
                .map(|finding| with(finding, evidence))
                .collect(),
            None => request(
                Rule::HealthCheckUnknown,
                "a health check of a container whose start was not recorded",
            ),
        },
        Action::Build => request(Rule::Build, "an image was built"),
        Action::Commit => request(Rule::Commit, "an image was made of a container"),
        Action::CopyIn => request(Rule::CopyIn, "files were written into a container"),
        Action::Update => match health::of_update(record) {
            Some(findings) => findings
                .into_iter()
                .map(|finding| with(finding, evidence))
                .collect(),
            None => request(
                Rule::Update,
                "a container's configuration was changed, and nobody can read to what",
            ),
        },
        Action::Unknown => request(Rule::UnknownRequest, "a request that may start anything"),
    }
}

/// A container that starts: its program and its health check.
fn judge_start(
    subject: &Subject,
    known: &Known<'_>,
    evidence: impl Fn(Rule, String) -> Evidence,
) -> Vec<Evidence> {
    let foreign = (!known.created.contains(subject.id.as_str())).then(|| {
        evidence(
            Rule::Foreign,
            "a container that was not made on this recorder was started".into(),
        )
    });
    judge_program(&subject.argv, &evidence)
        .into_iter()
        .chain(health::judge_all(subject, "health check").map(|finding| with(finding, &evidence)))
        .chain(foreign)
        .collect()
}

fn judge_program(argv: &[String], evidence: impl Fn(Rule, String) -> Evidence) -> Option<Evidence> {
    let line = argv.join(" ");
    match programs::read(argv) {
        Reading::Other => None,
        Reading::Shell(_) => Some(evidence(
            Rule::Shell,
            format!("`{line}`, a shell, was about to run"),
        )),
        Reading::PackageManager(_) => Some(evidence(
            Rule::PackageManager,
            format!("`{line}`, a package manager, was about to run"),
        )),
        Reading::Unreadable(unread) | Reading::Cut(unread) => Some(evidence(
            Rule::UnreadableWrapper,
            format!("`{line}` was about to run, and what `{unread}` is or runs cannot be judged"),
        )),
    }
}

/// What a request to make a container says by itself. An image may say more: that is seen when it starts.
fn judge_create(record: &Record) -> Vec<Evidence> {
    let name = record
        .route
        .query
        .split('&')
        .find_map(|parameter| parameter.strip_prefix("name="));
    let name = name.or_else(|| record.body["name"].as_str()).map(str::to_owned);
    let evidence = |rule: Rule, detail: String| Evidence {
        container: name.clone(),
        ..Evidence::new(Witness::Wire, &source(record), rule, detail)
    };
    let all = |names: &[&str]| -> Vec<&Value> {
        let members = record.body.as_object().into_iter().flatten();
        let is_called = |key: &str| names.iter().any(|name| key.eq_ignore_ascii_case(name));
        members
            .filter(|(key, _)| is_called(key))
            .map(|(_, value)| value)
            .collect()
    };
    let commands = all(&["cmd", "command"]);
    let none = Value::Null;
    // Without an entry point, the image's own decides what the command is.
    let is_program = |entrypoint: &&Value| {
        words(entrypoint)
            .first()
            .is_some_and(|program| !program.is_empty())
    };
    let programs = all(&["entrypoint"])
        .into_iter()
        .filter(is_program)
        .flat_map(|entrypoint| {
            // Without a command, the entry point stands alone.
            let commands = if commands.is_empty() {
                vec![&none]
            } else {
                commands.clone()
            };
            let argv = move |command: &&Value| [words(entrypoint), words(command)].concat();
            commands.iter().map(argv).collect::<Vec<_>>()
        });
    let mut labels = all(&["labels"]).into_iter();
    let service = labels.find_map(|labels| labels["com.docker.compose.service"].as_str());
    let checks = all(&["healthcheck", "healthconfig", "startuphealthconfig"]);
    let tests = checks.into_iter().filter_map(Value::as_object).flatten();
    let tests = tests.filter(|(key, _)| key.eq_ignore_ascii_case("test"));
    programs
        .filter_map(|argv| judge_program(&argv, evidence))
        .chain(tests.filter_map(|(_, test)| {
            health::judge(&words(test), "health check", service).map(|finding| with(finding, evidence))
        }))
        .collect()
}

fn with(finding: Finding, evidence: impl Fn(Rule, String) -> Evidence) -> Evidence {
    Evidence {
        help: finding.help,
        ..evidence(finding.rule, finding.detail)
    }
}

/// A list of words, or a word.
fn words(value: &Value) -> Vec<String> {
    match value {
        Value::String(word) => vec![word.clone()],
        Value::Array(words) => words
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    }
}

fn exec_argv(record: &Record) -> String {
    let argv = record
        .body
        .as_object()
        .into_iter()
        .flatten()
        .find(|(key, _)| key.eq_ignore_ascii_case("cmd"));
    argv.map_or(Vec::new(), |(_, argv)| words(argv)).join(" ")
}

fn source(record: &Record) -> String {
    let client = record.client.program.as_deref().unwrap_or("an unknown program");
    let refused = if record.refused.is_some() { ", refused" } else { "" };
    format!(
        "request {}: {} {} by {client}{refused}",
        record.number, record.method, record.target
    )
}

#[cfg(test)]
#[path = "wire_tests.rs"]
pub(in crate::policy) mod tests;
