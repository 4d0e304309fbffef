//! What a packet says of itself: who sends it to whom, and what it is.

use std::net::{Ipv4Addr, SocketAddrV4};

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{IpProtocol, Ipv4Packet, Ipv4Repr, TcpPacket, UdpPacket, UdpRepr};

/// The largest packet that a container can take, in bytes.
pub(super) const LARGEST: usize = 1500;

/// How many machines a packet may pass.
const HOPS: u8 = 64;

/// Both ends of what a container sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Ends {
    pub(super) from: SocketAddrV4,
    pub(super) to: SocketAddrV4,
}

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// The first of a TCP connection.
    Begin,
    /// Another one of a TCP connection.
    Stream,
    /// UDP.
    Datagram,
    /// Anything else, and pieces of packets.
    Other,
}

/// A packet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Packet<'a> {
    pub(super) ends: Ends,
    pub(super) protocol: Protocol,
    /// What a datagram holds.
    pub(super) content: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads one. None if it is none.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let packet = Ipv4Packet::new_checked(bytes).ok()?;
        let (from, to) = (packet.src_addr(), packet.dst_addr());
        let is_piece = packet.more_frags() || packet.frag_offset() != 0;
        let (ports, protocol, content) = match packet.next_header() {
            IpProtocol::Tcp if !is_piece => {
                let tcp = TcpPacket::new_checked(packet.payload()).ok()?;
                let protocol = match tcp.syn() && !tcp.ack() {
                    true => Protocol::Begin,
                    false => Protocol::Stream,
                };
                ((tcp.src_port(), tcp.dst_port()), protocol, &[][..])
            }
            IpProtocol::Udp if !is_piece => {
                let udp = UdpPacket::new_checked(packet.payload()).ok()?;
                let ports = (udp.src_port(), udp.dst_port());
                (ports, Protocol::Datagram, udp.payload())
            }
            _ => ((0, 0), Protocol::Other, &[][..]),
        };
        Some(Self {
            ends: Ends {
                from: SocketAddrV4::new(from, ports.0),
                to: SocketAddrV4::new(to, ports.1),
            },
            protocol,
            content,
        })
    }
}

/// The packet of a datagram. None where it is too long for one.
pub(super) fn datagram(ends: Ends, content: &[u8]) -> Option<Vec<u8>> {
    let udp = UdpRepr {
        src_port: ends.from.port(),
        dst_port: ends.to.port(),
    };
    let (from, to): (Ipv4Addr, Ipv4Addr) = (*ends.from.ip(), *ends.to.ip());
    let ip = Ipv4Repr {
        src_addr: from,
        dst_addr: to,
        next_header: IpProtocol::Udp,
        payload_len: udp.header_len() + content.len(),
        hop_limit: HOPS,
    };
    let mut bytes = vec![0; ip.buffer_len() + ip.payload_len];
    if bytes.len() > LARGEST {
        return None;
    }
    let checksums = ChecksumCapabilities::default();
    let mut packet = Ipv4Packet::new_unchecked(&mut bytes);
    ip.emit(&mut packet, &checksums);
    udp.emit(
        &mut UdpPacket::new_unchecked(packet.payload_mut()),
        &from.into(),
        &to.into(),
        content.len(),
        |room| room.copy_from_slice(content),
        &checksums,
    );
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends() -> Ends {
        Ends {
            from: "10.88.1.2:4000".parse().unwrap(),
            to: "192.0.2.7:123".parse().unwrap(),
        }
    }

    #[test]
    fn a_datagram_is_read_as_it_was_written() {
        let bytes = datagram(ends(), b"time?").unwrap();
        let packet = Packet::read(&bytes).unwrap();
        assert_eq!(packet.ends, ends());
        assert_eq!(
            (packet.protocol, packet.content),
            (Protocol::Datagram, &b"time?"[..])
        );
        assert_eq!(datagram(ends(), &[0; 1473]), None);
        assert!(datagram(ends(), &[0; 1472]).is_some());
    }

    #[test]
    fn a_piece_is_none_of_a_connection_and_half_a_packet_is_none() {
        let whole = datagram(ends(), b"time?").unwrap();
        for length in 0..whole.len() {
            assert_eq!(Packet::read(&whole[..length]), None, "{length}");
        }
        for (place, value) in [(6, 0x20), (7, 1)] {
            let mut piece = whole.clone();
            piece[place] = value;
            assert_eq!(Packet::read(&piece).unwrap().protocol, Protocol::Other);
        }
        let mut other = whole.clone();
        other[9] = 1;
        assert_eq!(Packet::read(&other).unwrap().protocol, Protocol::Other);
    }
}
