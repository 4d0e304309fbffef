//! The one program in the suite's image. Compiled by the suite itself, statically and with nothing but `std`.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["echo", words @ ..] => println!("{}", words.join(" ")),
        ["err", words @ ..] => eprintln!("{}", words.join(" ")),
        ["exit", code] => process::exit(code.parse().expect("an exit code")),
        ["sleep", seconds] => thread::sleep(Duration::from_secs_f64(seconds.parse().expect("seconds"))),
        // Says that it is there, so that a test can tell "started" from "runs".
        ["wait"] => {
            println!("ready");
            thread::sleep(Duration::from_secs(600));
        }
        ["flood", bytes] => flood(bytes.parse().expect("a number of bytes")),
        ["gush", bytes] => gush(bytes.parse().expect("a number of bytes")),
        ["bomb"] => bomb(),
        // A daemon: its parent has ended when its own child goes on.
        ["daemon"] => drop(own(&["daemon-parent"]).expect("a child").wait()),
        ["daemon-parent"] => drop(own(&["wait"]).expect("a child")),
        ["serve-a-daemon"] => {
            drop(own(&["daemon-parent"]).expect("a child").wait());
            thread::sleep(Duration::from_secs(600));
        }
        ["env", name] => println!("{}", env::var(name).unwrap_or_else(|_| "unset".into())),
        ["cwd"] => println!("{}", env::current_dir().expect("a working directory").display()),
        ["status", field] => println!("{}", status(field)),
        ["read", path] => match fs::read_to_string(path) {
            Ok(text) => print!("{text}"),
            Err(error) => fail(error),
        },
        ["write", path, text] => {
            if let Err(error) = fs::write(path, text) {
                fail(error);
            }
        }
        ["serve", port] => serve(port.parse().expect("a port")),
        ["dial", address] => match dial(address) {
            Ok(answer) => print!("{answer}"),
            Err(error) => fail(error),
        },
        // The hardware address of whoever answers for names, after it was asked.
        ["server-of-names"] => {
            drop("nobody:1".to_socket_addrs());
            let known = fs::read_to_string("/proc/net/arp").expect("a table");
            let address = known.lines().nth(1).and_then(|line| line.split_whitespace().nth(3));
            println!("{}", address.unwrap_or("unknown"));
        }
        ["send", bytes, address] => match send(bytes.parse().expect("a number of bytes"), address) {
            Ok(answer) => print!("{answer}"),
            Err(error) => fail(error),
        },
        ["ask", address, question] => match ask(address, question) {
            Ok(answer) => print!("{answer}"),
            Err(error) => fail(error),
        },
        words => {
            eprintln!("no such subcommand: {words:?}");
            process::exit(64);
        }
    }
}

fn fail(error: std::io::Error) -> ! {
    eprintln!("{:?}: {error}", error.kind());
    process::exit(1);
}

/// So many bytes to each stream, in turns, every line distinct.
fn flood(bytes: usize) {
    let (mut out, mut err) = (std::io::stdout().lock(), std::io::stderr().lock());
    let (mut written, mut line) = (0, 0);
    while written < bytes {
        let text = format!("{line:015}\n");
        out.write_all(text.as_bytes()).expect("stdout takes it");
        err.write_all(text.replace('0', "-").as_bytes()).expect("stderr takes it");
        written += text.len();
        line += 1;
    }
}

/// So many bytes to stdout, in parts as large as a pipe.
fn gush(bytes: usize) {
    let part = [b'x'; 64 << 10];
    let mut out = std::io::stdout().lock();
    for _ in 0..bytes / part.len() {
        out.write_all(&part).expect("stdout takes it");
    }
}

/// This program once more.
fn own(args: &[&str]) -> std::io::Result<process::Child> {
    process::Command::new("/proc/self/exe").args(args).spawn()
}

/// Starts itself again and again, as all of them do. Says once that there is no room for more.
fn bomb() {
    let mut said = false;
    loop {
        if own(&["bomb"]).is_err() {
            if !said {
                println!("full");
                said = true;
            }
            thread::sleep(Duration::from_millis(100));
        }
    }
}

/// A field of `/proc/self/status`: `Uid`, `Gid`, `CapBnd`, `CapEff`, `NoNewPrivs`.
fn status(field: &str) -> String {
    let status = fs::read_to_string("/proc/self/status").expect("a status");
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let words: Vec<&str> = line.unwrap_or("absent").split_whitespace().collect();
    words[0].to_owned()
}

/// Accepts connections for as long as it lives, and greets each.
fn serve(port: u16) {
    let listener = TcpListener::bind(("0.0.0.0", port)).expect("a free port");
    println!("ready");
    for connection in listener.incoming() {
        // A peer that has gone again is no reason to stop.
        let _ = connection.and_then(|mut connection| connection.write_all(b"hello\n"));
    }
}

/// Keeps trying for a few seconds: a name may take a moment to be known.
fn dial(address: &str) -> std::io::Result<String> {
    let since = Instant::now();
    loop {
        let answer = address.to_socket_addrs().and_then(|mut addresses| {
            let address = addresses.next().ok_or(std::io::ErrorKind::NotFound)?;
            let mut connection = TcpStream::connect_timeout(&address, Duration::from_secs(2))?;
            let mut answer = String::new();
            connection.read_to_string(&mut answer)?;
            Ok(answer)
        });
        if answer.is_ok() || since.elapsed() > Duration::from_secs(3) {
            return answer;
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// Sends so many bytes, ends, and reads what is said to that.
fn send(bytes: usize, address: &str) -> std::io::Result<String> {
    let mut connection = TcpStream::connect(address)?;
    connection.write_all(&vec![b'x'; bytes])?;
    connection.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    Ok(answer)
}

/// One datagram there, and one back.
fn ask(address: &str, question: &str) -> std::io::Result<String> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    socket.send_to(question.as_bytes(), address)?;
    let mut answer = [0; 1500];
    let length = socket.recv(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
}
