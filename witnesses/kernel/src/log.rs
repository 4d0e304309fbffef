//! What is recorded so far.

use std::fmt::Display;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::content::{Content, Key};
use crate::state::ProcessState;
use shellproof_api::facts::{Executable, Look, Program, Session, Trace};

/// How many faults are kept: one already says that the trace proves nothing.
const FAULTS: usize = 100;

/// The shared, growing record.
#[derive(Debug)]
pub(crate) struct Log {
    started: Instant,
    inner: Mutex<Inner>,
    /// A session's thread has ended.
    ended: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    sessions: Vec<Recorded>,
    faults: Vec<String>,
    threads: usize,
}

#[derive(Debug)]
struct Recorded {
    /// Without its programs.
    session: Session,
    programs: Vec<(Program, Contents)>,
}

/// The contents of a program's files.
#[derive(Debug)]
pub(crate) struct Contents {
    pub file: Content,
    pub interpreters: Vec<Content>,
    pub loader: Content,
    /// What tells the last of them, the loader aside, from other files and other contents.
    pub key: Option<Key>,
    /// What its process ran afterwards.
    pub again: Again,
}

/// What was found at the second look.
#[derive(Debug)]
pub(crate) enum Again {
    /// There was none.
    Nothing,
    /// The same file, which cannot have changed.
    Same,
    /// A file at this path, which is to be compared.
    Read(String, Content),
}

impl Contents {
    /// That of the file that the kernel runs.
    pub(crate) fn of_run(&self) -> &Content {
        self.interpreters.last().unwrap_or(&self.file)
    }

    /// Those of a call that names no file.
    pub(crate) fn none() -> Self {
        Self {
            file: Content::Absent,
            interpreters: Vec::new(),
            loader: Content::Absent,
            key: None,
            again: Again::Nothing,
        }
    }
}

impl Log {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            inner: Mutex::default(),
            ended: Condvar::new(),
        }
    }

    /// The time since the supervisor started.
    pub(crate) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Adds a session, unless there are `most` already, and gives its place.
    pub(crate) fn begin(&self, state: &ProcessState, most: usize) -> Option<usize> {
        let started_at = self.now();
        let mut inner = self.lock();
        let place = inner.sessions.len();
        if let Some(first) = inner.sessions.first()
            && first.session.container != state.state.id
        {
            let fault = format!(
                "a listener of container `{}` on the socket of container `{}`",
                state.state.id, first.session.container
            );
            inner.fault(fault);
        }
        if place == most {
            return None;
        }
        inner.sessions.push(Recorded {
            session: Session {
                container: state.state.id.clone(),
                pid: state.pid,
                kind: state.kind(),
                started_at,
                ended: None,
                programs: Vec::new(),
                lost: 0,
                withdrawn: 0,
                unread: 0,
            },
            programs: Vec::new(),
        });
        Some(place)
    }

    pub(crate) fn add(&self, place: usize, program: Program, contents: Contents) {
        if let Some(recorded) = self.lock().sessions.get_mut(place) {
            recorded.programs.push((program, contents));
        }
    }

    /// Puts a program in the place of the same one that was asked for before, and keeps when and by whom; gives it back
    /// if that was another.
    pub(crate) fn repeat(
        &self,
        place: usize,
        at: usize,
        mut program: Program,
        contents: Contents,
    ) -> Option<(Program, Contents)> {
        let mut inner = self.lock();
        let programs = inner
            .sessions
            .get_mut(place)
            .map(|recorded| &mut recorded.programs);
        match programs.and_then(|programs| programs.get_mut(at)) {
            Some(old) if is_same(&old.0, &program) => {
                (program.at, program.parent) = (old.0.at, old.0.parent);
                *old = (program, contents);
                None
            }
            _ => Some((program, contents)),
        }
    }

    /// Adds what was found at the second look at a program.
    pub(crate) fn look_again(&self, place: usize, at: usize, again: Again, ran_argv: Option<Vec<String>>) {
        let mut inner = self.lock();
        let programs = inner
            .sessions
            .get_mut(place)
            .map(|recorded| &mut recorded.programs);
        if let Some((program, contents)) = programs.and_then(|programs| programs.get_mut(at)) {
            contents.again = again;
            program.ran_argv = ran_argv;
        }
    }

    pub(crate) fn update(&self, place: usize, change: impl FnOnce(&mut Session)) {
        if let Some(recorded) = self.lock().sessions.get_mut(place) {
            change(&mut recorded.session);
        }
    }

    pub(crate) fn fault(&self, fault: impl Display) {
        self.lock().fault(fault.to_string());
    }

    pub(crate) fn thread_begins(&self) {
        self.lock().threads += 1;
    }

    pub(crate) fn thread_ended(&self) {
        self.lock().threads -= 1;
        self.ended.notify_all();
    }

    /// Waits until no session has a thread, and says whether that came to pass `within` the time.
    pub(crate) fn wait_ended(&self, within: Duration) -> bool {
        let busy = |inner: &mut Inner| inner.threads > 0;
        let waited = self.ended.wait_timeout_while(self.lock(), within, busy);
        let (inner, _) = waited.unwrap_or_else(PoisonError::into_inner);
        inner.threads == 0
    }

    /// Whether there was a session, and all have ended.
    pub(crate) fn has_ended(&self) -> bool {
        let inner = self.lock();
        inner.threads == 0 && !inner.sessions.is_empty()
    }

    pub(crate) fn snapshot(&self) -> Trace {
        let inner = self.lock();
        Trace {
            sessions: inner.sessions.iter().map(Recorded::snapshot).collect(),
            faults: inner.faults.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn fault(&mut self, fault: String) {
        if self.faults.len() < FAULTS {
            self.faults.push(fault);
        }
    }
}

/// Whether two calls asked for the same: what is in the caller's memory may have changed in between.
fn is_same(one: &Program, other: &Program) -> bool {
    let asked = |program: &Program| (program.pid, program.readable, program.argv_cut);
    asked(one) == asked(other) && one.path == other.path && one.argv == other.argv
}

/// A program with what is known of its files by now.
fn known((program, contents): &(Program, Contents)) -> Program {
    let mut program = program.clone();
    fill(program.file.as_mut(), &contents.file);
    for (interpreter, content) in program.interpreters.iter_mut().zip(&contents.interpreters) {
        fill(interpreter.file.as_mut(), content);
    }
    let loader = program.loader.as_mut();
    fill(loader.and_then(|loader| loader.file.as_mut()), &contents.loader);
    program.look = match &contents.again {
        Again::Nothing => Look::Once,
        Again::Same => Look::Same,
        Again::Read(path, content) => {
            let mut ran = Executable {
                path: path.clone(),
                ..Executable::default()
            };
            fill(Some(&mut ran), content);
            let last = program.interpreters.last_mut().map(|last| &mut last.file);
            match last.unwrap_or(&mut program.file) {
                Some(asked) if asked.content.is_some() && asked.content == ran.content => Look::Same,
                // What could not be read before it ran is known now.
                Some(asked) if asked.unread.is_some() => {
                    *asked = ran;
                    Look::Same
                }
                _ => Look::Other(ran),
            }
        }
    };
    program
}

fn fill(file: Option<&mut Executable>, content: &Content) {
    match (file, content.outcome()) {
        (Some(file), Some(Ok(read))) => {
            file.content = Some(read.digest);
            file.likeness = read.likeness;
        }
        (Some(file), Some(Err(reason))) => file.unread = Some(reason),
        _ => {}
    }
}

impl Recorded {
    fn snapshot(&self) -> Session {
        let mut session = self.session.clone();
        session.programs = self.programs.iter().map(known).collect();
        let files = session.programs.iter().flat_map(Program::files);
        session.unread = files.filter(|file| file.unread.is_some()).count() as u64;
        session
    }
}
