//! What the recorder costs: the same requests to the same engine, through a recorder and bare, in turns. The recorder
//! runs in a process of its own, as it would for a foreign client, so that its memory is nobody else's.

use std::io::{self, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use shellproof_wire::{Endpoint, Recorder};

use crate::http::{self, Client};
use crate::runs::peak_of;
use crate::table::Table;
use crate::{Engine, Result, at_once, in_turns, median};

const PINGS: usize = 1000;
const CLIENTS: usize = 64;
const PINGS_PER_CLIENT: usize = 50;
/// How large a build context is, in bytes.
const CONTEXT: u64 = 300_000_000;
/// What each of the many clients sends at once, in bytes.
const SMALL_CONTEXT: u64 = 5_000_000;
/// How often a build context is sent each way.
const UPLOADS: usize = 9;
/// The built image's name: taken again each time, and removed at the end.
const IMAGE: &str = "localhost/shellproof-bench:upload";

/// A recorder until standard input ends.
pub fn record(engine: &Path, socket: &Path) -> Result {
    // As many threads as the command line has.
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build()?;
    let engine = Endpoint {
        // What kind it is matters to starts only, of which there are none here.
        kind: shellproof_api::EngineKind::Docker,
        socket: engine.to_owned(),
    };
    let recorder = runtime.block_on(Recorder::start(&engine, socket))?;
    // It is ready.
    println!();
    io::stdin().read_to_end(&mut Vec::new())?;
    let recording = recorder.recording();
    if let Some(fault) = recording.faults.first() {
        return Err(format!("the recorder could not follow: {fault}").into());
    }
    Ok(())
}

/// A recorder in a process of its own.
struct Recording(Child);

impl Recording {
    fn start(engine: &Path, socket: &Path) -> Result<Self> {
        let mut command = Command::new("/proc/self/exe");
        command.arg("record").arg(engine).arg(socket);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let ready = child.stdout.as_mut().map(|stdout| stdout.read_exact(&mut [0]));
        ready
            .ok_or("no stdout")?
            .map_err(|_| "the recorder did not start")?;
        Ok(Self(child))
    }

    /// Its peak memory in MB.
    fn end(mut self) -> Result<f64> {
        let peak = peak_of(&self.0.id().to_string()).ok_or("the kernel does not tell the peak of memory")?;
        drop(self.0.stdin.take());
        let ended = self.0.wait()?;
        ended
            .success()
            .then_some(peak)
            .ok_or_else(|| "the recorder failed".into())
    }
}

/// The rows about the recorder.
pub fn measure(Engine { name, socket: engine }: &Engine, table: &mut Table) -> Result {
    let directory = tempfile::tempdir()?;
    let recorded = directory.path().join("r");
    let recorder = Recording::start(engine, &recorded)?;

    let (mut through, mut bare) = (Client::new(&recorded), Client::new(engine));
    let took = in_turns(PINGS, || ping(&mut through), || ping(&mut bare))?;
    table.added("a call through the recorder, kept connection", name, took, 0.15);

    let new = |socket| ping(&mut Client::new(socket));
    let took = in_turns(PINGS, || new(&recorded), || new(engine))?;
    table.added("a call through the recorder, new connection", name, took, 0.15);

    let took = (crowd(&recorded, CLIENTS)?, crowd(engine, CLIENTS)?);
    table.ratio(&format!("{CLIENTS} clients at once, a call"), name, took, None);

    let built = in_turns(UPLOADS, || build(&recorded), || build(engine));
    // Also after a failure; whether it is there does not matter.
    let _ = Client::new(engine).call("DELETE", &format!("/images/{IMAGE}?force=true"), None);
    table.ratio("a build context of 300 MB", name, built?, Some(1.1));
    let peak = recorder.end()?;

    // A sink takes bytes faster than any engine: the recorder's own limit shows.
    let sink = directory.path().join("s");
    let listener = UnixListener::bind(&sink)?;
    std::thread::spawn(move || swallow(&listener));
    let recorded = directory.path().join("t");
    let recorder = Recording::start(&sink, &recorded)?;
    let took = in_turns(UPLOADS, || upload(&recorded, CONTEXT), || upload(&sink, CONTEXT))?;
    table.ratio("  300 MB into a sink, faster than any engine", "-", took, None);
    at_once(CLIENTS, || upload(&recorded, SMALL_CONTEXT).map(drop))?;
    let peak = peak.max(recorder.end()?);
    table.alone(
        "peak memory of a recorder through all this",
        name,
        peak,
        "MB",
        20.0,
    );
    Ok(())
}

fn ping(client: &mut Client) -> Result<Duration> {
    let began = Instant::now();
    let answer = client.call("GET", "/_ping", None)?;
    if answer.status != 200 {
        return Err(format!("a ping was answered with {}", answer.status).into());
    }
    Ok(began.elapsed())
}

/// Many clients at once, each on a connection of its own: the median of their pings.
fn crowd(socket: &Path, clients: usize) -> Result<Duration> {
    let times = at_once(clients, || {
        let mut client = Client::new(socket);
        (0..PINGS_PER_CLIENT)
            .map(|_| ping(&mut client))
            .collect::<Result<Vec<_>>>()
    })?;
    Ok(median(times.concat()))
}

/// A build whose context is large and whose steps cost nothing.
fn build(socket: &Path) -> Result<Duration> {
    upload_to(socket, &format!("/build?t={IMAGE}&rm=1&forcerm=1"), CONTEXT)
}

fn upload(socket: &Path, size: u64) -> Result<Duration> {
    upload_to(socket, "/build", size)
}

fn upload_to(socket: &Path, path: &str, size: u64) -> Result<Duration> {
    let dockerfile = b"FROM scratch\nLABEL io.shellproof.bench=1\n";
    let mut context = entry("Dockerfile", dockerfile.len() as u64, &dockerfile[..])?
        .chain(entry("data", size, io::repeat(b'x'))?)
        .chain(io::repeat(0).take(1024));
    let began = Instant::now();
    let answer = Client::new(socket).upload(path, "application/x-tar", &mut context)?;
    let elapsed = began.elapsed();
    let said = String::from_utf8_lossy(&answer.body);
    // A build that fails does so in a successful answer.
    if answer.status != 200 || said.contains("\"error\"") {
        return Err(format!("the build was answered with {}: {said}", answer.status).into());
    }
    Ok(elapsed)
}

/// A file in a tar stream.
fn entry(name: &str, size: u64, content: impl Read) -> io::Result<impl Read> {
    let mut header = tar::Header::new_ustar();
    header.set_path(name)?;
    header.set_mode(0o644);
    header.set_size(size);
    header.set_cksum();
    let padding = io::repeat(0).take(size.next_multiple_of(512) - size);
    let header = io::Cursor::new(*header.as_bytes());
    Ok(header.chain(content.take(size)).chain(padding))
}

/// A peer that reads requests in chunks to their end and answers each with success.
fn swallow(listener: &UnixListener) {
    for stream in listener.incoming().flatten() {
        std::thread::spawn(move || swallow_one(stream));
    }
}

fn swallow_one(stream: UnixStream) -> io::Result<()> {
    let mut answers = stream.try_clone()?;
    let mut requests = BufReader::with_capacity(256 << 10, stream);
    loop {
        http::head(&mut requests)?;
        http::read_chunks(&mut requests, &mut io::sink())?;
        answers.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
    }
}
