//! The network namespace of an engine: its published ports answer there, and it looks for registries there.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::linux::fs::MetadataExt;
use std::sync::Arc;
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use shellproof_wire::Endpoint;

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
        let other = of_most_threads(engine.server().await?.pid)?;
        let is_own = identity(&other.metadata()?) == identity(&fs::metadata("/proc/self/ns/net")?);
        let other = (!is_own).then(|| Arc::new(other));
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

fn identity(namespace: &fs::Metadata) -> (u64, u64) {
    (namespace.st_dev(), namespace.st_ino())
}

/// The namespace that most threads of a process are in. `/proc/PID/ns/net` shows its first thread alone, and Podman may
/// leave that one in a container's.
fn of_most_threads(pid: i32) -> io::Result<File> {
    let mut found = HashMap::<_, (usize, File)>::new();
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may end meanwhile.
        let Ok(namespace) = File::open(thread?.path().join("ns/net")) else {
            continue;
        };
        let key = identity(&namespace.metadata()?);
        found.entry(key).or_insert((0, namespace)).0 += 1;
    }
    let most = found.into_values().max_by_key(|(threads, _)| *threads);
    most.map(|(_, namespace)| namespace)
        .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
}
