//! From what a run or an audit amounts to, to the document.

use std::time::Duration;

use shellproof_api::facts::{Executable, Interpreter, Look, Program, Session, Traced, without_secrets};

use super::document::{
    About, Document, EngineEntry, EvidenceEntry, ExpectationEntry, FailureEntry, FileEntry, ImageEntry,
    InterpreterEntry, LookWord, ProgramEntry, ResultEntry, SCHEMA, SessionEntry, TraceEntry, UsageEntry,
    WitnessEntry, WitnessWord, Witnesses,
};
use super::{criteria, summary};
use crate::policy::{Evidence, Judgement, WitnessState, kernel};
use crate::result::{Audited, Case, CaseResult, ContainerResult, Exit, Expectation, Image, Report};
use crate::source::{Color, SourceFile};
use crate::vocabulary::Witness;

impl Document {
    /// The document of a run, or of an audit.
    pub fn of(report: &Report) -> Self {
        let results: Vec<_> = report.results.iter().map(ResultEntry::of).collect();
        Self {
            schema: SCHEMA,
            run_id: report.run_id.clone(),
            criteria: criteria::judge_all(&results),
            ratios: summary::ratios(&results),
            summary: summary::count(&results, report.interrupted),
            leftovers: report.leftovers.clone(),
            results,
        }
    }

    /// As JSON, with a line break at the end.
    ///
    /// # Errors
    /// Never for what this program makes.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }
}

impl ResultEntry {
    /// One result.
    pub fn of(result: &CaseResult) -> Self {
        let expected = result.expected();
        let audited = match &result.case {
            Case::Audited(audited) => Some(audited),
            Case::Scenario(_) | Case::Verified { .. } => None,
        };
        let scenario = result.scenario();
        let mut expectations: Vec<_> = result.expectations.iter().map(expectation).collect();
        expectations.extend(audited.and_then(exit));
        let evidence = result.judgement.iter().flat_map(|judgement| &judgement.evidence);
        let evidence: Vec<_> = evidence.map(|one| evidence_entry(one, result)).collect();
        let criteria = scenario.iter().flat_map(|scenario| &scenario.criteria);
        Self {
            scenario: match &result.case {
                Case::Scenario(scenario) => Some(scenario.name.value.clone()),
                Case::Audited(audited) => audited.name.clone(),
                Case::Verified { image, .. } => Some(image.clone()),
            },
            roles: match &result.case {
                Case::Verified { roles, .. } => roles.clone(),
                Case::Scenario(_) | Case::Audited(_) => Vec::new(),
            },
            file: scenario.map(|scenario| scenario.file.path().display().to_string()),
            mode: result.mode,
            engine: EngineEntry::from(&result.engine),
            status: result.status(),
            verdict: result.verdict(),
            expected_verdict: expected.verdict,
            expected_rule: expected.rule.map(|rule| rule.value),
            as_expected: result.is_expected_verdict(),
            criteria: criteria.map(|criterion| criterion.value).collect(),
            reasons: reasons(result.broken.as_ref(), &evidence, &expectations),
            broken: result.broken.clone(),
            witnesses: result.judgement.as_ref().map(witnesses),
            images: result.images.iter().map(|one| image(one, result)).collect(),
            containers: result.containers.clone(),
            expectations,
            evidence,
            traces: result.traced.iter().map(|one| trace(one, result)).collect(),
            exit_code: audited.and_then(|audited| audited.exit).map(|exit| exit.code),
            requests: audited.map(|audited| audited.requests),
            leftovers: result.leftovers.clone(),
            duration_ms: milliseconds(result.duration),
        }
    }
}

impl About {
    /// The first line of the record of an audit; nothing for a scenario, which no record file holds.
    pub fn of(result: &CaseResult, run_id: &str) -> Option<Self> {
        let Case::Audited(audited) = &result.case else {
            return None;
        };
        Some(Self {
            run_id: run_id.to_owned(),
            program: audited.name.clone(),
            mode: result.mode,
            engine: EngineEntry::from(&result.engine),
            exit: audited.exit.map(|exit| exit.code),
            expected_exit: audited.exit.map(|exit| exit.expected),
            duration_ms: milliseconds(result.duration),
        })
    }

    /// How the program ended, if one was started.
    pub fn exit(&self) -> Option<Exit> {
        let (code, expected) = (self.exit?, self.expected_exit?);
        Some(Exit { code, expected })
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn fraction(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn reasons(
    broken: Option<&String>,
    evidence: &[EvidenceEntry],
    expectations: &[ExpectationEntry],
) -> Vec<String> {
    let against = evidence.iter().filter(|one| one.is_against());
    let failed = expectations
        .iter()
        .filter_map(|one| Some((one, one.failure.as_ref()?)))
        .map(|(one, failure)| match &failure.actual {
            Some(actual) => format!("expected {}, {actual}", one.what),
            None => format!("expected {}", one.what),
        });
    let broken = broken.into_iter().cloned();
    broken
        .chain(against.map(EvidenceEntry::seen))
        .chain(failed)
        .collect()
}

fn witnesses(judgement: &Judgement) -> Witnesses {
    let entry = |witness: Witness| {
        let state = judgement.witnesses.iter().find(|(one, _)| *one == witness);
        let (word, reason) = match state {
            Some((_, WitnessState::Spoke)) => (WitnessWord::Spoke, None),
            Some((_, WitnessState::Absent(reason))) => (WitnessWord::None, Some(reason.clone())),
            Some((_, WitnessState::Missing(reason))) => (WitnessWord::Missing, Some(reason.clone())),
            Some((_, WitnessState::Off(reason))) => (WitnessWord::Off, Some(reason.clone())),
            None => (WitnessWord::Off, None),
        };
        WitnessEntry { state: word, reason }
    };
    Witnesses {
        wire: entry(Witness::Wire),
        image: entry(Witness::Image),
        kernel: entry(Witness::Kernel),
    }
}

fn image(image: &Image, result: &CaseResult) -> ImageEntry {
    let mut usage = result.judgement.iter().flat_map(|judgement| &judgement.usage);
    let usage = usage.find(|usage| usage.image == image.config.id);
    ImageEntry {
        source: image.source.clone(),
        reference: image.reference.clone(),
        id: image.config.id.clone(),
        digest: image.config.digest.clone(),
        stand_in: image.stand_in().map(str::to_owned),
        shells: image.shells.clone(),
        programs: usage.map(|usage| UsageEntry {
            started: usage.started.clone(),
            never_started: usage.never_started.clone(),
        }),
    }
}

fn expectation(one: &Expectation) -> ExpectationEntry {
    let failure = one.failure.as_ref().map(|failure| {
        let diagnostic = &failure.diagnostic;
        FailureEntry {
            at: diagnostic.span.map(|span| diagnostic.file.location(span)),
            container: failure.container.clone(),
            actual: diagnostic.label.clone(),
            message: diagnostic.render(Color::Never),
            errors: failure.errors.clone(),
            log: failure.log.clone(),
        }
    });
    ExpectationEntry {
        what: one.what.clone(),
        passed: failure.is_none(),
        failure,
    }
}

/// What a program's end was to be, and why it was not, if it was not.
fn exit(audited: &Audited) -> Option<ExpectationEntry> {
    let exit = audited.exit?;
    let name = audited.name.as_deref().unwrap_or("the program");
    let what = format!("`{name}` to exit with {}", exit.expected);
    let actual = format!("it exited with {}", exit.code);
    let failure = (!exit.is_expected()).then(|| FailureEntry {
        at: None,
        container: None,
        message: format!("expected {what}, {actual}"),
        actual: Some(actual),
        errors: Vec::new(),
        log: Vec::new(),
    });
    Some(ExpectationEntry {
        what,
        passed: failure.is_none(),
        failure,
    })
}

/// The container that the scenario declares under another name than the engine's.
fn declared<'a>(result: &'a CaseResult, engine_name: &str) -> Option<&'a ContainerResult> {
    result
        .containers
        .iter()
        .find(|one| one.engine_name == engine_name)
}

fn evidence_entry(evidence: &Evidence, result: &CaseResult) -> EvidenceEntry {
    let container = evidence.container.as_deref();
    let declared = container.and_then(|name| declared(result, name));
    let place = |(file, name): (&SourceFile, &str)| {
        let container = result.scenario()?.container(name)?;
        Some(file.location(container.name.span))
    };
    let file = result.scenario().map(|scenario| &*scenario.file);
    EvidenceEntry {
        witness: evidence.witness,
        rule: evidence.rule,
        container: evidence.container.clone(),
        scenario_container: declared.map(|one| one.name.clone()),
        at: file.zip(declared.map(|one| one.name.as_str())).and_then(place),
        detail: evidence.detail.clone(),
        path: evidence.path.clone(),
        source: evidence.source.clone(),
        waived: evidence.waived.clone(),
        help: evidence.help.clone(),
    }
}

fn trace(traced: &Traced, result: &CaseResult) -> TraceEntry {
    TraceEntry {
        container: traced.container.clone(),
        scenario_container: declared(result, &traced.container).map(|one| one.name.clone()),
        faults: traced.trace.faults.clone(),
        sessions: traced.trace.sessions.iter().map(session).collect(),
    }
}

pub(super) fn session(session: &Session) -> SessionEntry {
    SessionEntry {
        kind: session.kind,
        started_ms: fraction(session.started_at),
        ended_ms: session.ended.map(fraction),
        lost: session.lost,
        programs: session.programs.iter().map(program).collect(),
    }
}

fn program(program: &Program) -> ProgramEntry {
    ProgramEntry {
        at_ms: fraction(program.at),
        pid: program.pid,
        parent: program.parent,
        caller: program.caller.clone(),
        call: program.call.to_string(),
        path: program.path.clone(),
        argv: without_secrets(&program.argv),
        argv_cut: program.argv_cut,
        readable: program.readable,
        file: program.file.as_ref().map(file),
        interpreters: program.interpreters.iter().map(interpreter).collect(),
        answer: program.answer,
        look: match &program.look {
            Look::Once => LookWord::Once,
            Look::Same => LookWord::Same,
            Look::Other(_) => LookWord::Other,
        },
        ran: match &program.look {
            Look::Other(ran) => Some(file(ran)),
            Look::Once | Look::Same => None,
        },
        ran_argv: program.ran_argv.as_deref().map(without_secrets),
        rule: kernel::rule(program),
    }
}

fn interpreter(interpreter: &Interpreter) -> InterpreterEntry {
    InterpreterEntry {
        path: interpreter.path.clone(),
        argument: interpreter.argument.clone(),
        file: interpreter.file.as_ref().map(file),
    }
}

fn file(file: &Executable) -> FileEntry {
    FileEntry {
        path: file.path.clone(),
        sha256: file.content.map(|content| content.to_string()),
    }
}
