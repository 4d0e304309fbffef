//! A stub in a user namespace of its own, of this very test: it has no harness, since that has threads.

use std::io;
use std::time::Instant;

use shellproof_userns::{Inside, Started, Stub, Wanted, run_if_meant};

/// Answers with its ids and what it was sent, until it is told nothing more.
const ECHO: Stub = Stub {
    name: "echo-inside",
    main: echo,
};
/// Ends at once.
const GONE: Stub = Stub {
    name: "gone-inside",
    main: |_| Ok(()),
};

fn echo(inside: Inside) -> io::Result<()> {
    loop {
        let message = inside.channel.receive()?;
        if message.is_end() {
            return Ok(());
        }
        let user = rustix::process::geteuid().as_raw();
        let map = std::fs::read_to_string("/proc/self/uid_map")?;
        let text = format!(
            "{user} {} {}",
            map.lines().count(),
            String::from_utf8_lossy(&message.bytes)
        );
        inside.channel.send(text.as_bytes(), &[])?;
    }
}

fn main() {
    if run_if_meant(&[ECHO, GONE]) {
        return;
    }
    // A machine that forbids it is no failure of this test, and says why.
    let started = match Started::start(&ECHO, Wanted::One) {
        Ok(started) => started,
        Err(error) => {
            println!("ignored: {error}");
            return;
        }
    };
    assert!(!started.ids().are_many());
    started.channel().send(b"hello", &[]).expect("it listens");
    let answer = started.channel().receive().expect("it answers").bytes;
    assert_eq!(String::from_utf8_lossy(&answer), "0 1 hello");
    let (process, since) = (started.process(), Instant::now());
    drop(started);
    assert!(!std::path::Path::new(&format!("/proc/{process}")).exists());
    println!("ok: one id; it ended within {:?}", since.elapsed());

    let many = Started::start(&ECHO, Wanted::Many).expect("one was had before");
    let narrow = many.ids().narrow.clone();
    assert_eq!(many.ids().are_many(), narrow.is_none(), "{:?}", many.ids());
    println!(
        "ok: many ids: {}",
        narrow.unwrap_or_else(|| format!("{:?}", many.ids().users))
    );

    let gone = Started::start(&GONE, Wanted::One).expect("it starts");
    assert!(gone.channel().receive().expect("it is told").is_end());
    println!("ok: whose stub has ended is told");
}
