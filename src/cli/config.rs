use std::path::PathBuf;

use clap::Args;

use super::{Failure, Format, platform};
use crate::exit::ExitCode;
use crate::vocabulary::Mode;

#[derive(Debug, Args)]
pub(super) struct Config {
    /// The platform's env file [default: platform-bootstrap/.env if it exists]
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
    /// Show another image mode than the configured one
    #[arg(long, value_name = "MODE")]
    mode: Option<Mode>,
    /// How to report
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Config {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let platform = platform(self.env_file.as_deref())?;
        let report = match self.mode {
            Some(mode) => platform.report_for(mode),
            None => platform.report(),
        };
        match self.format {
            Format::Human => anstream::print!("{}", report.render_human()),
            Format::Json => anstream::println!("{:#}", report.to_json()),
        }
        Ok(ExitCode::Clean)
    }
}
