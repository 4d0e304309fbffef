//! Images, read and judged without anything being started.

mod config;
mod engine;
mod named;
mod registry;
mod role;

use std::sync::Arc;
use std::time::{Duration, Instant};

use shellproof_api::facts::{Fact, ImageContent, What};
use shellproof_api::{Engine, EngineKind, Seccomp};
use shellproof_image::Error;
use tokio::sync::watch;

use crate::engines::Choice;
use crate::failure::Failure;
use crate::invocation::Invocation;
use crate::policy::{Judgement, Promise, Rule, Seen, Standing, Witness, judge_image};
use crate::result::{Case, CaseResult, Image, Report};
use crate::saved_image::ended;
use crate::vocabulary::{Mode, Role};

pub(crate) use config::images_of;
use named::Named;
pub(crate) use named::Wanted;

/// Why nobody but the image witness speaks.
const NOTHING_STARTED: &str = "nothing was started";

/// Which images are to be judged, and how.
pub(crate) struct Order {
    pub(crate) images: Vec<Wanted>,
    /// Which engine has those that are no files; one must be left.
    pub(crate) engines: Vec<Choice>,
    pub(crate) promise: Promise,
    /// The role whose scenario each is to run.
    pub(crate) role: Option<Role>,
}

/// Reads images one after the other and judges each.
///
/// # Errors
/// A name makes no sense, there is no image behind it, or the engine or the machine failed.
pub(crate) async fn run(order: Order, mut interrupt: watch::Receiver<bool>) -> Result<Report, Failure> {
    let invocation = Invocation::start().map_err(Failure::machine("no private directory can be made"))?;
    let mut report = Report {
        run_id: invocation.id().to_owned(),
        results: Vec::new(),
        interrupted: false,
        leftovers: Vec::new(),
    };
    let mut places = engine::Places::new(&order.engines, &invocation);
    let mut specs = Vec::new();
    for wanted in &order.images {
        let began = Instant::now();
        let read = async {
            let name = &wanted.name;
            match &wanted.image {
                Named::OfEngine(reference) => {
                    let (content, engine, spec) = places.read(reference, wanted).await?;
                    Ok((content, engine, Some(spec)))
                }
                Named::OfRegistry(reference) => Ok((registry::read(reference).await?, no_engine(), None)),
                Named::File(source) => {
                    let source = source.clone();
                    let reading = tokio::task::spawn_blocking(move || shellproof_image::read(&source)).await;
                    let content = ended(reading).map_err(|error| failure(name, error))?;
                    Ok::<_, Failure>((content, no_engine(), None))
                }
            }
        };
        let (content, engine, spec) = tokio::select! {
            read = read => read?,
            // A thread that reads ends with the program.
            _ = interrupt.wait_for(|is_wanted| *is_wanted) => {
                report.interrupted = true;
                break;
            }
        };
        let judged = judged(
            wanted,
            order.role,
            content,
            engine,
            order.promise,
            began.elapsed(),
        );
        report.results.push(judged);
        specs.push(spec);
    }
    let Some(role) = order.role else {
        return Ok(report);
    };
    if !report.interrupted {
        for (place, (wanted, spec)) in order.images.iter().zip(&specs).enumerate() {
            let judgement = report.results[place].judgement.iter();
            let is_debug = judgement
                .flat_map(Judgement::rules)
                .any(|rule| rule == Rule::DebugImage);
            let ran = role::run(role, wanted, spec.as_ref(), is_debug, interrupt.clone()).await?;
            report.interrupted |= ran.interrupted;
            report.run_id = ran.run_id;
            report.results.extend(ran.results);
            report.leftovers.extend(ran.leftovers);
        }
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
    wanted: &Wanted,
    role: Option<Role>,
    mut content: ImageContent,
    engine: Engine,
    promise: Promise,
    duration: Duration,
) -> CaseResult {
    let name = wanted.name.as_str();
    let names = &mut content.configuration.names;
    if let Named::OfEngine(asked) | Named::OfRegistry(asked) = &wanted.image
        && !names.iter().any(|one| one == asked.as_str())
    {
        names.push(asked.as_str().to_owned());
    }
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
    let case = Case::Verified {
        image: wanted.name.clone(),
        roles: wanted.roles().into_iter().chain(role).collect(),
    };
    CaseResult {
        images: vec![image],
        judgement: Some(judge_image(promise, seen)),
        duration,
        ..CaseResult::new(case, Mode::Prebuilt, engine)
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
