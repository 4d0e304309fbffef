//! One session: its listener, its calls and their answers.

use std::collections::HashMap;
use std::io::{self, PipeReader};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use crate::call::{Arguments, FromKernel};
use crate::content::{Content, Hasher, Source};
use crate::files::{Found, Prefix, Process, View, lossy, process_of};
use crate::log::{Contents, Log};
use crate::state::{self, StateError};
use crate::sys::{Listener, Notification};
use crate::{Options, memory};
use shellproof_api::facts::{Answer, Call, Executable, Interpreter, Kind, Program};

/// How many interpreters the kernel follows.
const INTERPRETERS: usize = 5;
/// How far up an ancestor is looked for.
const ANCESTORS: usize = 16;

/// What all threads of a supervisor share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub options: Options,
    pub log: Log,
    pub hasher: Hasher,
}

/// Starts a thread for one connection of a runtime.
pub(crate) fn spawn(shared: &Arc<Shared>, stream: UnixStream, stop: &Arc<PipeReader>) {
    shared.log.thread_begins();
    let running = Running(shared.clone());
    let stop = stop.clone();
    // When there is no thread, the closure is dropped, and `running` with it.
    let spawned = std::thread::Builder::new()
        .name("session".into())
        .spawn(move || session(&running.0, stream, &stop));
    if let Err(error) = spawned {
        shared
            .log
            .fault(format_args!("cannot start a session's thread: {error}"));
    }
}

/// Counts a session's thread as long as it lives.
struct Running(Arc<Shared>);

impl Drop for Running {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.log.fault("a session's thread panicked");
        }
        self.0.log.thread_ended();
    }
}

fn session(shared: &Shared, stream: UnixStream, stop: &PipeReader) {
    let (state, listener) = match state::receive(&stream, stop) {
        Ok(received) => received,
        Err(StateError::Stopped) => return,
        Err(error) => return shared.log.fault(error),
    };
    drop(stream);
    let listener = Listener::new(listener);
    listener.wake_at_once();
    let place = shared.log.begin(&state, shared.options.sessions);
    if place.is_none() {
        let most = shared.options.sessions;
        shared.log.fault(format_args!(
            "more than {most} sessions: the rest is not recorded"
        ));
    }
    let mut serving = Serving {
        shared,
        listener,
        place,
        kind: state.kind(),
        pid: state.pid,
        programs: 0,
        bytes: 0,
        latest: HashMap::new(),
        prefix: Prefix::default(),
    };
    if let Err(error) = serving.run(stop) {
        let (id, pid) = (&state.state.id, state.pid);
        shared.log.fault(format_args!(
            "lost the session of process {pid} in container `{id}`: {error}"
        ));
    }
}

struct Serving<'s> {
    shared: &'s Shared,
    listener: Listener,
    /// Where the session is in the log; it has no place there when there are too many.
    place: Option<usize>,
    kind: Kind,
    /// The process that the session began with.
    pid: u32,
    /// How many programs are recorded.
    programs: usize,
    /// How many bytes of text they have.
    bytes: usize,
    /// The place of the program that each process asked for last.
    latest: HashMap<u32, usize>,
    prefix: Prefix,
}

impl Serving<'_> {
    fn run(&mut self, stop: &PipeReader) -> io::Result<()> {
        loop {
            let mut both = [
                PollFd::new(&self.listener, PollFlags::IN),
                PollFd::new(stop, PollFlags::IN),
            ];
            match poll(&mut both, None) {
                Err(Errno::INTR) => continue,
                polled => polled?,
            };
            let (events, stopped) = (both[0].revents(), !both[1].revents().is_empty());
            if stopped {
                return Ok(());
            }
            if events.contains(PollFlags::IN) {
                self.serve()?;
            } else if events.contains(PollFlags::HUP) {
                let now = self.shared.log.now();
                self.update(|session| session.ended = Some(now));
                return Ok(());
            } else {
                return Err(io::Error::other("its listener is none"));
            }
        }
    }

    /// Answers one call, and then records it.
    fn serve(&mut self) -> io::Result<()> {
        let call = match self.listener.receive() {
            Ok(call) => call,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {
                // Its process was killed before we could look.
                self.withdrawn();
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let full = self.place.is_none()
            || self.programs >= self.shared.options.programs
            || self.bytes >= self.shared.options.bytes;
        if full && self.shared.options.deny.is_none() {
            match accepted(self.listener.go_on(call.id))? {
                true => self.lost(),
                false => self.withdrawn(),
            }
            return Ok(());
        }
        let (mut program, files) = self.read(&call);
        if !self.listener.still_waits(call.id) {
            // What was read may be another process's.
            self.withdrawn();
            return Ok(());
        }
        let denied = self
            .shared
            .options
            .deny
            .as_ref()
            .is_some_and(|deny| deny(self.kind, &program));
        let answered = match denied {
            true => self.listener.deny(call.id),
            false => self.listener.go_on(call.id),
        };
        program.answer = match (accepted(answered)?, denied) {
            (false, _) => Answer::Withdrawn,
            (true, true) => Answer::Denied,
            (true, false) => Answer::Continued,
        };
        match full {
            true => self.lost(),
            false => self.record(program, files),
        }
        Ok(())
    }

    /// Reads what a call is about to execute.
    fn read(&mut self, call: &Notification) -> (Program, Files) {
        let kind = Call::of(call.arch, call.number);
        let process = process_of(call.thread).unwrap_or(Process {
            id: call.thread,
            parent: 0,
        });
        let mut program = Program {
            at: self.shared.log.now(),
            pid: process.id,
            parent: self.parent(process),
            caller: None,
            call: kind,
            path: String::new(),
            argv: Vec::new(),
            argv_cut: false,
            readable: false,
            file: None,
            interpreters: Vec::new(),
            answer: Answer::Continued,
        };
        let mut files = Files::default();
        let Some(arguments) = kind.arguments(&call.arguments) else {
            return (program, files);
        };
        let memory = memory::Of(call.thread);
        let path = memory::path(&memory, arguments.path);
        let argv = memory::argv(&memory, arguments.argv, arguments.pointer_bytes);
        program.readable = path.is_ok() && argv.is_ok();
        if let Ok(argv) = argv {
            program.argv = argv.words;
            program.argv_cut = argv.cut;
        }
        if let Ok(view) = View::of(call.thread, &mut self.prefix) {
            program.caller = view.executable().ok();
            if let Ok(path) = &path {
                find(
                    &view,
                    &self.shared.hasher,
                    &arguments,
                    path,
                    &mut program,
                    &mut files,
                );
            }
        }
        program.path = lossy(&path.unwrap_or_default());
        (program, files)
    }

    /// The program that a process was running, or its nearest ancestor that is known.
    fn parent(&self, process: Process) -> Option<usize> {
        let mut id = process.id;
        let mut next = process.parent;
        for _ in 0..ANCESTORS {
            if let Some(&place) = self.latest.get(&id) {
                return Some(place);
            }
            // Above the session's first process there is only the engine.
            if next == 0 || id == self.pid || self.latest.is_empty() {
                return None;
            }
            id = next;
            next = process_of(id).map_or(0, |process| process.parent);
        }
        None
    }

    fn record(&mut self, program: Program, files: Files) {
        let Some(place) = self.place else {
            return;
        };
        self.latest.insert(program.pid, self.programs);
        self.programs += 1;
        self.bytes += size(&program);
        let contents = files.contents(&self.shared.hasher);
        self.shared.log.add(place, program, contents);
    }

    fn lost(&self) {
        self.update(|session| session.lost += 1);
    }

    fn withdrawn(&self) {
        self.update(|session| session.withdrawn += 1);
    }

    fn update(&self, change: impl FnOnce(&mut crate::Session)) {
        if let Some(place) = self.place {
            self.shared.log.update(place, change);
        }
    }
}

/// The files of a call, opened before its answer.
#[derive(Default)]
struct Files {
    executed: Option<Source>,
    interpreters: Vec<Option<Source>>,
}

impl Files {
    fn contents(self, hasher: &Hasher) -> Contents {
        let content =
            |source: Option<Source>| source.map_or(Content::Absent, |source| hasher.content(source));
        (
            content(self.executed),
            self.interpreters.into_iter().map(content).collect(),
        )
    }
}

/// Finds the file of a call and the interpreters of a script, and opens them.
fn find(
    view: &View,
    hasher: &Hasher,
    arguments: &Arguments,
    path: &[u8],
    program: &mut Program,
    files: &mut Files,
) {
    let open = |path: &[u8], found: io::Result<Found>| match found {
        Ok(mut found) => {
            let path = std::mem::take(&mut found.path);
            (
                Some(Executable {
                    path,
                    content: None,
                    likeness: None,
                }),
                Some(hasher.source(found)),
            )
        }
        // What is not there is no error here: the call will fail.
        Err(error) if is_absent(&error, path) => (None, None),
        Err(_) => (None, Some(Source::Unreachable)),
    };
    let found = view.find_at(arguments.descriptor, path, arguments.empty_path);
    (program.file, files.executed) = open(path, found);
    let mut shebang = files.executed.as_ref().and_then(Source::shebang);
    while let Some(line) = shebang.filter(|_| program.interpreters.len() < INTERPRETERS) {
        let (file, source) = open(&line.interpreter, view.find(&line.interpreter));
        shebang = source.as_ref().and_then(Source::shebang);
        files.interpreters.push(source);
        program.interpreters.push(Interpreter {
            path: lossy(&line.interpreter),
            argument: line.argument.as_deref().map(lossy),
            file,
        });
    }
}

/// Whether a file is not there, which is something else than being out of our reach: below `/proc`, a process sees what
/// we do not.
fn is_absent(error: &io::Error, path: &[u8]) -> bool {
    const PROC: &[u8] = b"proc/";
    let is_in_proc = path.windows(PROC.len()).any(|part| part == PROC);
    !is_in_proc && matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR))
}

/// Whether the kernel took an answer; it does not when the call is no longer waiting for one.
fn accepted(answer: io::Result<()>) -> io::Result<bool> {
    match answer {
        Ok(()) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
        Err(error) => Err(error),
    }
}

/// How much memory a program takes, about.
fn size(program: &Program) -> usize {
    let file = |file: &Option<Executable>| file.as_ref().map_or(0, |file| file.path.len());
    let argv: usize = program
        .argv
        .iter()
        .map(|word| word.len() + size_of::<String>())
        .sum();
    let interpreters: usize = program
        .interpreters
        .iter()
        .map(|interpreter| {
            let argument = interpreter.argument.as_ref().map_or(0, String::len);
            size_of::<Interpreter>() + interpreter.path.len() + argument + file(&interpreter.file)
        })
        .sum();
    let caller = program.caller.as_ref().map_or(0, String::len);
    size_of::<Program>() + program.path.len() + argv + interpreters + caller + file(&program.file)
}
