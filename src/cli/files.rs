//! Report files beside what is printed.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use shellproof_wire::write_public;

use crate::failure::Failure;
use crate::out_file;
use crate::report::{self, Document};

/// Which files a report is also written to.
#[derive(Debug, Args)]
pub(super) struct Files {
    /// Also write a JUnit file
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Also write a SARIF 2.1.0 file
    #[arg(long, value_name = "FILE")]
    sarif: Option<PathBuf>,
}

impl Files {
    /// Finds out whether they can be written, before anything begins.
    pub(super) fn check(&self) -> Result<(), Failure> {
        for (option, file) in [("--junit", &self.junit), ("--sarif", &self.sarif)] {
            if let Some(file) = file {
                out_file::check(option, file)?;
            }
        }
        Ok(())
    }

    /// Writes those that are wanted.
    pub(super) fn write(&self, document: &Document) -> [Result<(), Failure>; 2] {
        let junit = |file| write(file, report::junit(document).map_err(io::Error::other));
        let sarif = |file| write(file, report::sarif(document).map_err(io::Error::other));
        [
            self.junit
                .as_deref()
                .map_or(Ok(()), junit)
                .map_err(Failure::machine("the JUnit file cannot be written")),
            self.sarif
                .as_deref()
                .map_or(Ok(()), sarif)
                .map_err(Failure::machine("the SARIF file cannot be written")),
        ]
    }
}

fn write(file: &Path, text: io::Result<String>) -> io::Result<()> {
    write_public(file, &text?)
}
