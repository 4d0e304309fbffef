//! Answering in the place of supervisors that have left: each call goes on, and nothing is recorded.

use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::state;
use crate::sys::Listener;

/// How long after the end of a container's last program it is asked for, so that a restart costs no question.
const SOON: Duration = Duration::from_secs(1);
/// How often a container without a program is asked for.
const LATER: Duration = Duration::from_secs(30);
/// How long a container without a program is kept while nobody says whether it is there: an engine may be being updated.
const UNKNOWN: Duration = Duration::from_secs(3600);

/// What a supervisor had in its hands when it left.
#[derive(Debug, Default)]
pub struct Left {
    /// Where runtimes bring listeners.
    pub(crate) socket: Option<UnixListener>,
    /// Runtimes that have not said yet what they bring.
    pub(crate) connections: Vec<UnixStream>,
    /// The sessions that go on.
    pub(crate) sessions: Vec<Listener>,
}

/// One thing that is left, as another process may get it.
#[derive(Debug)]
pub enum Part {
    /// The socket where runtimes bring listeners.
    Socket(OwnedFd),
    /// A runtime that has not said yet what it brings.
    Connection(OwnedFd),
    /// A session that goes on.
    Session(OwnedFd),
}

impl Left {
    /// All that is left, one by one.
    pub fn into_parts(self) -> impl Iterator<Item = Part> {
        let socket = self.socket.map(|socket| Part::Socket(socket.into()));
        let connections = self.connections.into_iter();
        let sessions = self.sessions.into_iter();
        socket
            .into_iter()
            .chain(connections.map(|connection| Part::Connection(connection.into())))
            .chain(sessions.map(|session| Part::Session(session.into_descriptor())))
    }

    /// Puts a part back.
    pub fn add(&mut self, part: Part) {
        match part {
            Part::Socket(socket) => self.socket = Some(socket.into()),
            Part::Connection(connection) => self.connections.push(connection.into()),
            Part::Session(session) => self.sessions.push(Listener::new(session)),
        }
    }
}

/// Answers for the containers that it was given, until the last of them is gone.
#[derive(Debug)]
pub struct Keeper {
    containers: Vec<Container>,
    /// Never speaks: reading a runtime's message waits for it too.
    never: PipeReader,
    _never: PipeWriter,
}

#[derive(Debug)]
struct Container {
    id: String,
    left: Left,
    /// Since when it has no program, and when its engine is asked for it next.
    idle: Option<(Instant, Instant)>,
}

/// Something to do.
#[derive(Clone, Copy)]
enum Ready {
    Socket(usize),
    Session(usize, usize, PollFlags),
}

impl Keeper {
    /// A keeper of nothing.
    ///
    /// # Errors
    /// No pipe can be made.
    pub fn new() -> io::Result<Self> {
        let (never, writer) = io::pipe()?;
        Ok(Self {
            containers: Vec::new(),
            never,
            _never: writer,
        })
    }

    /// Takes a container over.
    pub fn add(&mut self, id: String, left: Left) {
        self.containers.push(Container { id, left, idle: None });
    }

    /// Answers until no container is left. `is_there` is asked about a container none of whose programs run any more; it
    /// may not know.
    ///
    /// # Errors
    /// The kernel does not say what there is to do.
    pub fn run(mut self, mut is_there: impl FnMut(&str) -> Option<bool>) -> io::Result<()> {
        for container in &mut self.containers {
            for connection in std::mem::take(&mut container.left.connections) {
                container.take(&connection, &self.never);
            }
        }
        loop {
            let (now, before) = (Instant::now(), self.containers.len());
            self.containers
                .retain_mut(|container| container.stays(now, &mut is_there));
            if self.containers.len() < before {
                // A stack goes as a whole.
                let idle = self
                    .containers
                    .iter_mut()
                    .filter_map(|container| container.idle.as_mut());
                idle.for_each(|(_, next)| *next = now + SOON);
            }
            if self.containers.is_empty() {
                return Ok(());
            }
            for ready in self.wait()? {
                self.serve(ready);
            }
        }
    }

    /// Waits for something to do, or until it is time to ask for a container.
    fn wait(&self) -> io::Result<Vec<Ready>> {
        let mut whose = Vec::new();
        let mut all = Vec::new();
        for (at, container) in self.containers.iter().enumerate() {
            if let Some(socket) = &container.left.socket {
                whose.push(Ready::Socket(at));
                all.push(PollFd::new(socket, PollFlags::IN));
            }
            for (place, session) in container.left.sessions.iter().enumerate() {
                whose.push(Ready::Session(at, place, PollFlags::empty()));
                all.push(PollFd::new(session, PollFlags::IN));
            }
        }
        let next = self
            .containers
            .iter()
            .filter_map(|container| Some(container.idle?.1))
            .min();
        let patience = next.map(|next| next.saturating_duration_since(Instant::now()));
        let patience = patience.and_then(|patience| Timespec::try_from(patience).ok());
        match poll(&mut all, patience.as_ref()) {
            Err(Errno::INTR) => return Ok(Vec::new()),
            polled => polled?,
        };
        let ready = whose
            .into_iter()
            .zip(&all)
            .filter(|(_, polled)| !polled.revents().is_empty());
        let ready = ready.map(|(whose, polled)| match whose {
            Ready::Session(at, place, _) => Ready::Session(at, place, polled.revents()),
            socket @ Ready::Socket(_) => socket,
        });
        // From the last on: what ends leaves the places before it as they are.
        Ok(ready.rev().collect())
    }

    fn serve(&mut self, ready: Ready) {
        match ready {
            Ready::Socket(at) => {
                let container = &mut self.containers[at];
                let accepted = container.left.socket.as_ref().map(UnixListener::accept);
                match accepted {
                    Some(Ok((stream, _))) => container.take(&stream, &self.never),
                    Some(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                    // Out of descriptors: what is there is served all the same.
                    _ => std::thread::sleep(Duration::from_millis(100)),
                }
            }
            Ready::Session(at, place, events) => {
                let sessions = &mut self.containers[at].left.sessions;
                if !(events.contains(PollFlags::IN) && goes_on(&sessions[place])) {
                    sessions.swap_remove(place);
                }
            }
        }
    }
}

impl Container {
    /// Takes the listener that a runtime brings. What is none is nobody's.
    fn take(&mut self, stream: &UnixStream, never: &PipeReader) {
        if let Ok((_, listener)) = state::receive(stream, never) {
            let listener = Listener::new(listener);
            listener.wake_at_once();
            self.left.sessions.push(listener);
            self.idle = None;
        }
    }

    /// Whether it may need an answer again.
    fn stays(&mut self, now: Instant, is_there: &mut impl FnMut(&str) -> Option<bool>) -> bool {
        if !self.left.sessions.is_empty() {
            self.idle = None;
            return true;
        }
        let (since, next) = *self.idle.get_or_insert((now, now + SOON));
        if now < next {
            return true;
        }
        match is_there(&self.id) {
            Some(false) => return false,
            Some(true) => self.idle = Some((now, now + LATER)),
            None if now.duration_since(since) > UNKNOWN => return false,
            None => self.idle = Some((since, now + LATER)),
        }
        true
    }
}

/// Lets one call go on, and says whether the session does.
fn goes_on(session: &Listener) -> bool {
    match session.receive() {
        // An answer that comes too late is nobody's.
        Ok(call) => {
            let _ = session.go_on(call.id);
            true
        }
        // Its process was killed before we could look.
        Err(error) => {
            error.kind() == io::ErrorKind::Interrupted || error.raw_os_error() == Some(libc::ENOENT)
        }
    }
}
