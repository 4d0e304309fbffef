//! `shellproof verify`.

use std::path::PathBuf;

use clap::Args;
use shellproof_wire::write_public;

use super::files::Files;
use super::{Engines, Format, interrupt, mistakes, platform, print, reported};
use crate::exit::ExitCode;
use crate::failure::Failure;
use crate::out_file;
use crate::policy::Promise;
use crate::report::Document;
use crate::run::RunOptions;
use crate::verify::{self, Wanted};
use crate::vocabulary::{Mode, Role};

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// An engine's image, oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:TAG] or registry:REFERENCE
    #[arg(value_name = "IMAGE", required_unless_present = "config")]
    images: Vec<String>,
    /// Also the images that the platform's configuration names, as `shellproof config` shows them
    #[arg(long)]
    config: bool,
    /// The platform's env file [default: platform-bootstrap/.env if it exists]
    #[arg(long, value_name = "FILE", requires = "config")]
    env_file: Option<PathBuf>,
    #[command(flatten)]
    engines: Engines,
    /// An image must hold no shell and no package manager at all, whether anything starts it or not
    #[arg(long)]
    strict: bool,
    /// The image mode whose images are meant; images are judged for prebuilt mode in any case
    #[arg(long, value_name = "MODE", default_value = "prebuilt", requires = "config")]
    mode: Mode,
    /// Also run the scenario of this role on each image, under all witnesses
    #[arg(long, value_name = "ROLE", conflicts_with = "config")]
    role: Option<Role>,
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
    #[command(flatten)]
    files: Files,
}

impl Verify {
    pub(super) async fn run(self) -> Result<ExitCode, Failure> {
        self.files.check()?;
        let images = self.images.iter().map(|image| Wanted::of(image));
        let mut images: Vec<_> = images.collect::<Result<_, _>>()?;
        if self.config {
            let platform = platform(self.env_file.as_deref())?;
            images.extend(verify::images_of(
                &platform,
                self.mode,
                &RunOptions::default().fixtures,
            )?);
        }
        if let Some(file) = &self.cst_scenario {
            out_file::check("--cst-scenario", file)?;
            if images.len() > 1 {
                return Err(Failure::Input(
                    "`--cst-scenario` writes the scenario of one image".into(),
                ));
            }
        }
        let tests = self.cst.as_deref().map(verify::tests).transpose();
        let order = verify::Order {
            images,
            engines: self.engines.choices.clone(),
            promise: Promise {
                is_strict: self.strict,
                is_no_debug: self.strict || self.role.is_some(),
            },
            role: self.role,
            tests: tests.map_err(|error| mistakes(&error))?,
        };
        let (report, suggestion) = verify::run(order, interrupt()?).await?;
        let document = Document::of(&report);
        let printed = print(&document, self.format, true);
        let suggested = match self.cst_scenario.as_deref().zip(suggestion) {
            Some((file, text)) => {
                write_public(file, &text).map_err(Failure::machine("the scenario cannot be written"))
            }
            None => Ok(()),
        };
        let written = self.files.write(&document);
        Ok(reported(
            document.exit_code(),
            [printed, suggested].into_iter().chain(written),
        ))
    }
}
