use shellproof_api::{Resource, Runtime, labels};

use super::session::{self, Session};
use crate::engines::{self, EngineError, EngineSpec};

/// What `clean` did on one engine.
#[derive(Debug)]
pub struct Cleaned {
    /// The engine's name.
    pub engine: String,
    /// What was removed.
    pub removed: Vec<Resource>,
    /// What belongs to a run that is still going on, and was left.
    pub left: Vec<Resource>,
    /// What could not be removed, and why.
    pub errors: Vec<String>,
}

/// Removes objects, goes on after errors and reports them.
pub(super) async fn remove_all(
    runtime: &dyn Runtime,
    resources: impl IntoIterator<Item = Resource>,
) -> Vec<String> {
    let mut errors = Vec::new();
    for resource in resources {
        errors.extend(
            runtime
                .remove(&resource)
                .await
                .err()
                .map(|error| error.to_string()),
        );
    }
    errors
}

/// Removes everything that runs which are over have left: on the engines by label, and their directories.
///
/// # Errors
/// An engine cannot be connected to, or does not say what it has.
pub async fn clean(engines: &[EngineSpec], session: &Session) -> Result<Vec<Cleaned>, EngineError> {
    let machine = |error: std::io::Error| EngineError::Machine(error.to_string());
    let mut all = Vec::new();
    for engine in engines {
        let connection =
            engines::connect(engine, &session.path(&format!("images-{}.sock", engine.name))).await?;
        let runtime = connection.runtime;
        let mut owned = runtime
            .owned()
            .await
            .map_err(|error| EngineError::Machine(error.to_string()))?;
        owned.sort_by_key(|resource| resource.kind);
        // Asked after the engine: whatever the engine listed was made by a run that had its lock by then.
        let (alive, _) = session::others().map_err(machine)?;
        let name = engine.name.clone();
        let mut cleaned = Cleaned {
            engine: name,
            removed: Vec::new(),
            left: Vec::new(),
            errors: Vec::new(),
        };
        for resource in owned {
            let is_alive = match resource.labels.get(labels::RUN) {
                Some(run) => alive.contains(run),
                // An image belongs to no run: any run that is going on may use it.
                None => alive.iter().any(|run| run != session.id()),
            };
            if is_alive {
                cleaned.left.push(resource);
                continue;
            }
            match runtime.remove(&resource).await {
                Ok(()) => cleaned.removed.push(resource),
                Err(error) => cleaned.errors.push(error.to_string()),
            }
        }
        all.push(cleaned);
    }
    let (_, dead) = session::others().map_err(machine)?;
    for directory in dead {
        match std::fs::remove_dir_all(&directory) {
            // A run that just ended removes its own.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            removed => removed.map_err(machine)?,
        }
    }
    Ok(all)
}
