//! Blobs: files that are called by their hash.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};
use shellproof_image::{Stored, digest_of};

use crate::error::{Error, Result};
use crate::place::Store;

/// How much is copied in one go, in bytes.
const PART: usize = 256 << 10;

/// A blob that the store has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Blob {
    /// `sha256:…`
    pub(crate) digest: String,
    pub(crate) size: u64,
    /// Its first bytes, which tell how it is packed.
    pub(crate) head: [u8; 4],
}

impl Stored for Blob {
    fn digest(&self) -> &str {
        &self.digest
    }
}

impl Store {
    /// Where a blob is. Its digest has been looked at by whoever read it.
    pub(crate) fn blob(&self, digest: &str) -> PathBuf {
        let hash = digest.strip_prefix("sha256:").unwrap_or(digest);
        debug_assert!(hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
        self.directory.join("blobs/sha256").join(hash)
    }

    /// A path for what a container writes, which nobody else has. As long as somebody holds an image nobody removes it; what
    /// who was killed left there goes the next time.
    pub fn room(&self) -> PathBuf {
        self.new_partial()
    }

    /// A name in `partial` that nobody else has.
    pub(crate) fn new_partial(&self) -> PathBuf {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = now.map_or(0, |now| now.as_nanos());
        self.partial()
            .join(format!("{}-{now}-{next}", std::process::id()))
    }

    /// Keeps what comes, under the hash that it has.
    pub(crate) fn keep(&self, content: &mut dyn Read) -> io::Result<Blob> {
        let mut new = Unfinished::new(self.new_partial())?;
        let mut sum = Sha256::new();
        let mut size = 0;
        let mut head = [0; 4];
        let mut buffer = vec![0; PART];
        loop {
            let read = match content.read(&mut buffer) {
                Ok(0) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read?,
            };
            let part = &buffer[..read];
            for (place, byte) in part.iter().enumerate().take(4) {
                let at = usize::try_from(size).unwrap_or(4).saturating_add(place);
                if let Some(slot) = head.get_mut(at) {
                    *slot = *byte;
                }
            }
            sum.update(part);
            new.file.write_all(part)?;
            size += read as u64;
        }
        let digest = written(sum);
        // What a power cut makes of it is seen when it is read, since its name says what it has to be.
        fs::rename(&new.path, self.blob(&digest))?;
        Ok(Blob { digest, size, head })
    }

    /// Keeps a document.
    pub(crate) fn keep_document(&self, bytes: &[u8]) -> Result<String> {
        let digest = digest_of(bytes);
        self.put(&self.blob(&digest), bytes)?;
        Ok(digest)
    }

    /// Writes a small file, whole or not at all.
    pub(crate) fn put(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let write = || {
            let mut new = Unfinished::new(self.new_partial())?;
            new.file.write_all(bytes)?;
            new.finish(path)
        };
        write().map_err(Error::machine("written", path))
    }

    /// Reads a document that the store has.
    pub(crate) fn document(&self, digest: &str) -> Result<Vec<u8>> {
        let path = self.blob(digest);
        let bytes = fs::read(&path).map_err(Error::machine("read", &path))?;
        match digest_of(&bytes) == digest {
            true => Ok(bytes),
            false => Err(damaged(&path)),
        }
    }
}

/// The `sha256:…` of a file.
pub(crate) fn hash_of(path: &Path) -> io::Result<String> {
    let (mut file, mut sum) = (File::open(path)?, Sha256::new());
    let mut buffer = vec![0; PART];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(written(sum)),
            read => sum.update(&buffer[..read]),
        }
    }
}

/// A hash as digests have it.
pub(crate) fn written(sum: Sha256) -> String {
    let hash: String = sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hash}")
}

/// A blob has changed since it was kept: whoever did that was not us.
pub(crate) fn damaged(path: &Path) -> Error {
    let error = io::Error::new(
        io::ErrorKind::InvalidData,
        "it is not what its name says\nhelp: remove the file, and load or pull the image again",
    );
    Error::machine("read", path)(error)
}

/// A file that is removed unless it is finished.
pub(crate) struct Unfinished {
    pub(crate) file: File,
    path: PathBuf,
}

impl Unfinished {
    fn new(path: PathBuf) -> io::Result<Self> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        Ok(Self { file, path })
    }

    /// Gives it its name, in the place of what has it.
    fn finish(self, name: &Path) -> io::Result<()> {
        // What has a name has its content, also after a power cut.
        self.file.sync_data()?;
        fs::rename(&self.path, name)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Gone already once it is finished.
        let _ = fs::remove_file(&self.path);
    }
}
