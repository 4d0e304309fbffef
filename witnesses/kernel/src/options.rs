use std::fmt;

use shellproof_api::facts::{Kind, Program};

/// Decides, before the answer, whether a program is denied with `EACCES`.
///
/// It sees the program as [`Trace`](shellproof_api::facts::Trace) will have it, save that no content was hashed yet, and holds the calling process
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
