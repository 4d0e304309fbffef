//! What the recorder costs: the same requests to the same engine, bare and through a recorder, in turns.
//!
//! `relay measure ENGINE-SOCKET` prints one line per measurement, `NAME<TAB>VALUE<TAB>VALUE…`, times in
//! microseconds. The recorder runs in a process of its own (`relay record ENGINE-SOCKET SOCKET`), as it would for a
//! foreign client, so that its memory is nobody else's.

use std::error::Error;
use std::io::{self, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::sync::Barrier;
use std::time::{Duration, Instant};

use shellproof_bench::http::{self, Client};
use shellproof_bench::median;
use shellproof_wire::{Endpoint, Recorder};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

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

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["measure", engine] => measure(Path::new(engine)),
        ["record", engine, socket] => record(Path::new(engine), Path::new(socket)),
        _ => Err("expected `measure ENGINE-SOCKET`".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A recorder until standard input ends; then how much memory it took at most.
fn record(engine: &Path, socket: &Path) -> Result<()> {
    // As many threads as the command line has.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let engine = Endpoint {
        // What kind it is matters to starts only, of which there are none here.
        kind: shellproof_api::EngineKind::Docker,
        socket: engine.to_owned(),
    };
    let recorder = runtime.block_on(Recorder::start(&engine, socket))?;
    println!("ready");
    io::stdin().read_to_end(&mut Vec::new())?;
    let recording = recorder.recording();
    if let Some(fault) = recording.faults.first() {
        return Err(format!("the recorder could not follow: {fault}").into());
    }
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak
        .and_then(|line| line.trim().strip_suffix(" kB"))
        .ok_or("no VmHWM")?;
    println!("{peak} {}", recording.records.len());
    Ok(())
}

/// A recorder in a process of its own.
struct Recording {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<std::process::ChildStdout>,
    socket: PathBuf,
}

impl Recording {
    fn start(engine: &Path, socket: PathBuf) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("record")
            .arg(engine)
            .arg(&socket)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdin = child.stdin.take().ok_or("no stdin")?;
        let mut stdout = BufReader::new(child.stdout.take().ok_or("no stdout")?);
        let mut line = String::new();
        io::BufRead::read_line(&mut stdout, &mut line)?;
        if line != "ready\n" {
            return Err("the recorder did not start".into());
        }
        Ok(Self {
            child,
            stdin,
            stdout,
            socket,
        })
    }

    /// Its peak memory in kB and the number of its records.
    fn end(mut self) -> Result<(u64, u64)> {
        drop(self.stdin);
        let mut said = String::new();
        self.stdout.read_to_string(&mut said)?;
        if !self.child.wait()?.success() {
            return Err("the recorder failed".into());
        }
        let (peak, records) = said.trim().split_once(' ').ok_or("no word of the recorder")?;
        Ok((peak.parse()?, records.parse()?))
    }
}

fn measure(engine: &Path) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let recorder = Recording::start(engine, directory.path().join("r"))?;
    let recorded = recorder.socket.clone();

    let (mut bare_client, mut recorded_client) = (Client::new(engine), Client::new(&recorded));
    let (bare, through) = in_turns(PINGS, || ping(&mut bare_client), || ping(&mut recorded_client))?;
    print_pair("kept", bare, through);

    let (bare, through) = in_turns(
        PINGS,
        || ping(&mut Client::new(engine)),
        || ping(&mut Client::new(&recorded)),
    )?;
    print_pair("new", bare, through);

    let (bare, through) = (crowd(engine, CLIENTS)?, crowd(&recorded, CLIENTS)?);
    print_pair("crowd", bare, through);

    let built = in_turns(UPLOADS, || build(engine), || build(&recorded));
    // Also after a failure; whether it is there does not matter.
    let _ = Client::new(engine).call("DELETE", &format!("/images/{IMAGE}?force=true"), None);
    let (bare, through) = built?;
    print_pair("build", bare, through);
    let (engine_peak, records) = recorder.end()?;

    // A sink takes bytes faster than any engine: the recorder's own limit shows.
    let sink = directory.path().join("s");
    let listener = UnixListener::bind(&sink)?;
    std::thread::spawn(move || swallow(&listener));
    let recorder = Recording::start(&sink, directory.path().join("t"))?;
    let recorded = recorder.socket.clone();
    let (bare, through) = in_turns(UPLOADS, || upload(&sink, CONTEXT), || upload(&recorded, CONTEXT))?;
    print_pair("sink", bare, through);
    at_once(CLIENTS, || upload(&recorded, SMALL_CONTEXT).map(drop))?;
    let (sink_peak, _) = recorder.end()?;
    println!("memory\t{}", engine_peak.max(sink_peak));
    println!("records\t{records}");
    Ok(())
}

/// Calls both in turns, so that whatever else the machine does meets both.
fn in_turns(
    count: usize,
    mut bare: impl FnMut() -> Result<Duration>,
    mut recorded: impl FnMut() -> Result<Duration>,
) -> Result<(Duration, Duration)> {
    let (mut bare_times, mut recorded_times) = (Vec::new(), Vec::new());
    // The first of each pays for what the engine has not done yet.
    bare()?;
    recorded()?;
    for _ in 0..count {
        bare_times.push(bare()?);
        recorded_times.push(recorded()?);
    }
    Ok((median(bare_times), median(recorded_times)))
}

fn print_pair(name: &str, bare: Duration, recorded: Duration) {
    println!("{name}\t{}\t{}", bare.as_micros(), recorded.as_micros());
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

/// Does the same on many threads that begin at the same moment.
fn at_once<T: Send>(clients: usize, work: impl Fn() -> Result<T> + Sync) -> Result<Vec<T>> {
    let barrier = Barrier::new(clients);
    std::thread::scope(|scope| {
        let begin = || {
            barrier.wait();
            work()
        };
        let threads: Vec<_> = (0..clients).map(|_| scope.spawn(begin)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err("a client panicked".into())))
            .collect()
    })
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
    let mut header = [0_u8; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..108].copy_from_slice(b"0000644\0");
    header[108..116].copy_from_slice(b"0000000\0");
    header[116..124].copy_from_slice(b"0000000\0");
    write!(&mut header[124..136], "{size:011o}\0")?;
    header[136..148].copy_from_slice(b"00000000000\0");
    header[148..156].fill(b' ');
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    write!(&mut header[148..156], "{sum:06o}\0 ")?;
    let padding = size.next_multiple_of(512) - size;
    Ok(io::Cursor::new(header)
        .chain(content.take(size))
        .chain(io::repeat(0).take(padding)))
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
