//! What a run is doing, while it does it.

use std::sync::Mutex;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::styles::Styles;
use crate::run::{Event, Job};

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
                    let faint = Styles::COLOURED.faint;
                    anstream::eprintln!("{faint}{} {}{faint:#}", result.status(), name(job));
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
