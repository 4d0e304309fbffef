//! rtnetlink, as much of it as bridges, pairs of devices and addresses need. There is no `ip` program on the way.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use rustix::net::netdevice::name_to_index;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};

/// The loopback device of every network namespace.
pub(crate) const LOOPBACK: u32 = 1;

// Attributes of links and addresses, as the kernel's headers number them.
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_NET_NS_FD: u16 = 28;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const VETH_INFO_PEER: u16 = 1;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const RTA_GATEWAY: u16 = 5;
const NESTED: u16 = 1 << 15;
const IFF_UP: u32 = 1;

/// A connection to the kernel about the devices of this network namespace.
pub(crate) struct Netlink {
    socket: OwnedFd,
    number: u32,
}

/// A message in the making.
struct Request(Vec<u8>);

impl Request {
    fn new(kind: u16, flags: libc::c_int, number: u32) -> Self {
        let flags = (flags | libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16;
        // Its length is known at the end.
        let mut bytes = vec![0; 4];
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(number.to_ne_bytes());
        bytes.extend([0; 4]);
        Self(bytes)
    }

    fn put(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// The head of a message about a link.
    fn link(self, index: u32, flags: u32) -> Self {
        self.put(&[0; 4])
            .put(&index.to_ne_bytes())
            .put(&flags.to_ne_bytes())
            .put(&flags.to_ne_bytes())
    }

    fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        let length = (4 + value.len()) as u16;
        self.0.extend(length.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend_from_slice(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    fn name(self, name: &str) -> Self {
        self.attribute(IFLA_IFNAME, &[name.as_bytes(), &[0]].concat())
    }

    fn nest(mut self, kind: u16, inner: impl FnOnce(Self) -> Self) -> Self {
        let at = self.0.len();
        self = inner(self.attribute(kind | NESTED, &[]));
        let length = (self.0.len() - at) as u16;
        self.0[at..at + 2].copy_from_slice(&length.to_ne_bytes());
        self
    }
}

impl Netlink {
    pub(crate) fn open() -> io::Result<Self> {
        let socket = socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            None,
        )?;
        Ok(Self { socket, number: 0 })
    }

    /// Sends a request and waits for the kernel's answer, which comes at once.
    fn ask(&mut self, request: Request) -> io::Result<()> {
        let mut bytes = request.0;
        let length = bytes.len() as u32;
        bytes[..4].copy_from_slice(&length.to_ne_bytes());
        send(&self.socket, &bytes, SendFlags::empty())?;
        let mut answer = [0; 4096];
        let (read, _) = recv(&self.socket, &mut answer, RecvFlags::empty())?;
        let odd = || {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "the kernel's answer about a network device is odd",
            )
        };
        let answer = &answer[..read];
        let kind: [u8; 2] = answer
            .get(4..6)
            .and_then(|two| two.try_into().ok())
            .ok_or_else(odd)?;
        let error: [u8; 4] = answer
            .get(16..20)
            .and_then(|four| four.try_into().ok())
            .ok_or_else(odd)?;
        match (i32::from(u16::from_ne_bytes(kind)), i32::from_ne_bytes(error)) {
            (libc::NLMSG_ERROR, 0) => Ok(()),
            (libc::NLMSG_ERROR, error) => Err(io::Error::from_raw_os_error(-error)),
            _ => Err(odd()),
        }
    }

    fn request(&mut self, kind: u16, flags: libc::c_int) -> Request {
        self.number += 1;
        Request::new(kind, flags, self.number)
    }

    /// Makes a bridge and gives its number. Its hardware address is made of the other one: left to itself it takes the least of
    /// its wires', and so another one as containers come and go, while those that knew the first still write to that.
    pub(crate) fn bridge(&mut self, name: &str, address: Ipv4Addr) -> io::Result<u32> {
        let [first, second, third, fourth] = address.octets();
        // Of those that everybody may give away.
        let hardware = [0x02, 0, first, second, third, fourth];
        let request = self
            .request(libc::RTM_NEWLINK, libc::NLM_F_CREATE | libc::NLM_F_EXCL)
            .link(0, IFF_UP)
            .name(name)
            .attribute(IFLA_ADDRESS, &hardware)
            .nest(IFLA_LINKINFO, |info| info.attribute(IFLA_INFO_KIND, b"bridge"));
        self.ask(request)?;
        index(name)
    }

    /// Makes two devices that are one wire: `name` here on a bridge, `peer` in another network namespace.
    pub(crate) fn pair(
        &mut self,
        name: &str,
        bridge: u32,
        peer: &str,
        namespace: BorrowedFd<'_>,
    ) -> io::Result<()> {
        let namespace = namespace.as_raw_fd().to_ne_bytes();
        let request = self
            .request(libc::RTM_NEWLINK, libc::NLM_F_CREATE | libc::NLM_F_EXCL)
            .link(0, IFF_UP)
            .name(name)
            .attribute(IFLA_MASTER, &bridge.to_ne_bytes())
            .nest(IFLA_LINKINFO, |info| {
                info.attribute(IFLA_INFO_KIND, b"veth")
                    .nest(IFLA_INFO_DATA, |data| {
                        data.nest(VETH_INFO_PEER, |other| {
                            other.link(0, 0).name(peer).attribute(IFLA_NET_NS_FD, &namespace)
                        })
                    })
            });
        self.ask(request)
    }

    /// Switches a device on.
    pub(crate) fn up(&mut self, device: u32) -> io::Result<()> {
        let request = self.request(libc::RTM_NEWLINK, 0).link(device, IFF_UP);
        self.ask(request)
    }

    /// Gives a device an address, in a network of 256.
    pub(crate) fn address(&mut self, device: u32, address: Ipv4Addr) -> io::Result<()> {
        let request = self
            .request(libc::RTM_NEWADDR, libc::NLM_F_CREATE)
            .put(&[libc::AF_INET as u8, 24, 0, 0])
            .put(&device.to_ne_bytes())
            .attribute(IFA_LOCAL, &address.octets())
            .attribute(IFA_ADDRESS, &address.octets());
        self.ask(request)
    }

    /// Whatever has no other way goes to this address.
    pub(crate) fn default_route(&mut self, gateway: Ipv4Addr) -> io::Result<()> {
        // To any address and from any; at the user's wish, over a gateway.
        let head = [
            libc::AF_INET as u8,
            0,
            0,
            0,
            libc::RT_TABLE_MAIN,
            libc::RTPROT_STATIC,
            libc::RT_SCOPE_UNIVERSE,
            libc::RTN_UNICAST,
        ];
        let request = self
            .request(libc::RTM_NEWROUTE, libc::NLM_F_CREATE | libc::NLM_F_EXCL)
            .put(&head)
            .put(&[0; 4])
            .attribute(RTA_GATEWAY, &gateway.octets());
        self.ask(request)
    }

    /// Removes a device.
    pub(crate) fn remove(&mut self, device: u32) -> io::Result<()> {
        let request = self.request(libc::RTM_DELLINK, 0).link(device, 0);
        self.ask(request)
    }
}

/// The number of a device.
pub(crate) fn index(name: &str) -> io::Result<u32> {
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    Ok(name_to_index(&socket, name)?)
}
