//! One session: its listener, its calls and their answers.

use std::collections::HashMap;
use std::io::{self, PipeReader};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use crate::again::{Asked, Expected, Words};
use crate::call::FromKernel;
use crate::content::{Content, Key};
use crate::files::{self, Prefix, View, lossy};
use crate::log::{Again, Contents};
use crate::process::{Process, process_of};
use crate::shared::Shared;
use crate::state::{self, StateError};
use crate::sys::{Listener, Notification};
use crate::{loads, memory};
use shellproof_api::facts::{Answer, Call, Executable, Interpreter, Kind, Look, Program, Unread};

/// Where nobody could say which program ran.
const UNKNOWN: &str = "an unknown program";
/// How often a large file is read that somebody removes meanwhile, which looks like a change.
const READINGS: usize = 3;
/// How far up an ancestor is looked for.
const ANCESTORS: usize = 16;

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
        Err(StateError::Stopped) => return shared.left(|left| left.connections.push(stream)),
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
        interrupted: HashMap::new(),
        expected: Expected::default(),
        prefix: Prefix::default(),
    };
    match serving.run(stop) {
        Ok(End::Ended) => {}
        Ok(End::Stopped) => shared.left(|left| left.sessions.push(serving.listener)),
        Err(error) => {
            let (id, pid) = (&state.state.id, state.pid);
            shared.log.fault(format_args!(
                "lost the session of process {pid} in container `{id}`: {error}"
            ));
        }
    }
}

/// How the serving of a session ended.
enum End {
    /// It has no process any more.
    Ended,
    /// The supervisor stops, and the session goes on.
    Stopped,
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
    /// The call of each thread whose last answer the kernel did not take, and the place of its program.
    interrupted: HashMap<u32, (Notification, usize)>,
    /// What each process may run.
    expected: Expected,
    prefix: Prefix,
}

impl Serving<'_> {
    fn run(&mut self, stop: &PipeReader) -> io::Result<End> {
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
                return Ok(End::Stopped);
            }
            if events.contains(PollFlags::IN) {
                self.serve()?;
            } else if events.contains(PollFlags::HUP) {
                let now = self.shared.log.now();
                self.update(|session| session.ended = Some(now));
                return Ok(End::Ended);
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
        if call.is_start() {
            return self.look_again(&call);
        }
        // A signal makes a call end before its answer is there, and then be made again.
        let before = self.interrupted.remove(&call.thread);
        let before = before
            .filter(|(before, _)| call.repeats(before))
            .map(|(_, at)| at);
        let full = self.is_full() && before.is_none();
        if full && self.shared.options.deny.is_none() {
            match accepted(self.listener.go_on(call.id))? {
                true => self.lost(),
                false => self.withdrawn(),
            }
            return Ok(());
        }
        let (mut program, contents) = self.read(&call);
        if !self.listener.still_waits(call.id) {
            // What was read may be another process's.
            self.withdrawn();
            if let Some(at) = before {
                self.interrupted.insert(call.thread, (call, at));
            }
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
        let (answer, pid, key) = (program.answer, program.pid, contents.key);
        let content = contents.of_run().clone();
        let words = Arc::new(Words::of(&program));
        match (self.record(before, program, contents), answer) {
            (Some(at), Answer::Withdrawn) => {
                self.interrupted.insert(call.thread, (call, at));
            }
            (Some(at), Answer::Continued) => {
                let asked = Asked {
                    at,
                    key,
                    content,
                    words,
                };
                self.expected.ask(pid, asked);
            }
            _ => {}
        }
        Ok(())
    }

    /// Looks at what a process runs that has just begun to run it.
    fn look_again(&mut self, call: &Notification) -> io::Result<()> {
        // A program begins in the first thread of its process, which is called as the process is.
        let process = call.thread;
        let seen = self.place.zip(self.run_by(process));
        // An answer that was taken shows that what was looked at was this process. Otherwise it makes the call again.
        if let (true, Some((place, (again, runs, words)))) = (accepted(self.listener.go_on(call.id))?, seen) {
            self.shared.log.look_again(place, runs.at, again, words);
            self.expected.confirm(process, runs);
        }
        Ok(())
    }

    /// What a process runs, what that is of the programs that it asked for, and its arguments where it asked for others.
    fn run_by(&mut self, process: u32) -> Option<(Again, Asked, Option<Vec<String>>)> {
        if !self.expected.knows(process) {
            return None;
        }
        let hasher = &self.shared.hasher;
        let key = files::stat_of_running(process).ok().map(|stat| Key::of(&stat));
        // Nothing but a debugger changes them any more, and the program has not run an instruction of its own.
        let words = memory::words_of_running(process).ok();
        let (asked, agrees) = self.expected.meant(process, key.as_ref(), words.as_deref())?;
        let (asked, words) = (asked.clone(), words.filter(|_| !agrees));
        if let Some(key) = key.filter(|_| asked.key == key) {
            hasher.await_large(&key, &asked.content);
            if hasher.remembers(&key, &asked.content) {
                return Some((Again::Same, asked, words));
            }
        }
        let (path, key, content) = self.read_running(process);
        let runs = Asked {
            at: asked.at,
            key,
            content: content.clone(),
            words: asked.words,
        };
        Some((Again::Read(path, content), runs, words))
    }

    /// Reads what a process runs that waits for us.
    fn read_running(&mut self, process: u32) -> (String, Option<Key>, Content) {
        let hasher = &self.shared.hasher;
        let mut read = (UNKNOWN.to_owned(), None, Content::Unread(Unread::OutOfReach));
        for _ in 0..READINGS {
            let Ok(ran) = files::running(process, &mut self.prefix) else {
                break;
            };
            let (path, key) = (ran.path.clone(), Key::of(&ran.stat));
            let content = hasher.take(ran).0;
            hasher.await_large(&key, &content);
            let is_read = !content.is_failed();
            read = (path, Some(key), content);
            if is_read {
                break;
            }
        }
        read
    }

    fn is_full(&self) -> bool {
        let options = &self.shared.options;
        self.place.is_none() || self.programs >= options.programs || self.bytes >= options.bytes
    }

    /// Reads what a call is about to execute.
    fn read(&mut self, call: &Notification) -> (Program, Contents) {
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
            loader: None,
            answer: Answer::Continued,
            look: Look::Once,
            ran_argv: None,
        };
        let mut contents = Contents::none();
        let Some(arguments) = kind.arguments(&call.arguments) else {
            return (program, contents);
        };
        let memory = memory::Of(call.thread);
        let path = memory::path(&memory, arguments.path);
        let argv = memory::argv(&memory, arguments.argv, arguments.pointer_bytes);
        program.readable = path.is_ok() && argv.is_ok();
        if let Ok(argv) = argv {
            program.argv = argv.words;
            program.argv_cut = argv.cut;
        }
        let Ok(path) = path else {
            return (program, contents);
        };
        match View::of(call.thread, &mut self.prefix) {
            Ok(view) => {
                program.caller = view.executable().ok();
                contents = loads::find(&view, self.shared, &arguments, &path, &mut program);
            }
            // Nothing is known of its files: what ran is not known either.
            Err(_) => program.readable = false,
        }
        program.path = lossy(&path);
        (program, contents)
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

    /// Records a program, and says where: in the place of the one that the same call had `before`, or as a new one.
    fn record(&mut self, before: Option<usize>, program: Program, contents: Contents) -> Option<usize> {
        let (pid, size) = (program.pid, size(&program));
        let given = match (self.place, before) {
            (Some(place), Some(at)) => self.shared.log.repeat(place, at, program, contents),
            _ => Some((program, contents)),
        };
        let Some((program, contents)) = given else {
            self.withdrawn();
            return before;
        };
        let Some(place) = self.place.filter(|_| !self.is_full()) else {
            match program.answer {
                Answer::Withdrawn => self.withdrawn(),
                _ => self.lost(),
            }
            return None;
        };
        self.latest.insert(pid, self.programs);
        self.programs += 1;
        self.bytes += size;
        self.shared.log.add(place, program, contents);
        Some(self.programs - 1)
    }

    fn lost(&mut self) {
        // A process may run now what is not in the log.
        self.expected.forget();
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
        .chain(&program.loader)
        .map(|interpreter| {
            let argument = interpreter.argument.as_ref().map_or(0, String::len);
            size_of::<Interpreter>() + interpreter.path.len() + argument + file(&interpreter.file)
        })
        .sum();
    let caller = program.caller.as_ref().map_or(0, String::len);
    size_of::<Program>() + program.path.len() + argv + interpreters + caller + file(&program.file)
}
