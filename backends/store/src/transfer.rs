//! One blob from a registry, from where it broke off.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::StreamExt;
use oci_client::client::BlobResponse;
use oci_client::{Client, Reference};
use rustix::fs::{FlockOperation, flock};
use sha2::{Digest, Sha256};
use shellproof_image::Descriptor;

use crate::blobs::written;
use crate::error::Error;
use crate::place::Store;
use crate::pull::{Failure, Meter, refused};

/// How often a blob is asked for again without a byte of it having come.
const ATTEMPTS: u32 = 5;
/// How long is waited before the second attempt; twice as long before each further one.
const PAUSE: Duration = Duration::from_millis(250);
/// How long a file that another process downloads is waited for before it is looked at again.
const OTHERS: Duration = Duration::from_millis(100);

/// A download, which goes on in a file of its own until it is whole.
struct Download {
    file: File,
    path: PathBuf,
    sum: Sha256,
    length: u64,
}

impl Download {
    /// Takes up what is there, once nobody else is at it.
    async fn open(path: PathBuf) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&path)?;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(rustix::io::Errno::WOULDBLOCK) => tokio::time::sleep(OTHERS).await,
                Err(error) => return Err(error.into()),
            }
        }
        let hashing = tokio::task::spawn_blocking(move || {
            let mut download = Self {
                file,
                path,
                sum: Sha256::new(),
                length: 0,
            };
            let mut buffer = vec![0; 256 << 10];
            loop {
                match download.file.read(&mut buffer)? {
                    0 => return Ok(download),
                    read => {
                        download.sum.update(&buffer[..read]);
                        download.length += read as u64;
                    }
                }
            }
        });
        hashing.await.map_err(io::Error::other)?
    }

    fn add(&mut self, part: &[u8]) -> io::Result<()> {
        self.file.write_all(part)?;
        self.sum.update(part);
        self.length += part.len() as u64;
        Ok(())
    }

    fn restart(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.sum = Sha256::new();
        self.length = 0;
        Ok(())
    }

    fn digest(&self) -> String {
        written(self.sum.clone())
    }
}

impl Store {
    /// Where a blob is until it is whole. It is left there when the way breaks, and taken up by whoever wants it next.
    fn download(&self, digest: &str) -> PathBuf {
        let hash = digest.trim_start_matches("sha256:");
        self.directory.join("downloads").join(hash)
    }

    /// Sees to it that the store has a blob.
    pub(crate) async fn fetch(
        &self,
        client: &Client,
        image: &Reference,
        blob: &Descriptor,
        meter: &Meter<'_>,
    ) -> Result<(), Failure> {
        let name = self.blob(blob.digest());
        if name.exists() {
            meter.add(blob.size());
            return Ok(());
        }
        let path = self.download(blob.digest());
        let failed = |error| Failure::Store(Error::machine("written", &path)(error));
        let mut download = Download::open(path.clone()).await.map_err(failed)?;
        if name.exists() {
            // Somebody else has had it meanwhile.
            meter.add(blob.size());
            return Ok(());
        }
        meter.add(download.length);
        let mut left = ATTEMPTS;
        while download.length < blob.size() {
            let before = download.length;
            match self.receive(client, image, blob, &mut download, meter).await {
                Ok(()) if download.length >= blob.size() => break,
                Err(failure) if !failure.may_pass() => return Err(failure),
                came => {
                    left = if download.length > before {
                        ATTEMPTS
                    } else {
                        left - 1
                    };
                    if left == 0 {
                        let cut = || {
                            Failure::broken(format!(
                                "it ends after {} of {} bytes",
                                download.length,
                                blob.size()
                            ))
                        };
                        return Err(came.err().unwrap_or_else(cut));
                    }
                    tokio::time::sleep(PAUSE * 2_u32.pow(ATTEMPTS - left)).await;
                }
            }
        }
        let found = download.digest();
        if found != blob.digest() {
            let _ = fs::remove_file(&download.path);
            return Err(Failure::wrong(format!(
                "a blob is not what its name says: expected `{}`, found `{found}`",
                blob.digest()
            )));
        }
        let finish = || {
            download.file.sync_data()?;
            fs::rename(&download.path, &name)
        };
        finish().map_err(failed)
    }

    async fn receive(
        &self,
        client: &Client,
        image: &Reference,
        blob: &Descriptor,
        download: &mut Download,
        meter: &Meter<'_>,
    ) -> Result<(), Failure> {
        let failed = |path: &PathBuf, error| Failure::Store(Error::machine("written", path)(error));
        let response = client
            .pull_blob_stream_partial(image, blob.digest(), download.length, None)
            .await;
        let mut stream = match response.map_err(refused)? {
            BlobResponse::Partial(stream) => stream,
            BlobResponse::Full(stream) => {
                meter.take(download.length);
                download
                    .restart()
                    .map_err(|error| failed(&download.path, error))?;
                stream
            }
        };
        while let Some(part) = stream.next().await {
            let part = part.map_err(|error| Failure::broken(error.to_string()))?;
            if download.length + part.len() as u64 > blob.size() {
                let _ = fs::remove_file(&download.path);
                return Err(Failure::wrong(format!(
                    "a blob is longer than {} bytes, as the manifest has it",
                    blob.size()
                )));
            }
            download
                .add(&part)
                .map_err(|error| failed(&download.path, error))?;
            meter.add(part.len() as u64);
        }
        Ok(())
    }
}
