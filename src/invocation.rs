//! One invocation of the program: its id, its directory, and which others are going on.

use std::fs::{DirBuilder, File, Permissions, set_permissions};
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use shellproof_api::{Labels, labels};

/// One invocation: its id, and a directory that lives as long as it does.
///
/// The directory holds a private one, one that the user of an engine can enter too, and a locked file. A later
/// `shellproof clean` takes what belongs to a run whose lock is free, and leaves what belongs to one that still goes on.
#[derive(Debug)]
pub struct Invocation {
    id: String,
    directory: PathBuf,
    lock: File,
    /// The directory is somebody else's now.
    is_left: AtomicBool,
}

const LOCK: &str = "lock";
const PRIVATE: &str = "private";
const SHARED: &str = "shared";
/// A directory that is entered by whoever knows the name of what is in it.
const ENTERED: u32 = 0o711;

impl Invocation {
    /// Makes the directory and takes its lock. What killed runs have left here goes.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn start() -> io::Result<Self> {
        let base = base_directory()?;
        // Until its lock is taken, the new directory looks like a dead run's to whoever scans.
        let _scan = scan_lock(&base)?;
        for dead in scan(&base)?.1 {
            // What cannot be removed now is left to `shellproof clean`, which says why.
            let _ = std::fs::remove_dir_all(dead);
        }
        loop {
            // The standard library's hash keys are random in each process.
            let id = std::collections::hash_map::RandomState::new()
                .build_hasher()
                .finish();
            let id = format!("{:08x}", id & u64::from(u32::MAX));
            let directory = base.join(&id);
            match make(&directory, ENTERED) {
                Ok(()) => {
                    make(&directory.join(PRIVATE), 0o700)?;
                    make(&directory.join(SHARED), ENTERED)?;
                    let lock = File::create_new(directory.join(LOCK))?;
                    lock.lock()?;
                    return Ok(Self {
                        id,
                        directory,
                        lock,
                        is_left: AtomicBool::new(false),
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(named(error, &directory)),
            }
        }
    }

    /// The run's id: eight hexadecimal digits.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// A path in the private directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(PRIVATE).join(name)
    }

    /// A path in the directory that an engine's user can enter: what is in it guards itself.
    pub(crate) fn shared(&self, name: &str) -> PathBuf {
        self.directory.join(SHARED).join(name)
    }

    /// The whole directory.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// What says that the run goes on: also in another process, as long as it is open there.
    pub(crate) fn lock(&self) -> BorrowedFd<'_> {
        self.lock.as_fd()
    }

    /// Leaves the directory to another process, which has the lock. What is private goes all the same.
    pub(crate) fn leave(&self) {
        self.is_left.store(true, Ordering::Relaxed);
    }

    /// The label that everything made in this run carries.
    pub fn labels(&self) -> Labels {
        Labels::from([(labels::RUN.to_owned(), self.id.clone())])
    }
}

impl Drop for Invocation {
    fn drop(&mut self) {
        let directory = match self.is_left.load(Ordering::Relaxed) {
            true => self.directory.join(PRIVATE),
            false => self.directory.clone(),
        };
        // What cannot be removed now is left to `shellproof clean`.
        let _ = std::fs::remove_dir_all(directory);
    }
}

/// The ids of runs that are going on, and the directories that dead ones left.
///
/// # Errors
/// The directory of all runs cannot be read.
pub fn others() -> io::Result<(Vec<String>, Vec<PathBuf>)> {
    let (alive, dead) = directories()?;
    let id = |directory: PathBuf| Some(directory.file_name()?.to_string_lossy().into_owned());
    Ok((alive.into_iter().filter_map(id).collect(), dead))
}

/// The directories of runs that are going on.
///
/// # Errors
/// The directory of all runs cannot be read.
pub(crate) fn alive() -> io::Result<Vec<PathBuf>> {
    Ok(directories()?.0)
}

/// The directories of this user's runs: of those that are going on, and of dead ones.
fn directories() -> io::Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let base = base_directory()?;
    let _scan = scan_lock(&base)?;
    scan(&base)
}

fn scan(base: &Path) -> io::Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let (mut alive, mut dead) = (Vec::new(), Vec::new());
    for entry in base.read_dir()? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !is_id(&name) {
            continue;
        }
        if is_locked(&entry.path()) {
            alive.push(entry.path())
        } else {
            dead.push(entry.path())
        }
    }
    Ok((alive, dead))
}

/// Whether a run is going on: with this directory of runs, or with that of another user as far as it can be entered.
pub fn is_going_on(id: &str) -> bool {
    is_id(id) && bases().iter().any(|base| is_locked(&base.join(id)))
}

/// The places where runs of this machine may have their directories.
fn bases() -> Vec<PathBuf> {
    let mut bases: Vec<_> = base_directory().into_iter().collect();
    bases.push("/run/shellproof".into());
    let below = |directory: &Path| directory.read_dir().into_iter().flatten().flatten();
    bases.extend(below(Path::new("/run/user")).map(|user| user.path().join("shellproof")));
    let temporary = below(&std::env::temp_dir()).map(|entry| entry.path());
    bases.extend(temporary.filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("shellproof-")
    }));
    bases
}

fn is_id(name: &str) -> bool {
    name.len() == 8 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A directory without its lock file is one that is just being removed, or whose removal was interrupted.
pub(crate) fn is_locked(directory: &Path) -> bool {
    File::open(directory.join(LOCK)).is_ok_and(|lock| lock.try_lock_shared().is_err())
}

/// Keeps the making of a directory and the look at all of them apart, until it is dropped.
fn scan_lock(base: &Path) -> io::Result<File> {
    let path = base.join("scan.lock");
    let lock = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(|error| named(error, &path))?;
    lock.lock()?;
    Ok(lock)
}

/// `$XDG_RUNTIME_DIR/shellproof`, or `/run/shellproof` for root, or a private directory among the temporary files.
/// Short, since the path of a unix socket has at most 107 bytes.
fn base_directory() -> io::Result<PathBuf> {
    let uid = std::fs::metadata("/proc/self")?.uid();
    let directory = match std::env::var_os("XDG_RUNTIME_DIR").filter(|value| Path::new(value).is_dir()) {
        Some(runtime) => PathBuf::from(runtime).join("shellproof"),
        None if uid == 0 => PathBuf::from("/run/shellproof"),
        None => std::env::temp_dir().join(format!("shellproof-{uid}")),
    };
    match make(&directory, ENTERED) {
        Ok(()) => Ok(directory),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let owner = std::fs::symlink_metadata(&directory).map_err(|error| named(error, &directory))?;
            if owner.is_dir() && owner.uid() == uid {
                // An older version made it private.
                if owner.mode() & ENTERED != ENTERED {
                    set_permissions(&directory, Permissions::from_mode(owner.mode() | ENTERED))?;
                }
                Ok(directory)
            } else {
                Err(io::Error::other(format!(
                    "`{}` exists and belongs to somebody else",
                    directory.display()
                )))
            }
        }
        Err(error) => Err(named(error, &directory)),
    }
}

fn make(directory: &Path, mode: u32) -> io::Result<()> {
    DirBuilder::new().mode(mode).create(directory)
}

fn named(error: io::Error, path: &Path) -> io::Error {
    io::Error::new(error.kind(), format!("`{}`: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invocation_is_private_alive_and_leaves_nothing() {
        let invocation = Invocation::start().unwrap();
        let directory = invocation.path("");
        assert_eq!(std::fs::metadata(&directory).unwrap().mode() & 0o777, 0o700);
        assert!(others().unwrap().0.contains(&invocation.id().to_owned()));
        drop(invocation);
        assert!(!directory.exists());
    }

    #[test]
    fn a_run_that_was_left_goes_on_as_long_as_somebody_has_its_lock() {
        let invocation = Invocation::start().unwrap();
        let (id, directory) = (invocation.id().to_owned(), invocation.directory().to_owned());
        let lock = invocation.lock().try_clone_to_owned().unwrap();
        invocation.leave();
        drop(invocation);
        assert!(is_going_on(&id) && alive().unwrap().contains(&directory));
        assert!(directory.join(SHARED).exists() && !directory.join(PRIVATE).exists());
        drop(lock);
        assert!(!alive().unwrap().contains(&directory));
        drop(Invocation::start().unwrap());
        assert!(!directory.exists());
    }

    #[test]
    fn a_run_goes_on_as_long_as_its_lock_is_held() {
        let invocation = Invocation::start().unwrap();
        let id = invocation.id().to_owned();
        assert!(is_going_on(&id));
        drop(invocation);
        assert!(!is_going_on(&id));
        assert!(!is_going_on("../private"));
    }

    #[test]
    fn what_a_killed_run_left_goes_with_the_next() {
        let invocation = Invocation::start().unwrap();
        let left = invocation.directory.with_file_name("00000000");
        std::fs::create_dir_all(left.join(PRIVATE)).unwrap();
        File::create(left.join(LOCK)).unwrap();
        let (alive, _) = others().unwrap();
        assert!(!alive.contains(&"00000000".to_owned()));
        // The next one takes it away, and leaves what is alive.
        drop(Invocation::start().unwrap());
        assert!(!left.exists() && invocation.directory.exists());
    }
}
