//! Images, read and judged without anything being started, but for a role's scenario and the commands of tests.

mod commands;
mod config;
mod cst;
mod engine;
mod named;
mod registry;
mod role;
mod start;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use shellproof_api::facts::{Fact, What};
use shellproof_api::{Engine, EngineKind, Seccomp};
use shellproof_image::{Error, Layers, Looked, WantedFiles};
use tokio::sync::watch;

use crate::engines::{Choice, EngineSpec};
use crate::failure::Failure;
use crate::invocation::Invocation;
use crate::policy::{Judgement, Promise, Rule, Seen, Standing, Witness, judge_image};
use crate::result::{Case, CaseResult, Image, Report};
use crate::saved_image::ended;
use crate::source::Diagnostics;
use crate::vocabulary::{Mode, Role};

pub(crate) use config::images_of;
use cst::Sheet;
pub(crate) use cst::Tests;
use engine::Places;
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
    /// A file of container-structure-test that they are held to.
    pub(crate) tests: Option<Tests>,
}

/// Reads a file of container-structure-test.
///
/// # Errors
/// It has mistakes.
pub(crate) fn tests(path: &Path) -> Result<Tests, Diagnostics> {
    cst::load(path)
}

/// Reads images one after the other and judges each. Where there are tests, it also gives the scenario that says the same of the last
/// image.
///
/// # Errors
/// A name makes no sense, there is no image behind it, or the engine or the machine failed.
pub(crate) async fn run(
    order: Order,
    mut interrupt: watch::Receiver<bool>,
) -> Result<(Report, Option<String>), Failure> {
    let invocation = Invocation::start().map_err(Failure::machine("no private directory can be made"))?;
    let mut report = Report {
        run_id: invocation.id().to_owned(),
        results: Vec::new(),
        interrupted: false,
        leftovers: Vec::new(),
    };
    let mut places = Places::new(&order.engines, &invocation);
    let known = Arc::<Layers>::default();
    let mut engines = Vec::new();
    let mut commands = Vec::new();
    let mut suggestion = None;
    for wanted in &order.images {
        let began = Instant::now();
        let read = async {
            let read = look(wanted, order.tests.as_ref(), &mut places, &known).await?;
            let tested = order.tests.as_ref();
            let tested = tested.map(|tests| commands::check(tests, wanted, &read.looked));
            Ok::<_, Failure>((read, tested))
        };
        let (read, tested) = tokio::select! {
            read = read => read?,
            // A thread that reads ends with the program.
            _ = interrupt.wait_for(|is_wanted| *is_wanted) => {
                report.interrupted = true;
                break;
            }
        };
        let (sheet, scenarios) = match tested {
            Some(tested) => {
                suggestion = Some(tested.suggestion);
                (Some(tested.sheet), tested.scenarios)
            }
            None => (None, Vec::new()),
        };
        commands.push(scenarios);
        let Read { looked, engine, runs } = read;
        report
            .results
            .push(judged(wanted, &order, looked, engine, sheet, began.elapsed()));
        engines.push(runs);
    }
    for ((wanted, engine), scenarios) in order.images.iter().zip(&engines).zip(commands) {
        if !scenarios.is_empty() && !report.interrupted {
            commands::run(scenarios, wanted, engine, interrupt.clone(), &mut report).await;
        }
    }
    let Some(role) = order.role else {
        return Ok((report, suggestion));
    };
    if !report.interrupted {
        for (place, (wanted, engine)) in order.images.iter().zip(&engines).enumerate() {
            let judgement = report.results[place].judgement.iter();
            let is_debug = judgement
                .flat_map(Judgement::rules)
                .any(|rule| rule == Rule::DebugImage);
            let ran = role::run(role, wanted, engine, is_debug, interrupt.clone()).await?;
            report.interrupted |= ran.interrupted;
            report.run_id = ran.run_id;
            report.results.extend(ran.results);
            report.leftovers.extend(ran.leftovers);
        }
    }
    Ok((report, suggestion))
}

/// What was read of an image.
struct Read {
    looked: Looked,
    engine: Engine,
    /// Who runs containers of it: the engine that has it, or else the one in this binary.
    runs: EngineSpec,
}

/// Reads an image, and what tests want of it.
async fn look(
    wanted: &Wanted,
    tests: Option<&Tests>,
    places: &mut Places<'_>,
    known: &Arc<Layers>,
) -> Result<Read, Failure> {
    let files = tests.map_or_else(WantedFiles::default, Tests::wanted);
    let read = look_for(wanted, files, places, known).await?;
    match tests.and_then(|tests| tests.wanted_of(&read.looked)) {
        Some(files) => look_for(wanted, files, places, known).await,
        None => Ok(read),
    }
}

async fn look_for(
    wanted: &Wanted,
    files: WantedFiles,
    places: &mut Places<'_>,
    known: &Arc<Layers>,
) -> Result<Read, Failure> {
    let looked = match &wanted.image {
        Named::OfEngine(reference) => return places.read(reference, wanted, &files, known).await,
        Named::OfRegistry(reference) => registry::read(reference, &files, known).await?,
        Named::File(source) => {
            let (source, known) = (source.clone(), known.clone());
            let reading =
                tokio::task::spawn_blocking(move || shellproof_image::look(&source, &files, &known)).await;
            ended(reading).map_err(|error| failure(&wanted.name, error))?
        }
    };
    Ok(Read {
        looked,
        engine: no_engine(),
        runs: EngineSpec::embedded(),
    })
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
    order: &Order,
    looked: Looked,
    engine: Engine,
    sheet: Option<Sheet>,
    duration: Duration,
) -> CaseResult {
    let mut content = looked.content;
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
    let case = Case::Verified {
        image: wanted.name.clone(),
        roles: wanted.roles().into_iter().chain(order.role).collect(),
    };
    CaseResult {
        images: vec![image],
        judgement: Some(judge_image(order.promise, seen)),
        expectations,
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
