use clap::Args;
use shellproof_store::Store;

use super::{Failure, interrupt};
use crate::engines::{self, Choice};
use crate::exit::ExitCode;
use crate::invocation::Invocation;
use crate::keeper;
use crate::run;

#[derive(Debug, Args)]
pub(super) struct Clean {
    /// auto, all, docker, podman or NAME=unix:///path; may be given several times
    #[arg(long = "engine", value_name = "ENGINE", default_value = "all")]
    choices: Vec<Choice>,
    /// Also remove the images that shellproof made, unless something may need them; where no engine is named,
    /// also all that its own store has
    #[arg(long)]
    images: bool,
}

impl Clean {
    pub(super) async fn run(self) -> Result<ExitCode, Failure> {
        let invocation = Invocation::start().map_err(Failure::machine("no private directory can be made"))?;
        // Half-done work stays labelled: a second `clean` takes the rest.
        let _interrupt = interrupt()?;
        for keeper in keeper::end_all().map_err(Failure::machine("a keeper cannot be ended"))? {
            let names: Vec<_> = keeper
                .containers
                .iter()
                .map(|kept| format!("`{}`", kept.name))
                .collect();
            anstream::println!("ended process {}, which kept {}", keeper.pid, names.join(", "));
            anstream::println!("help: what still runs of these can start no program any more; make it anew");
        }
        let mut is_clean = true;
        // The store is no engine's that was named.
        if self.images && self.choices.contains(&Choice::All) {
            is_clean &= clean_store().await?;
        }
        let found = engines::find(&self.choices, &invocation.path("")).await?;
        found.tell_notes();
        for cleaned in run::clean(&found.engines, &invocation, self.images).await? {
            for resource in &cleaned.removed {
                anstream::println!("{}: removed {resource}", cleaned.engine);
            }
            for (resource, reason) in &cleaned.left {
                anstream::println!("{}: left {resource}, {reason}", cleaned.engine);
            }
            for error in &cleaned.errors {
                anstream::eprintln!("error: {error}");
                is_clean = false;
            }
            if cleaned.removed.is_empty() && cleaned.left.is_empty() && cleaned.errors.is_empty() {
                anstream::println!("{}: nothing that a run has left", cleaned.engine);
            }
            if cleaned.images > 0 {
                anstream::println!(
                    "{}: {} images of ours stay for the next run; `--images` removes them",
                    cleaned.engine,
                    cleaned.images
                );
            }
        }
        Ok(if is_clean {
            ExitCode::Clean
        } else {
            ExitCode::Broken
        })
    }
}

/// Removes the images of the user's store, and says what is gone. Says whether nothing went wrong.
async fn clean_store() -> Result<bool, Failure> {
    let cleaning = tokio::task::spawn_blocking(|| {
        let store = Store::open_existing()?;
        store.map(|store| store.clean()).transpose()
    });
    let cleaned = cleaning.await.map_err(std::io::Error::other);
    let cleaned = cleaned.and_then(|cleaned| cleaned.map_err(std::io::Error::other));
    let Some(cleaned) = cleaned.map_err(Failure::machine("the store of images cannot be cleaned"))? else {
        return Ok(true);
    };
    if cleaned.images > 0 {
        anstream::println!("store: removed {} images", cleaned.images);
    }
    if cleaned.is_in_use {
        anstream::println!("store: somebody uses it; what they may need goes the next time");
    }
    for error in &cleaned.left {
        anstream::eprintln!("error: {error}");
    }
    Ok(cleaned.left.is_empty())
}
