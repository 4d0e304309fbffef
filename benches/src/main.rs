//! Measures shellproof against the engines' bare API and prints one table of ratios.
//!
//! Exit codes: 0 measured, 1 an aim was missed and `--strict` was given, 2 wrong usage, 4 something needed is missing.

mod http;
mod raw_loop;
mod relay;
mod runs;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Barrier;
use std::time::Duration;

use clap::Parser;

use self::table::Table;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Measures shellproof against the engines' bare API and prints one table of ratios
///
/// What is compared runs in turns, A B A B, and the medians count: so whatever else the machine does meets both. Times
/// are absolute and differ between machines; ratios do less.
///
/// Needs the fixtures `tiny` and `layered` (scripts/fixtures tiny layered).
#[derive(Parser)]
#[command(name = "cargo xtask bench")]
struct Options {
    /// Exit with 1 when an aim is missed
    #[arg(long)]
    strict: bool,
    /// How often each pair is measured
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..))]
    rounds: u8,
    /// `NAME=unix:///SOCKET`; without any, those of `scripts/engines` that are up
    #[arg(required = true, value_parser = Engine::read)]
    engines: Vec<Engine>,
}

/// An engine that is measured against.
#[derive(Clone)]
struct Engine {
    name: String,
    socket: PathBuf,
}

impl Engine {
    fn read(text: &str) -> std::result::Result<Self, &'static str> {
        let (name, socket) = text
            .split_once("=unix:///")
            .ok_or("expected NAME=unix:///SOCKET")?;
        Ok(Self {
            name: name.to_owned(),
            socket: Path::new("/").join(socket),
        })
    }
}

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    let done = match words.as_slice() {
        // How this program starts itself, for a recorder in a process of its own.
        [word, engine, socket] if word == "record" => {
            relay::record(engine.as_ref(), socket.as_ref()).map(|()| true)
        }
        _ => measure(&Options::parse()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(4)
        }
    }
}

/// Whether no aim was missed that matters.
fn measure(options: &Options) -> Result<bool> {
    let runs = runs::Runs::prepare(options.rounds)?;
    let mut table = Table::begin();
    runs.help(&mut table)?;
    for engine in &options.engines {
        runs.scenarios(engine, &mut table)?;
    }
    for engine in &options.engines {
        runs.kernel(engine, &mut table)?;
    }
    for engine in &options.engines {
        relay::measure(engine, &mut table)?;
    }
    if table.missed > 0 {
        eprintln!("missed: {}", table.missed);
    }
    Ok(table.missed == 0 || !options.strict)
}

/// The median; of an even number of times the upper one of the two in the middle.
fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Measures both in turns, and gives the medians. The first of each pays for what the engine has not done yet, and does
/// not count.
fn in_turns(
    count: usize,
    mut ours: impl FnMut() -> Result<Duration>,
    mut bare: impl FnMut() -> Result<Duration>,
) -> Result<(Duration, Duration)> {
    let (mut ours_took, mut bare_took) = (Vec::new(), Vec::new());
    ours()?;
    bare()?;
    for _ in 0..count {
        ours_took.push(ours()?);
        bare_took.push(bare()?);
    }
    Ok((median(ours_took), median(bare_took)))
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

#[test]
fn one_slow_time_does_not_move_the_median() {
    let times = [3, 1, 900].map(Duration::from_millis);
    assert_eq!(median(times.to_vec()), Duration::from_millis(3));
}
