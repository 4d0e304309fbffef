use clap::Args;

use super::{Failure, interrupt};
use crate::engines::{self, Choice};
use crate::exit::ExitCode;
use crate::invocation::Invocation;
use crate::keeper;
use crate::run;

#[derive(Debug, Args)]
pub(super) struct Clean {
    /// auto, all, docker, podman, embedded or NAME=unix:///path; may be given several times
    #[arg(long = "engine", value_name = "ENGINE", default_value = "all")]
    choices: Vec<Choice>,
    /// Also remove the images that shellproof has brought to an engine, unless something may need them; of the embedded one
    /// these are all
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
        let found = engines::find_to_clean(&self.choices, &invocation.path("")).await?;
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
