//! The platform's own configuration: the image mode, and the image of each role.
//!
//! It comes from an env file and from the process environment, which wins. Env files are read as
//! compose reads them, and every mistake is reported at its line and column.
//!
//! Deliberately absent: everything else that an env file holds. Passwords stand beside the images
//! there; they are neither kept nor shown, not even in the lines around a mistake.
//!
//! ```
//! use std::sync::Arc;
//! use shellproof::platform::Platform;
//! use shellproof::vocabulary::{Mode, Role};
//! use shellproof::source::SourceFile;
//!
//! let file = SourceFile::new(".env", "IMAGE_MODE=prebuilt\nIMAGE_POSTGRES=myorg/postgres:17.5-hardened\n");
//! let platform = Platform::from_parts(Some(Arc::new(file)), [])?;
//! assert_eq!(platform.mode(), Mode::Prebuilt);
//! let postgres = platform.image(Role::Postgres, platform.mode());
//! assert_eq!(postgres.image.to_string(), "myorg/postgres:17.5-hardened");
//! assert_eq!(postgres.origin.to_string(), ".env:2");
//! # Ok::<(), shellproof::source::Diagnostics>(())
//! ```

mod env_file;
mod expand;
mod hide;
mod image;
mod load;
mod names;
mod quotes;
mod report;
mod roles;
mod settings;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::ImageName;
use crate::source::{Diagnostics, SourceFile};
use crate::vocabulary::{Mode, Role};

pub use report::ConfigReport;
pub use roles::{
    DEFAULT_MODE, MODE_VARIABLE, Requirement, Version, default_image, requirements, requirements_line,
    variable, variable_in_mode,
};

/// The file that is read when none is named and it exists.
pub const DEFAULT_ENV_FILE: &str = "platform-bootstrap/.env";

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The specification's default; nothing sets the variable.
    Default,
    /// A line of the env file.
    File {
        /// The file, as the user named it.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// This variable of the process environment, which wins over the file.
    Environment {
        /// Its name.
        variable: &'static str,
    },
    /// Another variable decides: in layered mode `IMAGE_PYTHON` names the Kerberos test's image.
    FallsBackTo {
        /// The other variable.
        variable: &'static str,
        /// Where its value came from.
        origin: Box<Origin>,
    },
    /// An argument of the command line.
    CommandLine,
}

/// The image of a role in a mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedImage {
    /// The role.
    pub role: Role,
    /// The mode.
    pub mode: Mode,
    /// The image.
    pub image: ImageName,
    /// Where it was named.
    pub origin: Origin,
}

/// Something that is probably not meant, and stops nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// What was seen, in lower case and without a full stop.
    pub title: String,
    /// Where: `FILE:LINE:COLUMN`, or `environment`.
    pub place: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// The image mode, and the image of each role in both modes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    env_file: Option<PathBuf>,
    mode: Mode,
    mode_origin: Origin,
    /// One for each mode and role, in the order of [`Mode::ALL`] and [`Role::ALL`].
    images: Vec<ResolvedImage>,
    warnings: Vec<Warning>,
}

impl Platform {
    /// Reads `env_file`, or `platform-bootstrap/.env` if that exists, and the process environment.
    ///
    /// As with compose, the process environment wins. A file that was named must exist.
    pub fn load(env_file: Option<&Path>) -> Result<Self, Diagnostics> {
        // Text that is no Unicode is no image either; the replacement characters are refused as such.
        let lossy = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        let environment = std::env::vars_os().map(|(name, value)| (lossy(name), lossy(value)));
        Self::load_with(env_file, environment)
    }

    /// The same with these variables in place of the process environment.
    pub fn load_with(
        env_file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Diagnostics> {
        let file = match env_file {
            Some(path) => Some(load::ENV_FILE.read(path)?),
            None if load::exists(Path::new(DEFAULT_ENV_FILE)) => {
                Some(load::ENV_FILE.read(Path::new(DEFAULT_ENV_FILE))?)
            }
            None => None,
        };
        Self::from_parts(file, environment)
    }

    /// The configuration of an env file that was read, and of these variables in place of the
    /// process environment.
    pub fn from_parts(
        file: Option<Arc<SourceFile>>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Diagnostics> {
        let environment: HashMap<String, String> = environment.into_iter().collect();
        settings::decide(file.as_deref(), &environment)
    }

    /// The image mode, unless the command line says otherwise.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Where the image mode was chosen.
    pub const fn mode_origin(&self) -> &Origin {
        &self.mode_origin
    }

    /// The env file that was read.
    pub fn env_file(&self) -> Option<&Path> {
        self.env_file.as_deref()
    }

    /// The image of a role in a mode.
    pub fn image(&self, role: Role, mode: Mode) -> &ResolvedImage {
        // Fieldless enums without values of their own count from zero, in the order of `ALL`.
        &self.images[mode as usize * Role::ALL.len() + role as usize]
    }

    /// What is probably not meant, and stops nothing.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }
}
