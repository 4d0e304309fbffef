//! Hashes of executed files, and what they show a file to be, taken on a thread of their own so that no call waits.

use std::collections::{HashMap, HashSet};
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
use crate::{Digest, Likeness};

/// The largest file that is hashed, in bytes.
const LARGEST: u64 = 512 << 20;
/// The largest file that is taken for a shell, in bytes: several times the largest shell, and less than what tools
/// that check scripts weigh.
const LARGEST_SHELL: u64 = 8 << 20;
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
            if job.key.size <= LARGEST_SHELL {
                signs.look_at(&buffer[..read]);
            }
            at += read as u64;
        }
        let unchanged = at == job.key.size && Key::of(&fstat(&job.file)?) == job.key;
        Ok(unchanged.then(|| Fingerprint {
            digest: Digest(hash.finalize().into()),
            likeness: signs.likeness(),
        }))
    }
}

/// Words that a POSIX shell cannot do without. No other program of a Debian system has all of them.
const SHELL_WORDS: [&[u8]; 5] = [b"getopts", b"OPTIND", b"PS4", b"readonly", b"umask"];
const MULTI_CALL_WORD: &[u8] = b"BusyBox v";
/// Options of the dynamic loaders, of glibc and of musl.
const LOADER_WORDS: [[&[u8]; 2]; 2] = [
    [b"--inhibit-cache", b"--library-path"],
    [b"musl libc", b"--library-path"],
];

/// What shows in a program's content, which comes in parts.
#[derive(Debug, Default)]
struct Signs {
    /// Nothing before the first part.
    is_program: Option<bool>,
    words: HashSet<&'static [u8]>,
    /// The end of what came, which may be a word's beginning.
    end: Vec<u8>,
}

impl Signs {
    fn look_at(&mut self, part: &[u8]) {
        let is_program = || part.starts_with(b"\x7fELF");
        if !*self.is_program.get_or_insert_with(is_program) {
            return;
        }
        self.end.extend_from_slice(part);
        let words = SHELL_WORDS.iter().chain(LOADER_WORDS.as_flattened());
        let mut longest = 0;
        for &word in words.chain([&MULTI_CALL_WORD]) {
            longest = longest.max(word.len());
            if !self.words.contains(word) && memchr::memmem::find(&self.end, word).is_some() {
                self.words.insert(word);
            }
        }
        self.end.drain(..self.end.len().saturating_sub(longest - 1));
    }

    fn likeness(&self) -> Option<Likeness> {
        let has = |word: &&[u8]| self.words.contains(word);
        // A static BusyBox may hold a loader's words too, and has a shell among its programs.
        if has(&MULTI_CALL_WORD) {
            return Some(Likeness::MultiCall);
        }
        if SHELL_WORDS.iter().all(has) {
            return Some(Likeness::Shell);
        }
        let is_loader = LOADER_WORDS.iter().any(|words| words.iter().all(has));
        is_loader.then_some(Likeness::Loader)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn elf(words: &[&[u8]]) -> Vec<u8> {
        [b"\x7fELF".as_slice(), &words.join(&0)].concat()
    }

    fn likeness(content: &[u8]) -> Option<Likeness> {
        let mut signs = Signs::default();
        signs.look_at(content);
        signs.likeness()
    }

    #[test]
    fn a_word_is_found_wherever_the_parts_end() {
        let shell = elf(&SHELL_WORDS);
        for end in 4..shell.len() {
            let mut signs = Signs::default();
            let (first, rest) = shell.split_at(end);
            signs.look_at(first);
            for byte in rest {
                signs.look_at(&[*byte]);
            }
            assert_eq!(signs.likeness(), Some(Likeness::Shell), "{end}");
        }
    }

    #[test]
    fn a_shell_is_known_by_all_its_words() {
        assert_eq!(likeness(&elf(&SHELL_WORDS)), Some(Likeness::Shell));
        for missing in 0..SHELL_WORDS.len() {
            let mut words = SHELL_WORDS.to_vec();
            words.remove(missing);
            assert_eq!(likeness(&elf(&words)), None, "without {missing}");
        }
    }

    #[test]
    fn busybox_is_what_it_is_called_by() {
        let words = [SHELL_WORDS.as_slice(), &[b"BusyBox v1.35.0"]].concat();
        assert_eq!(likeness(&elf(&words)), Some(Likeness::MultiCall));
    }

    #[test]
    fn a_loader_is_known_by_its_options() {
        for words in LOADER_WORDS {
            assert_eq!(likeness(&elf(&words)), Some(Likeness::Loader));
            assert_eq!(likeness(&elf(&words[..1])), None);
        }
        assert_eq!(likeness(&elf(&[b"--library-path"])), None);
    }

    #[test]
    fn a_text_about_shells_is_none() {
        assert_eq!(likeness(&SHELL_WORDS.join(&b' ')), None);
        assert_eq!(likeness(b""), None);
    }
}
