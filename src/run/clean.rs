use shellproof_api::{EngineKind, ErrorKind, Labels, Resource, ResourceKind, Runtime, labels};
use shellproof_store::Store;

use crate::engines::{self, EngineError, EngineSpec};
use crate::invocation::{self, Invocation};

/// What `clean` did on one engine.
#[derive(Debug)]
pub struct Cleaned {
    /// The engine's name.
    pub engine: String,
    /// What was removed.
    pub removed: Vec<Resource>,
    /// What was left, and why.
    pub left: Vec<(Resource, &'static str)>,
    /// Images of ours that were left since nobody asked for them.
    pub images: usize,
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

/// Where images of ours are.
const OUR_IMAGES: &str = "localhost/shellproof/";
/// How many hexadecimal digits of a hash are their tags.
const TAG: usize = 12;

/// Whether we made an image, which its name and its label must say alike: whatever is built from an image of ours has the
/// label too.
fn is_ours(image: &Resource) -> bool {
    let name = image.name.strip_prefix(OUR_IMAGES);
    let Some((name, tag)) = name.and_then(|name| name.split_once(':')) else {
        return false;
    };
    let is_hash = tag.len() == TAG && tag.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_fixture = |fixture: &String| name.strip_prefix("fixture-") == Some(fixture);
    let is_probe = name == "probe" && image.labels.contains_key(labels::PROBE);
    is_hash && (is_probe || image.labels.get(labels::FIXTURE).is_some_and(is_fixture))
}

/// Removes everything that runs which are over have left: on the engines by label, and their directories. `images` also
/// takes the images that we made, which are a cache, unless a run or a container may need them.
///
/// # Errors
/// An engine cannot be connected to, or does not say what it has.
pub async fn clean(
    engines: &[EngineSpec],
    invocation: &Invocation,
    images: bool,
) -> Result<Vec<Cleaned>, EngineError> {
    let machine = |error: std::io::Error| EngineError::Machine(error.to_string());
    let mut all = Vec::new();
    for engine in engines {
        if engine.kind() == EngineKind::Embedded {
            let (alive, _) = invocation::others().map_err(machine)?;
            let others_run = alive.iter().any(|run| run != invocation.id());
            all.push(clean_store(engine.name.clone(), others_run, images).await?);
            continue;
        }
        let socket = invocation.path(&format!("images-{}.sock", engine.name));
        // The recorder is the way to the engine as long as it lives.
        let connection = engines::connect(engine, &socket).await?;
        let runtime = &*connection.runtime;
        let mut owned = runtime
            .owned()
            .await
            .map_err(|error| EngineError::Machine(error.to_string()))?;
        owned.sort_by_key(|resource| resource.kind);
        // Asked after the engine: whatever the engine listed was made by a run that had its lock by then.
        let (alive, _) = invocation::others().map_err(machine)?;
        let others_run = alive.iter().any(|run| run != invocation.id());
        let cleaned = clean_engine(runtime, engine.name.clone(), owned, others_run, images);
        all.push(cleaned.await);
    }
    let (_, dead) = invocation::others().map_err(machine)?;
    for directory in dead {
        match std::fs::remove_dir_all(&directory) {
            // A run that just ended removes its own.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            removed => removed.map_err(machine)?,
        }
    }
    Ok(all)
}

/// The engine that is in this binary has nothing that outlives its run but images, all of which shellproof has brought.
async fn clean_store(engine: String, others_run: bool, images: bool) -> Result<Cleaned, EngineError> {
    let cleaning = tokio::task::spawn_blocking(move || {
        let mut cleaned = Cleaned::nothing(engine);
        // Opening it removes what somebody left unfinished.
        let Some(store) = Store::open_existing()? else {
            return Ok(cleaned);
        };
        let all = store.images()?;
        if !images {
            cleaned.images = all.len();
            return Ok(cleaned);
        }
        let all = all.into_iter().map(|named| Resource {
            kind: ResourceKind::Image,
            name: named.name.unwrap_or_else(|| named.id.clone()),
            id: named.id,
            labels: Labels::new(),
        });
        if others_run {
            cleaned.left = all.map(|image| (image, NEEDED)).collect();
            return Ok(cleaned);
        }
        cleaned.removed = all.collect();
        let done = store.clean()?;
        cleaned.errors = done.left;
        if done.is_in_use {
            cleaned.errors.push(
                "somebody is at work in the store of images, so that files of images stay\nhelp: run this again when it has ended"
                    .into(),
            );
        }
        Ok::<_, shellproof_store::Error>(cleaned)
    });
    let cleaned = cleaning
        .await
        .map_err(|error| EngineError::Machine(error.to_string()))?;
    cleaned.map_err(|error| EngineError::Machine(format!("the store of images cannot be cleaned: {error}")))
}

/// Why an image stays.
const NEEDED: &str = "a run that is going on may need it";

impl Cleaned {
    fn nothing(engine: String) -> Self {
        Self {
            engine,
            removed: Vec::new(),
            left: Vec::new(),
            images: 0,
            errors: Vec::new(),
        }
    }
}

/// `others_run`: a run of somebody is going on, on whatever engine.
async fn clean_engine(
    runtime: &dyn Runtime,
    engine: String,
    owned: Vec<Resource>,
    mut others_run: bool,
    images: bool,
) -> Cleaned {
    let mut cleaned = Cleaned::nothing(engine);
    for resource in owned {
        if resource.kind == ResourceKind::Image {
            if !is_ours(&resource) {
                continue;
            }
            if !images {
                cleaned.images += 1;
                continue;
            }
            if others_run {
                cleaned.left.push((resource, NEEDED));
                continue;
            }
        } else if resource
            .labels
            .get(labels::RUN)
            .is_some_and(|run| invocation::is_going_on(run))
        {
            others_run = true;
            cleaned.left.push((resource, "its run is still going on"));
            continue;
        }
        match runtime.remove(&resource).await {
            Ok(()) => cleaned.removed.push(resource),
            Err(error) if resource.kind == ResourceKind::Image && error.kind == ErrorKind::WrongState => {
                cleaned.left.push((resource, "a container uses it"));
            }
            Err(error) => cleaned.errors.push(error.to_string()),
        }
    }
    cleaned
}

#[cfg(test)]
#[path = "clean_tests.rs"]
mod tests;
