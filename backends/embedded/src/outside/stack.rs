//! The other end of the containers' TCP connections, whatever machine they are to.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Checksum, Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::tcp;
use smoltcp::time::Instant;
use smoltcp::wire::{HardwareAddress, IpListenEndpoint};
use tokio::sync::Notify;

use super::packet::{Ends, LARGEST};

/// How much of each direction of a connection is kept until the other side takes it, in bytes.
const BUFFER: usize = 256 << 10;

/// After this time without an answer a container is taken to be gone.
const SILENCE: smoltcp::time::Duration = smoltcp::time::Duration::from_secs(60);
const ARE_YOU_THERE: smoltcp::time::Duration = smoltcp::time::Duration::from_secs(20);

/// The stack of a network, and who waits for it.
pub(super) struct Stack {
    inner: Mutex<Inner>,
    changed: Notify,
    began: std::time::Instant,
}

struct Inner {
    interface: Interface,
    sockets: SocketSet<'static>,
    queues: Queues,
    /// Connections that nobody has any more. The container is told first.
    left: Vec<SocketHandle>,
}

impl Default for Stack {
    fn default() -> Self {
        let mut queues = Queues::default();
        let mut interface = Interface::new(Config::new(HardwareAddress::Ip), &mut queues, Instant::ZERO);
        // It is every other machine.
        interface.set_any_ip(true);
        let inner = Inner {
            interface,
            sockets: SocketSet::new(Vec::new()),
            queues,
            left: Vec::new(),
        };
        Self {
            inner: Mutex::new(inner),
            changed: Notify::new(),
            began: std::time::Instant::now(),
        }
    }
}

impl Stack {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Every change of it is whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Instant {
        Instant::from_micros(i64::try_from(self.began.elapsed().as_micros()).unwrap_or(i64::MAX))
    }

    /// Does what there is to do, sends what comes of it, and says how long nothing more will be to do if nothing happens.
    pub(super) fn work(&self, mut send: impl FnMut(&[u8])) -> Option<Duration> {
        let now = self.now();
        let mut inner = self.inner();
        inner.poll(now);
        for handle in std::mem::take(&mut inner.left) {
            inner.sockets.remove(handle);
        }
        for packet in inner.queues.outgoing.drain(..) {
            send(&packet);
        }
        let Inner {
            interface, sockets, ..
        } = &mut *inner;
        interface.poll_delay(now, sockets).map(Into::into)
    }

    /// A packet of a container.
    pub(super) fn give(&self, packet: &[u8]) {
        self.inner().queues.incoming.push_back(packet.to_vec());
        self.changed.notify_one();
    }

    /// Takes a connection, of which this is the first packet; nothing if it is no good one.
    pub(super) fn accept(&self, ends: Ends, first: &[u8]) -> Option<SocketHandle> {
        let buffer = || tcp::SocketBuffer::new(vec![0; BUFFER]);
        let mut socket = tcp::Socket::new(buffer(), buffer());
        socket.set_nagle_enabled(false);
        socket.set_ack_delay(None);
        socket.set_timeout(Some(SILENCE));
        socket.set_keep_alive(Some(ARE_YOU_THERE));
        let to = IpListenEndpoint {
            addr: Some((*ends.to.ip()).into()),
            port: ends.to.port(),
        };
        // It fails for a socket that is in use and for port 0, to which nobody sends.
        let _ = socket.listen(to);
        let now = self.now();
        let mut inner = self.inner();
        // A socket takes the first that comes, and what came before may be to the same machine and port.
        inner.poll(now);
        let handle = inner.sockets.add(socket);
        inner.queues.incoming.push_back(first.to_vec());
        inner.poll(now);
        if inner.sockets.get::<tcp::Socket>(handle).is_listening() {
            inner.sockets.remove(handle);
            return None;
        }
        drop(inner);
        self.changed.notify_one();
        Some(handle)
    }

    /// Waits until there is something to do.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Does something with a connection.
    pub(super) fn with<T>(
        &self,
        handle: SocketHandle,
        act: impl FnOnce(&mut tcp::Socket<'static>) -> T,
    ) -> T {
        let done = act(self.inner().sockets.get_mut(handle));
        self.changed.notify_one();
        done
    }

    /// Forgets a connection. One that has not ended is broken off.
    pub(super) fn remove(&self, handle: SocketHandle) {
        self.with(handle, |socket| match socket.state() {
            tcp::State::Closed | tcp::State::TimeWait => {}
            _ => socket.abort(),
        });
        self.inner().left.push(handle);
    }
}

impl Inner {
    fn poll(&mut self, now: Instant) {
        self.interface.poll(now, &mut self.queues, &mut self.sockets);
    }
}

/// Waits for as long as is said, or without end.
pub(super) async fn pause(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

/// Packets on their way into the stack and out of it.
#[derive(Default)]
struct Queues {
    incoming: VecDeque<Vec<u8>>,
    outgoing: Vec<Vec<u8>>,
}

struct Incoming(Vec<u8>);
struct Outgoing<'a>(&'a mut Vec<Vec<u8>>);

impl RxToken for Incoming {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(&self.0)
    }
}

impl TxToken for Outgoing<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, write: F) -> R {
        let mut packet = vec![0; length];
        let written = write(&mut packet);
        self.0.push(packet);
        written
    }
}

impl Device for Queues {
    type RxToken<'a> = Incoming;
    type TxToken<'a> = Outgoing<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Incoming, Outgoing<'_>)> {
        let packet = self.incoming.pop_front()?;
        Some((Incoming(packet), Outgoing(&mut self.outgoing)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Outgoing<'_>> {
        Some(Outgoing(&mut self.outgoing))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = LARGEST;
        // The kernel leaves the sums of what comes from a container to a device that does not exist.
        capabilities.checksum.tcp = Checksum::Tx;
        capabilities
    }
}
