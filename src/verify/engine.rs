//! Images that an engine has, or the store of the one that is in this binary.

use std::sync::Arc;

use shellproof_api::{Engine, EngineKind, ErrorKind, ImageReference, Runtime, Seccomp};
use shellproof_image::{Layers, Looked, WantedFiles};
use shellproof_store::Store;

use super::Read;
use super::failure;
use super::named::Wanted;
use super::registry;
use crate::engines::{self, Choice, Connection, EngineError, EngineSpec, Found};
use crate::failure::Failure;
use crate::invocation::Invocation;
use crate::saved_image::{self, Unread};

/// Where images are looked for.
pub(super) struct Places<'a> {
    /// Whether the store may have them: no engine is named.
    has_store: bool,
    /// Whether an engine may have what the store has not.
    has_engine: bool,
    choices: &'a [Choice],
    invocation: &'a Invocation,
    chosen: Option<Chosen>,
}

/// The one engine whose images are meant.
struct Chosen {
    spec: EngineSpec,
    connection: Connection,
    /// A service that was started for it ends with this.
    _found: Found,
}

impl<'a> Places<'a> {
    /// An engine that is named has them. Where none is, the store comes first.
    pub(super) fn new(choices: &'a [Choice], invocation: &'a Invocation) -> Self {
        let (has_store, has_engine) = match choices {
            [Choice::Kind(EngineKind::Embedded)] => (true, false),
            [Choice::Auto] => (!engines::is_named_in_environment(), true),
            _ => (false, true),
        };
        Self {
            has_store,
            has_engine,
            choices,
            invocation,
            chosen: None,
        }
    }

    /// Reads an image and files of it, and says who had it.
    pub(super) async fn read(
        &mut self,
        reference: &ImageReference,
        wanted: &Wanted,
        files: &WantedFiles,
        known: &Arc<Layers>,
    ) -> Result<Read, Failure> {
        let name = reference.to_string();
        if self.has_store
            && let Some(store) = Store::open_existing().map_err(registry::failure)?
            && let Some(looked) = registry::look(store, name.clone(), files, known).await?
        {
            return Ok(Read {
                looked,
                engine: embedded(),
                runs: EngineSpec::embedded(),
            });
        }
        if !self.has_engine {
            return Err(Failure::Input(format!(
                "{}the store of images has no `{name}`\nhelp: {}",
                wanted.place(),
                wanted.cure(&format!("name it as `registry:{name}`"))
            )));
        }
        let chosen = match &mut self.chosen {
            Some(chosen) => chosen,
            none => none.insert(connect(self.choices, self.invocation).await?),
        };
        let runtime = &*chosen.connection.runtime;
        Ok(Read {
            looked: read(runtime, &name, wanted, files).await?,
            engine: runtime.engine().clone(),
            runs: chosen.spec.clone(),
        })
    }
}

/// Who has the images of the store.
fn embedded() -> Engine {
    Engine {
        name: EngineKind::Embedded.to_string(),
        kind: EngineKind::Embedded,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        rootless: true,
        seccomp: Seccomp::BuiltIn,
    }
}

/// Connects to the one engine whose images are meant.
async fn connect(choices: &[Choice], invocation: &Invocation) -> Result<Chosen, Failure> {
    let found = engines::find_for_program(None, choices, &invocation.path("")).await?;
    found.tell_notes();
    let [spec] = found.engines.as_slice() else {
        return Err(Failure::Input(
            "images are read from one engine\nhelp: name it with `--engine NAME=unix:///path`".into(),
        ));
    };
    Ok(Chosen {
        connection: engines::connect(spec, &invocation.path("engine.sock")).await?,
        spec: spec.clone(),
        _found: found,
    })
}

/// Reads an image, and files of it.
async fn read(
    runtime: &dyn Runtime,
    name: &str,
    wanted: &Wanted,
    files: &WantedFiles,
) -> Result<Looked, Failure> {
    saved_image::look(runtime, name, files)
        .await
        .map_err(|unread| match unread {
            Unread::Image(error) => failure(name, error),
            Unread::Engine(error) => match error.kind {
                ErrorKind::ImageMissing | ErrorKind::Invalid => Failure::Input(format!(
                    "{}{error}\nhelp: {}",
                    wanted.place(),
                    wanted.cure("pull it first")
                )),
                _ => Failure::Engine(EngineError::Machine(error.to_string())),
            },
        })
}
