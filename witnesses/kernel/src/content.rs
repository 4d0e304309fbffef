//! Hashes of executed files, and what they show a file to be, taken on a thread of their own so that no call waits.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{Stat, fstat};
use sha2::{Digest as _, Sha256};

use crate::files::{Found, Shebang, shebang};
use crate::likeness::Signs;
use crate::{Digest, Likeness};

/// The largest file that is hashed, in bytes.
const LARGEST: u64 = 512 << 20;
/// How many files may wait.
const BACKLOG: usize = 64;
/// How many hashes are remembered.
const REMEMBERED: usize = 4096;
/// A file that changed so recently may change again without its time showing it.
const TICK: Duration = Duration::from_millis(100);

/// The content of one executed file.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// There is none: no file, or none that could be executed.
    Absent,
    /// There is some, and it was not read.
    Unread,
    /// It is being hashed, or was: `None` within means that it could not be read after all.
    Hashed(Arc<OnceLock<Option<Fingerprint>>>),
}

/// What was found in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    pub(crate) digest: Digest,
    pub(crate) likeness: Option<Likeness>,
}

/// A file that was about to be executed, before its answer.
#[derive(Debug)]
pub(crate) enum Source {
    /// Nothing that could be executed.
    Nothing,
    /// Something that we cannot reach: what it is stays unknown.
    Unreachable,
    /// One that was met before and did not change since.
    Known(Content, Option<Shebang>),
    /// Any other; the file is there if it can be read.
    New(Key, Option<File>, Option<Shebang>),
}

impl Source {
    /// The `#!` line, if the file is a script.
    pub(crate) fn shebang(&self) -> Option<Shebang> {
        match self {
            Self::Nothing | Self::Unreachable => None,
            Self::Known(_, shebang) | Self::New(_, _, shebang) => shebang.clone(),
        }
    }
}

/// What tells one content of one file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

struct Job {
    file: File,
    key: Key,
    result: Arc<OnceLock<Option<Fingerprint>>>,
}

/// Hashes files in the background.
#[derive(Debug)]
pub(crate) struct Hasher {
    queue: SyncSender<Job>,
    known: Mutex<HashMap<Key, (Content, Option<Shebang>)>>,
    progress: Arc<Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    waiting: Mutex<usize>,
    changed: Condvar,
    stopped: AtomicBool,
}

impl Hasher {
    pub(crate) fn start() -> io::Result<Self> {
        let (queue, jobs) = sync_channel(BACKLOG);
        let progress = Arc::<Progress>::default();
        let own = progress.clone();
        std::thread::Builder::new()
            .name("content".into())
            .spawn(move || own.work(&jobs))?;
        Ok(Self {
            queue,
            known: Mutex::default(),
            progress,
        })
    }

    /// Opens a file, unless it is known: what is left to do before an answer.
    pub(crate) fn source(&self, found: Found) -> Source {
        if !found.is_regular() {
            return Source::Nothing;
        }
        let key = Key::of(&found.stat);
        if let Some((content, shebang)) = self.known().get(&key) {
            return Source::Known(content.clone(), shebang.clone());
        }
        let file = found.open();
        let shebang = file.as_ref().and_then(shebang);
        Source::New(key, file, shebang)
    }

    /// Takes what was opened before the answer, after it.
    pub(crate) fn content(&self, source: Source) -> Content {
        let (key, file, shebang) = match source {
            Source::Nothing => return Content::Absent,
            Source::Unreachable => return Content::Unread,
            Source::Known(content, _) => return content,
            Source::New(key, file, shebang) => (key, file.filter(|_| key.size <= LARGEST), shebang),
        };
        let Some(file) = file else {
            return Content::Unread;
        };
        let result = Arc::<OnceLock<_>>::default();
        let content = Content::Hashed(result.clone());
        self.progress.add();
        if self.queue.try_send(Job { file, key, result }).is_err() {
            self.progress.done();
            return Content::Unread;
        }
        if key.is_settled() {
            let mut known = self.known();
            if known.len() == REMEMBERED {
                known.clear();
            }
            known.insert(key, (content.clone(), shebang));
        }
        content
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Key, (Content, Option<Shebang>)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nothing is left to hash, `within` a time.
    pub(crate) fn settle(&self, within: Duration) {
        let waiting = self
            .progress
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // Whether it was in time shows in the contents.
        let _ = self
            .progress
            .changed
            .wait_timeout_while(waiting, within, |waiting| *waiting > 0);
    }
}

impl Drop for Hasher {
    fn drop(&mut self) {
        // The thread ends when it sees this or the queue's end; it is not waited for, as a file may be slow to read.
        self.progress.stopped.store(true, Ordering::Relaxed);
    }
}

impl Progress {
    fn add(&self) {
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) += 1;
    }

    fn done(&self) {
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.changed.notify_all();
    }

    fn work(&self, jobs: &Receiver<Job>) {
        while let Ok(job) = jobs.recv() {
            // A file that cannot be read has no hash, and `Session::unread` counts it.
            let _ = job.result.set(self.hash(&job).ok().flatten());
            self.done();
        }
    }

    fn hash(&self, job: &Job) -> io::Result<Option<Fingerprint>> {
        let mut hash = Sha256::new();
        let mut signs = Signs::default();
        let mut buffer = vec![0; 128 << 10];
        let mut at = 0;
        while at < job.key.size {
            if self.stopped.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let read = job.file.read_at(&mut buffer, at)?;
            if read == 0 {
                break;
            }
            hash.update(&buffer[..read]);
            signs.look_at(&buffer[..read]);
            at += read as u64;
        }
        let unchanged = at == job.key.size && Key::of(&fstat(&job.file)?) == job.key;
        Ok(unchanged.then(|| Fingerprint {
            digest: Digest(hash.finalize().into()),
            likeness: signs.likeness(),
        }))
    }
}

impl Key {
    fn of(stat: &Stat) -> Self {
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: u64::try_from(stat.st_size).unwrap_or_default(),
            modified: (stat.st_mtime, stat.st_mtime_nsec.cast_signed()),
            changed: (stat.st_ctime, stat.st_ctime_nsec.cast_signed()),
        }
    }

    fn is_settled(&self) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let (seconds, nanos) = self.changed;
        let changed = Duration::new(
            u64::try_from(seconds).unwrap_or_default(),
            u32::try_from(nanos).unwrap_or_default(),
        );
        now.saturating_sub(changed) > TICK
    }
}
