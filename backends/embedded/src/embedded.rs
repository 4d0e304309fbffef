//! A runtime and what belongs to it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shellproof_api::{Engine, EngineKind, Error, ErrorKind, ImageReference, Seccomp};
use shellproof_store::{Image, Store};
use shellproof_userns::{Ids, Wanted};

use crate::filters::Filters;
use crate::images::Images;
use crate::link::Link;
use crate::protocol::Setup;
use crate::state::State;

/// What a runtime is made of.
#[derive(Debug)]
pub struct Options {
    /// Its name in reports.
    pub name: String,
    /// An empty directory of this run, which nobody else uses. Whoever made it removes it, after the runtime.
    pub directory: PathBuf,
    /// Where its images are.
    pub store: Store,
    /// What its containers write goes to the store's disk, also where memory can take it (Linux 6.6 and newer).
    pub on_disk: bool,
    /// How many ids its containers are to have.
    pub ids: Wanted,
    /// The seccomp profile of containers that name none, in the format that Docker and Podman share.
    pub profile: String,
}

/// Why there is no runtime.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The machine forbids it.
    #[error(transparent)]
    Namespace(#[from] shellproof_userns::Error),
    /// Its directory cannot be made.
    #[error("`{}` cannot be made: {error}", .directory.display())]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// Why.
        error: std::io::Error,
    },
}

/// The runtime that is in the binary. Dropping it ends and removes all that it has made.
pub struct Embedded {
    pub(crate) engine: Engine,
    pub(crate) profile: String,
    pub(crate) filters: Filters,
    pub(crate) directory: PathBuf,
    pub(crate) images: Images,
    state: Mutex<State>,
    pub(crate) link: Arc<Link>,
}

impl Embedded {
    /// Starts a holder. Blocks for some milliseconds.
    ///
    /// # Errors
    /// The first step that the machine forbids, with its cure.
    pub fn open(options: Options) -> Result<Self, OpenError> {
        std::fs::create_dir_all(&options.directory).map_err(|error| OpenError::Directory {
            directory: options.directory.clone(),
            error,
        })?;
        let setup = Setup {
            scratch: options.directory.clone(),
            disk: options.store.room(),
            on_disk: options.on_disk,
        };
        let link = Link::open(&setup, options.ids)?;
        Ok(Self {
            engine: Engine {
                name: options.name,
                kind: EngineKind::Embedded,
                version: env!("CARGO_PKG_VERSION").to_owned(),
                rootless: !rustix::process::geteuid().is_root(),
                seccomp: Seccomp::BuiltIn,
            },
            profile: options.profile,
            filters: Filters::default(),
            directory: options.directory,
            images: Images::new(options.store),
            state: Mutex::default(),
            link: Arc::new(link),
        })
    }

    /// The ids that its containers have, and why there are no more.
    pub fn ids(&self) -> &Ids {
        self.link.ids()
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // Every change of it is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn failed(
        &self,
        operation: &'static str,
        object: &str,
        kind: ErrorKind,
        message: impl Into<String>,
    ) -> Error {
        Error {
            operation,
            engine: self.engine.name.clone(),
            object: object.to_owned(),
            kind,
            status: None,
            message: message.into(),
        }
    }

    /// For `map_err` of what has no kind of its own.
    pub(crate) fn other(&self, operation: &'static str, object: &str) -> impl Fn(String) -> Error {
        move |message| self.failed(operation, object, ErrorKind::Other, message)
    }

    /// The image of a reference, if the store has it.
    pub(crate) async fn image_if_there(
        &self,
        operation: &'static str,
        reference: &str,
    ) -> Result<Option<Arc<Image>>, Error> {
        if !reference.starts_with("sha256:") {
            reference
                .parse::<ImageReference>()
                .map_err(|error| self.failed(operation, reference, ErrorKind::Invalid, error.to_string()))?;
        }
        let found = self.images.find(reference).await;
        found.map_err(self.other(operation, reference))
    }

    /// The image of a reference.
    pub(crate) async fn image_there(
        &self,
        operation: &'static str,
        object: &str,
        reference: &str,
    ) -> Result<Arc<Image>, Error> {
        let missing = || {
            let message = format!("the store has no image `{reference}`");
            self.failed(operation, object, ErrorKind::ImageMissing, message)
        };
        self.image_if_there(operation, reference)
            .await?
            .ok_or_else(missing)
    }
}
