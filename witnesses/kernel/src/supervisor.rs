use std::fs::{Permissions, set_permissions};
use std::io::{self, PipeReader, PipeWriter};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use crate::content::Hasher;
use crate::keep::Left;
use crate::options::Options;
use crate::serve;
use crate::shared::Shared;
use shellproof_api::facts::Trace;

/// The longest path of a unix socket on Linux, in bytes.
pub(crate) const SOCKET_PATH: usize = 107;
/// How long a trace waits for content that is being hashed.
const HASHING: Duration = Duration::from_secs(30);
/// How long dropping waits for its threads: only one that reads a file which a container serves itself takes longer.
const FAREWELL: Duration = Duration::from_secs(2);

/// Listens for the listeners of one container and records what it executes. Dropping it ends its threads, closes its
/// socket and removes the socket's file.
#[derive(Debug)]
pub struct Supervisor {
    socket: PathBuf,
    shared: Arc<Shared>,
    /// Closing it is what stops the threads.
    stop: Option<PipeWriter>,
    accepting: Option<JoinHandle<()>>,
    /// Somebody else goes on listening.
    leaves_file: bool,
}

impl Supervisor {
    /// Listens on `socket`, which should be in a directory that only the engine's user and root can enter.
    ///
    /// # Errors
    /// The socket cannot be made: its path is longer than 107 bytes, exists already or cannot be written, or cannot be
    /// given to [`Options::owner`]. Or no thread can be started.
    pub fn start(socket: &Path, options: Options) -> io::Result<Self> {
        let length = socket.as_os_str().len();
        if length > SOCKET_PATH {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "socket path `{}` has {length} bytes, at most {SOCKET_PATH} are possible",
                    socket.display()
                ),
            ));
        }
        let listener = UnixListener::bind(socket)?;
        let (stopped, stop) = io::pipe()?;
        let (mode, owner) = (options.mode, options.owner);
        let shared = Arc::new(Shared::new(options, Hasher::start()?));
        // From here on dropping it removes the socket's file.
        let mut supervisor = Self {
            socket: socket.to_owned(),
            shared: shared.clone(),
            stop: Some(stop),
            accepting: None,
            leaves_file: false,
        };
        set_permissions(socket, Permissions::from_mode(mode))?;
        if let Some((user, group)) = owner {
            chown(socket, Some(user), Some(group))?;
        }
        let accepting = std::thread::Builder::new()
            .name("supervisor".into())
            .spawn(move || {
                accept(&listener, &shared, &Arc::new(stopped));
                shared.left(|left| left.socket = Some(listener));
            })?;
        supervisor.accepting = Some(accepting);
        Ok(supervisor)
    }

    /// The socket that a profile names as its `listenerPath`.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// What was seen so far. Waits up to half a minute for content that is still being hashed.
    pub fn trace(&self) -> Trace {
        self.shared.hasher.settle(HASHING);
        self.shared.log.snapshot()
    }

    /// Waits until every session has ended, and says whether that came to pass `within` the time.
    ///
    /// An engine may report a container's end before its last program is recorded: wait before judging. Without any
    /// session there is nothing to wait for.
    pub fn wait_ended(&self, within: Duration) -> bool {
        self.shared.log.wait_ended(within)
    }

    /// Whether programs were seen, and none runs any longer. An engine may tell of a container's end later than this.
    pub fn has_ended(&self) -> bool {
        self.shared.log.has_ended()
    }

    /// Stops recording, and gives what it takes for somebody else to go on answering. The socket's file stays. No call is
    /// lost: the kernel holds what comes meanwhile.
    ///
    /// # Errors
    /// A call was not answered in time, as where a program's file is served by the container itself.
    pub fn leave(mut self) -> io::Result<Left> {
        if !self.stop() {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "a call of the container was not answered in time",
            ));
        }
        let left = self.shared.left(std::mem::take);
        self.leaves_file = left.socket.is_some();
        Ok(left)
    }

    /// Ends the threads, and says whether all have ended.
    fn stop(&mut self) -> bool {
        drop(self.stop.take());
        if let Some(accepting) = self.accepting.take() {
            // Its end is all that matters; a panic would have been a fault in the trace of a living supervisor.
            let _ = accepting.join();
        }
        self.shared.log.wait_ended(FAREWELL)
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.stop();
        if !self.leaves_file {
            // The directory is removed by its owner; a file that is gone already is no loss.
            let _ = std::fs::remove_file(&self.socket);
        }
    }
}

fn accept(listener: &UnixListener, shared: &Arc<Shared>, stop: &Arc<PipeReader>) {
    loop {
        let mut both = [
            PollFd::new(listener, PollFlags::IN),
            PollFd::new(stop.as_ref(), PollFlags::IN),
        ];
        match poll(&mut both, None) {
            Ok(_) if !both[1].revents().is_empty() => return,
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(error) => {
                return shared
                    .log
                    .fault(format_args!("cannot wait for listeners: {error}"));
            }
        }
        match listener.accept() {
            Ok((stream, _)) => serve::spawn(shared, stream, stop),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return shared.log.fault(format_args!("cannot accept listeners: {error}")),
        }
    }
}
