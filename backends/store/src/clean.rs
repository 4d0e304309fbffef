//! What nobody needs any more.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use shellproof_image::{Configuration, Sign, Way};
use shellproof_userns::Wanted;

use crate::error::{Error, Result};
use crate::place::Store;
use crate::stub::Worker;
use crate::unpack;

/// What [`Store::clean`] has removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// How many names of images are gone, an image without a name counting as one.
    pub images: usize,
    /// Somebody is at work: files that nothing refers to any more stay until the next time.
    pub is_in_use: bool,
    /// What could not be removed, and why.
    pub left: Vec<String>,
}

/// What the images of the index need.
#[derive(Default)]
struct Needed {
    /// Hashes of blobs.
    blobs: BTreeSet<String>,
    /// Hashes of unpacked layers.
    layers: BTreeSet<String>,
}

/// Processes that remove what belongs to other ids, started when there is something for them.
#[derive(Default)]
struct Workers {
    many: Option<Worker>,
    one: Option<Worker>,
}

impl Workers {
    /// The one for the layers of a map of ids, by the name of their directory.
    fn of(&mut self, owners: &str) -> Result<&Worker> {
        let (worker, wanted) = match owners.starts_with("one-") {
            true => (&mut self.one, Wanted::One),
            false => (&mut self.many, Wanted::Many),
        };
        match worker {
            Some(worker) => Ok(worker),
            None => Ok(worker.insert(Worker::start(wanted)?)),
        }
    }
}

fn hash(digest: &str) -> String {
    digest.trim_start_matches("sha256:").to_owned()
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>> {
    let read =
        || -> io::Result<Vec<PathBuf>> { fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect() };
    match read() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read.map_err(Error::machine("read", directory)),
    }
}

fn name(path: &Path) -> &str {
    path.file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default()
}

impl Store {
    /// Removes the name of an image, or with an id all of its names, and with its last name all that nothing else needs.
    /// Files stay until the next time if somebody is at work. Says whether there was such an image.
    ///
    /// # Errors
    /// The machine failed.
    pub fn remove(&self, name: &str) -> Result<bool> {
        let is_gone = self.forget(name)?;
        if is_gone {
            self.collect(&mut Cleaned::default(), false)?;
        }
        Ok(is_gone)
    }

    /// Removes all images, and whatever else the store has. The store itself stays.
    ///
    /// # Errors
    /// The machine failed.
    pub fn clean(&self) -> Result<Cleaned> {
        let mut cleaned = Cleaned {
            images: self.forget_all()?,
            ..Cleaned::default()
        };
        self.collect(&mut cleaned, true)?;
        Ok(cleaned)
    }

    /// Removes what no image needs, unless somebody is at work. What a pull has left, so that the next one goes on there, is
    /// only removed with `is_all`.
    fn collect(&self, cleaned: &mut Cleaned, is_all: bool) -> Result<()> {
        let Some(_held) = self.hold_alone()? else {
            cleaned.is_in_use = true;
            return Ok(());
        };
        let needed = self.needed()?;
        let mut left = Vec::new();
        let mut workers = Workers::default();
        for blob in entries(&self.directory.join("blobs/sha256"))? {
            if !needed.blobs.contains(name(&blob)) {
                let removed = fs::remove_file(&blob).map_err(Error::machine("removed", &blob));
                left.extend(removed.err());
            }
        }
        for owners in entries(&self.directory.join("layers"))? {
            for layer in entries(&owners)? {
                if !needed.layers.contains(name(&layer)) {
                    let worker = workers.of(name(&owners));
                    left.extend(worker.and_then(|worker| unpack::remove(&layer, worker)).err());
                }
            }
        }
        left.extend(self.remove_partial(&mut workers));
        if is_all {
            for part in entries(&self.directory.join("downloads"))? {
                let removed = fs::remove_file(&part).map_err(Error::machine("removed", &part));
                left.extend(removed.err());
            }
        }
        cleaned.left = left.iter().map(ToString::to_string).collect();
        Ok(())
    }

    /// Removes what an attempt has left that came to nothing.
    pub(crate) fn undo(&self) {
        // What cannot be removed now, the next removal takes along.
        let _ = self.collect(&mut Cleaned::default(), false);
    }

    fn needed(&self) -> Result<Needed> {
        let mut needed = Needed::default();
        for entry in self.entries()? {
            needed.blobs.insert(hash(entry.manifest()));
            // What is damaged needs nothing, and says so to whoever uses it.
            let Ok(manifest) = self.document(entry.manifest()) else {
                continue;
            };
            let Ok(Sign::Image {
                configuration,
                layers,
            }) = Way::default().follow(entry.manifest(), &manifest)
            else {
                continue;
            };
            needed.blobs.insert(hash(configuration.digest()));
            needed
                .blobs
                .extend(layers.iter().map(|layer| hash(layer.digest())));
            let configuration = self.document(configuration.digest());
            let ids = configuration.and_then(|bytes| Ok(Configuration::read(&bytes)?.diff_ids()?));
            needed
                .layers
                .extend(ids.unwrap_or_default().iter().map(|id| hash(id)));
        }
        Ok(needed)
    }

    /// Removes what somebody left unfinished, unless somebody is at work. What cannot be removed is in nobody's way.
    pub(crate) fn heal(&self) {
        let is_empty = entries(&self.partial()).is_ok_and(|all| all.is_empty());
        if let (false, Ok(Some(_held))) = (is_empty, self.hold_alone_now()) {
            self.remove_partial(&mut Workers::default());
        }
    }

    fn remove_partial(&self, workers: &mut Workers) -> Vec<Error> {
        let remove = |path: PathBuf| {
            if !path.is_dir() {
                return fs::remove_file(&path).map_err(Error::machine("removed", &path));
            }
            // Whose it is is not known: with many ids one can remove what belongs to one.
            unpack::remove(&path, workers.of("many-")?)
        };
        let all = entries(&self.partial()).unwrap_or_default();
        all.into_iter()
            .map(remove)
            .filter_map(std::result::Result::err)
            .collect()
    }
}
