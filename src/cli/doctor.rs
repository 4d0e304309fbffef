use std::io::Write;

use clap::Args;

use super::{Failure, Format};
use crate::doctor;
use crate::engines::Choice;
use crate::exit::ExitCode;
use crate::invocation::Invocation;
use crate::report::Styles;

#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// Look at these alone: auto, docker, podman, embedded or NAME=unix:///path; may be given several times
    #[arg(long = "engine", value_name = "ENGINE", default_value = "all")]
    choices: Vec<Choice>,
    /// How to report
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Doctor {
    pub(super) async fn run(self) -> Result<ExitCode, Failure> {
        let invocation = Invocation::start().map_err(Failure::machine("no private directory can be made"))?;
        let document = doctor::look(&self.choices, &invocation).await;
        let text = match self.format {
            Format::Human => Ok(doctor::human(&document, &Styles::COLOURED)),
            Format::Json => serde_json::to_string_pretty(&document).map(|text| text + "\n"),
        };
        text.map_err(std::io::Error::other)
            .and_then(|text| anstream::stdout().write_all(text.as_bytes()))
            .map_err(Failure::machine("the report cannot be written"))?;
        Ok(if document.is_well() {
            ExitCode::Clean
        } else {
            ExitCode::Broken
        })
    }
}
