//! Images of registries: they are taken into the user's store, and read there.

use std::io::IsTerminal;
use std::sync::Arc;

use shellproof_api::{ErrorKind, ImageReference};
use shellproof_image::{Layers, Looked, WantedFiles};
use shellproof_store::{Error, Store};

use crate::engines::EngineError;
use crate::failure::Failure;

/// What stands before a reference that is to be asked of its registry.
pub(super) const PREFIX: &str = "registry:";

/// Pulls an image, and reads it and files of it. It stays in the store, where a next time finds it.
pub(super) async fn read(
    reference: &ImageReference,
    wanted: &WantedFiles,
    known: &Arc<Layers>,
) -> Result<Looked, Failure> {
    let bar = indicatif::ProgressBar::new_spinner();
    if !std::io::stderr().is_terminal() {
        bar.set_draw_target(indicatif::ProgressDrawTarget::hidden());
    }
    let opening = tokio::task::spawn_blocking(Store::open).await;
    let store = opening
        .map_err(|error| machine(std::io::Error::other(error)))?
        .map_err(failure)?;
    let progress = |step: shellproof_api::PullProgress| {
        bar.set_message(crate::run::pull_step(reference.as_str(), &step))
    };
    let pulled = store.pull(reference, None, &progress).await;
    bar.finish_and_clear();
    let id = pulled.map_err(failure)?.id;
    let missing = || failure(Error::Missing(id.clone()));
    look(store, id.clone(), wanted, known).await?.ok_or_else(missing)
}

/// What an image of the store is and contains, by its name or its id, and files of it.
pub(super) async fn look(
    store: Store,
    name: String,
    wanted: &WantedFiles,
    known: &Arc<Layers>,
) -> Result<Option<Looked>, Failure> {
    let (wanted, known) = (wanted.clone(), known.clone());
    let reading = tokio::task::spawn_blocking(move || -> shellproof_store::Result<_> {
        let image = store.image(&name)?;
        image.map(|image| image.look(&wanted, &known)).transpose()
    });
    match reading.await {
        Ok(read) => read.map_err(failure),
        Err(error) => Err(machine(std::io::Error::other(error))),
    }
}

fn machine(error: std::io::Error) -> Failure {
    Failure::Machine {
        what: "an image cannot be read",
        error,
    }
}

pub(super) fn failure(error: Error) -> Failure {
    match &error {
        Error::Registry { kind, .. } => match kind {
            ErrorKind::Unreachable | ErrorKind::Other => {
                Failure::Engine(EngineError::Machine(error.to_string()))
            }
            ErrorKind::Denied => Failure::Input(format!(
                "{error}\nhelp: log in to the registry (`podman login` or `docker login`), or set `REGISTRY_AUTH_FILE`"
            )),
            _ => Failure::Input(error.to_string()),
        },
        Error::Image(_) | Error::Missing(_) => Failure::Input(error.to_string()),
        _ => machine(std::io::Error::other(error.to_string())),
    }
}
