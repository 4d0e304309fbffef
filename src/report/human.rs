use std::fmt::Write;
use std::sync::Mutex;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use shellproof_api::facts::Traced;

use super::programs::printable;
use super::{Summary, criteria, programs};
use crate::policy::{Evidence, Judgement, Verdict};
use crate::run::{Event, Job, Report, ScenarioResult, Status};
use crate::source::Color;
use crate::vocabulary::Witness;

pub(super) const GOOD: Style = AnsiColor::Green.on_default().bold();
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(super) const UNSURE: Style = AnsiColor::Yellow.on_default().bold();
pub(super) const FAINT: Style = Style::new().dimmed();
const STRONG: Style = Style::new().bold();

/// A run as a person reads it, with styles as escape codes; whoever prints it strips them where they do not belong.
pub fn human(report: &Report) -> String {
    let mut text = String::new();
    for result in &report.results {
        text.push_str(&line(result));
        text.push_str(&detail(result));
    }
    text.push_str(&closing(report));
    text
}

/// One result as a person reads it, without styles.
pub fn plain_result(result: &ScenarioResult) -> String {
    plain(&(line(result) + &detail(result)))
}

/// The text without its styles.
pub(super) fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

/// One line per result.
fn line(result: &ScenarioResult) -> String {
    let (style, word) = match result.status() {
        Status::Passed => match result.verdict() {
            Some(Verdict::Clean) => (GOOD, "CLEAN"),
            // What a scenario expects to be caught, and was.
            _ => (GOOD, "CAUGHT"),
        },
        Status::Violated => (BAD, "VIOLATED"),
        Status::Failed => (BAD, "FAILED"),
        Status::Broken => (BAD, "BROKEN"),
        Status::Unproven => (UNSURE, "UNPROVEN"),
    };
    let spoke = result
        .judgement
        .as_ref()
        .map(Judgement::spoke)
        .unwrap_or_else(|| "none".into());
    let stand_ins: String = result
        .stand_ins()
        .map(|name| format!("  stand-in: {name}"))
        .collect();
    format!(
        "{style}{word:<8}{style:#} {FAINT}[{:>6.2}s]{FAINT:#} {:<18} {} ({})  {FAINT}{spoke}{FAINT:#}{UNSURE}{stand_ins}{UNSURE:#}\n",
        result.duration.as_secs_f64(),
        result.engine.name,
        result.scenario.name.value,
        result.mode,
    )
}

/// What a reader needs when a result is no plain pass.
pub(super) fn detail(result: &ScenarioResult) -> String {
    let mut text = String::new();
    let indent = " ".repeat(9);
    if let Some(reason) = &result.broken {
        let _ = writeln!(text, "{indent}{}", reason.replace('\n', &format!("\n{indent}")));
    }
    if let Some(judgement) = &result.judgement {
        for evidence in &judgement.evidence {
            if let Some(reason) = &evidence.waived {
                let _ = writeln!(text, "{indent}{UNSURE}waived:{UNSURE:#} {evidence}: {reason}");
                continue;
            }
            text.push_str(&evidence_lines(evidence));
            if let (Some(span), false) = (
                container_span(result, evidence.container.as_deref()),
                result.is_expected_verdict(),
            ) {
                let _ = writeln!(text, "{indent}at {}", result.scenario.file.location(span));
            }
        }
        if !result.is_expected_verdict() {
            text.push_str(&trees(judgement, &result.traced));
        }
        if !result.is_expected_verdict() && result.status() != Status::Broken {
            let expected = result.scenario.expect.for_mode(result.mode);
            let rule = expected
                .rule
                .as_ref()
                .map(|rule| format!(" by rule `{rule}`"))
                .unwrap_or_default();
            let _ = writeln!(
                text,
                "{indent}expected {}{rule}, the verdict is {}",
                expected.verdict, judgement.verdict
            );
        }
    }
    for failure in result.expectations.iter().filter_map(|one| one.failure.as_ref()) {
        let _ = writeln!(text, "{}", failure.diagnostic.render(Color::Always));
        if let (Some(container), false) = (&failure.container, failure.log.is_empty()) {
            let _ = writeln!(text, "{FAINT}   last lines of `{container}`:{FAINT:#}");
            for line in &failure.log {
                let _ = writeln!(text, "{FAINT}   |{FAINT:#} {}", line.escape_debug());
            }
        }
    }
    text.push_str(&leftover_lines(&indent, &result.leftovers));
    text
}

/// What was left behind.
pub(super) fn leftover_lines(indent: &str, leftovers: &[String]) -> String {
    let line = |leftover| format!("{indent}{UNSURE}left behind:{UNSURE:#} {leftover}\n");
    leftovers.iter().map(line).collect()
}

/// The programs of the containers in which the kernel witness found something.
pub(super) fn trees(judgement: &Judgement, traced: &[Traced]) -> String {
    let is_against = |one: &&Traced| {
        judgement.against().any(|evidence| {
            evidence.witness == Witness::Kernel && evidence.container.as_ref() == Some(&one.container)
        })
    };
    traced.iter().filter(is_against).map(programs::tree).collect()
}

/// One piece of evidence: what was seen, where, and what to do about it.
pub(super) fn evidence_lines(evidence: &Evidence) -> String {
    let indent = " ".repeat(9);
    let mut text = format!(
        "{indent}{}  {FAINT}{}, {}: {}{FAINT:#}\n",
        printable(&evidence.to_string()),
        evidence.rule,
        evidence.witness,
        printable(&evidence.source)
    );
    if let Some(help) = &evidence.help {
        let _ = writeln!(text, "{indent}help: {}", printable(help));
    }
    text
}

/// Where the scenario declares the container that the engine knows by a longer name.
fn container_span(result: &ScenarioResult, name: Option<&str>) -> Option<crate::source::Span> {
    let name = name?;
    let declared = result
        .scenario
        .containers
        .iter()
        .find(|container| name.ends_with(&format!("-{}", container.name.value)));
    declared.map(|container| container.name.span)
}

fn closing(report: &Report) -> String {
    let mut text = String::new();
    let summary = Summary::of(report);
    for (scenario, engine, ratio) in &summary.ratios {
        let _ = writeln!(
            text,
            "{FAINT}time{FAINT:#}     {scenario} on {engine}: prebuilt takes {ratio:.2}× the time of layered"
        );
    }
    let criteria = criteria(report);
    if !criteria.is_empty() {
        let _ = writeln!(
            text,
            "\n{STRONG}{:<20} {:<9} {:<44} engines{STRONG:#}",
            "criterion", "verdict", "scenarios"
        );
    }
    for one in criteria {
        let style = match one.verdict {
            Verdict::Clean => GOOD,
            Verdict::Unproven => UNSURE,
            Verdict::Violated => BAD,
        };
        let _ = writeln!(
            text,
            "{:<20} {style}{:<9}{style:#} {:<44} {}",
            one.criterion,
            one.verdict,
            one.scenarios.join(", "),
            one.engines.join(", ")
        );
        if !one.stand_ins.is_empty() {
            let _ = writeln!(
                text,
                "{:<20} {UNSURE}shown on stand-ins only, and so not proven:{UNSURE:#} {}",
                "",
                one.stand_ins.join(", ")
            );
        }
    }
    text.push_str(&leftover_lines("", &report.leftovers));
    let tally = summary.tally;
    let _ = writeln!(
        text,
        "\n{STRONG}{} passed, {} violated, {} unproven, {} failed{STRONG:#}{}",
        tally.passed,
        tally.violated,
        tally.unproven,
        tally.failed,
        if report.interrupted { ", interrupted" } else { "" }
    );
    text
}

/// Shows on stderr what a run is doing: a live view on a terminal, plain lines elsewhere.
pub struct Progress {
    view: View,
}

enum View {
    Live {
        bars: MultiProgress,
        jobs: Mutex<Vec<(String, ProgressBar)>>,
        total: ProgressBar,
    },
    Lines,
    Silent,
}

impl Progress {
    /// Progress for so many jobs. `quiet` shows nothing.
    pub fn new(jobs: usize, is_terminal: bool, quiet: bool) -> Self {
        let view = match (quiet, is_terminal) {
            (true, _) => View::Silent,
            (false, false) => View::Lines,
            (false, true) => {
                let bars = MultiProgress::new();
                let total = bars.add(ProgressBar::new(jobs as u64));
                total.set_style(style("{bar:20} {pos}/{len} {elapsed}"));
                View::Live {
                    bars,
                    jobs: Mutex::default(),
                    total,
                }
            }
        };
        Self { view }
    }

    /// Takes one event.
    pub fn observe(&self, event: &Event<'_>) {
        match &self.view {
            View::Silent => {}
            View::Lines => match event {
                Event::Started(_) | Event::Listening(..) | Event::Progress(..) => {}
                Event::Finished(job, result) => {
                    anstream::eprintln!(
                        "{FAINT}{} {}{FAINT:#}",
                        super::json::status(result.status()),
                        name(job)
                    );
                }
            },
            View::Live { bars, jobs, total } => {
                let mut jobs = jobs.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                match event {
                    Event::Started(job) => {
                        let bar = bars.insert_before(total, ProgressBar::new_spinner());
                        bar.set_style(style("{spinner} {prefix} {msg}"));
                        bar.set_prefix(name(job));
                        bar.enable_steady_tick(Duration::from_millis(120));
                        jobs.push((name(job), bar));
                    }
                    Event::Progress(job, text) => {
                        if let Some((_, bar)) = jobs.iter().find(|(key, _)| *key == name(job)) {
                            bar.set_message(text.clone());
                        }
                    }
                    Event::Listening(..) => {}
                    Event::Finished(job, _) => {
                        let key = name(job);
                        jobs.retain(|(other, bar)| {
                            let is_this = *other == key;
                            if is_this {
                                bar.finish_and_clear();
                            }
                            !is_this
                        });
                        total.inc(1);
                    }
                }
            }
        }
    }

    /// Takes the live view off the screen.
    pub fn finish(&self) {
        if let View::Live { bars, .. } = &self.view {
            // A terminal that cannot be cleared is about to show the report anyway.
            let _ = bars.clear();
        }
    }
}

fn name(job: &Job) -> String {
    format!("{} {} ({})", job.engine.name, job.scenario.name.value, job.mode)
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
