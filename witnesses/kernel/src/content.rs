//! What is in executed files. A small one is copied before its call is answered, so that nothing can change it; its hash
//! is taken on a thread of its own, and no call waits for that.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{Stat, fstat};
use sha2::{Digest as _, Sha256};
use shellproof_api::facts::{Digest, Likeness, Unread};
use shellproof_likeness::{Format, Signs};

use crate::files::Found;
use crate::sys::has_extents;

/// The largest file that is hashed, in bytes.
const LARGEST: u64 = 512 << 20;
/// The largest file that is copied before the answer, in bytes: larger ones are read afterwards.
const LARGEST_COPY: u64 = 8 << 20;
/// How many bytes may wait to be hashed.
const BACKLOG: u64 = 64 << 20;
/// How many bytes a file counts for that waits as a file.
const OPEN_FILE: u64 = 1 << 20;
/// How long a call is held because too much waits.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many hashes are remembered.
const REMEMBERED: usize = 4096;
/// How far the time of a change may lag behind.
const TICK: Duration = Duration::from_millis(100);

/// The content of one executed file.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// There is none: no file, or none that could be executed.
    Absent,
    /// There is some, and it was not read.
    Unread(Unread),
    /// It is being hashed, or was.
    Hashed(Arc<OnceLock<Outcome>>),
}

/// What was found in a file, or why it is not known.
type Outcome = Result<Fingerprint, Unread>;

impl Content {
    /// What is known by now; `None` for what could not be executed.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Absent => None,
            Self::Unread(reason) => Some(Err(*reason)),
            Self::Hashed(outcome) => Some(outcome.get().copied().unwrap_or(Err(Unread::Changed))),
        }
    }

    /// Whether it is the same reading.
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Hashed(one), Self::Hashed(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }

    /// Whether it was to be read and could not.
    pub(crate) fn is_failed(&self) -> bool {
        matches!(self, Self::Hashed(outcome) if matches!(outcome.get(), Some(Err(_))))
    }
}

/// What was found in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    pub(crate) digest: Digest,
    pub(crate) likeness: Option<Likeness>,
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
    data: Data,
    weight: u64,
    outcome: Arc<OnceLock<Outcome>>,
}

impl Job {
    /// Whether nobody asks any longer: the call was made again, and read again.
    fn is_forgotten(&self) -> bool {
        Arc::strong_count(&self.outcome) == 1
    }
}

/// What is to be hashed.
enum Data {
    Copy(Arc<Vec<u8>>),
    /// The file, which must not have changed by the time.
    Open(File, Key),
}

/// Hashes files in the background.
#[derive(Debug)]
pub(crate) struct Hasher {
    queue: Sender<Job>,
    known: Mutex<HashMap<Key, (Content, Format)>>,
    /// The copies that wait to be hashed.
    waiting: Mutex<HashMap<Key, Waiting>>,
    progress: Arc<Progress>,
    /// When it began, since 1970.
    started: Duration,
    /// When the first of this process began.
    first: Duration,
}

/// A copy that waits to be hashed, and what will be known of it.
#[derive(Clone, Debug)]
struct Waiting {
    copy: Weak<Vec<u8>>,
    content: Content,
    format: Format,
}

/// See [`Hasher`].
static FIRST: OnceLock<Duration> = OnceLock::new();

#[derive(Debug, Default)]
struct Progress {
    /// How many bytes wait.
    waiting: Mutex<u64>,
    changed: Condvar,
    stopped: AtomicBool,
}

impl Hasher {
    pub(crate) fn start() -> io::Result<Self> {
        let (queue, jobs) = channel();
        let progress = Arc::<Progress>::default();
        let own = progress.clone();
        std::thread::Builder::new()
            .name("content".into())
            .spawn(move || own.work(&jobs))?;
        let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Self {
            queue,
            known: Mutex::default(),
            waiting: Mutex::default(),
            progress,
            started,
            first: *FIRST.get_or_init(|| started),
        })
    }

    /// Whether this is what is in a file still: it cannot have changed since.
    pub(crate) fn remembers(&self, key: &Key, content: &Content) -> bool {
        let is_it = |(known, _): &(Content, Format)| known.is_same(content) && !known.is_failed();
        self.known().get(key).is_some_and(is_it)
    }

    /// Waits for what is read after the answer, where somebody wrote it since we began and so may remove it again at once.
    /// To wait for each large program of an image would hold up every container.
    pub(crate) fn await_large(&self, key: &Key, content: &Content) {
        if let Content::Hashed(outcome) = content
            && !key.is_copied()
            && key.changed() >= self.started
        {
            drop(self.progress.wait(PATIENCE, |_| outcome.get().is_none()));
        }
    }

    /// Takes a file before its call is answered: what is in it, sooner or later, and what the kernel loads for it.
    pub(crate) fn take(&self, found: Found) -> (Content, Format) {
        if !found.is_regular() {
            return (Content::Absent, Format::default());
        }
        let key = Key::of(&found.stat);
        if let Some(known) = self.known().get(&key)
            && !known.0.is_failed()
        {
            return known.clone();
        }
        match found.open() {
            Some(file) => self.take_new(file, key),
            None => (Content::Unread(Unread::Forbidden), Format::default()),
        }
    }

    /// Reads a file that is new to us, and queues it.
    fn take_new(&self, file: File, key: Key) -> (Content, Format) {
        let unread = |reason, format| (Content::Unread(reason), format);
        if key.size > LARGEST {
            return unread(Unread::TooLarge, Format::of(&file));
        }
        let is_copied = key.is_copied();
        // What has not changed while it waits to be hashed waits once. A call that a signal interrupts is made again at once,
        // with Go's runtimes every ten milliseconds: it would fill the backlog, wait for room there, and never be answered.
        let copy = match is_copied && self.waits(&key) {
            true => match copy_of(&file) {
                Some(copy) => match self.waiting_as(&key, &copy) {
                    Some(same) => return same,
                    None => Some(copy),
                },
                None => return unread(Unread::Changed, Format::of(&file)),
            },
            false => None,
        };
        let weight = if is_copied { key.size.max(1) } else { OPEN_FILE };
        if !self.progress.reserve(weight) {
            return unread(Unread::TooMany, Format::of(&file));
        }
        let is_lasting = key.is_older_than(self.first) && has_extents(&file);
        let (data, format) = match is_copied {
            true => {
                let Some(copy) = copy.or_else(|| copy_of(&file)) else {
                    self.progress.done(weight);
                    return unread(Unread::Changed, Format::of(&file));
                };
                let format = Format::of(copy.as_slice());
                (Data::Copy(Arc::new(copy)), format)
            }
            false => {
                let format = Format::of(&file);
                (Data::Open(file, key), format)
            }
        };
        let outcome = Arc::<OnceLock<_>>::default();
        let content = Content::Hashed(outcome.clone());
        if let Data::Copy(copy) = &data {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.retain(|_, one| one.copy.strong_count() > 0);
            let one = Waiting {
                copy: Arc::downgrade(copy),
                content: content.clone(),
                format: format.clone(),
            };
            waiting.insert(key, one);
        }
        // The thread that hashes lives as long as we do.
        let _ = self.queue.send(Job {
            data,
            weight,
            outcome,
        });
        if is_lasting {
            let mut known = self.known();
            if known.len() == REMEMBERED {
                known.clear();
            }
            known.insert(key, (content.clone(), format.clone()));
        }
        (content, format)
    }

    /// Whether a copy of this file waits to be hashed.
    fn waits(&self, key: &Key) -> bool {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.get(key).is_some_and(|one| one.copy.strong_count() > 0)
    }

    /// What comes of a copy that waits to be hashed and holds just this.
    fn waiting_as(&self, key: &Key, content: &[u8]) -> Option<(Content, Format)> {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let one = waiting.get(key)?.clone();
        drop(waiting);
        let copy = one.copy.upgrade();
        let is_same = copy.is_some_and(|copy| copy.as_slice() == content);
        is_same.then_some((one.content, one.format))
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Key, (Content, Format)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nothing is left to hash, `within` a time.
    pub(crate) fn settle(&self, within: Duration) {
        // Whether it was in time shows in the contents.
        drop(self.progress.wait(within, |waiting| *waiting > 0));
    }
}

impl Drop for Hasher {
    fn drop(&mut self) {
        // The thread ends when it sees this or the queue's end; it is not waited for, as a file may be slow to read.
        self.progress.stopped.store(true, Ordering::Relaxed);
    }
}

impl Progress {
    /// Waits while something holds, `within` a time.
    fn wait(&self, within: Duration, holds: impl FnMut(&mut u64) -> bool) -> MutexGuard<'_, u64> {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(waiting, within, holds);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Makes room for so many bytes, and says whether there was some in time.
    fn reserve(&self, weight: u64) -> bool {
        let is_full = |waiting: u64| waiting > 0 && waiting + weight > BACKLOG;
        let mut waiting = self.wait(PATIENCE, |waiting| is_full(*waiting));
        let fits = !is_full(*waiting);
        if fits {
            *waiting += weight;
        }
        fits
    }

    fn done(&self, weight: u64) {
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) -= weight;
        self.changed.notify_all();
    }

    fn work(&self, jobs: &Receiver<Job>) {
        while let Ok(job) = jobs.recv() {
            let found = match &job.data {
                Data::Copy(copy) => Ok(fingerprint(copy)),
                Data::Open(file, key) => self.hash(&job, file, *key).unwrap_or(Err(Unread::Forbidden)),
            };
            let _ = job.outcome.set(found);
            let weight = job.weight;
            drop(job);
            self.done(weight);
        }
    }

    fn hash(&self, job: &Job, file: &File, key: Key) -> io::Result<Outcome> {
        let mut hash = Sha256::new();
        let mut signs = Signs::default();
        let mut buffer = vec![0; PART];
        let mut at = 0;
        while at < key.size {
            if self.stopped.load(Ordering::Relaxed) || job.is_forgotten() {
                return Ok(Err(Unread::Changed));
            }
            let read = file.read_at(&mut buffer, at)?;
            if read == 0 {
                break;
            }
            hash.update(&buffer[..read]);
            signs.look_at(&buffer[..read]);
            at += read as u64;
        }
        let unchanged = at == key.size && Key::of(&fstat(file)?) == key;
        Ok(match unchanged {
            true => Ok(Fingerprint {
                digest: Digest(hash.finalize().into()),
                likeness: signs.likeness(),
            }),
            false => Err(Unread::Changed),
        })
    }
}

/// All of a small file; nothing where it cannot be read, or has grown.
fn copy_of(file: &File) -> Option<Vec<u8>> {
    let mut copy =
        Vec::with_capacity(fstat(file).map_or(0, |stat| stat.st_size.clamp(0, LARGEST_COPY as i64) as usize));
    let read = file.take(LARGEST_COPY + 1).read_to_end(&mut copy).ok()?;
    (read as u64 <= LARGEST_COPY).then_some(copy)
}

/// How much of a file is looked at in one go.
const PART: usize = 128 << 10;

fn fingerprint(content: &[u8]) -> Fingerprint {
    let mut signs = Signs::default();
    content.chunks(PART).for_each(|part| signs.look_at(part));
    Fingerprint {
        digest: Digest(Sha256::digest(content).into()),
        likeness: signs.likeness(),
    }
}

impl Key {
    #[cfg(test)]
    pub(crate) fn of_test(inode: u64) -> Self {
        Self {
            device: 1,
            inode,
            size: 1,
            modified: (0, 0),
            changed: (0, 0),
        }
    }

    fn is_copied(&self) -> bool {
        self.size <= LARGEST_COPY
    }

    /// Whether it is the same file, whatever is in it.
    pub(crate) fn is_same_file(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }

    pub(crate) fn of(stat: &Stat) -> Self {
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: u64::try_from(stat.st_size).unwrap_or_default(),
            modified: (stat.st_mtime, stat.st_mtime_nsec.cast_signed()),
            changed: (stat.st_ctime, stat.st_ctime_nsec.cast_signed()),
        }
    }

    /// Whether nobody whom we watch can have written it: what was written once can be written again through a shared mapping,
    /// and its times do not show it.
    fn is_older_than(&self, time: Duration) -> bool {
        self.changed() + TICK < time
    }

    /// When it changed, since 1970.
    fn changed(&self) -> Duration {
        let (seconds, nanos) = self.changed;
        Duration::new(
            u64::try_from(seconds).unwrap_or_default(),
            u32::try_from(nanos).unwrap_or_default(),
        )
    }
}

#[cfg(test)]
#[path = "content_tests.rs"]
mod tests;
