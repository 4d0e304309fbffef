//! The kernel witness: what the programs that were started in the containers say about the policy.

use std::collections::HashMap;

use shellproof_api::HealthTest;
use shellproof_kernel::{Executable, Kind, Likeness, Program, Session, Trace};
use shellproof_wire::{Record, Recording, Subject, redact};

use super::programs::{self, Content, Reading};
use super::{Evidence, Rule};
use crate::vocabulary::{Mode, Need, Witness};

/// How many pieces of evidence of one rule a container's trace gives; the rest is counted.
const SHOWN: usize = 10;
/// How much of a command line is shown, in characters.
const LINE: usize = 200;

/// The programs that one container started.
#[derive(Clone, Debug)]
pub struct Traced {
    /// The container's name on the engine.
    pub container: String,
    /// What its supervisor saw.
    pub trace: Trace,
}

/// What the kernel witness has to say.
#[derive(Clone, Copy, Debug)]
pub enum Testimony<'a> {
    /// Nothing, and nobody needs it to.
    Off(&'a str),
    /// Nothing, though it is needed.
    Missing(&'a str),
    /// What it saw of the containers that it was to watch.
    Traced(&'a [Traced]),
}

impl<'a> Testimony<'a> {
    /// What there is to say where nobody watched.
    pub fn absent(need: Need, reason: &'a str) -> Self {
        match need {
            Need::Required => Self::Missing(reason),
            Need::IfAvailable | Need::Off => Self::Off(reason),
        }
    }
}

/// What was not seen: this holds in every mode, since a witness that did not see the run has nothing to say about it.
pub(super) fn gaps(traced: &[Traced], recording: &Recording, started: &[String]) -> Vec<Evidence> {
    let mut evidence: Vec<_> = unwatched(traced, recording, started).collect();
    for one in traced {
        let gap = |rule, detail: String| found(rule, &one.container, "its supervisor", detail);
        let faults = one.trace.faults.iter();
        evidence.extend(faults.map(|fault| gap(Rule::KernelFault, fault.clone())));
        let sessions = &one.trace.sessions;
        let lost: u64 = sessions.iter().map(|session| session.lost).sum();
        if lost > 0 {
            let detail = format!("{lost} programs more were started than can be kept");
            evidence.push(gap(Rule::KernelFault, detail));
        }
        let programs = || sessions.iter().flat_map(|session| &session.programs);
        let unreadable = programs().filter(|program| !program.readable).count();
        if unreadable > 0 {
            let detail = format!("{unreadable} programs were started that could not be read");
            evidence.push(gap(Rule::KernelFault, detail));
        }
        let unread: u64 = sessions.iter().map(|session| session.unread).sum();
        if unread > 0 {
            let detail = format!("the content of {unread} programs could not be read");
            evidence.push(gap(Rule::KernelFault, detail));
        }
        let has_begun = sessions
            .iter()
            .any(|session| session.kind == Kind::Start && !session.programs.is_empty());
        if !has_begun && one.trace.faults.is_empty() && !is_refused(recording, one) {
            let detail = "no program was seen, not even its first".to_owned();
            evidence.push(gap(Rule::KernelSilent, detail));
        }
    }
    evidence
}

/// What the programs were, where that matters: in prebuilt mode what must not be, in layered mode what was installed.
pub(super) fn judge(mode: Mode, traced: &[Traced], recording: &Recording) -> Vec<Evidence> {
    let mut all = Vec::new();
    for one in traced {
        let subject = starts_of(recording, one).find_map(|record| record.subject.as_ref());
        let mut evidence = Vec::new();
        for session in &one.trace.sessions {
            for (place, program) in session.programs.iter().enumerate() {
                if !is_tried_again(program, &session.programs[place + 1..]) {
                    evidence.extend(judge_program(mode, &one.container, program));
                }
            }
            if mode == Mode::Prebuilt && session.kind == Kind::Exec {
                evidence.extend(judge_exec(&one.container, session, subject));
            }
        }
        all.extend(bounded(evidence, &one.container));
    }
    all
}

/// The containers that go on without their supervisor: nothing can be started in them any more.
pub(super) fn outliving(traced: &[Traced]) -> impl Iterator<Item = Evidence> + '_ {
    let runs = |one: &&Traced| one.trace.sessions.iter().any(|session| session.ended.is_none());
    traced.iter().filter(runs).map(|one| Evidence {
        help: Some("make it anew without shellproof, or with `--kernel off`".into()),
        ..found(
            Rule::Outlives,
            &one.container,
            "its supervisor",
            "it still runs, and can neither start a program from now on nor be started again".into(),
        )
    })
}

/// Under which rule of prebuilt mode a program falls.
pub fn rule(program: &Program) -> Option<Rule> {
    match read(program) {
        Reading::Other => None,
        Reading::Shell(_) => Some(Rule::Shell),
        Reading::PackageManager(_) => Some(Rule::PackageManager),
        Reading::Unreadable(_) => Some(Rule::UnreadableWrapper),
        Reading::Cut(_) => Some(Rule::KernelFault),
    }
}

/// A program's arguments in one line, without what looks like a secret.
pub fn line(program: &Program) -> String {
    let words = redact::words(&program.argv);
    let line = words.join(" ");
    let mut shown: String = line.chars().take(LINE).collect();
    if program.argv_cut || shown.len() < line.len() {
        shown.push('…');
    }
    if shown.is_empty() {
        shown.clone_from(&program.path);
    }
    shown
}

/// What a program is: by what it was called, by its real path, by what is in it, and by its interpreters.
fn read(program: &Program) -> Reading {
    let arguments: Vec<&str> = program.argv.iter().skip(1).map(String::as_str).collect();
    let called = program.argv.first().map_or("", String::as_str);
    // What is in a script is no program, whatever the script is called.
    let called = program.interpreters.is_empty().then_some(called);
    let is_cut = program.argv_cut;
    let mut reading = read_file(&program.path, program.file.as_ref(), called, &arguments, is_cut);
    for interpreter in &program.interpreters {
        if matches!(reading, Reading::Shell(_) | Reading::PackageManager(_)) {
            break;
        }
        let path = interpreter.path.as_str();
        // What the kernel runs: the interpreter with the rest of its line, the script, and the script's arguments.
        let mut rest: Vec<&str> = interpreter.argument.as_deref().into_iter().collect();
        // A script that was read is not what its name says.
        rest.push(match content(program.file.as_ref(), true) {
            Content::Script => "script",
            _ => &program.path,
        });
        rest.extend(&arguments);
        let read = match read_file(path, interpreter.file.as_ref(), Some(path), &rest, is_cut) {
            Reading::Shell(_) => Reading::Shell(path.to_owned()),
            read => read,
        };
        reading = reading.or(read);
    }
    reading
}

/// What a file is that is started at `path`. A multi-call program is what it is `called`; a script never is one.
fn read_file(
    path: &str,
    file: Option<&Executable>,
    called: Option<&str>,
    arguments: &[&str],
    is_cut: bool,
) -> Reading {
    let read = |name: &str, content| programs::read_started(&[&[name], arguments].concat(), is_cut, content);
    let real = file.map_or("", |file| file.path.as_str());
    match (content(file, called.is_none()), called) {
        (Content::MultiCall, Some(called)) => read(called, Content::MultiCall),
        (Content::Unknown | Content::Other, Some(called)) if programs::is_multi_call(real) => {
            read(called, Content::MultiCall)
        }
        (content, _) => read(path, content).or(match real {
            "" => Reading::Other,
            real => read(real, content),
        }),
    }
}

fn content(file: Option<&Executable>, is_script: bool) -> Content {
    match file.map(|file| (file.likeness, file.content)) {
        // That it is a script shows in its having an interpreter.
        Some((None, _)) if is_script => Content::ManagerScript,
        None | Some((None, None)) => Content::Unknown,
        Some((Some(Likeness::Shell), _)) => Content::Shell,
        Some((Some(Likeness::PackageManager), _)) if is_script => Content::ManagerScript,
        Some((Some(Likeness::PackageManager), _)) => Content::PackageManager,
        Some((Some(Likeness::MultiCall), _)) => Content::MultiCall,
        Some((Some(Likeness::Loader), _)) => Content::Loader,
        Some((Some(Likeness::Script), _)) => Content::Script,
        Some((None, Some(_))) => Content::Other,
    }
}

fn judge_program(mode: Mode, container: &str, program: &Program) -> Option<Evidence> {
    let line = line(program);
    let done = match program.file {
        Some(_) => "was started",
        None => "was to be started, and is not there",
    };
    let (rule, detail) = match (mode, read(program)) {
        (_, Reading::Other)
        | (Mode::Layered, Reading::Shell(_) | Reading::Unreadable(_) | Reading::Cut(_)) => return None,
        // One that another started is part of what was noted already.
        (Mode::Layered, Reading::PackageManager(_)) if is_by_package_manager(program) => return None,
        (Mode::Layered, Reading::PackageManager(_)) => {
            (Rule::Installed, format!("`{line}`, a package manager, {done}"))
        }
        (Mode::Prebuilt, Reading::Shell(shell)) => {
            let called = program.argv.first().map_or("", String::as_str);
            // The arguments do not show a shell that has another name, or that reads a script.
            let by = match programs::base_name(called) == programs::base_name(&shell) {
                true => String::new(),
                false => format!(" (`{shell}`)"),
            };
            (Rule::Shell, format!("`{line}`, a shell{by}, {done}"))
        }
        (Mode::Prebuilt, Reading::PackageManager(_)) => (
            Rule::PackageManager,
            format!("`{line}`, a package manager, {done}"),
        ),
        (Mode::Prebuilt, Reading::Unreadable(unread)) => (
            Rule::UnreadableWrapper,
            format!("`{line}` {done}, and what `{unread}` is or runs cannot be judged"),
        ),
        (Mode::Prebuilt, Reading::Cut(_)) => (
            Rule::KernelFault,
            format!("`{line}` {done}, and what it was to do depends on arguments that were not kept"),
        ),
    };
    Some(found(rule, container, &source(program), detail))
}

/// Whether a program was not there and its process looked for it elsewhere, as `PATH` wants it: the last try counts.
fn is_tried_again(program: &Program, later: &[Program]) -> bool {
    let name = programs::base_name(&program.path);
    let is_same = |other: &Program| {
        other.pid == program.pid && other.argv == program.argv && programs::base_name(&other.path) == name
    };
    program.file.is_none() && later.iter().any(is_same)
}

fn is_by_package_manager(program: &Program) -> bool {
    let caller = program.caller.as_deref().unwrap_or_default();
    programs::is_package_manager(caller)
}

/// A process that an engine put into a running container: its exec-form health check, or an exec.
fn judge_exec(container: &str, session: &Session, subject: Option<&Subject>) -> Option<Evidence> {
    let checks = subject.map(|subject| [&subject.health_test, &subject.startup_test]);
    let mut checks = checks
        .into_iter()
        .flatten()
        .filter_map(|test| HealthTest::from_api(test));
    let Some(first) = session.programs.first() else {
        // Nothing ran. Where the engine runs programs of its own, nobody knows whose this was to be.
        let (rule, detail) = match checks.any(|test| matches!(test, HealthTest::Command(_))) {
            true => (
                Rule::HealthCheckUnknown,
                "a health check or an exec whose program could not be started",
            ),
            false => (Rule::Exec, "exec of a program that could not be started"),
        };
        return Some(found(rule, container, "its supervisor", detail.to_owned()));
    };
    let is_check = checks.any(|test| match test {
        // The last word that was kept may not be whole.
        HealthTest::Command(argv) if first.argv_cut => {
            let kept = first.argv.len().saturating_sub(1);
            argv.len() >= kept && argv[..kept] == first.argv[..kept]
        }
        HealthTest::Command(argv) => argv == first.argv,
        // Judged as the shell that it is.
        HealthTest::Shell(line) => first.argv.last() == Some(&line),
        HealthTest::None => false,
    });
    let detail = || format!("exec of `{}`", line(first));
    (!is_check).then(|| found(Rule::Exec, container, &source(first), detail()))
}

/// Containers that somebody started here, and that nobody watched: neither we, nor with a listener of ours.
fn unwatched<'a>(
    traced: &'a [Traced],
    recording: &'a Recording,
    started: &'a [String],
) -> impl Iterator<Item = Evidence> + 'a {
    let has_begun = |record: &&Record| record.status.is_none_or(|status| status < 400);
    let subjects = recording
        .starts()
        .filter(has_begun)
        .filter_map(|record| record.subject.as_ref());
    let is_watched = |subject: &Subject| {
        started.contains(&subject.id) || traced.iter().any(|one| one.container == subject.name)
    };
    subjects
        .filter(move |subject| !is_watched(subject))
        .map(|subject| {
            let detail = "its programs were not watched".to_owned();
            found(Rule::KernelFault, &subject.name, "shellproof", detail)
        })
}

/// The recorded starts of a watched container: by its id, since a name may have been another's before.
fn starts_of<'a>(recording: &'a Recording, traced: &'a Traced) -> impl Iterator<Item = &'a Record> {
    let id = traced
        .trace
        .sessions
        .first()
        .map(|session| session.container.as_str());
    let is_it = move |subject: &Subject| match id {
        Some(id) => subject.id == id,
        None => subject.name == traced.container,
    };
    recording
        .starts()
        .filter(move |record| record.subject.as_ref().is_some_and(is_it))
}

/// Whether the engine said that it could not start a container: then nothing ran in it.
fn is_refused(recording: &Recording, traced: &Traced) -> bool {
    let mut starts = starts_of(recording, traced).peekable();
    starts.peek().is_some() && starts.all(|record| record.status.is_some_and(|status| status >= 400))
}

/// The first of each rule, and how many there were beyond.
fn bounded(evidence: Vec<Evidence>, container: &str) -> Vec<Evidence> {
    let mut counts: HashMap<Rule, usize> = HashMap::new();
    let mut shown = Vec::new();
    for one in evidence {
        let count = counts.entry(one.rule).or_default();
        *count += 1;
        if *count <= SHOWN {
            shown.push(one);
        }
    }
    let mut beyond: Vec<_> = counts.into_iter().filter(|(_, count)| *count > SHOWN).collect();
    beyond.sort_unstable();
    let more = beyond.into_iter().map(|(rule, count)| {
        let detail = format!("{} more of rule `{rule}`", count - SHOWN);
        found(rule, container, "its supervisor", detail)
    });
    shown.extend(more);
    shown
}

fn source(program: &Program) -> String {
    let caller = program.caller.as_deref().unwrap_or("an unknown program");
    format!(
        "{} of `{}` by `{caller}`, process {}",
        program.call, program.path, program.pid
    )
}

fn found(rule: Rule, container: &str, source: &str, detail: String) -> Evidence {
    Evidence {
        container: Some(container.to_owned()),
        ..Evidence::new(Witness::Kernel, source, rule, detail)
    }
}

#[cfg(test)]
#[path = "kernel_tests.rs"]
pub(crate) mod tests;
