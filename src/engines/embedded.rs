//! Whether the engine that is in this binary can work here, step by step.

use std::io;
use std::path::{Path, PathBuf};

use shellproof_embedded::try_steps;
use shellproof_store::Store;
use shellproof_userns::{Narrow, Step, Wanted};

/// What this machine lets it do.
#[derive(Debug)]
pub(crate) struct Trial {
    /// Every step, in its order.
    pub(crate) steps: Vec<Tried>,
    /// Why its containers have one id only, if they have.
    pub(crate) narrow: Option<Narrow>,
}

/// A step, and what came of it.
#[derive(Debug)]
pub(crate) struct Tried {
    /// What it is, in words that follow "cannot".
    pub(crate) what: &'static str,
    pub(crate) outcome: Outcome,
}

/// What came of a step.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// It is the first that fails.
    Failed(Problem),
    /// One before it failed.
    Untried,
}

/// Why a step failed, and what to do about it where that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) cause: String,
    pub(crate) help: Option<String>,
}

/// The step that is no matter of namespaces.
const STORE: &str = "write to the store of images";

impl Trial {
    /// Tries all of it, in a directory that is made for it and removed again.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) async fn run_in(scratch: PathBuf) -> io::Result<Self> {
        std::fs::create_dir(&scratch)?;
        let tried = tokio::task::spawn_blocking(move || {
            let trial = Self::run(&scratch);
            std::fs::remove_dir(&scratch).map(|()| trial)
        });
        tried.await.map_err(io::Error::other)?
    }

    fn run(scratch: &Path) -> Self {
        let store = match Store::open().map_err(|error| Problem::of_store(&error.to_string())) {
            Ok(store) => writable(store.directory())
                .map(|()| store)
                .map_err(|error| Problem::of_store(&error.to_string())),
            Err(problem) => Err(problem),
        };
        let (mut steps, store) = match store {
            Ok(store) => (vec![Tried::new(STORE, Outcome::Done)], store),
            Err(problem) => {
                let untried = Step::ALL
                    .iter()
                    .map(|step| Tried::new(step.as_str(), Outcome::Untried));
                let steps = std::iter::once(Tried::new(STORE, Outcome::Failed(problem)))
                    .chain(untried)
                    .collect();
                return Self { steps, narrow: None };
            }
        };
        let disk = format!("partial/try-{}", std::process::id());
        let tried = try_steps(
            scratch,
            &store.directory().join(disk),
            &store.directory().join("layers"),
            Wanted::Many,
        );
        let mut failed = tried.failed.map(|error| Problem {
            cause: error.cause.to_string(),
            help: error.help,
        });
        steps.extend(Step::ALL.iter().enumerate().map(|(place, step)| {
            let outcome = match place < tried.done.len() {
                true => Outcome::Done,
                false => failed.take().map_or(Outcome::Untried, Outcome::Failed),
            };
            Tried::new(step.as_str(), outcome)
        }));
        Self {
            steps,
            narrow: tried.ids.and_then(|ids| ids.narrow),
        }
    }

    /// The first step that failed, in one sentence, and its cure.
    pub(crate) fn problem(&self) -> Option<Problem> {
        self.steps.iter().find_map(|step| match &step.outcome {
            Outcome::Failed(problem) => Some(Problem {
                cause: format!("it cannot {}: {}", step.what, problem.cause),
                help: problem.help.clone(),
            }),
            Outcome::Done | Outcome::Untried => None,
        })
    }
}

impl Tried {
    const fn new(what: &'static str, outcome: Outcome) -> Self {
        Self { what, outcome }
    }
}

impl Problem {
    /// Of a text that may have a line with the cure.
    fn of_store(text: &str) -> Self {
        match text.split_once("\nhelp: ") {
            Some((cause, help)) => Self {
                cause: cause.to_owned(),
                help: Some(help.to_owned()),
            },
            None => Self {
                cause: text.to_owned(),
                help: Some("set `XDG_DATA_HOME` to a directory of yours that can be written to".to_owned()),
            },
        }
    }

    /// Cause and cure, the second on a line of its own.
    pub(crate) fn told(&self) -> String {
        let help = self.help.iter().map(|help| format!("\nhelp: {help}"));
        self.cause.clone() + &help.collect::<String>()
    }
}

/// Writes a file, and removes it.
fn writable(directory: &Path) -> io::Result<()> {
    let file = directory.join(format!("try-{}", std::process::id()));
    std::fs::write(&file, "")
        .and_then(|()| std::fs::remove_file(&file))
        .map_err(|error| io::Error::new(error.kind(), format!("`{}`: {error}", directory.display())))
}
