//! How a keeper gets what it keeps: descriptors on its standard input, each with a word about what it is.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use shellproof_kernel::Part;

use super::{Kept, Left, Order};
use crate::invocation::Invocation;

/// How long each side waits for the other.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest message, in bytes: names and ids of all containers.
const MESSAGE: usize = 128 << 10;
/// The name of the hidden command.
pub(crate) const COMMAND: &str = "keep";
/// The last message, and its answer.
const ALL: &[u8] = b"all";

/// What a keeper is to be given.
pub(crate) struct Handover {
    /// The engine's socket.
    pub(crate) engine: PathBuf,
    /// The containers, each with what its supervisor left.
    pub(crate) containers: Vec<(Kept, Left)>,
}

impl Handover {
    /// Starts a keeper, which has everything when this returns, and gives its process. The run's directory is then the
    /// keeper's.
    ///
    /// # Errors
    /// It cannot be started, or does not take what it is given.
    pub(crate) fn start(self, invocation: &Invocation) -> io::Result<u32> {
        let (ours, its) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )?;
        for timeout in [Timeout::Recv, Timeout::Send] {
            set_socket_timeout(&ours, timeout, Some(PATIENCE))?;
        }
        // What is not ours and was left open to us is no business of a process that outlives us: somebody may wait for its end.
        shellproof_kernel::pass_on_nothing()?;
        // The file that runs, also where it has been replaced meanwhile.
        let keeper = Command::new("/proc/self/exe")
            .arg0("shellproof")
            .arg(COMMAND)
            .env_clear()
            .stdin(Stdio::from(its))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let (containers, left): (Vec<_>, Vec<_>) = self.containers.into_iter().unzip();
        let order = Order {
            directory: invocation.directory().to_owned(),
            engine: self.engine,
            containers,
        };
        send(&ours, &serde_json::to_vec(&order)?, Some(invocation.lock()))?;
        for (at, left) in left.into_iter().enumerate() {
            for part in left.into_parts() {
                let (kind, descriptor) = match &part {
                    Part::Socket(descriptor) => ('l', descriptor),
                    Part::Connection(descriptor) => ('c', descriptor),
                    Part::Session(descriptor) => ('s', descriptor),
                };
                send(&ours, format!("{kind}{at}").as_bytes(), Some(descriptor.as_fd()))?;
            }
        }
        send(&ours, ALL, None)?;
        match take(&ours)?.0.as_slice() {
            ALL => {}
            _ => return Err(io::Error::other("it has ended")),
        }
        invocation.leave();
        Ok(keeper.id())
    }
}

/// What came.
pub(super) struct Message {
    pub(super) order: Order,
    /// The run goes on as long as it is open.
    pub(super) lock: OwnedFd,
    /// What was left of each container, in the order's order.
    pub(super) left: Vec<Left>,
    pub(super) answer: Answer,
}

/// The way to whoever hands over.
pub(super) struct Answer(OwnedFd);

impl Answer {
    /// Says that all is taken over.
    pub(super) fn ready(self) -> io::Result<()> {
        send(&self.0, ALL, None)
    }
}

/// Takes everything from standard input, which is nothing afterwards.
pub(super) fn receive() -> io::Result<Message> {
    let wrong = || {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            "only `shellproof audit` starts a keeper",
        )
    };
    let socket = io::stdin().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdin(std::fs::File::open("/dev/null")?)?;
    set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE)).map_err(|_| wrong())?;
    let (order, lock) = take(&socket)?;
    let order: Order = serde_json::from_slice(&order)?;
    let lock = lock.ok_or_else(wrong)?;
    let mut left: Vec<Left> = order.containers.iter().map(|_| Left::default()).collect();
    loop {
        let (word, descriptor) = take(&socket)?;
        let word = String::from_utf8(word).map_err(|_| wrong())?;
        let (kind, at) = word.split_at_checked(1).ok_or_else(wrong)?;
        let Some(descriptor) = descriptor else {
            let answer = Answer(socket);
            return match word.as_bytes() {
                ALL => Ok(Message {
                    order,
                    lock,
                    left,
                    answer,
                }),
                _ => Err(wrong()),
            };
        };
        let part = match kind {
            "l" => Part::Socket(descriptor),
            "c" => Part::Connection(descriptor),
            "s" => Part::Session(descriptor),
            _ => return Err(wrong()),
        };
        let at: usize = at.parse().map_err(|_| wrong())?;
        left.get_mut(at).ok_or_else(wrong)?.add(part);
    }
}

fn send(socket: &OwnedFd, word: &[u8], descriptor: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors: Vec<_> = descriptor.into_iter().collect();
    if !descriptors.is_empty() {
        control.push(SendAncillaryMessage::ScmRights(&descriptors));
    }
    sendmsg(socket, &[IoSlice::new(word)], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// One message and its descriptor; an empty one when nobody is there any more.
fn take(socket: &OwnedFd) -> io::Result<(Vec<u8>, Option<OwnedFd>)> {
    let mut buffer = vec![0; MESSAGE];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let read = loop {
        let mut parts = [IoSliceMut::new(&mut buffer)];
        match recvmsg(socket, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            read => break read?.bytes,
        }
    };
    let rights = control.drain().find_map(|part| match part {
        RecvAncillaryMessage::ScmRights(mut rights) => rights.next(),
        _ => None,
    });
    buffer.truncate(read);
    Ok((buffer, rights))
}
