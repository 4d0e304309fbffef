use clap::Args;

use super::{Failure, interrupt};
use crate::engines::{self, Choice};
use crate::exit::ExitCode;
use crate::run::{self, Session};

#[derive(Debug, Args)]
pub(super) struct Clean {
    /// auto, all, docker, podman or NAME=unix:///path; may be given several times
    #[arg(long = "engine", value_name = "ENGINE", default_value = "all")]
    choices: Vec<Choice>,
}

impl Clean {
    pub(super) async fn run(self) -> Result<ExitCode, Failure> {
        let session = Session::start().map_err(Failure::machine("no private directory can be made"))?;
        // Half-done work stays labelled: a second `clean` takes the rest.
        let _interrupt = interrupt()?;
        let found = engines::find(&self.choices, &session.path("")).await?;
        let mut is_clean = true;
        for cleaned in run::clean(&found.engines, &session).await? {
            for resource in &cleaned.removed {
                anstream::println!("{}: removed {resource}", cleaned.engine);
            }
            for resource in &cleaned.left {
                anstream::println!("{}: left {resource}, its run is still going on", cleaned.engine);
            }
            for error in &cleaned.errors {
                anstream::eprintln!("error: {error}");
                is_clean = false;
            }
            if cleaned.removed.is_empty() && cleaned.left.is_empty() && cleaned.errors.is_empty() {
                anstream::println!("{}: nothing of ours", cleaned.engine);
            }
        }
        Ok(if is_clean {
            ExitCode::Clean
        } else {
            ExitCode::Broken
        })
    }
}
