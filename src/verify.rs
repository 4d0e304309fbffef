//! Images, read and judged without anything being started, but for the commands of tests that somebody wrote for them.

mod commands;
mod cst;
mod engine;
mod registry;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use shellproof_api::facts::{Fact, What};
use shellproof_api::{Engine, EngineKind, ImageReference, Seccomp};
use shellproof_image::{Error, Looked, Source, Wanted};
use tokio::sync::watch;

use crate::engines::{Choice, Connection, EngineSpec};
use crate::failure::Failure;
use crate::invocation::Invocation;
use crate::policy::{Seen, Standing, Witness, judge_image};
use crate::result::{Case, CaseResult, Image, Report};
use crate::saved_image::ended;
use crate::source::Diagnostics;
use crate::vocabulary::Mode;

use cst::Sheet;
pub(crate) use cst::Tests;

/// Why nobody but the image witness speaks.
const NOTHING_STARTED: &str = "nothing was started";

/// Which images are to be judged, and how.
pub(crate) struct Order {
    pub(crate) images: Vec<String>,
    /// Which engine has those that are no files; one must be left.
    pub(crate) engines: Vec<Choice>,
    /// They are to hold no shell and no package manager at all.
    pub(crate) is_strict: bool,
    /// A file of container-structure-test that they are held to.
    pub(crate) tests: Option<Tests>,
    /// Where the scenario is written that says the same.
    pub(crate) scenario: Option<PathBuf>,
}

/// Reads a file of container-structure-test.
///
/// # Errors
/// It has mistakes.
pub(crate) fn tests(path: &Path) -> Result<Tests, Diagnostics> {
    cst::load(path)
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
    let is_of_engine = images.iter().any(|image| matches!(image, Named::OfEngine(_)));
    let connection = match is_of_engine {
        true => Some(engine::connect(&order.engines, &invocation).await?),
        false => None,
    };
    for (name, image) in order.images.iter().zip(images) {
        let began = Instant::now();
        let read = async {
            let looked = look(&image, name, order.tests.as_ref(), connection.as_ref()).await?;
            let tested = order.tests.as_ref();
            let tested = tested.map(|tests| commands::check(tests, &image, &looked));
            Ok::<_, Failure>((looked, tested))
        };
        let (looked, tested) = tokio::select! {
            read = read => read?,
            // A thread that reads ends with the program.
            _ = interrupt.wait_for(|is_wanted| *is_wanted) => {
                report.interrupted = true;
                break;
            }
        };
        let engine = match (&image, &connection) {
            (Named::OfEngine(_), Some((_, connection))) => connection.runtime.engine().clone(),
            _ => no_engine(),
        };
        let (sheet, scenarios) = match tested {
            Some(tested) => {
                if let Some(path) = &order.scenario {
                    std::fs::write(path, &tested.suggestion)
                        .map_err(Failure::machine("the scenario cannot be written"))?;
                }
                (Some(tested.sheet), tested.scenarios)
            }
            None => (None, Vec::new()),
        };
        report.results.push(judged(
            name,
            looked,
            engine,
            order.is_strict,
            sheet,
            began.elapsed(),
        ));
        if !scenarios.is_empty() {
            let spec = connection.as_ref().map(|(spec, _)| spec);
            commands::run(scenarios, &image, spec, interrupt.clone(), &mut report).await;
        }
    }
    Ok(report)
}

/// Reads an image, and what tests want of it.
async fn look(
    image: &Named,
    name: &str,
    tests: Option<&Tests>,
    connection: Option<&(EngineSpec, Connection)>,
) -> Result<Looked, Failure> {
    let wanted = tests.map_or_else(Wanted::default, Tests::wanted);
    let looked = look_for(image, name, wanted, connection).await?;
    match tests.and_then(|tests| tests.wanted_of(&looked)) {
        Some(wanted) => look_for(image, name, wanted, connection).await,
        None => Ok(looked),
    }
}

async fn look_for(
    image: &Named,
    name: &str,
    wanted: Wanted,
    connection: Option<&(EngineSpec, Connection)>,
) -> Result<Looked, Failure> {
    match (image, connection) {
        (Named::OfEngine(reference), Some((_, connection))) => {
            engine::read(&*connection.runtime, reference, &wanted).await
        }
        (Named::OfRegistry(reference), _) => registry::read(reference, &wanted).await,
        (Named::OfEngine(_), None) => unreachable!("an engine was found for it"),
        (Named::File(source), _) => {
            let source = source.clone();
            let reading = tokio::task::spawn_blocking(move || shellproof_image::look(&source, &wanted)).await;
            ended(reading).map_err(|error| failure(name, error))
        }
    }
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
    looked: Looked,
    engine: Engine,
    is_strict: bool,
    sheet: Option<Sheet>,
    duration: Duration,
) -> CaseResult {
    let content = looked.content;
    let image = Image::read(name, &content);
    let id = content.configuration.id.clone();
    let content = Arc::new(content);
    let mut facts = vec![Fact::new(Witness::Image, name, What::Image { id, content })];
    let mut expectations = Vec::new();
    if let Some(sheet) = sheet {
        facts.extend(sheet.gaps);
        expectations = sheet.expectations;
    }
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
        expectations,
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
