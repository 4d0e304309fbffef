use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use shellproof_api::{ContainerSpec, ErrorKind, ImageFile, ImageReference, PullProgress, Runtime, labels};
use tokio::sync::{Mutex, OnceCell};

use super::archive;
use super::contents::Contents;
use super::program;
use crate::ImageName;
use crate::invocation::Invocation;
use crate::platform::Platform;
use crate::result::Image;
use crate::scenario::ImageChoice;
use crate::vocabulary::Mode;
use shellproof_store::credentials;

/// The probe program, compiled by `build.rs`.
const PROBE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/probe"));

/// What the engines take for a container that sets no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// An image that could not be made present. The engine or the machine failed, not the scenario.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// A fixture that was not built.
    #[error("fixture `{name}` is not built: `{}` does not exist\nhelp: build it with `scripts/fixtures {name}`", .archive.display())]
    NoFixture {
        /// The fixture.
        name: String,
        /// Where its archive should be.
        archive: PathBuf,
    },
    /// A fixture's archive that cannot be read.
    #[error("fixture archive `{}` cannot be used: {reason}\nhelp: build it again with `scripts/fixtures`", .archive.display())]
    Archive {
        /// The archive.
        archive: PathBuf,
        /// Why.
        reason: String,
    },
    /// Credentials that cannot be read.
    #[error("the credentials for image `{reference}` cannot be read: {reason}")]
    Credentials {
        /// The image.
        reference: String,
        /// Why.
        reason: String,
    },
    /// The image is not there, and pulling is switched off.
    #[error("image `{0}` is not present and `--offline` forbids pulling it")]
    Offline(String),
    /// The engine refused.
    #[error(transparent)]
    Engine(#[from] shellproof_api::Error),
}

/// Makes images present on one engine, each of them once.
///
/// It has a recorder and so a runtime of its own: loading and pulling is no part of any scenario's record.
pub(crate) struct Images {
    runtime: Arc<dyn Runtime>,
    fixtures: PathBuf,
    offline: bool,
    known: Mutex<HashMap<String, Arc<OnceCell<Image>>>>,
    /// Whether an image has a program, by the image's id and the program's name.
    programs: Mutex<HashMap<(String, String), bool>>,
    /// What they are and contain.
    pub(crate) contents: Contents,
}

impl fmt::Debug for Images {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Images")
            .field("engine", self.runtime.engine())
            .finish_non_exhaustive()
    }
}

impl Images {
    pub(crate) fn new(runtime: Arc<dyn Runtime>, fixtures: PathBuf, offline: bool) -> Self {
        Self {
            contents: Contents::new(runtime.clone()),
            runtime,
            fixtures,
            offline,
            known: Mutex::default(),
            programs: Mutex::default(),
        }
    }

    pub(crate) fn runtime(&self) -> &Arc<dyn Runtime> {
        &self.runtime
    }

    /// The image that a container of a scenario runs.
    pub(crate) async fn for_container(
        &self,
        choice: &ImageChoice,
        platform: &Platform,
        mode: Mode,
        progress: &(dyn Fn(String) + Send + Sync),
    ) -> Result<Image, ImageError> {
        let name = match choice {
            ImageChoice::Named(name) => name,
            ImageChoice::Role(role) => &platform.image(*role, mode).image,
        };
        self.present(name, progress).await
    }

    /// The image of this name, loaded or pulled if it is not there.
    async fn present(
        &self,
        name: &ImageName,
        progress: &(dyn Fn(String) + Send + Sync),
    ) -> Result<Image, ImageError> {
        let cell = self
            .known
            .lock()
            .await
            .entry(name.to_string())
            .or_default()
            .clone();
        let image = cell
            .get_or_try_init(|| async {
                match name {
                    ImageName::Fixture(fixture) => {
                        self.load_fixture(&name.to_string(), fixture, progress).await
                    }
                    ImageName::Reference(reference) => self.pull(reference, progress).await,
                }
            })
            .await?;
        Ok(image.clone())
    }

    /// The probe's image.
    async fn probe(&self, invocation: &Invocation) -> Result<Image, ImageError> {
        let cell = self
            .known
            .lock()
            .await
            .entry("probe".to_owned())
            .or_default()
            .clone();
        let image = cell.get_or_try_init(|| async {
            let path = invocation.path(&format!("probe-{}.tar", self.runtime.engine().name));
            let labels = [(labels::PROBE.to_owned(), "1".to_owned())].into();
            let reference =
                archive::write_single_program(&path, "localhost/shellproof/probe", PROBE, &labels).map_err(
                    |error| ImageError::Archive {
                        archive: path.clone(),
                        reason: error.to_string(),
                    },
                )?;
            self.load("probe", reference, &path).await
        });
        Ok(image.await?.clone())
    }

    /// A container of the probe's image, with all taken from it that it does not need.
    pub(crate) async fn probe_container(
        &self,
        invocation: &Invocation,
        name: &str,
        words: Vec<String>,
    ) -> Result<ContainerSpec, ImageError> {
        Ok(ContainerSpec {
            name: name.to_owned(),
            image: self.probe(invocation).await?.reference,
            command: Some(words),
            read_only: true,
            cap_drop: vec!["ALL".into()],
            no_new_privileges: true,
            labels: invocation.labels(),
            ..ContainerSpec::default()
        })
    }

    /// Reads a file of an image.
    pub(crate) async fn read_file(
        &self,
        image: &Image,
        path: &str,
        invocation: &Invocation,
    ) -> Result<Option<ImageFile>, shellproof_api::Error> {
        self.runtime
            .read_image_file(&image.reference, path, &invocation.labels())
            .await
    }

    /// The image of this id, as an engine calls it that has started a container of it.
    pub(super) async fn by_id(&self, id: &str) -> Result<Option<Image>, shellproof_api::Error> {
        // Podman leaves out what kind of hash it is.
        let reference = format!("sha256:{}", id.trim_start_matches("sha256:"));
        let config = self.runtime.image(&reference).await?;
        Ok(config.map(|config| Image {
            source: reference.clone(),
            reference,
            config,
            shells: None,
        }))
    }

    /// Whether an image has a program: a path, or a name that is looked up in the image's `PATH`. Each is looked for once.
    pub(crate) async fn has_program(
        &self,
        image: &Image,
        program: &str,
        invocation: &Invocation,
    ) -> Result<bool, shellproof_api::Error> {
        let key = (image.config.id.clone(), program.to_owned());
        if let Some(known) = self.programs.lock().await.get(&key) {
            return Ok(*known);
        }
        let labels = invocation.labels();
        let mut has = false;
        for path in places(&image.config.env, program) {
            has |= program::is_program(&*self.runtime, &image.reference, &labels, &path).await?;
            if has {
                break;
            }
        }
        self.programs.lock().await.insert(key, has);
        Ok(has)
    }

    async fn load_fixture(
        &self,
        source: &str,
        name: &str,
        progress: &(dyn Fn(String) + Send + Sync),
    ) -> Result<Image, ImageError> {
        let archive = self.fixtures.join(format!("{name}.tar"));
        if !archive.exists() {
            return Err(ImageError::NoFixture {
                name: name.to_owned(),
                archive,
            });
        }
        let reference = archive::reference(&archive).map_err(|error| ImageError::Archive {
            archive: archive.clone(),
            reason: error.to_string(),
        })?;
        progress(format!("loading {source}"));
        self.load(source, reference, &archive).await
    }

    async fn load(&self, source: &str, reference: String, archive: &Path) -> Result<Image, ImageError> {
        if let Some(image) = self.found(source, &reference).await? {
            return Ok(image);
        }
        self.runtime.load_image(archive).await?;
        let missing = || ImageError::Archive {
            archive: archive.to_owned(),
            reason: format!("the engine took it and has no image `{reference}` now"),
        };
        self.found(source, &reference).await?.ok_or_else(missing)
    }

    async fn pull(
        &self,
        image: &ImageReference,
        progress: &(dyn Fn(String) + Send + Sync),
    ) -> Result<Image, ImageError> {
        let reference = image.as_str();
        if let Some(image) = self.found(reference, reference).await? {
            return Ok(image);
        }
        if self.offline {
            return Err(ImageError::Offline(reference.to_owned()));
        }
        let credentials = credentials::for_image(image).map_err(|reason| ImageError::Credentials {
            reference: reference.to_owned(),
            reason,
        })?;
        let report = |step: PullProgress| progress(pull_step(reference, &step));
        self.runtime
            .pull_image(reference, credentials.as_ref(), &report)
            .await?;
        self.found(reference, reference).await?.ok_or_else(|| {
            ImageError::Engine(shellproof_api::Error {
                operation: "pull image",
                engine: self.runtime.engine().name.clone(),
                object: reference.to_owned(),
                kind: ErrorKind::ImageMissing,
                status: None,
                message: "the pull ended without an error, and the image is not there".into(),
            })
        })
    }

    async fn found(&self, source: &str, reference: &str) -> Result<Option<Image>, ImageError> {
        let config = self.runtime.image(reference).await?;
        Ok(config.map(|config| Image {
            source: source.to_owned(),
            reference: reference.to_owned(),
            config,
            shells: None,
        }))
    }
}

/// Where a program may be.
fn places(env: &[String], program: &str) -> Vec<String> {
    if program.contains('/') {
        return vec![program.to_owned()];
    }
    let path = env.iter().rev().find_map(|one| one.strip_prefix("PATH="));
    path.unwrap_or(DEFAULT_PATH)
        .split(':')
        // A directory without a leading slash depends on where a program is started from.
        .filter(|directory| directory.starts_with('/'))
        .map(|directory| format!("{}/{program}", directory.trim_end_matches('/')))
        .collect()
}

pub(crate) fn pull_step(reference: &str, step: &PullProgress) -> String {
    match (step.current, step.total) {
        (Some(current), Some(total @ 1..)) => {
            format!(
                "pulling {reference}: {} {}%",
                step.status,
                current.min(total) * 100 / total
            )
        }
        _ => format!("pulling {reference}: {}", step.status),
    }
}

#[cfg(test)]
#[path = "images_tests.rs"]
mod tests;
