//! The network namespace of an engine: its published ports answer there, and it looks for registries there.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::linux::fs::MetadataExt;
use std::sync::Arc;
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use shellproof_recorder::Endpoint;

/// Where the process lives that listens on an engine's socket.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    /// `None` where that is this process's own namespace.
    other: Option<Arc<File>>,
}

impl Network {
    /// The namespace that this process lives in.
    pub(crate) const OWN: Self = Self { other: None };

    /// Finds the engine's namespace by the process that listens on its socket.
    ///
    /// # Errors
    /// When nobody listens, or when another user's process may not be looked at.
    pub(crate) async fn of(engine: &Endpoint) -> io::Result<Self> {
        let path = format!("/proc/{}/ns/net", engine.server().await?.pid);
        let same = |other: &fs::Metadata, own: &fs::Metadata| {
            (other.st_dev(), other.st_ino()) == (own.st_dev(), own.st_ino())
        };
        if same(&fs::metadata(&path)?, &fs::metadata("/proc/self/ns/net")?) {
            return Ok(Self::OWN);
        }
        let other = Some(Arc::new(File::open(path)?));
        Ok(Self { other })
    }

    /// Does something in this namespace. A socket that is made there stays there.
    ///
    /// # Errors
    /// Those of `work`, and without `CAP_SYS_ADMIN` that another namespace may not be entered.
    pub(crate) fn enter<T: Send>(&self, work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
        let Some(other) = &self.other else { return work() };
        // A thread of its own, since a namespace is a thread's and this one has more to do at home.
        thread::scope(|scope| {
            let entered = scope.spawn(|| {
                move_into_link_name_space(other.as_fd(), Some(LinkNameSpaceType::Network))?;
                work()
            });
            entered
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}
