//! The exit codes, in one place.

/// What the program ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ExitCode {
    /// All clean, or as expected.
    Clean = 0,
    /// The policy is violated, or an expectation failed.
    Violated = 1,
    /// The input is wrong.
    BadInput = 2,
    /// Something could not be proven.
    Unproven = 3,
    /// The engine or the machine failed.
    Broken = 4,
    /// Nothing ran.
    NothingRan = 5,
    /// Interrupted by Ctrl-C or SIGTERM, after cleaning up.
    Interrupted = 130,
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}
