use std::fmt;
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::{Kind, Program, Trace};

/// Decides, before the answer, whether a program is denied with `EACCES`.
///
/// It sees the program as [`Trace`] will have it, save that no content was hashed yet, and holds the calling process
/// as long as it thinks. A container whose first program is denied does not start.
pub type Deny = Box<dyn Fn(Kind, &Program) -> bool + Send + Sync>;

/// How a supervisor listens and how much it keeps.
pub struct Options {
    /// The socket's mode. 0600 by default.
    pub mode: u32,
    /// The user and group to give the socket to: the engine's, when root supervises a rootless engine.
    pub owner: Option<(u32, u32)>,
    /// How many sessions are recorded; one more is a fault. 1,000 by default.
    pub sessions: usize,
    /// How many programs of a session are recorded; the rest is counted. 10,000 by default.
    pub programs: usize,
    /// How many bytes of text a session's programs may take together; the rest is counted. 16 MiB by default.
    pub bytes: usize,
    /// Which programs to deny. None by default.
    pub deny: Option<Deny>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            mode: 0o600,
            owner: None,
            sessions: 1_000,
            programs: 10_000,
            bytes: 16 << 20,
            deny: None,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

/// Listens for the listeners of one container and records what it executes. Dropping it ends its threads, closes its
/// socket and removes the socket's file.
#[derive(Debug)]
pub struct Supervisor {}

impl Supervisor {
    /// Listens on `socket`, in a directory that only the engine's user and root can enter.
    ///
    /// # Errors
    /// The socket cannot be made: its path is longer than 107 bytes, exists already or cannot be written.
    pub fn start(socket: &Path, options: Options) -> io::Result<Self> {
        let _ = (socket, options);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// What was seen so far. Waits a moment for content that is still being hashed.
    pub fn trace(&self) -> Trace {
        Trace::default()
    }

    /// Waits until every session has ended, and says whether that came to pass `within` the time.
    ///
    /// An engine may report a container's end before its last program is recorded: wait before judging.
    pub fn wait_ended(&self, within: Duration) -> bool {
        let _ = within;
        false
    }
}
