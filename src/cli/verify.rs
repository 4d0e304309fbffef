//! `shellproof verify`.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::{Engines, Format, interrupt};
use crate::exit::ExitCode;
use crate::failure::Failure;
use crate::report::{self, Document, Styles};
use crate::verify;

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// An engine's image, oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:TAG] or registry:REFERENCE
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<String>,
    #[command(flatten)]
    engines: Engines,
    /// An image must hold no shell and no package manager at all, whether anything starts it or not
    #[arg(long)]
    strict: bool,
    /// How to report
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Also write a JUnit file
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

impl Verify {
    pub(super) async fn run(self) -> Result<ExitCode, Failure> {
        let order = verify::Order {
            images: self.images,
            engines: self.engines.choices,
            is_strict: self.strict,
        };
        let report = verify::run(order, interrupt()?).await?;
        let document = Document::of(&report);
        if let Some(path) = &self.junit {
            let junit = report::junit(&document).map_err(std::io::Error::other);
            junit
                .and_then(|junit| std::fs::write(path, junit))
                .map_err(Failure::machine("the JUnit file cannot be written"))?;
        }
        let text = match self.format {
            Format::Human => Ok(report::human(&document, &Styles::COLOURED)),
            Format::Json => document.to_json(),
        };
        text.map_err(std::io::Error::other)
            .and_then(|text| anstream::stdout().write_all(text.as_bytes()))
            .map_err(Failure::machine("the report cannot be written"))?;
        Ok(document.exit_code())
    }
}
