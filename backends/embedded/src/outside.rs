//! The way out of a network. What its containers send to other machines is taken off their bridge, and this process sends it on
//! over connections of its own, as any program of the same user would. It takes no privilege, no device and no other program.

mod datagrams;
mod flow;
mod packet;
mod stack;

use std::collections::BTreeSet;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::{TcpStream, UdpSocket};
use tokio::task::JoinSet;

use crate::task::Task;
use datagrams::Datagrams;
use flow::Flow;
use packet::{Ends, Packet, Protocol};
use stack::Stack;

/// How much a packet can hold, in bytes: the kernel cuts what containers send only where it leaves the machine.
const MOST: usize = 1 << 16;

/// How many connections a network has to the outside at once. One more waits until another has ended.
const CONNECTIONS: usize = 256;

/// How much of what could not be reached is remembered.
const REMEMBERED: usize = 8;

/// What containers of a network asked for and this machine has not reached, or not yet: they may have given up waiting.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unreached(Arc<Mutex<BTreeSet<String>>>);

impl Unreached {
    pub(crate) fn add(&self, what: String) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < REMEMBERED {
            all.insert(what);
        }
    }

    /// It is there.
    pub(crate) fn remove(&self, what: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(what);
    }

    pub(crate) fn all(&self) -> Vec<String> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().cloned().collect()
    }
}

/// Both directions of a network's bridge: packets to machines that are not on it, and raw answers. Neither socket is one of UDP, but
/// what they carry comes and goes in one piece, as datagrams do.
pub(crate) struct Wire {
    packets: UdpSocket,
    answers: UdpSocket,
}

impl Wire {
    /// From sockets that the holder made.
    ///
    /// # Errors
    /// They cannot be waited for.
    pub(crate) fn new(packets: OwnedFd, answers: OwnedFd) -> io::Result<Self> {
        let open = |socket| UdpSocket::from_std(std::net::UdpSocket::from(socket));
        Ok(Self {
            packets: open(packets)?,
            answers: open(answers)?,
        })
    }

    /// Sends a whole packet to a container. One that cannot be sent is lost, as on any wire.
    fn send(&self, packet: &[u8]) {
        if let Some(packet_to) = Packet::read(packet).map(|packet| packet.ends.to) {
            let _ = self.answers.try_send_to(packet, packet_to.into());
        }
    }
}

/// Sends on what the containers of a network send to other machines, until this is dropped.
pub(crate) fn serve(wire: Wire, unreached: Unreached) -> Task {
    Task::spawn(Outside::new(wire, unreached).run())
}

struct Outside {
    wire: Arc<Wire>,
    stack: Arc<Stack>,
    datagrams: Datagrams,
    /// Connections that are being made or are there.
    live: BTreeSet<Ends>,
    connections: JoinSet<Ends>,
    unreached: Unreached,
}

impl Outside {
    fn new(wire: Wire, unreached: Unreached) -> Self {
        let wire = Arc::new(wire);
        Self {
            stack: Arc::default(),
            datagrams: Datagrams::new(wire.clone()),
            live: BTreeSet::new(),
            connections: JoinSet::new(),
            wire,
            unreached,
        }
    }

    async fn run(mut self) {
        let mut room = vec![0; MOST];
        loop {
            let wait = self.stack.work(|packet| self.wire.send(packet));
            tokio::select! {
                read = self.wire.packets.recv(&mut room) => match read {
                    Ok(length) => self.take(&room[..length]),
                    // The bridge is gone.
                    Err(_) => return,
                },
                () = self.stack.changed() => {}
                () = stack::pause(wait) => {}
                Some(ended) = self.connections.join_next() => {
                    if let Ok(ends) = ended {
                        self.live.remove(&ends);
                    }
                }
            }
        }
    }

    /// Takes a packet that a container has sent.
    fn take(&mut self, bytes: &[u8]) {
        let Some(packet) = Packet::read(bytes) else {
            return;
        };
        match packet.protocol {
            // Nobody is there, which is said at once.
            Protocol::Begin if !is_outside(*packet.ends.to.ip()) => self.stack.give(bytes),
            _ if !is_outside(*packet.ends.to.ip()) => {}
            Protocol::Datagram => self.datagrams.send(packet.ends, packet.content),
            // Said again: it is being made, or the answer is under way. What is one too many is said again later.
            Protocol::Begin => {
                if self.live.len() < CONNECTIONS && !self.live.contains(&packet.ends) {
                    self.live.insert(packet.ends);
                    let connection = Connection {
                        ends: packet.ends,
                        first: bytes.to_vec(),
                        stack: self.stack.clone(),
                        unreached: self.unreached.clone(),
                    };
                    self.connections.spawn(connection.run());
                }
            }
            Protocol::Stream => self.stack.give(bytes),
            Protocol::Other => {}
        }
    }
}

/// Whether an address can be another machine's: neither one of the run's networks, nor one that means several or this one.
fn is_outside(address: Ipv4Addr) -> bool {
    let is_ours = address.octets()[..2] == crate::holder::NETWORKS;
    let is_nobodys = address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_link_local();
    !is_ours && !is_nobodys
}

/// A connection that a container wants to have.
struct Connection {
    ends: Ends,
    /// The packet by which it asked.
    first: Vec<u8>,
    stack: Arc<Stack>,
    unreached: Unreached,
}

impl Connection {
    /// Makes it, and passes on what comes until both sides have ended.
    async fn run(self) -> Ends {
        let to = self.ends.to.to_string();
        self.unreached.add(to.clone());
        let made = TcpStream::connect(self.ends.to).await;
        let kind = made.as_ref().err().map(io::Error::kind);
        if matches!(
            kind,
            None | Some(io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset)
        ) {
            self.unreached.remove(&to);
        }
        match kind {
            // Nobody awaits it: it is refused.
            Some(kind) if kind != io::ErrorKind::ConnectionReset => self.stack.give(&self.first),
            // What was broken off was there before.
            _ => {
                let Some(handle) = self.stack.accept(self.ends, &self.first) else {
                    return self.ends;
                };
                let mut container = Flow::new(self.stack.clone(), handle);
                container.begin().await;
                // Where one side breaks off, the other sees that.
                if let Ok(mut machine) = made
                    && tokio::io::copy_bidirectional(&mut container, &mut machine)
                        .await
                        .is_ok()
                {
                    container.end().await;
                }
            }
        }
        self.ends
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_machines_are_told_from_ours_and_from_nobody() {
        for (address, is) in [
            ("93.184.216.34", true),
            ("10.0.0.1", true),
            ("192.168.1.1", true),
            ("10.88.0.1", false),
            ("10.88.255.7", false),
            ("10.89.0.1", true),
            ("127.0.0.1", false),
            ("0.0.0.0", false),
            ("224.0.0.251", false),
            ("255.255.255.255", false),
            ("169.254.169.254", false),
        ] {
            assert_eq!(is_outside(address.parse().unwrap()), is, "{address}");
        }
    }

    #[test]
    fn what_was_not_reached_is_remembered_once_and_not_without_end() {
        let unreached = Unreached::default();
        for number in 0..20 {
            unreached.add(format!("{}", number % 10));
        }
        assert_eq!(unreached.all(), ["0", "1", "2", "3", "4", "5", "6", "7"]);
        unreached.remove("3");
        unreached.remove("9");
        assert_eq!(unreached.all(), ["0", "1", "2", "4", "5", "6", "7"]);
    }
}
