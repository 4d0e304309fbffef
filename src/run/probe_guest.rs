//! The probe: a static program that waits for a port, an answer or a name on a scenario's network, and ends. As `canary`
//! it ends at once, and is there to be seen.
//!
//! `build.rs` compiles it on its own, with nothing but the standard library; `probe.rs` makes an image of it.
//! Its image holds this one file: no shell, no libraries, nothing else to run.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::time::{Duration, Instant};

const USAGE: &str = "usage: probe tcp HOST PORT MILLISECONDS | probe http HOST PORT MILLISECONDS PATH [STATUS] | probe resolve NAME MILLISECONDS | probe canary MARKER";
/// The longest answer that is read, in bytes.
const ANSWER: u64 = 1 << 20;
const PAUSE: Duration = Duration::from_millis(50);

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    // Whoever watches sees it by its arguments; there is nothing to do.
    if let ["canary", _] = words.as_slice() {
        return ExitCode::SUCCESS;
    }
    if let ["resolve", name, within] = words.as_slice() {
        return within.parse().map_or_else(|_| fail(USAGE), |within| resolve(name, Duration::from_millis(within)));
    }
    let (kind, host, port, within, http) = match words.as_slice() {
        [kind @ "tcp", host, port, within] => (kind, host, port, within, None),
        [kind @ "http", host, port, within, path] => (kind, host, port, within, Some((*path, None))),
        [kind @ "http", host, port, within, path, status] => (kind, host, port, within, Some((*path, status.parse().ok()))),
        _ => return fail(USAGE),
    };
    let (Ok(port), Ok(within)) = (port.parse::<u16>(), within.parse()) else { return fail(USAGE) };
    let deadline = Instant::now() + Duration::from_millis(within);
    loop {
        let attempt = connect(host, port, deadline).and_then(|stream| match http {
            None => Ok(String::new()),
            Some((path, status)) => answer(stream, host, path, status, deadline),
        });
        match attempt {
            Ok(text) => {
                // Whoever reads it sees from the exit code whether it is whole.
                return match std::io::stdout().write_all(text.as_bytes()) {
                    Ok(()) => ExitCode::SUCCESS,
                    Err(_) => ExitCode::FAILURE,
                };
            }
            Err(error) if Instant::now() + PAUSE >= deadline => return fail(&format!("{kind} {host}:{port}: {error}")),
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

/// Whether a name gets an address in time.
fn resolve(name: &str, within: Duration) -> ExitCode {
    let deadline = Instant::now() + within;
    loop {
        match (name, 0).to_socket_addrs() {
            Ok(_) => return ExitCode::SUCCESS,
            Err(error) if Instant::now() + PAUSE >= deadline => return fail(&format!("{name}: {error}")),
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

fn fail(message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::FAILURE
}

fn connect(host: &str, port: u16, deadline: Instant) -> Result<TcpStream, String> {
    let addresses = (host, port).to_socket_addrs().map_err(|error| error.to_string())?;
    let mut last = "the name has no address".to_owned();
    for address in addresses {
        let left = deadline.saturating_duration_since(Instant::now()).max(PAUSE);
        match TcpStream::connect_timeout(&address, left) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error.to_string(),
        }
    }
    Err(last)
}

/// One request. Gives status and body, separated by a line feed.
fn answer(mut stream: TcpStream, host: &str, path: &str, wanted: Option<u16>, deadline: Instant) -> Result<String, String> {
    let text = |error: std::io::Error| error.to_string();
    let left = deadline.saturating_duration_since(Instant::now()).max(PAUSE);
    stream.set_read_timeout(Some(left)).map_err(text)?;
    // HTTP/1.0: the answer ends with the connection and is not chunked.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {host}\r\nAccept: */*\r\nConnection: close\r\n\r\n").map_err(text)?;
    let mut bytes = Vec::new();
    stream.take(ANSWER).read_to_end(&mut bytes).map_err(text)?;
    let answer = String::from_utf8_lossy(&bytes);
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("no HTTP answer")?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse::<u16>().ok()).ok_or("no HTTP status")?;
    match wanted {
        Some(wanted) if wanted != status => Err(format!("status {status}, expected {wanted}")),
        _ => Ok(format!("{status}\n{body}")),
    }
}
