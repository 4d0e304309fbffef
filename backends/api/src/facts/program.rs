use std::fmt;
use std::time::Duration;

/// The programs that one container started.
#[derive(Clone, Debug)]
pub struct Traced {
    /// The container's name on the engine.
    pub container: String,
    /// What its supervisor saw.
    pub trace: Trace,
}

/// Everything that was seen through one supervisor's socket.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// The sessions, in the order in which their listeners arrived.
    pub sessions: Vec<Session>,
    /// What could not be followed. With any fault the trace proves nothing.
    pub faults: Vec<String>,
}

/// One process that the engine put into the container, with everything that came from it.
#[derive(Clone, Debug)]
pub struct Session {
    /// The container's id, as the OCI runtime has it.
    pub container: String,
    /// The process that the session began with, as the host sees it.
    pub pid: u32,
    /// What the session is.
    pub kind: Kind,
    /// When its listener arrived, since the supervisor started.
    pub started_at: Duration,
    /// When the last of its processes was gone, since the supervisor started; `None` while one lives.
    pub ended: Option<Duration>,
    /// The programs, in the order in which they were asked for.
    ///
    /// None at all is no proof of silence: an engine's exec of a program that does not exist ends before the call.
    pub programs: Vec<Program>,
    /// How many more programs there were, beyond the supervisor's bounds.
    pub lost: u64,
    /// Calls that ended before they were answered, and that no program is recorded for: the process was killed, or a
    /// signal made it ask again, which is then recorded. None of them executed anything.
    pub withdrawn: u64,
    /// Files whose content is not known although the kernel may have executed them ([`Executable::unread`]).
    pub unread: u64,
}

/// What a session is, by the container's status when it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The container's own start.
    Start,
    /// An exec of the engine or one of its health checks: the kernel cannot tell them apart, their argv can.
    Exec,
}

/// One attempt to execute a program.
#[derive(Clone, Debug)]
pub struct Program {
    /// When the call was met, since the supervisor started.
    pub at: Duration,
    /// The process that called, as the host sees it.
    pub pid: u32,
    /// Who started it: the place in [`Session::programs`] of the program that this process, or else its nearest known
    /// ancestor, was running. `None` for the first one, and where the ancestor is not known.
    ///
    /// A failed attempt counts as running until the next: its process called again.
    pub parent: Option<usize>,
    /// The program that called, by its path inside the container; the OCI runtime's for the first of a session.
    pub caller: Option<String>,
    /// The system call.
    pub call: Call,
    /// The path as given; bytes that are no UTF-8 are replaced. Empty when a descriptor alone was given.
    pub path: String,
    /// The arguments as given, as many as the bounds allow.
    pub argv: Vec<String>,
    /// There were more arguments than [`Program::argv`] has, or its last one goes on.
    pub argv_cut: bool,
    /// Path and arguments could be read. If not, what ran is not known.
    pub readable: bool,
    /// The file that the path or the descriptor means; `None` when there certainly is none, and the call failed.
    pub file: Option<Executable>,
    /// What the kernel starts in the file's place, outermost first: a script's interpreter (`#!`) or the one that
    /// `binfmt_misc` has for it, then that one's, at most five.
    pub interpreters: Vec<Interpreter>,
    /// What the kernel loads beside the last of these files and starts before it: its ELF interpreter (`PT_INTERP`),
    /// mostly a dynamic loader. It has no argument of its own.
    pub loader: Option<Interpreter>,
    /// What was answered.
    pub answer: Answer,
    /// What was seen when it ran.
    pub look: Look,
    /// The arguments with which it was seen to run, where they are others than those that were given: somebody changed them
    /// meanwhile. Where an interpreter runs in its place, the interpreter's.
    pub ran_argv: Option<Vec<String>>,
}

impl Program {
    /// All files that were loaded for it.
    pub fn files(&self) -> impl Iterator<Item = &Executable> {
        let others = self.interpreters.iter().chain(&self.loader);
        let ran = match &self.look {
            Look::Other(ran) => Some(ran),
            Look::Once | Look::Same => None,
        };
        let others = others.filter_map(|other| other.file.as_ref());
        self.file.iter().chain(others).chain(ran)
    }
}

/// The second look at a program: what a process ran when it made the first call that only a program's start makes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Look {
    /// There was none: the call failed, or the program never made that call. Some of a few instructions do not.
    #[default]
    Once,
    /// It was the file that was seen before its start, with the same content.
    Same,
    /// It was another file, or its content had changed.
    Other(Executable),
}

/// A file that was about to be executed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Executable {
    /// Its real path inside the container, symbolic links followed; the path as given where it is out of our reach. A
    /// file without a name shows as `/memfd:… (deleted)`.
    pub path: String,
    /// The hash of its content; `None` when it could not be read, and when it is nothing that could be executed.
    pub content: Option<Digest>,
    /// What its content shows it to be, whatever it is called.
    pub likeness: Option<Likeness>,
    /// Why its content is not known, although the kernel may have executed it.
    pub unread: Option<Unread>,
    /// It lies outside of the container: a handler of `binfmt_misc` that the host has opened.
    pub is_outside: bool,
}

/// Why the content of a file is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unread {
    /// Its path leads where the supervisor cannot follow, though the process may.
    OutOfReach,
    /// The supervisor may not read it.
    Forbidden,
    /// It is larger than the supervisor's bound.
    TooLarge,
    /// Too many files waited to be read.
    TooMany,
    /// It changed while it was read, or was still being read.
    Changed,
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutOfReach => "it is out of reach",
            Self::Forbidden => "reading it is not permitted",
            Self::TooLarge => "it is too large",
            Self::TooMany => "too many others were being read",
            Self::Changed => "it changed, or took too long to read",
        })
    }
}

/// What a program is by its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Likeness {
    /// A command interpreter: it has words that no other program has.
    Shell,
    /// BusyBox, which is what it is called by.
    MultiCall,
    /// A dynamic loader, which runs what its arguments name.
    Loader,
    /// A package manager, as a program or as the script by which it is started.
    PackageManager,
    /// A script with a word that such a script has, which others may have too.
    ManagerScript,
    /// A script (`#!`) of something else.
    Script,
}

/// A file that the kernel loads because another one names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpreter {
    /// Its path as the script or the program has it.
    pub path: String,
    /// The rest of the line, which the kernel passes as one argument.
    pub argument: Option<String>,
    /// The file behind it; `None` when there certainly is none.
    pub file: Option<Executable>,
}

/// A SHA-256 of a file's content; [`fmt::Display`] writes it in lower-case hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The system call that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// `execve`.
    Execve(Abi),
    /// `execveat`.
    Execveat(Abi),
    /// A call that the profile notifies on and that this crate does not know: the program cannot be read.
    Unknown {
        /// The entry point, as the kernel's `AUDIT_ARCH_*` have it.
        arch: u32,
        /// Its number there.
        number: i32,
    },
}

/// The entry point into the kernel that a call came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Abi {
    /// 64-bit x86.
    X86_64,
    /// 32-bit x86.
    I386,
    /// 64-bit x86 with 32-bit pointers.
    X32,
    /// 64-bit ARM.
    Aarch64,
    /// 32-bit ARM.
    Arm,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, abi) = match self {
            Self::Execve(abi) => ("execve", abi),
            Self::Execveat(abi) => ("execveat", abi),
            Self::Unknown { arch, number } => return write!(f, "call {number} of architecture {arch:#x}"),
        };
        f.write_str(name)?;
        match abi {
            Abi::X86_64 | Abi::Aarch64 => Ok(()),
            Abi::I386 => f.write_str(" (i386)"),
            Abi::X32 => f.write_str(" (x32)"),
            Abi::Arm => f.write_str(" (arm)"),
        }
    }
}

/// What the supervisor answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// The kernel went on with the call.
    Continued,
    /// The call failed with `EACCES`, because whoever started the supervisor said so.
    Denied,
    /// The kernel no longer wanted an answer, and the process did not make the same call again: it was killed, mostly.
    /// It did not execute anything on this call.
    Withdrawn,
}
