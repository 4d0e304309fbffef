//! Where a store is, and who is at work in it.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::error::{Error, Result};

/// Whoever uses the store has it shared, and whoever removes something alone.
const LOCK: &str = "lock";
/// How long a new process has what its parent had open.
const MOMENT: Duration = Duration::from_millis(200);
/// What stands in an OCI layout.
const LAYOUT: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;

/// How large an image may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many bytes its archive, and each of its layers, may unpack to.
    pub bytes: u64,
    /// How many entries a layer may have.
    pub entries: u64,
}

impl Default for Limits {
    /// 64 GiB and a million entries, as much as the image witness reads.
    fn default() -> Self {
        Self {
            bytes: 64 << 30,
            entries: 1_000_000,
        }
    }
}

/// A directory with images.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) directory: PathBuf,
    pub(crate) limits: Limits,
}

/// Holds the store's lock, until it is dropped.
#[derive(Debug)]
pub(crate) struct Held(#[expect(dead_code, reason = "the lock goes with it")] File);

impl Store {
    /// Opens the user's store, `$XDG_DATA_HOME/shellproof` or `~/.local/share/shellproof`, and makes it if it is not there.
    ///
    /// # Errors
    /// There is no home, or no directory can be made in it.
    pub fn open() -> Result<Self> {
        Self::open_at(&place(|name| std::env::var_os(name).map(PathBuf::from))?)
    }

    /// Opens the user's store if it is there.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_existing() -> Result<Option<Self>> {
        let directory = place(|name| std::env::var_os(name).map(PathBuf::from))?;
        directory.is_dir().then(|| Self::open_at(&directory)).transpose()
    }

    /// Opens the store in a directory, and makes it if it is not there. What others left unfinished is removed, unless somebody
    /// is at work.
    ///
    /// # Errors
    /// The directory cannot be made or written to.
    pub fn open_at(directory: &Path) -> Result<Self> {
        let store = Self {
            directory: directory.to_owned(),
            limits: Limits::default(),
        };
        for part in ["blobs/sha256", "downloads", "layers", "partial"] {
            let path = store.directory.join(part);
            // What is in there may be set-user-id, and is no other user's.
            let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&path);
            made.map_err(Error::machine("made", &path))?;
        }
        let layout = store.directory.join("oci-layout");
        if !layout.exists() {
            fs::write(&layout, LAYOUT).map_err(Error::machine("written", &layout))?;
        }
        store.heal();
        Ok(store)
    }

    /// The same store with other limits.
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A place for what is not finished.
    pub(crate) fn partial(&self) -> PathBuf {
        self.directory.join("partial")
    }

    /// Sees to it that nothing of the store is removed.
    pub(crate) fn hold(&self) -> Result<Held> {
        self.lock(LOCK, FlockOperation::LockShared)
            .map(|held| held.expect("it was waited for"))
    }

    /// Has the store alone; none while somebody else is at work. A process that this one is just starting has copies of its
    /// locks for a moment, which is waited for.
    pub(crate) fn hold_alone(&self) -> Result<Option<Held>> {
        let began = Instant::now();
        loop {
            let held = self.hold_alone_now()?;
            if held.is_some() || began.elapsed() > MOMENT {
                return Ok(held);
            }
            std::thread::sleep(MOMENT / 20);
        }
    }

    /// The same, without waiting.
    pub(crate) fn hold_alone_now(&self) -> Result<Option<Held>> {
        self.lock(LOCK, FlockOperation::NonBlockingLockExclusive)
    }

    /// Waits until nobody else holds a lock of this name.
    pub(crate) fn wait_for(&self, name: &str) -> Result<Held> {
        self.lock(name, FlockOperation::LockExclusive)
            .map(|held| held.expect("it was waited for"))
    }

    fn lock(&self, name: &str, operation: FlockOperation) -> Result<Option<Held>> {
        let path = self.directory.join(name);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(Error::machine("opened", &path))?;
        loop {
            match flock(&file, operation) {
                Ok(()) => return Ok(Some(Held(file))),
                Err(Errno::INTR) => {}
                Err(Errno::WOULDBLOCK) => return Ok(None),
                Err(error) => return Err(Error::machine("locked", &path)(error.into())),
            }
        }
    }
}

/// The directory of the user's own store.
fn place(variable: impl Fn(&str) -> Option<PathBuf>) -> Result<PathBuf> {
    // One that is not absolute is to be ignored, says the specification.
    let data = variable("XDG_DATA_HOME").filter(|path| path.is_absolute());
    let home = || variable("HOME").filter(|path| path.is_absolute());
    let data = data.or_else(|| home().map(|home| home.join(".local/share")));
    data.map(|data| data.join("shellproof"))
        .ok_or_else(|| Error::Machine {
            what: "there is no place for images".into(),
            error: std::io::Error::other(
                "neither `XDG_DATA_HOME` nor `HOME` names a directory\nhelp: set one of them",
            ),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place_of(pairs: &[(&str, &str)]) -> Option<String> {
        let variable = |name: &str| pairs.iter().find(|one| one.0 == name).map(|one| one.1.into());
        Some(place(variable).ok()?.display().to_string())
    }

    #[test]
    fn a_store_is_where_the_users_data_are() {
        let home = ("HOME", "/home/u");
        assert_eq!(
            place_of(&[home, ("XDG_DATA_HOME", "/d")]).as_deref(),
            Some("/d/shellproof")
        );
        for data in ["", "relative"] {
            let found = place_of(&[home, ("XDG_DATA_HOME", data)]);
            assert_eq!(found.as_deref(), Some("/home/u/.local/share/shellproof"));
        }
        assert_eq!(place_of(&[]), None);
    }

    #[test]
    fn whoever_is_at_work_keeps_others_from_removing() {
        let directory = tempfile::tempdir().unwrap();
        let (one, other) = (
            Store::open_at(directory.path()).unwrap(),
            Store::open_at(directory.path()).unwrap(),
        );
        let held = (one.hold().unwrap(), other.hold().unwrap());
        assert!(other.hold_alone().unwrap().is_none());
        drop(held);
        assert!(other.hold_alone().unwrap().is_some());
    }
}
