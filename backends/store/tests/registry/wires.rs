//! Ways to a registry: one that breaks, one that is slow, and a proxy.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// What passes through a wire to who asks.
#[derive(Clone, Copy, Debug)]
pub enum Wire {
    /// It breaks after so many bytes, each time.
    Breaks(u64),
    /// It lets a part of so many bytes pass every five milliseconds.
    Slow(usize),
}

/// Something that listens on a port of this machine, until the program ends.
#[derive(Clone, Debug)]
pub struct Listening {
    pub port: u16,
    connections: Arc<AtomicU64>,
    bytes: Arc<AtomicU64>,
}

impl Listening {
    fn start(serve: impl Fn(TcpStream, &AtomicU64) -> io::Result<()> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let listening = Self {
            port: listener.local_addr().expect("an address").port(),
            connections: Arc::default(),
            bytes: Arc::default(),
        };
        let (serve, own) = (Arc::new(serve), listening.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                own.connections.fetch_add(1, Ordering::Relaxed);
                let (serve, bytes) = (serve.clone(), own.bytes.clone());
                // Whoever is cut off is told by that.
                thread::spawn(move || serve(stream, &bytes));
            }
        });
        listening
    }

    /// A wire to a port.
    pub fn wire(to: u16, wire: Wire) -> Self {
        Self::start(move |stream, bytes| {
            let server = TcpStream::connect(("127.0.0.1", to))?;
            pass(stream, server, wire, bytes)
        })
    }

    /// A proxy for `CONNECT`, which leads any name to this machine.
    pub fn proxy() -> Self {
        Self::start(|mut stream, bytes| {
            let mut lines = BufReader::new(stream.try_clone()?).lines();
            let first = lines.next().ok_or(io::ErrorKind::UnexpectedEof)??;
            while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
            let target = first
                .strip_prefix("CONNECT ")
                .and_then(|rest| rest.split(' ').next());
            let port = target.and_then(|target| target.rsplit(':').next()?.parse::<u16>().ok());
            let Some(port) = port else {
                return stream.write_all(b"HTTP/1.1 405 Method Not Allowed\r\n\r\n");
            };
            let server = TcpStream::connect(("127.0.0.1", port))?;
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
            pass(stream, server, Wire::Breaks(u64::MAX), bytes)
        })
    }

    pub fn name(&self) -> String {
        format!("localhost:{}", self.port)
    }

    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// How much came from the registry.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

fn pass(client: TcpStream, server: TcpStream, wire: Wire, bytes: &AtomicU64) -> io::Result<()> {
    let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        let copied = io::copy(&mut from, &mut to);
        to.shutdown(Shutdown::Write).and(copied)
    });
    let (mut from, mut to) = (server, client);
    let (length, mut left) = match wire {
        Wire::Breaks(after) => (16 << 10, after),
        Wire::Slow(part) => (part, u64::MAX),
    };
    let mut buffer = vec![0; length];
    loop {
        let read = from.read(&mut buffer)?;
        let part = &buffer[..read.min(usize::try_from(left).unwrap_or(read))];
        bytes.fetch_add(part.len() as u64, Ordering::Relaxed);
        to.write_all(part)?;
        left -= part.len() as u64;
        if read == 0 || left == 0 {
            // Both ways, in the middle of whatever is said.
            let _ = from.shutdown(Shutdown::Both);
            return to.shutdown(Shutdown::Both);
        }
        if let Wire::Slow(_) = wire {
            thread::sleep(Duration::from_millis(5));
        }
    }
}
