//! What a run of shellproof costs, from its start to its end.

use std::env::{current_exe, var_os};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::raw_loop::Dialect;
use crate::table::Table;
use crate::{Engine, Result, in_turns, median};

const SERIAL: usize = 10;
const SIDE_BY_SIDE: usize = 8;
const MANY: usize = 50;
const PROGRAMS: usize = 10_000;

/// A container that writes one line.
const ECHO: &str = r#"
    image: fixture:tiny
    args: [echo, hi]
    expect: { exit: 0, stdout: { equals: "hi\n" } }
"#;

/// A container that starts so many programs, one after another.
const PYTHON: &str = r#"
    image: fixture:layered
    entrypoint: [/usr/bin/python3, -c]
    args: ["import os\nfor _ in range(COUNT): os.waitpid(os.posix_spawn('/usr/bin/true', ['true'], {}), 0)"]
    expect: { exit: 0 }
"#;

/// What is measured.
pub struct Runs {
    /// The program, and scenarios.
    directory: tempfile::TempDir,
    fixtures: PathBuf,
    /// What the raw loop starts: the image of the scenarios.
    image: String,
    rounds: usize,
}

impl Runs {
    /// Writes the scenarios.
    pub fn prepare(rounds: u8) -> Result<Self> {
        let fixtures = var_os("SHELLPROOF_FIXTURES").map_or_else(|| "target/fixtures".into(), PathBuf::from);
        let missing = "the fixtures are not built\nhelp: scripts/fixtures tiny layered";
        fs::metadata(fixtures.join("layered.tar")).map_err(|_| missing)?;
        let key = fs::read_to_string(fixtures.join("tiny.key")).map_err(|_| missing)?;
        let image = key.lines().find_map(|line| line.strip_prefix("reference "));
        let image = image.ok_or(missing)?.to_owned();

        let directory = tempfile::tempdir()?;
        let path = directory.path();
        // A copy, so that a build in the meantime changes nothing here.
        let built = current_exe()?.with_file_name("shellproof");
        fs::copy(built, path.join("shellproof"))?;
        for count in [SERIAL, 2 * SIDE_BY_SIDE, MANY] {
            for number in 0..count {
                write(&path.join(count.to_string()), &format!("echo-{number}"), ECHO)?;
            }
        }
        // Python itself is one of them.
        let programs = PYTHON.replace("COUNT", &(PROGRAMS - 1).to_string());
        write(path, "programs", &programs)?;
        Ok(Self {
            directory,
            fixtures,
            image,
            rounds: rounds.into(),
        })
    }

    /// The row about the program itself.
    pub fn help(&self, table: &mut Table) -> Result {
        let took = (0..21).map(|_| time(self.shellproof().arg("--help")));
        let took = median(took.collect::<Result<_>>()?).as_secs_f64() * 1e3;
        table.alone("shellproof --help", "-", took, "ms", 10.0);
        Ok(())
    }

    /// The rows about scenarios.
    pub fn scenarios(&self, engine: &Engine, table: &mut Table) -> Result {
        let (name, dialect) = (&engine.name, Dialect::of(engine)?);
        let ours = |count: usize, jobs| time(&mut self.run(engine, jobs, &count.to_string()));
        let raw = |dialect: Dialect, count, clients| dialect.run_loop(engine, &self.image, count, clients);

        let serial = in_turns(self.rounds, || ours(SERIAL, 1), || raw(dialect, SERIAL, 1))?;
        let most = if dialect.is_podman() { 1.0 } else { 1.15 };
        let what = format!("{SERIAL} scenarios, one at a time");
        table.ratio(&what, name, serial, Some(most));
        if dialect.is_podman() {
            let tuned = dialect.looking_every_10_ms();
            let tuned = in_turns(self.rounds, || ours(SERIAL, 1), || raw(tuned, SERIAL, 1))?;
            table.ratio("  against a loop that looks every 10 ms", name, tuned, None);
        }
        let (count, jobs) = (2 * SIDE_BY_SIDE, SIDE_BY_SIDE);
        let at_once = in_turns(self.rounds, || ours(count, jobs), || raw(dialect, count, jobs))?;
        let what = format!("{count} scenarios, {jobs} at a time");
        table.ratio(&what, name, at_once, Some(1.15));
        let peak = peak(&mut self.run(engine, SIDE_BY_SIDE, &MANY.to_string()))?;
        table.alone(&format!("peak memory, {MANY} scenarios"), name, peak, "MB", 40.0);
        Ok(())
    }

    /// The row about the kernel witness, on an engine that has one.
    pub fn kernel(&self, engine: &Engine, table: &mut Table) -> Result {
        let with = |kernel| {
            let mut run = self.run(engine, 1, "programs.yaml");
            run.args(["--kernel", kernel]);
            run
        };
        let said = with("required").output()?.stdout;
        if String::from_utf8_lossy(&said).contains("kernel evidence unavailable") {
            return Ok(());
        }
        let timed = |kernel| time(&mut with(kernel));
        let took = in_turns(self.rounds, || timed("required"), || timed("off"))?;
        let what = format!("{PROGRAMS} programs, the kernel witness over none");
        table.ratio(&what, &engine.name, took, Some(1.25));
        Ok(())
    }

    fn shellproof(&self) -> Command {
        Command::new(self.directory.path().join("shellproof"))
    }

    fn run(&self, engine: &Engine, jobs: usize, scenarios: &str) -> Command {
        let mut run = self.shellproof();
        run.args("run --mode prebuilt --jobs".split(' '))
            .arg(jobs.to_string());
        let engine = format!("{}=unix://{}", engine.name, engine.socket.display());
        run.args(["--engine", &engine])
            .arg("--fixtures")
            .arg(&self.fixtures);
        run.arg(self.directory.path().join(scenarios));
        run
    }
}

fn write(directory: &Path, name: &str, container: &str) -> Result {
    fs::create_dir_all(directory)?;
    let text = format!("schema: 1\nname: {name}\nmodes: [prebuilt]\ncontainers:\n  job:{container}");
    Ok(fs::write(directory.join(format!("{name}.yaml")), text)?)
}

/// How long a command takes.
fn time(command: &mut Command) -> Result<Duration> {
    let began = Instant::now();
    let ended = command.output()?;
    let took = began.elapsed();
    let said = [ended.stdout, ended.stderr].concat();
    let error = || format!("{command:?} failed: {}", String::from_utf8_lossy(&said)).into();
    ended.status.success().then_some(took).ok_or_else(error)
}

/// The most memory that a command took, in MB. The kernel keeps the peak, so that a look every now and then misses at
/// most what the last moments add.
fn peak(command: &mut Command) -> Result<f64> {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let mut peak = 0.0;
    loop {
        peak = peak_of(&child.id().to_string()).unwrap_or(0.0).max(peak);
        match child.try_wait()? {
            None => sleep(Duration::from_millis(20)),
            Some(ended) if ended.success() => return Ok(peak),
            Some(ended) => return Err(format!("{command:?} failed: {ended}").into()),
        }
    }
}

/// What a process took at most so far, in MB.
pub fn peak_of(process: &str) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes / 1e3)
}
