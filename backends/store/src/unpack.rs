//! Layers as directories. Each is unpacked once for each map of ids.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use shellproof_userns::{Ids, Wanted};

use crate::apply::{Applied, How};
use crate::blobs::hash_of;
use crate::error::{Error, Result};
use crate::image::{Image, Layer};
use crate::stub::Worker;

/// The layer itself, in the directory of one.
const ROOT: &str = "root";
/// What else is known of it.
const FACTS: &str = "layer.json";

impl Image {
    /// Its layers as lower directories of an overlay, the uppermost first, for containers whose user namespace has these ids.
    /// The overlay is to be mounted with `userxattr`. A layer that is not unpacked yet is unpacked now; an image without
    /// layers has no directories.
    ///
    /// # Errors
    /// [`Error::Layer`]: a layer is damaged, or has something that cannot be unpacked. [`Error::Namespace`]: the machine
    /// forbids user namespaces.
    pub fn lower_directories(&self, ids: &Ids) -> Result<Vec<PathBuf>> {
        let mut lower: Vec<PathBuf> = Vec::new();
        let mut worker = None;
        for (place, layer) in self.layers.iter().enumerate().rev() {
            let (directory, facts) = self.unpacked(place, layer, ids, &mut worker)?;
            let root = directory.join(ROOT);
            // An overlay takes no directory twice, and what is lower shows nowhere.
            if !lower.contains(&root) {
                lower.push(root);
            }
            if facts.is_opaque {
                break;
            }
        }
        Ok(lower)
    }

    /// What was left out when its layers were unpacked, such as devices, in words. Those of layers that are not unpacked yet
    /// are not among it.
    pub fn left_out(&self, ids: &Ids) -> Vec<String> {
        let facts = self
            .layers
            .iter()
            .filter_map(|layer| facts(&self.directory(layer, ids)));
        facts.flat_map(|facts| facts.notes).collect()
    }

    fn directory(&self, layer: &Layer, ids: &Ids) -> PathBuf {
        let hash = layer.diff_id.trim_start_matches("sha256:");
        self.store.directory.join("layers").join(owners(ids)).join(hash)
    }

    fn unpacked(
        &self,
        place: usize,
        layer: &Layer,
        ids: &Ids,
        worker: &mut Option<Worker>,
    ) -> Result<(PathBuf, Applied)> {
        let directory = self.directory(layer, ids);
        if let Some(facts) = facts(&directory) {
            return Ok((directory, facts));
        }
        // Others may want the same layer.
        let hash = layer.diff_id.trim_start_matches("sha256:");
        let _held = self.store.wait_for(&format!("partial/unpacking-{hash}"))?;
        if let Some(facts) = facts(&directory) {
            return Ok((directory, facts));
        }
        let failed = |reason: String| Error::Layer {
            place: place + 1,
            id: self.id().to_owned(),
            reason,
        };
        let worker = match worker {
            Some(worker) => worker,
            None => {
                let wanted = if ids.are_many() { Wanted::Many } else { Wanted::One };
                worker.insert(Worker::start(wanted)?)
            }
        };
        if (&worker.ids().users, &worker.ids().groups) != (&ids.users, &ids.groups) {
            return Err(failed(
                "the ids of its containers cannot be had again to unpack it".into(),
            ));
        }
        let blob = self.store.blob(layer.stored.digest());
        let stored = File::open(&blob).map_err(Error::machine("read", &blob))?;
        let partial = self.store.new_partial();
        let root = partial.join(ROOT);
        fs::create_dir_all(&root).map_err(Error::machine("made", &root))?;
        let how = How {
            bytes: self.store.limits.bytes,
            entries: self.store.limits.entries,
            owners: ids.are_many(),
        };
        let applied = File::open(&root)
            .map_err(Error::machine("opened", &root))
            .and_then(|root| {
                let applied = worker.unpack(&root, &stored, how);
                let checked = applied.and_then(|applied| self.check(layer, &applied).map(|()| applied));
                checked.map_err(|reason| failed(self.reason(layer, reason)))
            })
            .and_then(|applied| {
                put_facts(&partial, &applied)?;
                let parent = directory.parent().unwrap_or(Path::new("/"));
                fs::create_dir_all(parent).map_err(Error::machine("made", parent))?;
                if directory.exists() {
                    // Somebody has damaged it: whole ones appear at once.
                    remove(&directory, worker)?;
                }
                fs::rename(&partial, &directory).map_err(Error::machine("made", &directory))?;
                Ok(applied)
            });
        if applied.is_err() {
            // What is left, whoever is alone in the store next removes.
            let _ = remove(&partial, worker);
        }
        Ok((directory, applied?))
    }

    /// Whether it is the layer that image and manifest mean.
    fn check(&self, layer: &Layer, applied: &Applied) -> std::result::Result<(), String> {
        for (what, expected, found) in [
            ("its manifest", layer.stored.digest(), &applied.stored),
            (
                "the image's configuration",
                layer.diff_id.as_str(),
                &applied.unpacked,
            ),
        ] {
            if expected != found {
                return Err(format!(
                    "it is not what {what} says: expected `{expected}`, found `{found}`"
                ));
            }
        }
        Ok(())
    }

    /// Why a layer cannot be unpacked: it may be the store that has lost something.
    fn reason(&self, layer: &Layer, reason: String) -> String {
        let blob = self.store.blob(layer.stored.digest());
        match hash_of(&blob) {
            Ok(found) if found != layer.stored.digest() => {
                // So that whoever comes with the image again can bring it.
                let _ = fs::remove_file(&blob);
                format!(
                    "the store's blob was damaged, and is removed\nhelp: load or pull the image again ({reason})"
                )
            }
            _ => reason,
        }
    }
}

/// What is known of an unpacked layer.
#[derive(Deserialize, Serialize)]
struct Facts {
    /// Since when the machine runs. What was written before it last started may be lost in part: nobody has waited for the
    /// disk, which may have others to serve.
    boot: String,
    applied: Applied,
}

fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default()
}

/// What is known of an unpacked layer; nothing where there is none, whole.
fn facts(directory: &Path) -> Option<Applied> {
    let bytes = fs::read(directory.join(FACTS)).ok()?;
    let facts: Facts = serde_json::from_slice(&bytes).ok()?;
    (facts.boot == boot()).then_some(facts.applied)
}

fn put_facts(directory: &Path, applied: &Applied) -> Result<()> {
    let path = directory.join(FACTS);
    let facts = Facts {
        boot: boot(),
        applied: applied.clone(),
    };
    let write = || fs::write(&path, serde_json::to_vec(&facts)?);
    write().map_err(Error::machine("written", &path))
}

/// Removes an unpacked layer, or what is there of one.
pub(crate) fn remove(directory: &Path, worker: &Worker) -> Result<()> {
    worker.empty(directory)?;
    fs::remove_dir(directory).map_err(Error::machine("removed", directory))
}

/// Files belong to other users where the ids are others, so that the layers of each map have a place of their own.
fn owners(ids: &Ids) -> String {
    let mut sum = Sha256::new();
    for extent in ids.users.iter().chain(&ids.groups) {
        sum.update(format!("{} {} {},", extent.inside, extent.outside, extent.count));
    }
    let hash: String = sum
        .finalize()
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    match ids.are_many() {
        true => format!("many-{hash}"),
        false => format!("one-{hash}"),
    }
}

#[cfg(test)]
mod tests {
    use shellproof_userns::Extent;

    use super::*;

    #[test]
    fn each_map_of_ids_has_layers_of_its_own() {
        let ids = |outside, count| {
            let extents = vec![Extent {
                inside: 0,
                outside,
                count,
            }];
            Ids {
                users: extents.clone(),
                groups: extents,
                narrow: None,
            }
        };
        let (one, other, many) = (
            owners(&ids(1000, 1)),
            owners(&ids(1001, 1)),
            owners(&ids(1000, 2)),
        );
        assert!(
            one.starts_with("one-") && many.starts_with("many-"),
            "{one} {many}"
        );
        assert!(one != other && owners(&ids(1000, 1)) == one);
    }
}
