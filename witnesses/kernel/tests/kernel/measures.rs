//! What takes long, or depends on the machine: `-- --ignored --nocapture`.

use std::path::Path;
use std::time::{Duration, Instant};

use shellproof_kernel::{Look, Options};

use crate::trials::Test;
use crate::{Lab, Programs, command, random, succeed};

pub fn all() -> [Test; 5] {
    [
        ("random_names_for_ten_minutes", many_random_names),
        ("load", load),
        ("seen_twice", seen_twice),
        ("million", million),
        ("start_delay", start_delay),
    ]
}

fn many_random_names(programs: &Programs) {
    let began = Instant::now();
    let first = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let seeds = (first..).take_while(|_| began.elapsed() < Duration::from_secs(600));
    random::check(programs, seeds).unwrap();
}

/// Time for 10,000 programs with a supervisor over time without, and what the supervisor itself spends.
fn load(programs: &Programs) {
    let micros = |command: &mut std::process::Command| -> f64 {
        let output = succeed(command);
        String::from_utf8_lossy(&output.stdout).trim().parse().unwrap()
    };
    // On a busy machine times vary by factors: the least of each kind says most.
    let (mut least_plain, mut least_watched) = (f64::MAX, f64::MAX);
    for _ in 0..7 {
        let plain = micros(&mut command(Path::new("-"), "creating", programs, "many", 10_000));
        let lab = Lab::new(programs, Options::default());
        let before = own_ticks();
        let watched = micros(&mut lab.command("creating", "many", 10_000));
        let ticks = own_ticks() - before;
        let [session] = lab.trace().sessions.try_into().unwrap();
        assert_eq!((session.programs.len(), session.lost), (10_000, 0));
        let ratio = watched / plain;
        println!("plain {plain} us, supervised {watched} us, {ratio:.2}; {ticks} us of it on a CPU for each");
        (least_plain, least_watched) = (least_plain.min(plain), least_watched.min(watched));
    }
    println!("least over least {:.2}", least_watched / least_plain);
}

/// What this process has spent on a CPU, in hundredths of a second: as microseconds for each of 10,000 programs.
fn own_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// How many of 10,000 programs of each kind are seen a second time, and what that costs: time without a supervisor, with one
/// that looks once, and with one that looks twice, in turns. `PROGRAMS` names further programs, colons in between.
fn seen_twice(programs: &Programs) {
    const ROUNDS: usize = 10;
    const EACH: usize = 1_000;
    let given = std::env::var("PROGRAMS").unwrap_or_else(|_| "/bin/true".to_owned());
    let given = given.split(':').map(str::to_owned);
    for program in [programs.path("exit")].into_iter().chain(given) {
        let run = |socket: &Path, looks: &str| -> f64 {
            let mut command = command(socket, "creating", programs, "many-given", EACH as u64);
            let output = succeed(command.env("PROGRAM", &program).env("LOOKS", looks));
            let micros: f64 = String::from_utf8_lossy(&output.stdout).trim().parse().unwrap();
            micros / EACH as f64
        };
        let mut times = [const { Vec::new() }; 3];
        let mut twice = 0;
        for _ in 0..ROUNDS {
            times[0].push(run(Path::new("-"), "1"));
            for (looks, times) in ["1", "2"].into_iter().zip(&mut times[1..]) {
                let lab = Lab::new(programs, Options::default());
                times.push(run(&lab.socket(), looks));
                let [session] = lab.trace().sessions.try_into().unwrap();
                assert_eq!((session.programs.len(), session.unread), (EACH, 0));
                let looks = session.programs.iter().map(|program| &program.look);
                twice += looks.filter(|look| **look == Look::Same).count();
            }
        }
        for (what, pick) in [("least", 0), ("median", ROUNDS / 2)] {
            let [plain, once, both] = times.each_mut().map(|times| {
                times.sort_by(f64::total_cmp);
                times[pick]
            });
            println!(
                "{program}, {what} of {ROUNDS} times {EACH}: {plain:.0} us; seen once {once:.0} us, {:.2}; seen twice {both:.0} us, {:.2}",
                once / plain,
                both / plain
            );
        }
        println!("{twice} of {} seen twice", ROUNDS * EACH);
    }
}

/// A million programs: what is beyond the bound is counted, and takes no memory.
fn million(programs: &Programs) {
    let memory_after = |count: u64| {
        let lab = Lab::new(programs, Options::default());
        succeed(&mut lab.command("creating", "many", count));
        let [session] = lab.trace().sessions.try_into().unwrap();
        assert_eq!((session.programs.len(), session.lost), (10_000, count - 10_000));
        resident()
    };
    let (few, many) = (memory_after(20_000), memory_after(1_000_000));
    println!("{few} kB after 20,000 programs, {many} kB after 1,000,000");
    assert!(many < few + 2_000, "{few} kB, {many} kB");
}

/// The memory of this process, in kB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kilobytes.unwrap().trim().parse().unwrap()
}

/// How long a supervisor takes to be ready, and 32 of them at once.
fn start_delay(programs: &Programs) {
    let began = Instant::now();
    let lab = Lab::new(programs, Options::default());
    println!("ready after {:?}", began.elapsed());
    let began = Instant::now();
    lab.run("execve");
    println!("one process with one program: {:?}", began.elapsed());
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| {
                let lab = Lab::new(programs, Options::default());
                succeed(&mut lab.command("creating", "many", 300));
                assert_eq!(lab.trace().sessions[0].programs.len(), 300);
            });
        }
    });
    println!("32 at once, 300 programs each: {:?}", began.elapsed());
}
