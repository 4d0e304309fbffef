//! The report for a person.

use std::fmt::Write;

use super::document::{Document, EvidenceEntry, FailureEntry, ResultEntry, TraceEntry, WitnessWord};
use super::styles::Styles;
use super::tree::{printable, tree};
use super::{files, images, usage};
use crate::policy::Rule;
use crate::result::ContainerResult;
use crate::vocabulary::{CriterionVerdict, Status, VerdictKind as Verdict, Witness};

/// Under the first word of a result.
const INDENT: &str = "         ";

/// A run as a person reads it.
pub fn human(document: &Document, styles: &Styles) -> String {
    let are_images = document.results.len() > 1 && document.results.iter().all(ResultEntry::is_of_image);
    // Of many images those that pass are a line of the table.
    let is_shown = |result: &&ResultEntry| !are_images || result.status != Status::Passed;
    let results = document.results.iter().filter(is_shown);
    let mut text: String = results.map(|result| human_result(result, styles)).collect();
    if are_images {
        text.push_str(if text.is_empty() { "" } else { "\n" });
        text.push_str(&images::table(&document.results, styles));
    }
    // What an audit or a single image has to say is said by its one result.
    let is_run = |result: &ResultEntry| result.file.is_some();
    if document.results.len() != 1 || document.results.iter().any(is_run) {
        text.push_str(&closing(document, styles));
    }
    text
}

/// One result as a person reads it.
pub fn human_result(result: &ResultEntry, styles: &Styles) -> String {
    line(result, styles) + &detail(result, styles)
}

fn line(result: &ResultEntry, styles: &Styles) -> String {
    let (style, word) = match (result.status, result.verdict) {
        (Status::Passed, Some(Verdict::Clean)) => (styles.good, "CLEAN"),
        // What a scenario expects to be caught, and was.
        (Status::Passed, _) => (styles.good, "CAUGHT"),
        (Status::Waived, _) => (styles.unsure, "WAIVED"),
        (Status::Violated, _) => (styles.bad, "VIOLATED"),
        (Status::Failed, _) => (styles.bad, "FAILED"),
        (Status::Broken, _) => (styles.bad, "BROKEN"),
        (Status::Unproven, _) => (styles.unsure, "UNPROVEN"),
        (Status::NothingRan, _) => (styles.unsure, "NOTHING RAN"),
    };
    let (faint, unsure) = (styles.faint, styles.unsure);
    let stand_ins = result.images.iter().filter_map(|image| image.stand_in.as_ref());
    let stand_ins: String = stand_ins.map(|name| format!("  stand-in: {name}")).collect();
    let roles = match result.roles.is_empty() {
        true => String::new(),
        false => format!("  as {}", images::roles(result)),
    };
    let requests = result
        .requests
        .map(|requests| format!(", {requests} requests"))
        .unwrap_or_default();
    format!(
        "{style}{word:<8}{style:#} {faint}[{:>6.2}s]{faint:#} {:<18} {} ({})  {faint}{}{requests}{}{roles}{faint:#}{unsure}{stand_ins}{unsure:#}\n",
        result.duration_ms as f64 / 1e3,
        result.engine.name,
        result.scenario.as_deref().unwrap_or("(whoever came)"),
        result.mode,
        spoke(result),
        watched(result),
    )
}

/// How long each container was watched that a scenario has started: `, watched db 10.02s, job 0.31s`.
fn watched(result: &ResultEntry) -> String {
    let time = |one: &ContainerResult| Some(format!("{} {:.2}s", one.name, one.watched_ms? as f64 / 1e3));
    let times: Vec<_> = result.containers.iter().filter_map(time).collect();
    match times.is_empty() {
        true => String::new(),
        false => format!(", watched {}", times.join(", ")),
    }
}

/// The witnesses behind a verdict: `wire, image, kernel`, or `none`.
fn spoke(result: &ResultEntry) -> String {
    let witnesses = result.witnesses.iter();
    let spoke: Vec<_> = witnesses
        .flat_map(|witnesses| witnesses.spoke())
        .map(|witness| witness.to_string())
        .collect();
    or_none(&spoke)
}

/// What a reader needs when a result is no plain pass.
pub(super) fn detail(result: &ResultEntry, styles: &Styles) -> String {
    let mut text = String::new();
    if let Some(reason) = &result.broken {
        let _ = writeln!(text, "{INDENT}{}", reason.replace('\n', &format!("\n{INDENT}")));
    }
    text.push_str(&evidence_part(result, styles));
    if !result.as_expected {
        let is_against = |trace: &&TraceEntry| {
            result.evidence.iter().any(|evidence| {
                let is_its = evidence.container.as_ref() == Some(&trace.container);
                evidence.is_against() && evidence.witness == Witness::Kernel && is_its
            })
        };
        let traces = result.traces.iter().filter(is_against);
        text.extend(traces.map(|trace| tree(trace, INDENT, styles)));
    }
    if let Some(reason) = untold_wire(result) {
        let _ = writeln!(text, "{INDENT}wire evidence unavailable: {reason}");
    }
    if let (Some(verdict), Some(_), false) = (result.verdict, &result.file, result.as_expected)
        && result.status != Status::Broken
    {
        let rule = result.expected_rule.iter();
        let rule: String = rule.map(|rule| format!(" by rule `{rule}`")).collect();
        let _ = writeln!(
            text,
            "{INDENT}expected {}{rule}, the verdict is {verdict}",
            result.expected_verdict
        );
    }
    for failure in result.expectations.iter().filter_map(|one| one.failure.as_ref()) {
        text.push_str(&failure_lines(failure, styles));
    }
    text.push_str(&leftover_lines(INDENT, &result.leftovers, styles));
    // Who was refused did ask here.
    let is_refusal = |one: &EvidenceEntry| one.rule == Rule::EngineRefused;
    if result.status == Status::NothingRan && !result.evidence.iter().any(is_refusal) {
        let _ = writeln!(
            text,
            "{INDENT}help: only what goes through `DOCKER_HOST` or `CONTAINER_HOST` is seen; a program with an address \
             of its own goes past the recorder"
        );
    }
    text
}

/// All evidence. What was found in several files of an image is a tree, between what is graver and what is only worth knowing.
fn evidence_part(result: &ResultEntry, styles: &Styles) -> String {
    let is_filed = |one: &&EvidenceEntry| one.path.is_some() && one.waived.is_none();
    let (filed, others): (Vec<_>, Vec<_>) = result.evidence.iter().partition(is_filed);
    if filed.len() < 2 {
        return list(result, &result.evidence.iter().collect::<Vec<_>>(), styles);
    }
    let (against, notes): (Vec<_>, Vec<_>) = others.into_iter().partition(|one| one.is_against());
    list(result, &against, styles) + &files::tree(&filed, INDENT, styles) + &list(result, &notes, styles)
}

fn list(result: &ResultEntry, all: &[&EvidenceEntry], styles: &Styles) -> String {
    let mut text = String::new();
    for (place, evidence) in all.iter().enumerate() {
        let next = all.get(place + 1);
        let is_told_next =
            next.is_some_and(|next| (next.rule, &next.help) == (evidence.rule, &evidence.help));
        // One cure for several is told after the last of them.
        let told = match is_told_next && evidence.witness == Witness::Image {
            true => &EvidenceEntry {
                help: None,
                ..(*evidence).clone()
            },
            false => *evidence,
        };
        text.push_str(&evidence_lines(told, styles));
        if let (Some(place), None, false) = (&evidence.at, &evidence.waived, result.as_expected) {
            let _ = writeln!(text, "{INDENT}at {place}");
        }
    }
    text
}

/// Why the wire did not speak, where no evidence says so already.
fn untold_wire(result: &ResultEntry) -> Option<&str> {
    let wire = &result.witnesses.as_ref()?.wire;
    let is_told = |one: &EvidenceEntry| one.witness == Witness::Wire && one.rule == Rule::WitnessMissing;
    if wire.state != WitnessWord::Missing || result.evidence.iter().any(is_told) {
        return None;
    }
    wire.reason.as_deref()
}

/// One piece of evidence: what was seen, where, and what to do about it.
fn evidence_lines(evidence: &EvidenceEntry, styles: &Styles) -> String {
    let (faint, unsure) = (styles.faint, styles.unsure);
    let seen = printable(&evidence.seen());
    if let Some(reason) = &evidence.waived {
        return format!(
            "{INDENT}{unsure}waived:{unsure:#} {seen}: {}\n",
            printable(reason)
        );
    }
    let mut text = format!(
        "{INDENT}{seen}  {faint}{}, {}: {}{faint:#}\n",
        evidence.rule,
        evidence.witness,
        printable(&evidence.source)
    );
    if let Some(help) = &evidence.help {
        let _ = writeln!(text, "{INDENT}help: {}", printable(help));
    }
    text
}

fn failure_lines(failure: &FailureEntry, styles: &Styles) -> String {
    let faint = styles.faint;
    if failure.at.is_none() {
        return format!("{INDENT}{}\n", printable(&failure.message));
    }
    let mut text = String::new();
    for line in failure.message.lines() {
        let _ = writeln!(text, "{}", drawn(line, styles));
    }
    if let (Some(container), false) = (&failure.container, failure.log.is_empty()) {
        for (which, lines) in [("first error", &failure.errors), ("last lines", &failure.log)] {
            if !lines.is_empty() {
                let _ = writeln!(text, "{faint}   {which} of `{container}`:{faint:#}");
            }
            for line in lines {
                let line = printable(&line.replace('\t', "    "));
                let _ = writeln!(text, "{faint}   |{faint:#} {line}");
            }
        }
    }
    text
}

/// A line of a message that shows its place in a file: its heading, its gutter and its caret are drawn.
fn drawn(line: &str, styles: &Styles) -> String {
    let (bad, faint) = (styles.bad, styles.faint);
    if let Some(title) = line.strip_prefix("error") {
        return format!(
            "{bad}error{bad:#}{strong}{title}{strong:#}",
            strong = styles.strong
        );
    }
    let gutter = line.find(['|', '>']).map_or(0, |end| end + 1);
    let (gutter, rest) = line.split_at(gutter);
    if rest.trim_start().starts_with(['^', '-']) {
        return format!("{faint}{gutter}{faint:#}{bad}{rest}{bad:#}");
    }
    format!("{faint}{gutter}{faint:#}{rest}")
}

/// What was left behind.
fn leftover_lines(indent: &str, leftovers: &[String], styles: &Styles) -> String {
    let unsure = styles.unsure;
    let line = |leftover| format!("{indent}{unsure}left behind:{unsure:#} {leftover}\n");
    leftovers.iter().map(line).collect()
}

fn or_none(words: &[String]) -> String {
    match words {
        [] => "none".to_owned(),
        words => words.join(", "),
    }
}

fn closing(document: &Document, styles: &Styles) -> String {
    let (faint, strong, unsure) = (styles.faint, styles.strong, styles.unsure);
    let mut text = String::new();
    for ratio in &document.ratios {
        let _ = writeln!(
            text,
            "{faint}time{faint:#}     {} on {}: prebuilt takes {:.2}× the time of layered",
            ratio.scenario, ratio.engine, ratio.prebuilt_over_layered
        );
    }
    if !document.criteria.is_empty() {
        let _ = writeln!(
            text,
            "\n{strong}{:<20} {:<9} {:<20} {:<44} engines{strong:#}",
            "criterion", "verdict", "witnesses", "scenarios"
        );
    }
    for one in &document.criteria {
        let style = match one.verdict {
            CriterionVerdict::Clean => styles.good,
            CriterionVerdict::Waived | CriterionVerdict::Unproven => styles.unsure,
            CriterionVerdict::Failed | CriterionVerdict::Violated => styles.bad,
        };
        let _ = writeln!(
            text,
            "{:<20} {style}{:<9}{style:#} {:<20} {:<44} {}",
            one.id,
            one.verdict,
            or_none(&one.witnesses),
            or_none(&one.scenarios),
            or_none(&one.engines)
        );
        // What failed or violated is told above.
        if one.verdict == CriterionVerdict::Unproven {
            for reason in &one.reasons {
                let _ = writeln!(
                    text,
                    "{:<20} {unsure}not proven:{unsure:#} {}",
                    "",
                    printable(reason)
                );
            }
        }
        if !one.stand_ins.is_empty() {
            let _ = writeln!(
                text,
                "{:<20} {unsure}shown on stand-ins only, and so not proven:{unsure:#} {}",
                "",
                one.stand_ins.join(", ")
            );
        }
    }
    text.push_str(&usage::lines(&document.results, styles));
    text.push_str(&leftover_lines("", &document.leftovers, styles));
    let summary = &document.summary;
    let waived = match summary.waived {
        0 => String::new(),
        waived => format!(", {waived} waived"),
    };
    let interrupted = if summary.interrupted { ", interrupted" } else { "" };
    let _ = writeln!(
        text,
        "\n{strong}{} passed, {} violated, {} unproven, {} failed{waived}{strong:#}{interrupted}",
        summary.passed, summary.violated, summary.unproven, summary.failed,
    );
    text
}

#[cfg(test)]
#[path = "human_tests.rs"]
mod tests;
