//! What containers send to other machines, and what comes back. The other machine is this one, by the address that others know it by.

use std::io::{BufWriter, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;
use shellproof_api::{ResourceKind, Runtime};

use crate::{Lab, Test, network, on, remove, run, start};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("outside::other_machines_are_reached", other_machines_are_reached),
    ("outside::much_comes_and_goes_whole", much_comes_and_goes_whole),
    ("outside::what_ends_there_ends_here", what_ends_there_ends_here),
    (
        "outside::what_is_not_reached_is_told",
        what_is_not_reached_is_told,
    ),
    (
        "outside::what_is_not_outside_is_not_reached",
        what_is_not_outside_is_not_reached,
    ),
    (
        "outside::connections_end_with_their_network",
        connections_end_with_their_network,
    ),
];

const MUCH: usize = 4 << 20;

/// This machine's address among others. Nothing is sent to find it.
fn address() -> IpAddr {
    let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
    socket
        .connect("192.0.2.1:9")
        .expect("this machine has a network besides loopback");
    socket.local_addr().expect("an address").ip()
}

/// Does something with each connection to a port of its own.
fn serve(act: impl Fn(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind((address(), 0)).expect("a port");
    let there = listener.local_addr().expect("an address");
    // It ends with the tests.
    thread::spawn(move || listener.incoming().flatten().for_each(act));
    there
}

fn other_machines_are_reached(lab: &Lab) {
    let greets = serve(|mut stream| drop(stream.write_all(b"from outside")));
    let socket = UdpSocket::bind((address(), 0)).expect("a port");
    let answers = socket.local_addr().expect("an address");
    thread::spawn(move || {
        let mut question = [0; 100];
        while let Ok((length, from)) = socket.recv_from(&mut question) {
            let answer = [&question[..length], b"!"].concat();
            let _ = socket.send_to(&answer, from);
        }
    });
    lab.within(async {
        network(&lab.runtime, "net").await;
        let dial = on("net", lab.spec("dial", &["dial", &greets.to_string()]));
        let ask = on("net", lab.spec("ask", &["ask", &answers.to_string(), "well"]));
        for _ in 0..3 {
            assert_eq!(run(&lab.runtime, &dial).await, (0, "from outside".into()));
            assert_eq!(run(&lab.runtime, &ask).await, (0, "well!".into()));
        }
        assert_eq!(lab.runtime.unreached("net"), [""; 0]);
    });
}

fn much_comes_and_goes_whole(lab: &Lab) {
    let sends = serve(|stream| {
        let mut stream = BufWriter::new(stream);
        for line in 0..MUCH / 16 {
            writeln!(stream, "{line:015}").expect("it is taken");
        }
    });
    let counts = serve(|mut stream| {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).expect("it comes");
        assert!(all.iter().all(|byte| *byte == b'x'));
        write!(stream, "{}", all.len()).expect("it is taken");
    });
    lab.within(async {
        network(&lab.runtime, "net").await;
        let each = (0..4).map(|number| async move {
            let (dial, send) = (format!("dial{number}"), format!("send{number}"));
            let dial = on("net", lab.spec(&dial, &["dial", &sends.to_string()]));
            let (code, all) = run(&lab.runtime, &dial).await;
            assert_eq!((code, all.len()), (0, MUCH));
            let is_whole = |(number, line): (usize, &str)| line.parse() == Ok(number);
            assert!(all.lines().enumerate().all(is_whole));
            let send = on(
                "net",
                lab.spec(&send, &["send", &MUCH.to_string(), &counts.to_string()]),
            );
            assert_eq!(run(&lab.runtime, &send).await, (0, MUCH.to_string()));
        });
        futures_util::future::join_all(each).await;
    });
}

fn what_ends_there_ends_here(lab: &Lab) {
    let breaks = serve(|mut stream| {
        let _ = stream.write_all(b"half");
        // It ends at once, without a farewell.
        set_socket_linger(&stream, Some(Duration::ZERO)).expect("it takes that");
    });
    lab.within(async {
        network(&lab.runtime, "net").await;
        let send = on("net", lab.spec("send", &["send", "1", &breaks.to_string()]));
        let (code, said) = run(&lab.runtime, &send).await;
        assert!(code == 1 && said.starts_with("ConnectionReset"), "{code} {said}");
    });
}

fn what_is_not_reached_is_told(lab: &Lab) {
    // It was free a moment ago, and nobody listens there.
    let closed = TcpListener::bind((address(), 0)).and_then(|one| one.local_addr());
    let closed = closed.expect("a port").to_string();
    lab.within(async {
        network(&lab.runtime, "net").await;
        let refused = on("net", lab.spec("refused", &["send", "1", &closed]));
        let (code, said) = run(&lab.runtime, &refused).await;
        assert!(
            code == 1 && said.starts_with("ConnectionRefused"),
            "{code} {said}"
        );
        // A machine that answers so was reached.
        assert_eq!(lab.runtime.unreached("net"), [""; 0]);
        let nobody = on("net", lab.spec("nobody", &["send", "1", "nobody.invalid:80"]));
        let (code, said) = run(&lab.runtime, &nobody).await;
        assert!(
            code == 1 && said.contains("failed to lookup address"),
            "{code} {said}"
        );
        assert_eq!(lab.runtime.unreached("net"), ["nobody.invalid"]);
        // One that does not answer: whoever asked has given up before that is certain.
        let (silent, _held) = silent();
        let silent = silent.to_string();
        let waits = on("net", lab.spec("waits", &["dial", &silent]));
        let (code, said) = run(&lab.runtime, &waits).await;
        assert!(code == 1 && said.starts_with("TimedOut"), "{code} {said}");
        assert_eq!(lab.runtime.unreached("net"), [silent.as_str(), "nobody.invalid"]);
    });
}

/// A port whose queue is full, so that the kernel answers nothing; and what fills it.
fn silent() -> (SocketAddr, (TcpListener, Vec<TcpStream>)) {
    let listener = TcpListener::bind((address(), 0)).expect("a port");
    rustix::net::listen(&listener, 0).expect("a short queue");
    let there = listener.local_addr().expect("an address");
    let connect = || TcpStream::connect_timeout(&there, Duration::from_millis(200)).ok();
    let held = std::iter::from_fn(connect).collect();
    (there, (listener, held))
}

fn what_is_not_outside_is_not_reached(lab: &Lab) {
    let own = TcpListener::bind("127.0.0.1:0").expect("a port");
    let own = own.local_addr().expect("an address");
    lab.within(async {
        for name in ["one", "other"] {
            network(&lab.runtime, name).await;
        }
        let server = on("other", lab.spec("server", &["serve", "80"]));
        let server = start(&lab.runtime, &server).await;
        let state = shellproof_api::Inspect::inspect_container(&*lab.runtime, &server).await;
        let server = state.expect("it is there").addresses[0];
        // The machine's own loopback, another network's container and its gateway.
        for address in [own.to_string(), format!("{server}:80"), "10.88.2.1:53".into()] {
            let send = on("one", lab.spec("send", &["send", "1", &address]));
            let (code, said) = run(&lab.runtime, &send).await;
            assert!(
                code == 1 && said.starts_with("ConnectionRefused"),
                "{address}: {said}"
            );
        }
        // A container that is on no network has none.
        let alone = lab.spec("alone", &["send", "1", &format!("{}:9", self::address())]);
        let (code, said) = run(&lab.runtime, &alone).await;
        assert!(
            code == 1 && said.starts_with("NetworkUnreachable"),
            "{code} {said}"
        );
    });
}

fn connections_end_with_their_network(lab: &Lab) {
    let (sender, ended) = std::sync::mpsc::channel();
    let waits = serve(move |mut stream| {
        let _ = stream.write_all(b"hello\n");
        let _ = sender.send(stream.read(&mut [0; 1]).unwrap_or_default());
    });
    lab.within(async {
        network(&lab.runtime, "net").await;
        let dial = on("net", lab.spec("dial", &["dial", &waits.to_string()]));
        let id = lab.runtime.create_container(&dial).await.expect("it is made");
        lab.runtime.start_container(&id).await.expect("it starts");
        tokio::time::sleep(Duration::from_millis(200)).await;
        remove(&lab.runtime, ResourceKind::Container, &id.0).await;
        remove(&lab.runtime, ResourceKind::Network, "net").await;
    });
    let ended = ended.recv_timeout(Duration::from_secs(10));
    assert_eq!(ended, Ok(0));
}
