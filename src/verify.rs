//! Images, read and judged without anything being started.

use std::time::{Duration, Instant};

use shellproof_api::facts::{Fact, ImageContent, What};
use shellproof_api::{Engine, EngineKind, ImageConfig, Seccomp};
use shellproof_image::{Error, Source};
use tokio::sync::watch;

use crate::failure::Failure;
use crate::invocation::Invocation;
use crate::policy::{self, Seen, Standing, Witness, judge_image};
use crate::result::{Case, CaseResult, Image, Report};
use crate::vocabulary::Mode;

/// Why nobody but the image witness speaks.
const NOTHING_STARTED: &str = "nothing was started";

/// Which images are to be judged, and how.
pub(crate) struct Order {
    pub(crate) images: Vec<String>,
    /// They are to hold no shell and no package manager at all.
    pub(crate) is_strict: bool,
}

/// Reads images one after the other and judges each.
///
/// # Errors
/// A name makes no sense, there is no image behind it, or the machine failed.
pub(crate) async fn run(order: Order, mut interrupt: watch::Receiver<bool>) -> Result<Report, Failure> {
    let sources: Vec<Source> = order
        .images
        .iter()
        .map(|image| image.parse().map_err(Failure::Input))
        .collect::<Result<_, _>>()?;
    let invocation = Invocation::start().map_err(Failure::machine("no private directory can be made"))?;
    let mut report = Report {
        run_id: invocation.id().to_owned(),
        results: Vec::new(),
        interrupted: false,
        leftovers: Vec::new(),
    };
    for (name, source) in order.images.iter().zip(sources) {
        let began = Instant::now();
        let reading = tokio::task::spawn_blocking(move || shellproof_image::read(&source));
        let read = tokio::select! {
            read = reading => read,
            // The thread that reads ends with the program.
            _ = interrupt.wait_for(|is_wanted| *is_wanted) => {
                report.interrupted = true;
                break;
            }
        };
        let read = read.unwrap_or_else(|error| {
            Err(Error::Machine {
                what: "the reader failed".into(),
                error: std::io::Error::other(error),
            })
        });
        let content = read.map_err(|error| failure(name, error))?;
        report
            .results
            .push(judged(name, content, order.is_strict, began.elapsed()));
    }
    Ok(report)
}

fn failure(name: &str, error: Error) -> Failure {
    match error {
        Error::Machine { what, error } => Failure::Machine {
            what: "an image cannot be read",
            error: std::io::Error::new(error.kind(), format!("`{name}`: {what}: {error}")),
        },
        error => Failure::Input(format!("`{name}`: {error}")),
    }
}

fn judged(name: &str, content: ImageContent, is_strict: bool, duration: Duration) -> CaseResult {
    let image = entry(name, &content);
    let facts = [Fact::new(Witness::Image, name, What::Image(Box::new(content)))];
    let seen = Seen {
        facts: &facts,
        started: &[],
        wire: Standing::Off(NOTHING_STARTED),
        image: Standing::Heard,
        kernel: Standing::Off(NOTHING_STARTED),
    };
    CaseResult {
        images: vec![image],
        judgement: Some(judge_image(is_strict, seen)),
        duration,
        ..CaseResult::new(Case::Verified(name.to_owned()), Mode::Prebuilt, no_engine())
    }
}

fn no_engine() -> Engine {
    Engine {
        name: "no engine".to_owned(),
        kind: EngineKind::None,
        version: String::new(),
        rootless: true,
        seccomp: Seccomp::Off,
    }
}

fn entry(name: &str, content: &ImageContent) -> Image {
    let configuration = &content.configuration;
    Image {
        source: name.to_owned(),
        reference: configuration
            .names
            .first()
            .cloned()
            .unwrap_or_else(|| name.to_owned()),
        config: ImageConfig {
            id: configuration.id.clone(),
            digest: configuration.digest.clone(),
            entrypoint: configuration.entrypoint.clone(),
            command: configuration.command.clone(),
            env: configuration.env.clone(),
            user: configuration.user.clone(),
            labels: configuration.labels.clone(),
            ..ImageConfig::default()
        },
        shells: Some(policy::image::shells(content)),
    }
}
