//! The document for a person: a table of engines, and what lacks, each with its cure.

use std::fmt::Write;

use super::{
    Document, EngineEntry, EngineState, StepState, Told, WitnessEntries, WitnessEntry, WitnessState,
};
use crate::report::Styles;

/// Under the second word of a line.
const INDENT: &str = "          ";

pub(crate) fn human(document: &Document, styles: &Styles) -> String {
    let mut text = String::new();
    let (strong, faint) = (styles.strong, styles.faint);
    let _ = writeln!(
        text,
        "{strong}{:<9} {:<17} {:<16} {:<8} {:<8} {:<8} where{strong:#}",
        "engine", "", "version", "wire", "image", "kernel"
    );
    for engine in &document.engines {
        text.push_str(&engine_lines(engine, styles));
    }
    if !document.steps.is_empty() {
        let _ = writeln!(text, "\n{strong}what `embedded` does on this machine{strong:#}");
    }
    for step in &document.steps {
        let (style, word) = match step.state {
            StepState::Done => (styles.good, "done"),
            StepState::Failed => (styles.bad, "failed"),
            StepState::Limited => (styles.unsure, "limited"),
            StepState::Untried => (faint, "untried"),
        };
        let cause = step.problem.cause.iter();
        let cause: String = cause.map(|cause| format!(": {cause}")).collect();
        let _ = writeln!(text, "{style}{word:<9}{style:#} {}{cause}", step.step);
        help(&mut text, &step.problem, styles);
    }
    text.push('\n');
    for note in &document.notes {
        let _ = writeln!(text, "{}warning{:#}: {note}", styles.unsure, styles.unsure);
    }
    for error in &document.errors {
        let _ = writeln!(text, "{}error{:#}: {error}", styles.bad, styles.bad);
    }
    let _ = match &document.auto {
        Some(name) => writeln!(text, "`shellproof run` takes engine `{name}`"),
        None if document.errors.is_empty() => {
            writeln!(
                text,
                "{}error{:#}: no engine can run a scenario",
                styles.bad, styles.bad
            )
        }
        None => Ok(()),
    };
    text
}

fn engine_lines(engine: &EngineEntry, styles: &Styles) -> String {
    let mut text = String::new();
    let (style, word) = match engine.state {
        EngineState::Usable => (styles.good, "usable"),
        EngineState::Unusable => (styles.bad, "unusable"),
        EngineState::Absent => (styles.faint, "absent"),
    };
    let rootless = engine.rootless == Some(true) && engine.kind != Some("embedded");
    let version = match (&engine.version, rootless) {
        (Some(version), true) => format!("{version} rootless"),
        (Some(version), false) => version.clone(),
        (None, _) => String::new(),
    };
    let word_of =
        |of: fn(&WitnessEntries) -> &WitnessEntry| match engine.witnesses.as_ref().map(|all| of(all).state) {
            None => "",
            Some(WitnessState::There) => "there",
            Some(WitnessState::None) => "none",
            Some(WitnessState::Missing) => "missing",
        };
    let (wire, image, kernel) = (
        word_of(|all| &all.wire),
        word_of(|all| &all.image),
        word_of(|all| &all.kernel),
    );
    let _ = writeln!(
        text,
        "{style}{word:<9}{style:#} {:<17} {version:<16} {wire:<8} {image:<8} {kernel:<8} {}",
        engine.name, engine.place
    );
    if let Some(cause) = &engine.problem.cause {
        let _ = writeln!(text, "{INDENT}{}", cause.replace('\n', &format!("\n{INDENT}")));
    }
    help(&mut text, &engine.problem, styles);
    if let Some(all) = &engine.witnesses {
        for (name, witness) in [
            ("wire", &all.wire),
            ("image", &all.image),
            ("kernel", &all.kernel),
        ] {
            if let Some(cause) = &witness.problem.cause {
                let _ = writeln!(text, "{INDENT}{name}: {cause}");
                help(&mut text, &witness.problem, styles);
            }
        }
    }
    text
}

fn help(text: &mut String, problem: &Told, styles: &Styles) {
    if let Some(help) = &problem.help {
        let faint = styles.faint;
        let _ = writeln!(text, "{INDENT}{faint}help:{faint:#} {help}");
    }
}
