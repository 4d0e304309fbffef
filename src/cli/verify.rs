//! `shellproof verify`.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::{Engines, Format, interrupt, mistakes};
use crate::exit::ExitCode;
use crate::failure::Failure;
use crate::out_file;
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
    /// Hold the image to this file of container-structure-test, schema 2.0.0; its command tests run on the embedded engine, or
    /// on the one that has the image
    #[arg(long, value_name = "FILE")]
    cst: Option<PathBuf>,
    /// Write the scenario that says the same, as far as a scenario can
    #[arg(long, value_name = "FILE", requires = "cst")]
    cst_scenario: Option<PathBuf>,
    /// How to report
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Also write a JUnit file
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

impl Verify {
    pub(super) async fn run(self) -> Result<ExitCode, Failure> {
        if let Some(file) = &self.cst_scenario {
            out_file::check("--cst-scenario", file)?;
            if self.images.len() > 1 {
                return Err(Failure::Input(
                    "`--cst-scenario` writes the scenario of one image".into(),
                ));
            }
        }
        let tests = self.cst.as_deref().map(verify::tests).transpose();
        let order = verify::Order {
            tests: tests.map_err(|error| mistakes(&error))?,
            scenario: self.cst_scenario,
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
