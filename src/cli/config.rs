use std::path::PathBuf;

use clap::Args;

use super::{Failure, Format, Modes};
use crate::exit::ExitCode;
use crate::platform::Platform;

#[derive(Debug, Args)]
pub(super) struct Config {
    /// The platform's env file [default: platform-bootstrap/.env if it exists]
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
    /// Show another image mode than the configured one
    #[arg(long, value_enum)]
    mode: Option<Modes>,
    /// How to report
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}
