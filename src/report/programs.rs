//! The programs that a container started: as a tree for a person, and in full for a program.

use std::collections::HashMap;
use std::fmt::Write;

use serde_json::{Value, json as value};
use shellproof_api::facts::{Answer, Executable, Kind, Program, Session, Traced, without_secrets};

use super::human::{BAD, FAINT};
use crate::policy::kernel;

/// How many lines of one container's tree are shown.
const LINES: usize = 40;

/// Who started whom, violations marked.
pub(super) fn tree(traced: &Traced) -> String {
    let indent = " ".repeat(9);
    let mut text = format!("{indent}{FAINT}programs of `{}`:{FAINT:#}\n", traced.container);
    let mut lines = Vec::new();
    for session in &traced.trace.sessions {
        if session.kind == Kind::Exec {
            lines.push(format!(
                "{:>8.3}s put into the container:",
                session.started_at.as_secs_f64()
            ));
        }
        lines.extend(lines_of(session));
    }
    let more = lines.len().saturating_sub(LINES);
    for line in lines.iter().take(LINES) {
        let _ = writeln!(text, "{indent}{line}");
    }
    if more > 0 {
        let _ = writeln!(
            text,
            "{indent}{FAINT}and {more} more: `--format json` has them all{FAINT:#}"
        );
    }
    text
}

fn lines_of(session: &Session) -> Vec<String> {
    let mut children: HashMap<Option<usize>, Vec<usize>> = HashMap::new();
    for (place, program) in session.programs.iter().enumerate() {
        children.entry(program.parent).or_default().push(place);
    }
    let mut lines = Vec::with_capacity(session.programs.len());
    // Parents come before their children, so that this ends.
    let roots = children.get(&None).into_iter().flatten().rev();
    let mut waiting: Vec<(usize, usize)> = roots.map(|root| (*root, 0)).collect();
    while let Some((place, depth)) = waiting.pop() {
        let program = &session.programs[place];
        lines.push(line(program, depth));
        let below = children.get(&Some(place)).into_iter().flatten().rev();
        // What was not there has started nothing: its process tried again.
        let deeper = depth + usize::from(program.file.is_some());
        waiting.extend(
            below
                .filter(|below| **below > place)
                .map(|below| (*below, deeper)),
        );
    }
    lines
}

fn line(program: &Program, depth: usize) -> String {
    let mut line = format!(
        "{:>8.3}s {}{}",
        program.at.as_secs_f64(),
        "  ".repeat(depth),
        printable(&kernel::line(program))
    );
    if program.file.is_none() && program.readable {
        line.push_str(" (not there)");
    }
    if program.answer == Answer::Denied {
        line.push_str(" (denied)");
    }
    if let Some(rule) = kernel::rule(program) {
        let _ = write!(line, "  {BAD}{rule}{BAD:#}");
    }
    line
}

/// Arguments and names may hold anything, also what would move a terminal's cursor.
pub(super) fn printable(line: &str) -> String {
    let shown = |c: char| {
        if c.is_control() {
            c.escape_default().to_string()
        } else {
            c.to_string()
        }
    };
    line.chars().map(shown).collect()
}

/// All of it.
pub(super) fn json(traced: &Traced) -> Value {
    let sessions = traced.trace.sessions.iter().map(|session| {
        value!({
            "kind": match session.kind { Kind::Start => "start", Kind::Exec => "exec" },
            "started_ms": session.started_at.as_secs_f64() * 1e3,
            "ended_ms": session.ended.map(|ended| ended.as_secs_f64() * 1e3),
            "lost": session.lost,
            "programs": session.programs.iter().map(program).collect::<Vec<_>>(),
        })
    });
    value!({
        "container": traced.container,
        "sessions": sessions.collect::<Vec<_>>(),
        "faults": traced.trace.faults,
    })
}

fn program(program: &Program) -> Value {
    let file = |file: &Executable| value!({ "path": file.path, "sha256": file.content.map(|content| content.to_string()) });
    let interpreters = program.interpreters.iter().map(|interpreter| {
        value!({
            "path": interpreter.path,
            "argument": interpreter.argument,
            "file": interpreter.file.as_ref().map(file),
        })
    });
    value!({
        "at_ms": program.at.as_secs_f64() * 1e3,
        "pid": program.pid,
        "parent": program.parent,
        "caller": program.caller,
        "call": program.call.to_string(),
        "path": program.path,
        "argv": without_secrets(&program.argv),
        "argv_cut": program.argv_cut,
        "file": program.file.as_ref().map(file),
        "interpreters": interpreters.collect::<Vec<_>>(),
        "answer": match program.answer {
            Answer::Continued => "continued",
            Answer::Denied => "denied",
            Answer::Withdrawn => "withdrawn",
        },
        "rule": kernel::rule(program).map(|rule| rule.as_str()),
    })
}

#[cfg(test)]
mod tests {
    use shellproof_kernel::Trace;

    use super::*;
    use crate::policy::kernel::tests::{program, session};

    #[test]
    fn the_tree_shows_who_started_whom_and_what_is_wrong_with_it() {
        let mut programs = vec![
            program(&["python3", "-c", "…"]),
            program(&["sh", "-c", "true"]),
            program(&["/bin/ls"]),
            program(&["id", "'\u{1b}"]),
        ];
        programs[1].parent = Some(0);
        programs[2].parent = Some(1);
        programs[3].parent = Some(0);
        let traced = Traced {
            container: "job".into(),
            trace: Trace {
                sessions: vec![session(Kind::Start, programs)],
                faults: Vec::new(),
            },
        };
        let shown = super::super::human::plain(&tree(&traced));
        let lines: Vec<&str> = shown.lines().map(str::trim_start).collect();
        assert_eq!(
            lines,
            [
                "programs of `job`:",
                "0.000s python3 -c …",
                "0.000s   sh -c true  shell",
                "0.000s     /bin/ls",
                "0.000s   id '\\u{1b}",
            ]
        );
        let json = json(&traced);
        assert_eq!(json["sessions"][0]["programs"][1]["rule"], "shell");
        assert_eq!(json["sessions"][0]["programs"][3]["parent"], 0);
    }
}
