//! From a plan to a container that runs: what is handed to the holder, and what its first process says until it is its program.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use serde_json::json;
use shellproof_userns::Channel;

use crate::link::{Answer, Link, in_memory};
use crate::plan::Plan;
use crate::protocol::{Ask, Failure, Number, Report};

/// Why a process in a container did not become its program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotStarted {
    pub(crate) failure: Failure,
    pub(crate) why: String,
}

impl From<String> for NotStarted {
    fn from(why: String) -> Self {
        Self {
            failure: Failure::Other,
            why,
        }
    }
}

impl From<io::Error> for NotStarted {
    fn from(error: io::Error) -> Self {
        error.to_string().into()
    }
}

/// A process that is to be started.
pub(crate) struct Start {
    pub(crate) number: Number,
    /// The container that it is to be in; none for the first process of one.
    pub(crate) inside: Option<Number>,
    /// The container's id.
    pub(crate) id: String,
    pub(crate) plan: Plan,
    /// Where its filter's listener is to be handed to.
    pub(crate) listener: Option<PathBuf>,
    pub(crate) stdout: OwnedFd,
    pub(crate) stderr: OwnedFd,
}

impl Start {
    /// Starts it, and gives its address if it is on a network.
    ///
    /// # Errors
    /// It did not become its program.
    pub(crate) async fn start(self, link: &Link) -> Result<Option<Ipv4Addr>, NotStarted> {
        let (ours, its) = Channel::pair()?;
        ours.tell_senders()?;
        let plan = in_memory(&self.plan)?;
        let ask = match self.inside {
            None => Ask::Run(self.number),
            Some(container) => Ask::Enter {
                number: self.number,
                container,
            },
        };
        let descriptors = [
            plan.as_fd(),
            its.as_fd(),
            self.stdout.as_fd(),
            self.stderr.as_fd(),
        ];
        let answer = link.ask(self.number, &ask, &descriptors).await?;
        // The process has its own. As long as there are others, nothing ends when it does.
        drop((its, self.stdout, self.stderr));
        let address = match answer {
            Answer::Made(address) => address,
            Answer::Done(_) => None,
        };
        let status = if self.inside.is_some() {
            "running"
        } else {
            "creating"
        };
        let (id, listener) = (self.id, self.listener);
        let told = tokio::task::spawn_blocking(move || converse(&ours, listener.as_deref(), &id, status));
        told.await.map_err(|error| error.to_string())??;
        Ok(address)
    }
}

/// Listens to a process until it is its program: then its end of the channel is closed.
fn converse(control: &Channel, listener: Option<&Path>, id: &str, status: &str) -> Result<(), NotStarted> {
    loop {
        let message = control.receive()?;
        if message.is_end() {
            return Ok(());
        }
        match serde_json::from_slice(&message.bytes).map_err(io::Error::from)? {
            Report::Failed(failure, why) => return Err(NotStarted { failure, why }),
            Report::Listener => {
                let (Some(socket), Some(process)) = (listener, message.sender) else {
                    return Err("its filter has a listener that nobody waits for"
                        .to_owned()
                        .into());
                };
                let descriptor = message.descriptors.first();
                let descriptor =
                    descriptor.ok_or_else(|| "its filter's listener did not come along".to_owned())?;
                hand_over(socket, process, id, status, descriptor).map_err(|error| {
                    format!(
                        "its seccomp listener cannot be handed to `{}`: {error}",
                        socket.display()
                    )
                })?;
            }
        }
    }
}

/// Hands a filter's listener to who answers its notifications, as an OCI runtime does.
fn hand_over(socket: &Path, process: i32, id: &str, status: &str, listener: &OwnedFd) -> io::Result<()> {
    let state = json!({
        "ociVersion": "1.0.2",
        "fds": ["seccompFd"],
        "pid": process,
        "metadata": "",
        "state": { "ociVersion": "1.0.2", "id": id, "status": status, "pid": process, "bundle": "/" },
    });
    let stream = Channel::from(OwnedFd::from(UnixStream::connect(socket)?));
    stream.send(state.to_string().as_bytes(), &[listener.as_fd()])
}
