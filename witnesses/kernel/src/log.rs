//! What is recorded so far.

use std::fmt::Display;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::content::Content;
use crate::state::ProcessState;
use shellproof_api::facts::{Program, Session, Trace};

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

/// The contents of a program's file and of its interpreters.
pub(crate) type Contents = (Content, Vec<Content>);

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

    pub(crate) fn update(&self, place: usize, change: impl FnOnce(&mut Session)) {
        if let Some(recorded) = self.lock().sessions.get_mut(place) {
            change(&mut recorded.session);
        }
    }

    pub(crate) fn fault(&self, fault: impl Display) {
        let mut inner = self.lock();
        if inner.faults.len() < FAULTS {
            inner.faults.push(fault.to_string());
        }
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

impl Recorded {
    fn snapshot(&self) -> Session {
        let mut session = self.session.clone();
        let mut fill = |file: &mut Option<crate::Executable>, content: &Content| {
            let read = match content {
                Content::Absent => return,
                Content::Unread => None,
                Content::Hashed(result) => result.get().copied().flatten(),
            };
            session.unread += u64::from(read.is_none());
            if let (Some(file), Some(read)) = (file, read) {
                file.content = Some(read.digest);
                file.likeness = read.likeness;
            }
        };
        session.programs = Vec::with_capacity(self.programs.len());
        for (program, (content, interpreters)) in &self.programs {
            let mut program = program.clone();
            fill(&mut program.file, content);
            for (interpreter, content) in program.interpreters.iter_mut().zip(interpreters) {
                fill(&mut interpreter.file, content);
            }
            session.programs.push(program);
        }
        session
    }
}
