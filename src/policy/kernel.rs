//! The kernel witness: what the programs that were started in the containers say about the policy.

use std::collections::HashMap;

use shellproof_api::HealthTest;
use shellproof_api::facts::{
    Executable, Fact, Gap, Likeness, Look, Outcome, Program, Start, What, Witness, without_secrets,
};

use super::programs::{self, Content, Reading};
use super::{Evidence, Rule};
use crate::vocabulary::Mode;

/// How much of a command line is shown, in characters.
const LINE: usize = 200;

/// What the kernel adds to the path of a file that has been removed.
const REMOVED: &str = " (deleted)";

/// What this witness saw.
pub(super) fn facts(all: &[Fact]) -> impl Iterator<Item = &Fact> {
    all.iter().filter(|fact| fact.witness == Witness::Kernel)
}

/// Whether it saw a program that was there.
pub(super) fn has_programs(all: &[Fact]) -> bool {
    facts(all).any(|fact| match &fact.what {
        What::Program(program) => program.file.is_some(),
        What::Entered(first) => first.is_some(),
        _ => false,
    })
}

/// What was not seen: this holds in every mode, since a witness that did not see the run has nothing to say about it.
///
/// `started` are the containers that the harness itself has started, by id.
pub(super) fn gaps(all: &[Fact], started: &[String]) -> Vec<Evidence> {
    let starts = starts(all);
    let gaps = facts(all).filter_map(|fact| match &fact.what {
        What::Unseen {
            gap: Gap::Programs,
            why,
            ..
        } => Some(Evidence::of(fact, Rule::KernelFault, why.clone())),
        // Where the engine could not start it, nothing ran.
        What::Unseen {
            gap: Gap::AnyProgram,
            why,
            ..
        } if !is_refused(&starts, fact) => Some(Evidence::of(fact, Rule::KernelSilent, why.clone())),
        _ => None,
    });
    unwatched(all, &starts, started).chain(gaps).collect()
}

/// What the programs were, where that matters: in prebuilt mode what must not be, in layered mode what was installed.
pub(super) fn judge(mode: Mode, all: &[Fact]) -> Vec<Evidence> {
    let starts = starts(all);
    let mut failed: HashMap<Option<&str>, usize> = HashMap::new();
    for fact in facts(all).filter(|fact| matches!(fact.what, What::Entered(None))) {
        *failed.entry(fact.name()).or_default() += 1;
    }
    let evidence = facts(all).filter_map(|fact| match (&fact.what, mode) {
        (What::Program(program), _) => judge_program(mode, fact, program),
        (What::Entered(Some(first)), Mode::Prebuilt) => judge_entered(fact, first, &checks_of(&starts, fact)),
        // One health check fails again and again.
        (What::Entered(None), Mode::Prebuilt) => failed
            .remove(&fact.name())
            .map(|times| judge_failed_entry(fact, times, &checks_of(&starts, fact))),
        (What::Outlives(keeper), _) => Some(judge_outliving(fact, keeper)),
        _ => None,
    });
    evidence.collect()
}

/// A container that still runs, and who answers for it from now on.
fn judge_outliving(fact: &Fact, keeper: &Result<u32, String>) -> Evidence {
    let (detail, help) = match keeper {
        Ok(process) => (
            format!("left running, kept by process {process}"),
            "`shellproof clean` ends that process; then, as after a restart of this machine, the container can neither start \
             a program, health checks among them, nor be started again: make it anew, or audit with `--kernel off`",
        ),
        Err(reason) => (
            format!(
                "left running, and it can neither start a program from now on nor be started again, since nothing keeps it: {reason}"
            ),
            "make it anew without shellproof, or with `--kernel off`",
        ),
    };
    Evidence {
        help: Some(help.to_owned()),
        ..Evidence::of(fact, Rule::Outlives, detail)
    }
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
    let shown = shown(&program.argv, program.argv_cut);
    match shown.is_empty() {
        true => program.path.clone(),
        false => shown,
    }
}

fn shown(argv: &[String], is_cut: bool) -> String {
    let line = without_secrets(argv).join(" ");
    let mut shown: String = line.chars().take(LINE).collect();
    if is_cut || shown.len() < line.len() {
        shown.push('…');
    }
    shown
}

/// What a program is, by what was asked for and by what then ran.
fn read(program: &Program) -> Reading {
    let given = read_with(program, &program.argv);
    let Some(ran) = &program.ran_argv else {
        return given;
    };
    given.or(match program.interpreters.last() {
        None => read_with(program, ran),
        // These are the interpreter's own.
        Some(interpreter) => {
            let (path, rest) = (interpreter.path.as_str(), ran.iter().skip(1));
            let rest: Vec<_> = rest.map(String::as_str).collect();
            read_file(path, interpreter.file.as_ref(), Some(path), &rest, false)
        }
    })
}

/// What a program is with these arguments: by what it was called, by its real path, by what is in it, by its loader and its
/// interpreters.
fn read_with(program: &Program, argv: &[String]) -> Reading {
    let arguments: Vec<&str> = argv.iter().skip(1).map(String::as_str).collect();
    let called = argv.first().map_or("", String::as_str);
    // What is in a script is no program, whatever the script is called.
    let called = program.interpreters.is_empty().then_some(called);
    let is_cut = program.argv_cut;
    let mut reading = read_file(&program.path, program.file.as_ref(), called, &arguments, is_cut);
    if let Look::Other(ran) = &program.look {
        let called = called.or(Some(&ran.path));
        reading = reading.or(read_file(&ran.path, Some(ran), called, &arguments, is_cut));
    }
    if let Some(loader) = &program.loader {
        let path = loader.path.as_str();
        let file = loader.file.as_ref();
        // The kernel starts it with the program's own arguments. A real loader's are not meant for it, and the program that
        // it loads is judged by itself.
        let rest = match content(file, false) {
            Content::MultiCall => arguments.as_slice(),
            _ => &[],
        };
        reading = match read_file(path, file, called, rest, is_cut) {
            Reading::Other | Reading::Unreadable(_) | Reading::Cut(_) => reading,
            Reading::Shell(_) => reading.or(Reading::Shell(path.to_owned())),
            read => reading.or(read),
        };
    }
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
    let real = real.strip_suffix(REMOVED).unwrap_or(real);
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
        Some((Some(Likeness::PackageManager), _)) => Content::PackageManager,
        Some((Some(Likeness::ManagerScript), _)) => Content::ManagerScript,
        Some((Some(Likeness::MultiCall), _)) => Content::MultiCall,
        Some((Some(Likeness::Loader), _)) => Content::Loader,
        Some((Some(Likeness::Script), _)) => Content::Script,
        Some((None, Some(_))) => Content::Other,
    }
}

fn judge_program(mode: Mode, fact: &Fact, program: &Program) -> Option<Evidence> {
    let line = match &program.ran_argv {
        None => line(program),
        Some(ran) => format!("{}`, which ran as `{}", line(program), shown(ran, false)),
    };
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
    Some(Evidence::of(fact, rule, detail))
}

fn is_by_package_manager(program: &Program) -> bool {
    let caller = program.caller.as_deref().unwrap_or_default();
    programs::is_package_manager(caller)
}

/// Processes that an engine wanted to put into a running container, and that executed nothing: a health check whose
/// program is not there, or an exec of one.
fn judge_failed_entry(fact: &Fact, times: usize, checks: &[&HealthTest]) -> Evidence {
    let times = match times {
        1 => String::new(),
        times => format!(", {times} times"),
    };
    let (rule, detail) = match checks.first() {
        Some(HealthTest::Shell(line)) => (
            Rule::HealthCheckShell,
            format!("health check `CMD-SHELL {line}`, run by a shell, could not be started{times}"),
        ),
        // An exec looks the same from here, so nobody knows.
        Some(HealthTest::Command(argv)) => (
            Rule::HealthCheckUnknown,
            format!(
                "health check `{}`, or an exec, could not be started{times}: its program is not there, or cannot be \
                 executed",
                argv.join(" ")
            ),
        ),
        Some(HealthTest::None) | None => (
            Rule::Exec,
            format!("exec of a program that could not be started{times}"),
        ),
    };
    Evidence::of(fact, rule, detail)
}

/// A process that an engine put into a running container: its exec-form health check, or an exec.
fn judge_entered(fact: &Fact, first: &Program, checks: &[&HealthTest]) -> Option<Evidence> {
    let is_check = checks.iter().any(|test| match test {
        // The last word that was kept may not be whole.
        HealthTest::Command(argv) if first.argv_cut => {
            let kept = first.argv.len().saturating_sub(1);
            argv.len() >= kept && argv[..kept] == first.argv[..kept]
        }
        HealthTest::Command(argv) => *argv == first.argv,
        // Judged as the shell that it is.
        HealthTest::Shell(line) => first.argv.last() == Some(line),
        HealthTest::None => false,
    });
    (!is_check).then(|| Evidence::of(fact, Rule::Exec, format!("exec of `{}`", line(first))))
}

/// The starts that an engine was asked for.
pub(super) fn starts(all: &[Fact]) -> Vec<(&Fact, &Start)> {
    all.iter()
        .filter_map(|fact| match &fact.what {
            What::Start(start) if start.outcome.is_asked() => Some((fact, start)),
            _ => None,
        })
        .collect()
}

/// The starts of the container that a fact is about: by its id, since a name may have been another's before.
pub(super) fn starts_of<'a>(
    starts: &[(&'a Fact, &'a Start)],
    fact: &Fact,
) -> impl Iterator<Item = &'a Start> {
    let is_it = move |other: &Fact| match fact.id() {
        Some(id) => other.id() == Some(id),
        None => other.name() == fact.name(),
    };
    starts
        .iter()
        .filter(move |(other, _)| is_it(other))
        .map(|(_, start)| *start)
}

/// The health checks that a container is known to have.
fn checks_of<'a>(starts: &[(&'a Fact, &'a Start)], fact: &Fact) -> Vec<&'a HealthTest> {
    let first = starts_of(starts, fact).next();
    let checks = first.into_iter().flat_map(|start| &start.checks);
    checks.map(|check| &check.test).collect()
}

/// Containers that somebody started here, and that nobody watched.
fn unwatched<'a>(
    all: &'a [Fact],
    starts: &[(&'a Fact, &'a Start)],
    started: &[String],
) -> impl Iterator<Item = Evidence> {
    let is_watched = |fact: &Fact| {
        fact.id().is_some_and(|id| started.iter().any(|one| one == id))
            // By its id, since it may have been renamed meanwhile.
            || facts(all).any(|one| one.name() == fact.name() || one.id().is_some() && one.id() == fact.id())
    };
    let has_begun = |start: &Start| matches!(start.outcome, Outcome::Begun | Outcome::Unanswered);
    starts
        .iter()
        .filter(move |(fact, start)| has_begun(start) && !is_watched(fact))
        .map(|(fact, _)| Evidence {
            witness: Witness::Kernel,
            source: "shellproof".to_owned(),
            ..Evidence::of(
                fact,
                Rule::KernelFault,
                "its programs were not watched".to_owned(),
            )
        })
}

/// Whether the engine said that it could not start a container: then nothing ran in it.
fn is_refused(starts: &[(&Fact, &Start)], fact: &Fact) -> bool {
    let mut starts = starts_of(starts, fact).peekable();
    starts.peek().is_some() && starts.all(|start| start.outcome == Outcome::Failed)
}

#[cfg(test)]
#[path = "kernel_tests.rs"]
pub(crate) mod tests;
