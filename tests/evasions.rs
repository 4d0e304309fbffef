//! The catalogue of evasions: every file below `tests/evasions` on every engine.
//!
//! A file holds requests as they go over the wire, and the verdict that they must lead to: in `caught/` what must never
//! be clean, in `clean/` look-alikes that must never alarm, in `beyond/` what the wire cannot see and the kernel can.

#[path = "evasions/harness/case.rs"]
mod case;
#[path = "evasions/harness/client.rs"]
mod client;
#[path = "support/fixtures.rs"]
mod fixtures;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use libtest_mimic::{Arguments, Failed, Trial};
use shellproof::invocation::Invocation;
use shellproof::policy::{Rule, Seen, Standing, Weight, judge_program, wire};
use shellproof::vocabulary::Mode;
use shellproof_conformance::lab::{self, Engine};
use shellproof_wire::{Endpoint, EventKind, EventStream, Gate, Recorder, RecorderOptions};

use case::{Case, Denied};
use client::Client;

/// How many cases there were of each kind, and in how many the verdict was as expected.
#[derive(Default)]
struct Count {
    tried: AtomicUsize,
    right: AtomicUsize,
}

fn main() -> ExitCode {
    lab::main(Engine::listens, on_engines)
}

fn on_engines(arguments: &Arguments, engines: Vec<Engine>) -> ExitCode {
    let invocation = Arc::new(Invocation::start().expect("a private directory"));
    let runtime = Arc::new(tokio::runtime::Runtime::new().expect("a runtime"));
    let kinds = ["caught", "clean", "beyond"];
    let counts = Arc::new(kinds.map(|kind| (kind, Count::default())));
    let mut trials = Vec::new();
    for (at, kind) in kinds.into_iter().enumerate() {
        let cases = case::read_all(kind);
        assert!(!cases.is_empty(), "no case in `{kind}`");
        if kind == "caught" {
            let shown: Vec<_> = cases.iter().filter_map(|case| case.rule.as_deref()).collect();
            // What lies in an image, or is started in a container, is in no request: `tests/verify.rs` and `tests/kernel.rs` have
            // the cases of these.
            let elsewhere = [
                Rule::ShellInImage,
                Rule::PackageManagerInImage,
                Rule::DebugImage,
                Rule::ForeignProgram,
            ];
            let violations = Rule::ALL.iter().filter(|rule| !elsewhere.contains(rule));
            let mut violations = violations.filter(|rule| rule.weight() == Weight::Violation);
            let without = violations.find(|rule| !shown.contains(&rule.as_str()));
            assert_eq!(without, None, "a rule that no case violates");
        }
        for case in cases {
            let case = Arc::new(case);
            for engine in engines.iter().filter(|engine| case.is_for(engine)) {
                for denied in [None].into_iter().chain(case.denied.map(Some)) {
                    let deny = if denied.is_some() { "::deny" } else { "" };
                    let name = format!("{kind}::{}{deny}::{}", case.name, engine.name);
                    let (case, engine) = (case.clone(), engine.clone());
                    let (invocation, runtime, counts) = (invocation.clone(), runtime.clone(), counts.clone());
                    trials.push(Trial::test(name, move || {
                        let count = &counts[at].1;
                        let number = count.tried.fetch_add(1, Ordering::Relaxed);
                        let id = format!("{}-{at}-{number}", invocation.id());
                        runtime.block_on(run(&case, denied, &engine, &invocation, &id))?;
                        count.right.fetch_add(1, Ordering::Relaxed);
                        Ok(())
                    }));
                }
            }
        }
    }
    let conclusion = libtest_mimic::run(arguments, trials);
    for ((_, count), what) in counts.iter().zip([
        "evasions caught",
        "look-alikes without a false alarm",
        "left to the kernel, as documented",
    ]) {
        let (tried, right) = (
            count.tried.load(Ordering::Relaxed),
            count.right.load(Ordering::Relaxed),
        );
        println!("{what}: {right} of {tried}");
    }
    conclusion.exit_code()
}

/// Plays one case through a recorder in front of an engine, and compares the verdict; with the policy enforced, also what
/// became of it.
async fn run(
    case: &Case,
    denied: Option<Denied>,
    engine: &Engine,
    invocation: &Invocation,
    id: &str,
) -> Result<(), Failed> {
    let endpoint = Endpoint {
        kind: engine.kind,
        socket: engine.socket.clone(),
    };
    let label = ("io.shellproof.run", invocation.id());
    let stream = EventStream::open(&endpoint, &format!("shellproof-{id}"), label).await?;
    let options = RecorderOptions {
        gate: denied.map(|_| Gate::new(wire::refuse)),
        changes: Some(invocation.id().to_owned()),
        ..RecorderOptions::default()
    };
    let recorder = Recorder::start_with(&endpoint, &invocation.path(&format!("{id}.sock")), options).await?;
    let own = endpoint.server().await?.socket.ok_or("a socket without a path")?;
    let mut client = Client::new(recorder.socket(), &engine.socket, &own, id);
    let played = client.play(case).await;
    let mut recording = recorder.finish().await;
    recording.events = Some(stream.close(label).await);
    client.clean_up().await;
    played?;
    let facts = recording.facts();
    let unheard = Standing::Off("the catalogue is the wire's");
    let seen = Seen {
        facts: &facts,
        started: &[],
        allowed: &[],
        wire: Standing::Heard,
        image: unheard,
        kernel: unheard,
    };
    let judgement = judge_program(Mode::Prebuilt, seen);
    let evidence: Vec<_> = judgement
        .evidence
        .iter()
        .map(|one| format!("{} {}", one.rule, one))
        .collect();
    let rules: Vec<_> = judgement.evidence.iter().map(|one| one.rule.as_str()).collect();
    let is_as_said = judgement.verdict.as_str() == case.verdict
        && case.rule.as_deref().is_none_or(|rule| rules.contains(&rule));
    let is_refused = recording.records.iter().any(|record| record.refused.is_some());
    let told = recording.events.iter().flat_map(|events| &events.seen);
    let has_started = told
        .filter(|event| event.kind == EventKind::Start)
        .any(|event| event.name == client.subject());
    let is_expected = match denied {
        None => is_as_said,
        Some(Denied::Passed) => is_as_said && !is_refused,
        Some(Denied::Stopped) => judgement.verdict.as_str() != "clean" && !has_started,
    };
    if is_expected {
        return Ok(());
    }
    Err(format!(
        "{}: expected {} {}, the verdict is {}\n{}\nanswers:\n{}",
        case.what,
        case.verdict,
        case.rule.as_deref().unwrap_or_default(),
        judgement.verdict,
        evidence.join("\n"),
        client.transcript()
    )
    .into())
}
