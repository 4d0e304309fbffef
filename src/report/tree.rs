//! The programs that a container started, as a tree for a person.

use std::collections::HashMap;
use std::fmt::Write;

use shellproof_api::facts::{Answer, Kind};

use super::document::{LookWord, ProgramEntry, SessionEntry, TraceEntry};
use super::styles::Styles;

/// How many lines of one container's tree are shown.
const LINES: usize = 40;
/// How much of a command line is shown, in characters.
const WIDTH: usize = 200;

/// Who started whom, violations marked.
pub(super) fn tree(trace: &TraceEntry, indent: &str, styles: &Styles) -> String {
    let faint = styles.faint;
    let container = trace.scenario_container.as_ref().unwrap_or(&trace.container);
    let mut text = format!("{indent}{faint}programs of `{container}`:{faint:#}\n");
    let mut lines = Vec::new();
    for session in &trace.sessions {
        if session.kind == Kind::Exec {
            lines.push(format!(
                "{:>8.3}s put into the container:",
                session.started_ms / 1e3
            ));
        }
        lines.extend(lines_of(session, styles));
    }
    let more = lines.len().saturating_sub(LINES);
    for line in lines.iter().take(LINES) {
        let _ = writeln!(text, "{indent}{line}");
    }
    if more > 0 {
        let _ = writeln!(
            text,
            "{indent}{faint}and {more} more: `--format json` has them all{faint:#}"
        );
    }
    text
}

fn lines_of(session: &SessionEntry, styles: &Styles) -> Vec<String> {
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
        lines.push(line(program, depth, styles));
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

fn line(program: &ProgramEntry, depth: usize, styles: &Styles) -> String {
    let mut line = format!(
        "{:>8.3}s {}{}",
        program.at_ms / 1e3,
        "  ".repeat(depth),
        printable(&command_line(program))
    );
    if program.file.is_none() && program.readable {
        line.push_str(" (not there)");
    }
    match (&program.ran, program.look) {
        (Some(ran), _) => {
            let _ = write!(line, " (`{}` ran)", printable(&ran.path));
        }
        (None, LookWord::Once) if program.file.is_some() && program.answer == Answer::Continued => {
            line.push_str(" (seen once)");
        }
        (None, _) => {}
    }
    if program.answer == Answer::Denied {
        line.push_str(" (denied)");
    }
    if let Some(rule) = program.rule {
        let _ = write!(line, "  {bad}{rule}{bad:#}", bad = styles.bad);
    }
    line
}

fn command_line(program: &ProgramEntry) -> String {
    let words = program.argv.join(" ");
    let mut shown: String = words.chars().take(WIDTH).collect();
    if program.argv_cut || shown.len() < words.len() {
        shown.push('…');
    }
    if shown.is_empty() {
        shown.clone_from(&program.path);
    }
    shown
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

#[cfg(test)]
mod tests {
    use super::*;
    use shellproof_api::facts::{Executable, Look};

    use crate::policy::kernel::tests::{program, session};
    use crate::report::build;

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
        programs[2].look = Look::Once;
        programs[3].look = Look::Other(Executable {
            path: "/bin/dash".into(),
            ..Executable::default()
        });
        let mut trace = TraceEntry {
            container: "run-job".into(),
            scenario_container: Some("job".into()),
            faults: Vec::new(),
            sessions: vec![build::session(&session(Kind::Start, programs))],
        };
        let shown = tree(&trace, "", &Styles::PLAIN);
        let lines: Vec<&str> = shown.lines().map(str::trim_start).collect();
        assert_eq!(
            lines,
            [
                "programs of `job`:",
                "0.000s python3 -c …",
                "0.000s   sh -c true  shell",
                "0.000s     /bin/ls (seen once)",
                "0.000s   id '\\u{1b} (`/bin/dash` ran)  shell",
            ]
        );
        let json = serde_json::to_value(&trace).unwrap();
        assert_eq!(json["sessions"][0]["programs"][1]["rule"], "shell");
        assert_eq!(json["sessions"][0]["programs"][3]["parent"], 0);
        let looks = [0, 2, 3].map(|place| &json["sessions"][0]["programs"][place]["look"]);
        assert_eq!(looks, ["same", "once", "other"]);
        assert_eq!(json["sessions"][0]["programs"][3]["ran"]["path"], "/bin/dash");
        trace.scenario_container = None;
        assert!(tree(&trace, "", &Styles::PLAIN).starts_with("programs of `run-job`:\n"));
    }

    #[test]
    fn a_long_command_line_is_cut_and_an_empty_one_is_its_path() {
        let shown = |argv: &[&str]| {
            let session = build::session(&session(Kind::Start, vec![program(argv)]));
            command_line(&session.programs[0])
        };
        assert_eq!(shown(&["x", &"y".repeat(198)]).chars().count(), WIDTH);
        let cut = shown(&["x", &"y".repeat(199)]);
        assert!(cut.ends_with("y…") && cut.chars().count() == WIDTH + 1, "{cut}");
        let mut unnamed = program(&["/bin/true"]);
        unnamed.argv.clear();
        let session = build::session(&session(Kind::Start, vec![unnamed]));
        assert_eq!(command_line(&session.programs[0]), "/bin/true");
    }
}
