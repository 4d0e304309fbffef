//! Images, read and judged without anything being started.

mod engine;
mod registry;

use std::sync::Arc;
use std::time::{Duration, Instant};

use shellproof_api::facts::{Fact, ImageContent, What};
use shellproof_api::{Engine, EngineKind, ImageReference, Seccomp};
use shellproof_image::{Error, Source};
use tokio::sync::watch;

use crate::engines::Choice;
use crate::failure::Failure;
use crate::invocation::Invocation;
use crate::policy::{Seen, Standing, Witness, judge_image};
use crate::result::{Case, CaseResult, Image, Report};
use crate::saved_image::ended;
use crate::vocabulary::Mode;

/// Why nobody but the image witness speaks.
const NOTHING_STARTED: &str = "nothing was started";

/// Which images are to be judged, and how.
pub(crate) struct Order {
    pub(crate) images: Vec<String>,
    /// Which engine has those that are no files; one must be left.
    pub(crate) engines: Vec<Choice>,
    /// They are to hold no shell and no package manager at all.
    pub(crate) is_strict: bool,
}

/// An image, as somebody named it.
enum Named {
    /// A file or a directory.
    File(Source),
    /// An image of an engine.
    OfEngine(ImageReference),
    /// An image of a registry.
    OfRegistry(ImageReference),
}

impl Named {
    fn of(image: &str) -> Result<Self, Failure> {
        if Source::is_meant(image) {
            return image.parse().map(Self::File).map_err(Failure::Input);
        }
        let (name, meant): (_, fn(ImageReference) -> Self) = match image.strip_prefix(registry::PREFIX) {
            Some(name) => (name, Self::OfRegistry),
            None => (image, Self::OfEngine),
        };
        let reference: Result<ImageReference, _> = name.parse();
        reference.map(meant).map_err(|error| {
            Failure::Input(format!(
                "`{}` names no image: {error}\nhelp: name one of an engine, or `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]`, \
                 `docker-archive:FILE[:TAG]` or `registry:REFERENCE`",
                image.escape_debug()
            ))
        })
    }
}

/// Reads images one after the other and judges each.
///
/// # Errors
/// A name makes no sense, there is no image behind it, or the engine or the machine failed.
pub(crate) async fn run(order: Order, mut interrupt: watch::Receiver<bool>) -> Result<Report, Failure> {
    let images = order.images.iter().map(|image| Named::of(image));
    let images: Vec<Named> = images.collect::<Result<_, _>>()?;
    let invocation = Invocation::start().map_err(Failure::machine("no private directory can be made"))?;
    let mut report = Report {
        run_id: invocation.id().to_owned(),
        results: Vec::new(),
        interrupted: false,
        leftovers: Vec::new(),
    };
    let mut places = engine::Places::new(&order.engines, &invocation);
    for (name, image) in order.images.iter().zip(images) {
        let began = Instant::now();
        let read = async {
            match image {
                Named::OfEngine(reference) => places.read(&reference).await,
                Named::OfRegistry(reference) => Ok((registry::read(&reference).await?, no_engine())),
                Named::File(source) => {
                    let reading = tokio::task::spawn_blocking(move || shellproof_image::read(&source)).await;
                    Ok((ended(reading).map_err(|error| failure(name, error))?, no_engine()))
                }
            }
        };
        let (content, engine) = tokio::select! {
            read = read => read?,
            // A thread that reads ends with the program.
            _ = interrupt.wait_for(|is_wanted| *is_wanted) => {
                report.interrupted = true;
                break;
            }
        };
        report
            .results
            .push(judged(name, content, engine, order.is_strict, began.elapsed()));
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

fn judged(
    name: &str,
    content: ImageContent,
    engine: Engine,
    is_strict: bool,
    duration: Duration,
) -> CaseResult {
    let image = Image::read(name, &content);
    let id = content.configuration.id.clone();
    let content = Arc::new(content);
    let facts = [Fact::new(Witness::Image, name, What::Image { id, content })];
    let seen = Seen {
        facts: &facts,
        started: &[],
        allowed: &[],
        wire: Standing::Off(NOTHING_STARTED),
        image: Standing::Heard,
        kernel: Standing::Off(NOTHING_STARTED),
    };
    CaseResult {
        images: vec![image],
        judgement: Some(judge_image(is_strict, seen)),
        duration,
        ..CaseResult::new(Case::Verified(name.to_owned()), Mode::Prebuilt, engine)
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
