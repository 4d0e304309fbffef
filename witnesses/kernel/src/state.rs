//! The message with which an OCI runtime hands over a listener.

use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use serde::Deserialize;

use crate::Kind;

/// How long a runtime may take to send its message.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest message that is read, in bytes.
const MESSAGE: usize = 1 << 20;
/// How many descriptors are taken from one message.
const DESCRIPTORS: usize = 8;
/// The name that the runtime specification gives to the listener among the descriptors.
const LISTENER: &str = "seccompFd";

/// `ContainerProcessState` of the runtime specification, as far as it matters here.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct ProcessState {
    /// What the descriptors are, in their order.
    #[serde(default)]
    fds: Vec<String>,
    /// The process that the filter is on.
    pub pid: u32,
    pub state: ContainerState,
}

/// `State` of the runtime specification, as far as it matters here.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct ContainerState {
    pub id: String,
    status: String,
}

impl ProcessState {
    /// A container that is being created runs its own first process; in any other an engine started one more.
    pub(crate) fn kind(&self) -> Kind {
        match self.state.status.as_str() {
            "creating" => Kind::Start,
            _ => Kind::Exec,
        }
    }
}

/// Why no listener came.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StateError {
    #[error("cannot read a runtime's message: {0}")]
    Io(#[from] io::Error),
    #[error("a runtime's message ended after {0} bytes")]
    Ended(usize),
    #[error("a runtime's message has more than {MESSAGE} bytes")]
    TooLong,
    #[error("a runtime's message was not complete within {} s", PATIENCE.as_secs())]
    TooSlow,
    #[error("a runtime's message is no container state: {0}")]
    Json(serde_json::Error),
    #[error("a runtime's message came without a listener")]
    NoListener,
    /// The supervisor is being dropped.
    #[error("the supervisor has stopped")]
    Stopped,
}

/// Reads one message. It is complete when its JSON is: crun keeps the connection open until its own exec is answered.
pub(crate) fn receive(stream: &UnixStream, stop: &impl AsFd) -> Result<(ProcessState, OwnedFd), StateError> {
    let deadline = Instant::now() + PATIENCE;
    let mut message = Vec::new();
    let mut descriptors = Vec::new();
    let mut buffer = vec![0; 16 << 10];
    loop {
        // Nobody else could read the rest of a message.
        wait(stream, message.is_empty().then_some(stop), deadline)?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut parts = [IoSliceMut::new(&mut buffer)];
        let read = match recvmsg(stream, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => continue,
            read => read.map_err(io::Error::from)?.bytes,
        };
        for part in control.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = part {
                descriptors.extend(rights.take(DESCRIPTORS.saturating_sub(descriptors.len())));
            }
        }
        message.extend_from_slice(&buffer[..read]);
        if let Some(state) = parse(&message)? {
            return listener(&state.fds, descriptors)
                .map(|listener| (state, listener))
                .ok_or(StateError::NoListener);
        }
        if read == 0 {
            return Err(StateError::Ended(message.len()));
        }
        if message.len() > MESSAGE {
            return Err(StateError::TooLong);
        }
    }
}

fn wait(stream: &UnixStream, stop: Option<&impl AsFd>, deadline: Instant) -> Result<(), StateError> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(|_| StateError::TooSlow)?;
        let mut all = vec![PollFd::new(stream, PollFlags::IN)];
        all.extend(stop.map(|stop| PollFd::new(stop, PollFlags::IN)));
        match poll(&mut all, Some(&left)) {
            Ok(0) => return Err(StateError::TooSlow),
            Ok(_) if all[1..].iter().any(|stop| !stop.revents().is_empty()) => {
                return Err(StateError::Stopped);
            }
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(StateError::Io(error.into())),
        }
    }
}

/// The message when it is complete, nothing when it may become so.
fn parse(message: &[u8]) -> Result<Option<ProcessState>, StateError> {
    let mut values = serde_json::Deserializer::from_slice(message).into_iter();
    match values.next() {
        None => Ok(None),
        Some(Ok(state)) => Ok(Some(state)),
        Some(Err(error)) if error.is_eof() => Ok(None),
        Some(Err(error)) => Err(StateError::Json(error)),
    }
}

/// The descriptor that is the listener: the one that has its name, or the only one.
fn listener(names: &[String], mut descriptors: Vec<OwnedFd>) -> Option<OwnedFd> {
    let at = match names.iter().position(|name| name == LISTENER) {
        Some(at) => at,
        None if descriptors.len() == 1 => 0,
        None => return None,
    };
    (at < descriptors.len()).then(|| descriptors.swap_remove(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNC: &[u8] = br#"{"ociVersion":"1.0.2-dev","fds":["seccompFd"],"pid":4422,"metadata":"","state":{"ociVersion":"1.0.2-dev","id":"c1","status":"creating","pid":4422,"bundle":"/b","annotations":{"a":"} \" {"}}}"#;

    #[test]
    fn a_message_is_complete_when_its_json_is() {
        for end in 0..RUNC.len() {
            assert_eq!(parse(&RUNC[..end]).unwrap(), None, "after {end} bytes");
        }
        let state = parse(RUNC).unwrap().unwrap();
        assert_eq!(
            (state.pid, state.state.id.as_str(), state.kind()),
            (4422, "c1", Kind::Start)
        );
    }

    #[test]
    fn an_exec_is_told_by_the_containers_status() {
        let exec = String::from_utf8_lossy(RUNC).replace("creating", "running");
        assert_eq!(parse(exec.as_bytes()).unwrap().unwrap().kind(), Kind::Exec);
    }

    #[test]
    fn what_is_no_state_is_refused_at_once() {
        for message in ["hello", "[]", "{\"pid\":\"1\"", "{\"pid\":1,\"state\":{\"id\":1"] {
            assert!(
                matches!(parse(message.as_bytes()), Err(StateError::Json(_))),
                "{message}"
            );
        }
        assert!(matches!(parse(b"{\"pid\":1}"), Err(StateError::Json(_))));
    }

    #[test]
    fn the_listener_is_found_among_descriptors() {
        let fds = |count: usize| -> Vec<OwnedFd> {
            (0..count)
                .map(|_| std::fs::File::open("/dev/null").unwrap().into())
                .collect()
        };
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        assert!(listener(&names(&["other", LISTENER]), fds(2)).is_some());
        assert!(listener(&names(&[]), fds(1)).is_some());
        assert!(listener(&names(&["other", LISTENER]), fds(1)).is_none());
        assert!(listener(&names(&["other"]), fds(2)).is_none());
        assert!(listener(&names(&[LISTENER]), fds(0)).is_none());
    }
}
