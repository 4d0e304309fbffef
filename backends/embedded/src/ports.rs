//! Published ports: the caller listens on its own loopback, and passes each connection on to the container.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream as StdStream};
use std::sync::Arc;

use shellproof_api::Port;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::link::{Answer, Link};
use crate::protocol::Ask;
use crate::task::Task;

/// A port that is taken on loopback.
pub(crate) struct Taken {
    listener: TcpListener,
    container: u16,
}

/// Takes the host's side of some ports.
///
/// # Errors
/// The first that cannot be had, with its number.
pub(crate) async fn take(ports: &[Port]) -> Result<Vec<Taken>, (u16, io::Error)> {
    let mut taken = Vec::new();
    for port in ports {
        let host = port.host.unwrap_or_default();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, host)).await;
        taken.push(Taken {
            listener: listener.map_err(|error| (host, error))?,
            container: port.container,
        });
    }
    Ok(taken)
}

impl Taken {
    /// The port in the container and on the host.
    pub(crate) fn numbers(&self) -> io::Result<(u16, u16)> {
        Ok((self.container, self.listener.local_addr()?.port()))
    }

    /// Passes on what comes, until this is dropped.
    pub(crate) fn serve(self, link: Arc<Link>, address: Ipv4Addr) -> Task {
        let to = SocketAddr::from((address, self.container));
        Task::spawn(async move {
            // They end with the port.
            let mut connections = tokio::task::JoinSet::new();
            loop {
                tokio::select! {
                    Ok((client, _)) = self.listener.accept() => {
                        let link = link.clone();
                        connections.spawn(async move {
                            // Either side may leave at any time, and the other sees that.
                            let _ = pass_on(&link, client, to).await;
                        });
                    }
                    Some(_) = connections.join_next() => {}
                }
            }
        })
    }
}

async fn pass_on(link: &Link, mut client: TcpStream, to: SocketAddr) -> io::Result<()> {
    let number = link.number();
    let answer = link.ask(number, &Ask::Socket(number), &[]).await;
    let Ok(Answer::Done(sockets)) = answer else {
        return Err(io::ErrorKind::NotConnected.into());
    };
    let socket = sockets.into_iter().next().ok_or(io::ErrorKind::NotConnected)?;
    // It lives in the containers' network, wherever it is used.
    let mut server = TcpSocket::from_std_stream(StdStream::from(socket))
        .connect(to)
        .await?;
    tokio::io::copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}
