//! What a trace says.

use shellproof_api::facts::{
    Container, Fact, Gap, Kind, Look, Program, Session, Trace, Traced, What, Witness, without_secrets,
};

const SUPERVISOR: &str = "its supervisor";
/// How much is shown of the arguments with which a program ran, in characters.
const SHOWN: usize = 200;

/// Everything that was seen of a container: its programs in the order in which they were asked for, the processes that
/// the engine put into it, and what could not be followed.
pub fn facts(traced: &Traced) -> Vec<Fact> {
    let trace = &traced.trace;
    let container = Container {
        id: trace.sessions.first().map(|session| session.container.clone()),
        name: traced.container.clone(),
    };
    let about = |source: String, what| Fact::new(Witness::Kernel, source, what).about(container.clone());
    let seen = trace.sessions.iter().flat_map(of_session);
    let unseen = unseen(traced)
        .into_iter()
        .map(|(gap, why)| (SUPERVISOR.to_owned(), What::Unseen { gap, why, help: None }));
    seen.chain(unseen)
        .map(|(source, what)| about(source, what))
        .collect()
}

/// A container that goes on without its supervisor, and who answers in its place.
pub fn outliving(traced: &Traced, keeper: &Result<u32, String>) -> Option<Fact> {
    let container = Container {
        id: None,
        name: traced.container.clone(),
    };
    let what = What::Outlives(keeper.clone());
    still_runs(&traced.trace).then(|| Fact::new(Witness::Kernel, SUPERVISOR, what).about(container))
}

/// Whether a program of a container still ran when it was last looked at.
pub fn still_runs(trace: &Trace) -> bool {
    trace.sessions.iter().any(|session| session.ended.is_none())
}

fn of_session(session: &Session) -> impl Iterator<Item = (String, What)> + '_ {
    let programs = session.programs.iter().enumerate();
    let programs =
        programs.filter(|(place, program)| !is_tried_again(program, &session.programs[place + 1..]));
    let entered = (session.kind == Kind::Exec).then(|| {
        let first = session.programs.first();
        let source = first.map_or_else(|| SUPERVISOR.to_owned(), source);
        (source, What::Entered(first.cloned()))
    });
    programs
        .map(|(_, program)| (source(program), What::Program(program.clone())))
        .chain(entered)
}

/// What was not seen.
fn unseen(traced: &Traced) -> Vec<(Gap, String)> {
    let (sessions, faults) = (&traced.trace.sessions, &traced.trace.faults);
    let mut unseen: Vec<_> = faults
        .iter()
        .map(|fault| (Gap::Programs, fault.clone()))
        .collect();
    let lost: u64 = sessions.iter().map(|session| session.lost).sum();
    let programs = || sessions.iter().flat_map(|session| &session.programs);
    let unreadable = programs().filter(|program| !program.readable).count();
    let unread: u64 = sessions.iter().map(|session| session.unread).sum();
    let first = programs()
        .flat_map(Program::files)
        .find_map(|file| Some((file, file.unread?)));
    let other = programs().find_map(|program| match &program.look {
        Look::Other(ran) if ran.unread.is_none() => Some((program, ran)),
        Look::Other(_) | Look::Once | Look::Same => None,
    });
    if let Some((program, ran)) = programs().find_map(|program| Some((program, program.ran_argv.as_ref()?))) {
        let ran: String = without_secrets(ran).join(" ").chars().take(SHOWN).collect();
        let why = format!(
            "the arguments of `{}` were changed while it was started: it ran as `{ran}`",
            program.path
        );
        unseen.push((Gap::Programs, why));
    }
    if let Some((program, ran)) = other {
        let why = format!(
            "`{}` was to be started, and `{}` ran, with other content",
            program.path, ran.path
        );
        unseen.push((Gap::Programs, why));
    }
    let such_as = first.map_or(String::new(), |(file, why)| format!(": {why} (`{}`)", file.path));
    for (is_any, why) in [
        (
            lost > 0,
            format!("{lost} programs more were started than can be kept"),
        ),
        (
            unreadable > 0,
            format!("{unreadable} programs were started that could not be read"),
        ),
        (
            unread > 0,
            format!("the content of {unread} programs could not be read{such_as}"),
        ),
    ] {
        if is_any {
            unseen.push((Gap::Programs, why));
        }
    }
    let has_begun = sessions
        .iter()
        .any(|session| session.kind == Kind::Start && !session.programs.is_empty());
    if !has_begun && faults.is_empty() {
        unseen.push((
            Gap::AnyProgram,
            "no program was seen, not even its first".to_owned(),
        ));
    }
    unseen
}

/// Whether a program was not there and its process looked for it elsewhere, as `PATH` wants it: the last try counts.
fn is_tried_again(program: &Program, later: &[Program]) -> bool {
    let name = base_name(&program.path);
    let is_same = |other: &Program| {
        other.pid == program.pid && other.argv == program.argv && base_name(&other.path) == name
    };
    let is_missing = program.file.is_none() && program.look == Look::Once;
    is_missing && later.iter().any(is_same)
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn source(program: &Program) -> String {
    let caller = program.caller.as_deref().unwrap_or("an unknown program");
    format!(
        "{} of `{}` by `{caller}`, process {}",
        program.call, program.path, program.pid
    )
}
