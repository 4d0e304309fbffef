//! Datagrams: each pair of ends has a socket of its own, for as long as something comes.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Wire;
use super::packet::{self, Ends};

/// How many pairs of ends there are at once.
const PAIRS: usize = 128;

/// How long one is kept that nothing comes for.
const SILENCE: Duration = Duration::from_secs(60);

/// How many datagrams wait until they can be sent. More are lost, as on any wire.
const WAITING: usize = 64;

pub(super) struct Datagrams {
    wire: Arc<Wire>,
    open: HashMap<Ends, mpsc::Sender<Vec<u8>>>,
    pairs: JoinSet<()>,
}

impl Datagrams {
    pub(super) fn new(wire: Arc<Wire>) -> Self {
        Self {
            wire,
            open: HashMap::new(),
            pairs: JoinSet::new(),
        }
    }

    /// Sends what a container has sent.
    pub(super) fn send(&mut self, ends: Ends, content: &[u8]) {
        while self.pairs.try_join_next().is_some() {}
        self.open.retain(|_, pair| !pair.is_closed());
        if !self.open.contains_key(&ends) {
            if self.open.len() >= PAIRS {
                return;
            }
            let (sender, waiting) = mpsc::channel(WAITING);
            let wire = self.wire.clone();
            self.pairs.spawn(async move {
                // Who gets no answer asks again.
                let _ = pass_on(&wire, ends, waiting).await;
            });
            self.open.insert(ends, sender);
        }
        if let Some(pair) = self.open.get(&ends) {
            let _ = pair.try_send(content.to_vec());
        }
    }
}

async fn pass_on(wire: &Wire, ends: Ends, mut waiting: mpsc::Receiver<Vec<u8>>) -> io::Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
    socket
        .connect(SocketAddrV4::new(*ends.to.ip(), ends.to.port()))
        .await?;
    let back = Ends {
        from: ends.to,
        to: ends.from,
    };
    let mut room = vec![0; super::MOST];
    loop {
        tokio::select! {
            content = waiting.recv() => match content {
                Some(content) => drop(socket.send(&content).await?),
                None => return Ok(()),
            },
            length = socket.recv(&mut room) => {
                if let Some(packet) = packet::datagram(back, &room[..length?]) {
                    wire.send(&packet);
                }
            }
            () = tokio::time::sleep(SILENCE) => return Ok(()),
        }
    }
}
