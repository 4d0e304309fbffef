//! What became of a program that ran behind a recorder.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use shellproof_api::Engine;
use shellproof_api::facts::Traced;

use super::{Judgement, Verdict, Weight};
use crate::vocabulary::Mode;

/// A program and the verdict on what it asked of an engine.
#[derive(Clone, Debug)]
pub struct ProgramResult {
    /// The program's name; none when whoever came was recorded.
    pub name: Option<String>,
    /// The image mode.
    pub mode: Mode,
    /// The engine.
    pub engine: Engine,
    /// The verdict.
    pub judgement: Judgement,
    /// The programs of its containers, as far as they were watched.
    pub traced: Vec<Traced>,
    /// How the program ended, and how it was to.
    pub exit: Option<Exit>,
    /// Whether the engine started any container for it.
    pub has_started: bool,
    /// How many requests were recorded.
    pub requests: usize,
    /// What was left behind on the engine.
    pub leftovers: Vec<String>,
    /// From its start to its end.
    pub duration: Duration,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Its exit code; 128 and the signal's number where a signal ended it.
    pub code: i32,
    /// The code that it was to have.
    pub expected: ExpectedExit,
}

impl Exit {
    /// Whether it ended as it was to.
    pub fn is_expected(self) -> bool {
        match self.expected {
            ExpectedExit::Any => true,
            ExpectedExit::Code(code) => self.code == code,
        }
    }
}

/// How a program is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedExit {
    /// In any way.
    Any,
    /// With this exit code.
    Code(i32),
}

impl fmt::Display for ExpectedExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Code(code) => write!(f, "{code}"),
        }
    }
}

impl FromStr for ExpectedExit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.parse::<u8>()) {
            ("any", _) => Ok(Self::Any),
            (_, Ok(code)) => Ok(Self::Code(code.into())),
            _ => Err(format!(
                "expected `any` or a number from 0 to 255, found `{text}`"
            )),
        }
    }
}

/// How such a result counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgramStatus {
    /// Clean, and the program ended as it was to.
    Passed,
    /// No container was started, so there is nothing to judge.
    NothingRan,
    /// Something could not be seen.
    Unproven,
    /// The program did not end as it was to.
    Failed,
    /// The policy is violated.
    Violated,
}

impl ProgramResult {
    /// How it counts.
    pub fn status(&self) -> ProgramStatus {
        let is_gap = |one: &super::Evidence| one.weight() == Weight::Gap;
        match self.judgement.verdict {
            Verdict::Violated => ProgramStatus::Violated,
            _ if self.exit.is_some_and(|exit| !exit.is_expected()) => ProgramStatus::Failed,
            _ if self.judgement.evidence.iter().any(is_gap) => ProgramStatus::Unproven,
            _ if !self.has_started => ProgramStatus::NothingRan,
            Verdict::Unproven => ProgramStatus::Unproven,
            Verdict::Clean => ProgramStatus::Passed,
        }
    }
}

#[cfg(test)]
mod tests {
    use shellproof_api::EngineKind;
    use shellproof_wire::Recording;

    use super::super::verdict::tests::by_wire;
    use super::super::wire::tests::{record, recording, run};
    use super::super::{judge_program, wire};
    use super::*;

    fn status(mode: Mode, recording: &Recording, code: i32, expected: ExpectedExit) -> ProgramStatus {
        let engine = Engine {
            name: "x".into(),
            kind: EngineKind::Docker,
            version: "1".into(),
            rootless: false,
            seccomp: shellproof_api::Seccomp::Off,
        };
        let facts = recording.facts();
        let result = ProgramResult {
            name: None,
            mode,
            engine,
            judgement: judge_program(mode, by_wire(&facts, &[])),
            traced: Vec::new(),
            exit: Some(Exit { code, expected }),
            has_started: wire::has_started(&facts),
            requests: recording.records.len(),
            leftovers: Vec::new(),
            duration: Duration::ZERO,
        };
        result.status()
    }

    const ZERO: ExpectedExit = ExpectedExit::Code(0);

    #[test]
    fn silence_is_never_a_pass() {
        for mode in [Mode::Layered, Mode::Prebuilt] {
            assert_eq!(
                status(mode, &Recording::default(), 0, ZERO),
                ProgramStatus::NothingRan
            );
            let mut fault = Recording::default();
            fault.faults.push("connection 1: broken".into());
            assert_eq!(status(mode, &fault, 0, ZERO), ProgramStatus::Unproven);
            let refused = recording(vec![record("GET", "/_ping")]);
            assert_eq!(
                status(mode, &refused, 0, ExpectedExit::Any),
                ProgramStatus::NothingRan
            );
        }
    }

    #[test]
    fn a_violation_counts_before_a_failure_and_that_before_a_gap() {
        let clean = recording(run("1", &["/tiny"], &[]));
        assert_eq!(status(Mode::Prebuilt, &clean, 0, ZERO), ProgramStatus::Passed);
        assert_eq!(status(Mode::Prebuilt, &clean, 3, ZERO), ProgramStatus::Failed);
        assert_eq!(
            status(Mode::Prebuilt, &clean, 3, ExpectedExit::Any),
            ProgramStatus::Passed
        );
        assert_eq!(
            status(Mode::Prebuilt, &clean, 3, ExpectedExit::Code(3)),
            ProgramStatus::Passed
        );
        let mut unproven = clean.clone();
        unproven.faults.push("connection 1: broken".into());
        assert_eq!(
            status(Mode::Prebuilt, &unproven, 0, ZERO),
            ProgramStatus::Unproven
        );
        assert_eq!(status(Mode::Prebuilt, &unproven, 3, ZERO), ProgramStatus::Failed);
        let shell = recording(run("1", &["sh"], &[]));
        assert_eq!(status(Mode::Prebuilt, &shell, 3, ZERO), ProgramStatus::Violated);
        assert_eq!(status(Mode::Layered, &shell, 0, ZERO), ProgramStatus::Passed);
        // An exec alone is a violation though nothing was started.
        let exec = recording(vec![record("POST", "/containers/x/exec")]);
        assert_eq!(status(Mode::Prebuilt, &exec, 0, ZERO), ProgramStatus::Violated);
    }

    #[test]
    fn an_expected_exit_is_a_code_or_any() {
        assert_eq!("any".parse(), Ok(ExpectedExit::Any));
        assert_eq!("3".parse(), Ok(ExpectedExit::Code(3)));
        assert_eq!(ExpectedExit::Any.to_string(), "any");
        assert_eq!(ExpectedExit::Code(3).to_string(), "3");
        for wrong in ["", "-1", "256", "ANY"] {
            assert!(wrong.parse::<ExpectedExit>().is_err(), "{wrong}");
        }
    }
}
