//! Starts and stops the six real engines of the test matrix.
//!
//! Each Debian release is unpacked once into a root of its own (`scripts/roots`), and each engine runs in there, in
//! namespaces of its own (`inside`).

mod cgroups;
mod engine;
mod inside;

use std::env::current_exe;
use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::Subcommand;
use rustix::process::{Signal, geteuid, kill_process};

use self::engine::{Engine, all, answers, lab, run};
use crate::{Result, call, repository};

/// At the same path on this machine and in each engine's root.
const SHARED: &str = "/run/shellproof";

#[derive(Subcommand)]
pub enum Task {
    /// Starts the named engines, or all, and waits until each answers
    Up { engines: Vec<Engine> },
    /// Stops them, with everything they started
    Down { engines: Vec<Engine> },
    /// Prints NAME=unix://SOCKET of each engine that answers
    List,
    /// Prints the names of all engines
    Names,
    /// Runs a command where an engine runs, with its files, network and user
    Enter {
        engine: Engine,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        command: Vec<OsString>,
    },
    /// Stops all, and removes everything that `up` made, packages excepted
    Clean,
    /// Becomes an engine, in new namespaces
    #[command(hide = true)]
    Become { engine: Engine },
}

impl Task {
    pub fn run(self) -> Result {
        let or_all = |engines: Vec<Engine>| if engines.is_empty() { all() } else { engines };
        match self {
            Self::Up { engines } => up(&or_all(engines)),
            Self::Down { engines } => down(&or_all(engines)),
            Self::List => print(list()),
            Self::Names => print(all().iter().map(|engine| engine.name)),
            Self::Enter { engine, command } => enter(&engine, &command),
            Self::Clean => down(&all()).and_then(|()| roots(["remove"])),
            Self::Become { engine } => inside::run(&engine),
        }
    }
}

fn print(lines: impl Iterator<Item = impl std::fmt::Display>) -> Result {
    lines.for_each(|line| println!("{line}"));
    Ok(())
}

/// Each engine that answers, as the tests want it named.
pub fn list() -> impl Iterator<Item = String> {
    let up = all().into_iter().filter(|engine| answers(&engine.socket));
    up.map(|engine| format!("{}=unix://{}", engine.name, engine.socket.display()))
}

fn up(engines: &[Engine]) -> Result {
    let is_down = |engine: &&Engine| !answers(&engine.socket);
    if engines.iter().any(|engine| is_down(&engine)) {
        need_root("up")?;
        let _locks = lock()?;
        // Another `up` may have started some in the meantime.
        let wanted: Vec<_> = engines.iter().filter(is_down).collect();
        roots(wanted.iter().map(|engine| engine.suite))?;
        make_directory(Path::new(SHARED), 0o1777)?;
        stop(&wanted)?;
        let started = wanted.into_iter().map(|engine| Ok((engine, start(engine)?)));
        let started: Vec<_> = started.collect::<Result<_>>()?;
        // All of them, also after one that does not answer.
        let answered = started
            .into_iter()
            .map(|(engine, child)| await_answer(engine, child));
        answered.collect::<Vec<_>>().into_iter().collect::<Result>()?;
    }
    print(list())
}

/// One `up`, `down` or `clean` at a time, for roots and for sockets.
fn lock() -> Result<Vec<File>> {
    let lock = |directory: PathBuf| {
        fs::create_dir_all(&directory)?;
        let file = File::create(directory.join("lock"))?;
        file.lock()?;
        Ok(file)
    };
    [lab(), run()].into_iter().map(lock).collect()
}

/// Runs `scripts/roots`, which installs packages and unpacks Debian.
fn roots<'w>(words: impl IntoIterator<Item = &'w str>) -> Result {
    let mut roots = Command::new(repository().join("scripts/roots"));
    roots.envs([("SHELLPROOF_LAB", lab()), ("SHELLPROOF_RUN", run())]);
    call(roots.args(words))
}

fn make_directory(path: &Path, mode: u32) -> Result {
    fs::create_dir_all(path)?;
    Ok(fs::set_permissions(path, Permissions::from_mode(mode))?)
}

/// When the first process in the new namespaces ends, the kernel ends all others in there, whatever became of their
/// parents.
fn start(engine: &Engine) -> Result<Child> {
    make_directory(&engine.directory, 0o700)?;
    let log = File::create(&engine.log)?;
    let mut first = Command::new("unshare");
    first.args("--mount --propagation private --pid --fork --kill-child --".split(' '));
    first.arg(current_exe()?).args(["engines", "become", engine.name]);
    clean_environment(first.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log));
    Ok(first.process_group(0).spawn()?)
}

/// Engines get nothing of the caller's: `DOCKER_*`, `CONTAINER_*`, `XDG_*` or a proxy would change what they do.
fn clean_environment(command: &mut Command) {
    command
        .env_clear()
        .envs([("SHELLPROOF_LAB", lab()), ("SHELLPROOF_RUN", run())]);
    command.envs([("LANG", "C.UTF-8"), ("PODMAN_IGNORE_CGROUPSV1_WARNING", "1")]);
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    command.env("PATH", path);
}

fn await_answer(engine: &Engine, mut child: Child) -> Result {
    let mut has_ended = || !matches!(child.try_wait(), Ok(None));
    if !wait(60, || answers(&engine.own_socket) || has_ended()) {
        return trouble(engine, "did not answer within a minute");
    } else if has_ended() {
        return trouble(engine, "ended before it answered");
    }
    // A rootless engine could not make it there itself.
    Ok(fs::hard_link(&engine.own_socket, &engine.socket)?)
}

fn trouble(engine: &Engine, what: &str) -> Result {
    let (name, log) = (engine.name, engine.log.display());
    let said = fs::read_to_string(&engine.log).unwrap_or_default();
    let lines: Vec<_> = said.lines().collect();
    let last = lines[lines.len().saturating_sub(15)..].join("\n");
    Err(format!("`{name}` {what}\nhelp: the whole log is {log}; its last lines:\n{last}").into())
}

/// Waits until something is so, and says whether it is.
fn wait(seconds: u64, mut is_so: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + Duration::from_secs(seconds);
    while !is_so() && Instant::now() < end {
        sleep(Duration::from_millis(50));
    }
    is_so()
}

fn down(engines: &[Engine]) -> Result {
    need_root("down")?;
    let _locks = lock()?;
    stop(&engines.iter().collect::<Vec<_>>())
}

fn stop(engines: &[&Engine]) -> Result {
    let signal = |signal| {
        for process in engines.iter().filter_map(|engine| engine.first_process()) {
            // One that has ended meanwhile is as it should be.
            let _ = kill_process(process, signal);
        }
    };
    let have_ended = || engines.iter().all(|engine| engine.first_process().is_none());
    for engine in engines {
        let _ = fs::remove_file(&engine.socket);
    }
    signal(Signal::TERM);
    // Enough for an engine to write its state. Containers that ignore TERM would hold Docker for 15 s.
    if !wait(3, have_ended) {
        signal(Signal::KILL);
    }
    if !wait(20, have_ended) {
        return Err("an engine does not end\nhelp: ps shows what it waits for".into());
    }
    for engine in engines {
        cgroups::remove(Path::new("/sys/fs/cgroup"), &engine.containers, false);
        engine.remove_files();
    }
    Ok(())
}

fn enter(engine: &Engine, words: &[OsString]) -> Result {
    need_root("enter")?;
    let first = engine.first_process();
    let first = first.ok_or_else(|| format!("`{0}` is not up\nhelp: scripts/engines up {0}", engine.name))?;
    let mut command = Command::new("nsenter");
    clean_environment(&mut command);
    command
        .args("--mount --net --pid --root --wd --target".split(' '))
        .arg(first.to_string());
    inside::as_its_user(engine, &mut command);
    Err(command.args(words).exec().into())
}

fn need_root(what: &str) -> Result {
    // Root may have no cargo.
    let this = current_exe()?;
    let help = format!("sudo {} engines {what}", this.display());
    let error = || format!("`{what}` needs root: mounts, users, networks\nhelp: {help}").into();
    geteuid().is_root().then_some(()).ok_or_else(error)
}
