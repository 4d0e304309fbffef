//! What each role resolves to, and from where: the answer of `shellproof config`.

use std::fmt;
use std::path::PathBuf;

use serde_json::{Value, json};
use shellproof_api::ImageReference;

use super::roles::{MODE_VARIABLE, Version, requirements, requirements_line, variable};
use super::{Origin, Platform, ResolvedImage, Warning};
use crate::vocabulary::{Mode, Role};

/// What each role resolves to in one mode, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigReport {
    /// The image mode.
    pub mode: Mode,
    /// Where the mode was chosen.
    pub mode_origin: Origin,
    /// The env file that was read.
    pub env_file: Option<PathBuf>,
    /// One image for each role, in the order of [`Role::ALL`].
    pub images: Vec<ResolvedImage>,
    /// What is probably not meant.
    pub warnings: Vec<Warning>,
}

impl Platform {
    /// What each role resolves to in the platform's own mode.
    pub fn report(&self) -> ConfigReport {
        self.report_in(self.mode, self.mode_origin.clone())
    }

    /// What each role resolves to in the mode that the command line names.
    pub fn report_for(&self, mode: Mode) -> ConfigReport {
        self.report_in(mode, Origin::CommandLine)
    }

    fn report_in(&self, mode: Mode, mode_origin: Origin) -> ConfigReport {
        let image = |role: &Role| self.image(*role, mode).clone();
        ConfigReport {
            mode,
            mode_origin,
            env_file: self.env_file.clone(),
            images: Role::ALL.iter().map(image).collect(),
            warnings: self.warnings.clone(),
        }
    }
}

impl ConfigReport {
    /// The report as a person reads it, with a line break at the end. Warnings are no part of it.
    pub fn render_human(&self) -> String {
        let mut text = format!("mode      {} ({})\n", self.mode, self.mode_origin);
        text += &match &self.env_file {
            Some(path) => format!("env file  {}\n", path.display()),
            None => "env file  none\n".to_owned(),
        };
        for image in &self.images {
            let role = image.role;
            text += &format!(
                "\n{role}\n  image     {}\n  variable  {}",
                image.image,
                variable(role)
            );
            text += &format!(" ({})\n", image.origin);
            if let Some(registry) = image.image.reference().and_then(ImageReference::registry) {
                text += &format!("  registry  {registry}\n");
            }
            text += &format!("  prebuilt  needs {}\n", requirements_line(role));
        }
        text
    }

    /// The report as data.
    pub fn to_json(&self) -> Value {
        json!({
            "schema": 1,
            "mode": { "value": self.mode.as_str(), "variable": MODE_VARIABLE, "origin": origin(&self.mode_origin) },
            "env_file": self.env_file.as_ref().map(|path| path.display().to_string()),
            "roles": self.images.iter().map(role).collect::<Vec<_>>(),
            "warnings": self.warnings.iter().map(warning).collect::<Vec<_>>(),
        })
    }
}

fn role(image: &ResolvedImage) -> Value {
    let reference = image.image.reference();
    let requirement = |version: Version| match version {
        Version::Any => (None, None),
        Version::AtLeast(version) => (Some("at-least"), Some(version)),
        Version::Exactly(version) => (Some("exactly"), Some(version)),
    };
    let requires: Vec<Value> = requirements(image.role)
        .iter()
        .map(|needed| {
            let (comparison, version) = requirement(needed.version);
            json!({ "what": needed.what, "comparison": comparison, "version": version })
        })
        .collect();
    json!({
        "role": image.role.as_str(),
        "mode": image.mode.as_str(),
        "image": image.image.to_string(),
        "fixture": reference.is_none(),
        "registry": reference.and_then(ImageReference::registry),
        "repository": reference.map(ImageReference::repository),
        "tag": reference.and_then(ImageReference::tag),
        "digest": reference.and_then(ImageReference::digest),
        "variable": variable(image.role),
        "origin": origin(&image.origin),
        "prebuilt_requires": requires,
    })
}

fn origin(from: &Origin) -> Value {
    match from {
        Origin::Default => json!({ "kind": "default" }),
        Origin::File { path, line } => {
            json!({ "kind": "file", "path": path.display().to_string(), "line": line })
        }
        Origin::Environment { variable } => json!({ "kind": "environment", "variable": variable }),
        Origin::FallsBackTo {
            variable,
            origin: inner,
        } => {
            json!({ "kind": "falls-back-to", "variable": variable, "origin": origin(inner) })
        }
        Origin::CommandLine => json!({ "kind": "command-line" }),
    }
}

fn warning(warning: &Warning) -> Value {
    json!({ "title": warning.title, "place": warning.place, "help": warning.help })
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment { .. } => f.write_str("environment"),
            Self::FallsBackTo { variable, origin } => write!(f, "falls back to {variable}: {origin}"),
            Self::CommandLine => f.write_str("command line"),
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "warning: {}\n --> {}", self.title, self.place)?;
        match &self.help {
            Some(help) => write!(f, "\n  = help: {help}"),
            None => Ok(()),
        }
    }
}
