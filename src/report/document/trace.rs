//! The programs of a run, as the kernel witness saw them.

use serde::{Deserialize, Serialize};
use shellproof_api::facts::{Answer, Kind};

use super::{AnswerWord, KindWord, yes};
use crate::policy::Rule;

/// The programs of one container.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TraceEntry {
    /// The container, as the engine calls it.
    pub container: String,
    /// The container, as the scenario calls it.
    #[serde(default)]
    pub scenario_container: Option<String>,
    /// What could not be followed.
    pub faults: Vec<String>,
    /// Its own start, and what was put into it later.
    pub sessions: Vec<SessionEntry>,
}

/// One process that the engine put into a container, with all that came from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionEntry {
    /// What it is.
    #[serde(with = "KindWord")]
    pub kind: Kind,
    /// When it began.
    pub started_ms: f64,
    /// When the last of its processes was gone.
    pub ended_ms: Option<f64>,
    /// How many more programs there were than are kept.
    pub lost: u64,
    /// The programs, in the order in which they were asked for.
    pub programs: Vec<ProgramEntry>,
}

/// One attempt to execute a program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProgramEntry {
    /// When.
    pub at_ms: f64,
    /// The process.
    pub pid: u32,
    /// The place in the list of the program that started it.
    pub parent: Option<usize>,
    /// The program that called.
    pub caller: Option<String>,
    /// The system call.
    pub call: String,
    /// The path as given.
    pub path: String,
    /// The arguments as given, without what looks like a secret.
    pub argv: Vec<String>,
    /// There were more, or longer ones.
    pub argv_cut: bool,
    /// Path and arguments could be read.
    #[serde(default = "yes")]
    pub readable: bool,
    /// The file; none where there is none.
    pub file: Option<FileEntry>,
    /// A script's interpreters.
    pub interpreters: Vec<InterpreterEntry>,
    /// What was answered.
    #[serde(with = "AnswerWord")]
    pub answer: Answer,
    /// Whether it was seen a second time, when it ran.
    #[serde(default)]
    pub look: LookWord,
    /// The file that ran in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ran: Option<FileEntry>,
    /// The arguments with which it ran, where they are others than those that were given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ran_argv: Option<Vec<String>>,
    /// What it violates in prebuilt mode.
    pub rule: Option<Rule>,
}

/// What the second look at a program showed, in a word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LookWord {
    /// There was none: it did not start, or made no call by which its start is known.
    #[default]
    Once,
    /// It was what had been seen before.
    Same,
    /// It was something else.
    Other,
}

/// A file that was executed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Its real path in the container.
    pub path: String,
    /// Its content's hash.
    pub sha256: Option<String>,
}

/// A script's interpreter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterpreterEntry {
    /// Its path as the script has it.
    pub path: String,
    /// The rest of the line.
    pub argument: Option<String>,
    /// The file; none where there is none.
    pub file: Option<FileEntry>,
}
