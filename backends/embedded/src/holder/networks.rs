//! The run's networks: a bridge for each, and the addresses of its containers.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, socket_with};

use crate::container::{DEVICE, named};
use crate::netlink::Netlink;
use crate::plan::Place;
use crate::protocol::Number;
use crate::sys;

/// What the addresses of all networks of a run begin with.
pub(crate) const NETWORKS: [u8; 2] = [10, 88];

/// Where containers ask for names.
const NAMES: u16 = 53;

/// All networks, and who is where.
#[derive(Default)]
pub(super) struct Networks {
    all: HashMap<Number, Network>,
    /// The subnet that was given away last.
    last: u8,
}

struct Network {
    /// Which of the run's networks it is: the third part of its addresses.
    subnet: u8,
    /// The bridge's device.
    bridge: u32,
    /// The last part of each container's address.
    hosts: HashMap<Number, u8>,
    /// The last one that was given away. An address comes back late, so that nobody meets another's successor.
    last: u8,
}

impl Network {
    fn address(&self, host: u8) -> Ipv4Addr {
        let [first, second] = NETWORKS;
        Ipv4Addr::new(first, second, self.subnet, host)
    }

    fn place(&self, host: u8) -> Place {
        Place {
            address: self.address(host),
            gateway: self.address(1),
        }
    }
}

impl Networks {
    /// Makes a network, and gives three sockets: on the first its containers ask for names, on the second what they send to
    /// other machines arrives, and what is written to the third reaches them as it is.
    pub(super) fn make(&mut self, netlink: &mut Netlink, number: Number) -> io::Result<[OwnedFd; 3]> {
        let full = || io::Error::other("a run has 255 networks at most");
        let subnet = self.free_subnet().ok_or_else(full)?;
        let mut network = Network {
            subnet,
            bridge: 0,
            hosts: HashMap::new(),
            last: 1,
        };
        let bridge = netlink
            .bridge(&format!("bridge{subnet}"), network.address(1))
            .map_err(named("a bridge"))?;
        network.bridge = bridge;
        let open = |netlink: &mut Netlink| {
            netlink.address(bridge, network.address(1))?;
            netlink.up(bridge)?;
            let names = UdpSocket::bind((network.address(1), NAMES)).map_err(named("a socket for names"))?;
            names.set_nonblocking(true)?;
            let packets = sys::packets(bridge).map_err(named("a socket for packets"))?;
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let answers = socket_with(AddressFamily::INET, SocketType::RAW, flags, Some(ipproto::RAW));
            let answers = answers.map_err(named("a socket for answers"))?;
            Ok([names.into(), packets, answers])
        };
        match open(netlink) {
            Ok(sockets) => {
                self.last = subnet;
                self.all.insert(number, network);
                Ok(sockets)
            }
            Err(error) => {
                netlink.remove(bridge)?;
                Err(error)
            }
        }
    }

    /// The next one that nobody has. One that was given back comes late: somebody may still have a socket there.
    fn free_subnet(&self) -> Option<u8> {
        let mut next = (self.last..=u8::MAX).skip(1).chain(1..=self.last);
        next.find(|subnet| self.all.values().all(|network| network.subnet != *subnet))
    }

    /// Removes a network. Whoever was on it is on none.
    pub(super) fn remove(&mut self, netlink: &mut Netlink, number: Number) -> io::Result<()> {
        match self.all.remove(&number) {
            Some(network) => netlink.remove(network.bridge),
            None => Ok(()),
        }
    }

    /// Gives a container an address.
    pub(super) fn join(&mut self, number: Number, container: Number) -> io::Result<Place> {
        let gone = || io::Error::new(io::ErrorKind::NotFound, "its network is gone");
        let network = self.all.get_mut(&number).ok_or_else(gone)?;
        let full = || io::Error::other("a network has 253 containers at most");
        let next = (network.last.saturating_add(1)..=254).chain(2..=network.last);
        let mut free = next.filter(|host| *host <= 254 && !network.hosts.values().any(|taken| taken == host));
        let host = free.next().ok_or_else(full)?;
        drop(free);
        network.last = host;
        network.hosts.insert(container, host);
        Ok(network.place(host))
    }

    /// Lays the wire from a network to a container, whose network namespace it is.
    pub(super) fn connect(
        &self,
        netlink: &mut Netlink,
        number: Number,
        container: Number,
        namespace: BorrowedFd<'_>,
    ) -> io::Result<()> {
        match self.all.get(&number) {
            Some(network) => netlink.pair(&format!("c{container}"), network.bridge, DEVICE, namespace),
            None => Ok(()),
        }
    }

    /// Takes back the address of who has ended.
    pub(super) fn leave(&mut self, container: Number) {
        for network in self.all.values_mut() {
            network.hosts.remove(&container);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(subnet: u8) -> Network {
        Network {
            subnet,
            bridge: 0,
            hosts: HashMap::new(),
            last: 1,
        }
    }

    #[test]
    fn a_subnet_that_was_given_back_comes_late() {
        let mut networks = Networks::default();
        assert_eq!(networks.free_subnet(), Some(1));
        networks.last = 1;
        assert_eq!(networks.free_subnet(), Some(2));
        networks.last = u8::MAX;
        networks.all.insert(7, network(1));
        assert_eq!(networks.free_subnet(), Some(2));
        networks.all = (1..=u8::MAX)
            .map(|subnet| (subnet.into(), network(subnet)))
            .collect();
        assert_eq!(networks.free_subnet(), None);
    }

    #[test]
    fn an_address_that_was_given_back_comes_late() {
        let mut networks = Networks::default();
        networks.all.insert(1, network(3));
        let address = |networks: &mut Networks, container| networks.join(1, container).unwrap().address;
        assert_eq!(address(&mut networks, 10), Ipv4Addr::new(10, 88, 3, 2));
        networks.leave(10);
        assert_eq!(address(&mut networks, 11), Ipv4Addr::new(10, 88, 3, 3));
        for container in 12..264 {
            address(&mut networks, container);
        }
        assert!(networks.join(1, 999).is_err() && networks.join(2, 999).is_err());
    }
}
