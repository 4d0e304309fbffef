//! Images: what the store has, and files of them.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use shellproof_api::{FileKind, ImageFile};
use shellproof_store::{Image, Store};
use shellproof_userns::Ids;

use crate::link::{Link, in_memory};
use crate::plan::{Look, Seen, SeenKind};
use crate::protocol::Ask;
use crate::users::Accounts;

/// The longest line before a file's content, in bytes.
const LINE: u64 = 64 << 10;
/// The longest `/etc/passwd` or `/etc/group` that is read, in bytes.
const ACCOUNTS: u64 = 1 << 20;

/// The images of a store, for one holder.
pub(crate) struct Images {
    store: Store,
    /// The users of each image, by its id.
    accounts: Mutex<HashMap<String, Accounts>>,
}

/// Does something that blocks on a thread for that.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, shellproof_store::Error> + Send + 'static,
) -> Result<T, String> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| error.to_string())?
        .map_err(|error| error.to_string())
}

impl Images {
    pub(crate) fn new(store: Store) -> Self {
        Self {
            store,
            accounts: Mutex::default(),
        }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Loads all images of an archive.
    pub(crate) async fn load(&self, archive: PathBuf) -> Result<(), String> {
        let store = self.store.clone();
        blocking(move || {
            let file = File::open(&archive).map_err(|error| shellproof_store::Error::Machine {
                what: format!("`{}` cannot be read", archive.display()),
                error,
            });
            store.import_all(file?).map(drop)
        })
        .await
    }

    /// The image of a name, if the store has it.
    pub(crate) async fn find(&self, name: &str) -> Result<Option<Arc<Image>>, String> {
        let (store, name) = (self.store.clone(), name.to_owned());
        Ok(blocking(move || store.image(&name)).await?.map(Arc::new))
    }

    /// The directories of an image, the uppermost first.
    pub(crate) async fn layers(&self, image: &Arc<Image>, ids: &Ids) -> Result<Vec<PathBuf>, String> {
        let (image, ids) = (image.clone(), ids.clone());
        blocking(move || image.lower_directories(&ids)).await
    }

    /// One file of an image, as its last layer leaves it.
    pub(crate) async fn file(
        &self,
        link: &Link,
        layers: Vec<PathBuf>,
        path: &str,
        most: u64,
    ) -> Result<Option<ImageFile>, String> {
        let text = |error: io::Error| error.to_string();
        let wanted = Look {
            layers,
            path: path.to_owned(),
            most,
        };
        let wanted = in_memory(&wanted).map_err(text)?;
        let (answer, its) = io::pipe().map_err(text)?;
        let number = link.number();
        link.ask(number, &Ask::Look(number), &[wanted.as_fd(), its.as_fd()])
            .await?;
        drop(its);
        let read = tokio::task::spawn_blocking(move || read(answer.into()));
        read.await.map_err(|error| error.to_string())?.map_err(text)?
    }

    /// The users of an image.
    pub(crate) async fn accounts(
        &self,
        link: &Link,
        id: &str,
        layers: &[PathBuf],
    ) -> Result<Accounts, String> {
        if let Some(known) = self.known().get(id) {
            return Ok(known.clone());
        }
        let mut texts = [const { String::new() }; 2];
        for (text, path) in texts.iter_mut().zip(["/etc/passwd", "/etc/group"]) {
            let file = self.file(link, layers.to_vec(), path, ACCOUNTS).await?;
            let content = file.map(|file| file.content).unwrap_or_default();
            *text = String::from_utf8_lossy(&content).into_owned();
        }
        let [passwd, group] = texts;
        let accounts = Accounts { passwd, group };
        self.known().insert(id.to_owned(), accounts.clone());
        Ok(accounts)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, Accounts>> {
        // What is put in is whole.
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads what a process that looks at an image answers.
fn read(answer: OwnedFd) -> io::Result<Result<Option<ImageFile>, String>> {
    let mut answer = io::BufReader::new(File::from(answer));
    let mut line = Vec::new();
    io::BufRead::read_until(&mut (&mut answer).take(LINE), b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(Err("the process that looks at the image's files has ended".into()));
    }
    let seen: Result<Option<Seen>, String> = serde_json::from_slice(&line)?;
    let seen = match seen {
        Ok(Some(seen)) => seen,
        Ok(None) => return Ok(Ok(None)),
        Err(why) => return Ok(Err(why)),
    };
    let mut content = Vec::new();
    answer.read_to_end(&mut content)?;
    let kind = match seen.kind {
        SeenKind::File => FileKind::File,
        SeenKind::Directory => FileKind::Directory,
        SeenKind::Symlink(target) => FileKind::Symlink(target),
        SeenKind::Other => FileKind::Other,
    };
    let size = if kind == FileKind::File { seen.size } else { 0 };
    Ok(Ok(Some(ImageFile {
        kind,
        mode: seen.mode,
        owner: (seen.uid.into(), seen.gid.into()),
        size,
        content,
    })))
}
