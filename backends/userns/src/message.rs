//! Messages with descriptors over a socket that keeps them apart.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::sockopt::set_socket_passcred;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, Shutdown, SocketFlags, SocketType, recvmsg, sendmsg, shutdown,
    socketpair,
};

/// The longest message, in bytes. What may be longer travels in a file's descriptor.
const LONGEST: usize = 64 << 10;
/// How many descriptors a message may carry.
const DESCRIPTORS: usize = 8;

/// One end of a pair of sockets on which messages arrive whole, in order, and with descriptors.
#[derive(Debug)]
pub struct Channel(OwnedFd);

/// What came.
#[derive(Debug, Default)]
pub struct Message {
    /// Its text. Nobody sends an empty one: empty means that the other end is closed.
    pub bytes: Vec<u8>,
    /// The descriptors that came with it.
    pub descriptors: Vec<OwnedFd>,
    /// The sender's process as this one sees it, where [`Channel::tell_senders`] asked for it.
    pub sender: Option<i32>,
}

impl Message {
    /// Whether this is no message, but the end.
    pub fn is_end(&self) -> bool {
        self.bytes.is_empty()
    }
}

impl Channel {
    /// Two ends. Neither outlives an exec.
    ///
    /// # Errors
    /// No descriptors are left.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )?;
        Ok((Self(one), Self(other)))
    }

    /// From now on the kernel tells who sends.
    ///
    /// # Errors
    /// The kernel refuses, which it does not.
    pub fn tell_senders(&self) -> io::Result<()> {
        Ok(set_socket_passcred(&self.0, true)?)
    }

    /// Sends one message.
    ///
    /// # Errors
    /// The other end is closed, or the message is too long.
    pub fn send(&self, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        debug_assert!(!bytes.is_empty() && descriptors.len() <= DESCRIPTORS);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() {
            control.push(SendAncillaryMessage::ScmRights(descriptors));
        }
        loop {
            match sendmsg(&self.0, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL) {
                Err(Errno::INTR) => {}
                sent => return Ok(sent.map(|_| ())?),
            }
        }
    }

    /// Waits for one message, or for the end.
    ///
    /// # Errors
    /// The socket fails.
    pub fn receive(&self) -> io::Result<Message> {
        let mut bytes = vec![0; LONGEST];
        let mut space =
            [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS), ScmCredentials(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let read = loop {
            let mut parts = [IoSliceMut::new(&mut bytes)];
            match recvmsg(&self.0, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC) {
                Err(Errno::INTR) => {}
                // The other end was closed with something unread in it.
                Err(Errno::CONNRESET) => return Ok(Message::default()),
                read => break read?.bytes,
            }
        };
        bytes.truncate(read);
        let mut message = Message {
            bytes,
            ..Message::default()
        };
        for part in control.drain() {
            match part {
                RecvAncillaryMessage::ScmRights(rights) => message.descriptors.extend(rights),
                RecvAncillaryMessage::ScmCredentials(sender) => {
                    message.sender = Some(sender.pid.as_raw_nonzero().get());
                }
                _ => {}
            }
        }
        Ok(message)
    }

    /// Closes the way in both directions, also for those who have a copy of this end: whoever waits is told.
    pub fn close(&self) {
        // Closed already is closed.
        let _ = shutdown(&self.0, Shutdown::Both);
    }

    /// Another handle on the same end.
    ///
    /// # Errors
    /// No descriptors are left.
    pub fn try_clone(&self) -> io::Result<Self> {
        self.0.try_clone().map(Self)
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<OwnedFd> for Channel {
    fn from(socket: OwnedFd) -> Self {
        Self(socket)
    }
}

impl From<Channel> for OwnedFd {
    fn from(channel: Channel) -> Self {
        channel.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_stay_apart_and_bring_descriptors_and_their_sender() {
        let (one, other) = Channel::pair().unwrap();
        other.tell_senders().unwrap();
        one.send(b"first", &[]).unwrap();
        one.send(b"second", &[one.as_fd(), other.as_fd()]).unwrap();
        let first = other.receive().unwrap();
        assert_eq!(
            (first.bytes.as_slice(), first.descriptors.len()),
            (&b"first"[..], 0)
        );
        assert_eq!(first.sender, Some(std::process::id().cast_signed()));
        let second = other.receive().unwrap();
        assert_eq!(
            (second.bytes.as_slice(), second.descriptors.len()),
            (&b"second"[..], 2)
        );
        drop((one, second));
        assert!(other.receive().unwrap().is_end());
    }

    #[test]
    fn closing_tells_who_waits_and_who_sends() {
        let (one, other) = Channel::pair().unwrap();
        let copy = one.try_clone().unwrap();
        one.close();
        assert!(copy.receive().unwrap().is_end() && other.receive().unwrap().is_end());
        assert!(other.send(b"late", &[]).is_err());
    }
}
