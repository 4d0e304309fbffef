//! One engine: where its files are, and whether it runs.

use std::env::var_os;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf, absolute};
use std::str::FromStr;
use std::time::Duration;

use rustix::process::Pid;

use crate::{Result, repository};

#[derive(Clone)]
pub struct Engine {
    pub name: &'static str,
    /// The Debian release that it comes from.
    pub suite: &'static str,
    pub is_docker: bool,
    pub is_rootless: bool,
    pub root: PathBuf,
    pub log: PathBuf,
    /// The socket that everybody knows. It appears when the engine answers.
    pub socket: PathBuf,
    /// What is the engine's own among the sockets.
    pub directory: PathBuf,
    /// The socket on which it listens.
    pub own_socket: PathBuf,
    /// Where each of its containers has a directory.
    pub containers: PathBuf,
    pid_file: PathBuf,
}

/// Where roots and logs are.
pub fn lab() -> PathBuf {
    directory("SHELLPROOF_LAB", repository().join("target/lab"))
}

/// Where the sockets are. With them the process ids: they belong to these engines, whichever clone started them.
pub fn run() -> PathBuf {
    directory("SHELLPROOF_RUN", "/run/shellproof-lab".into())
}

fn directory(variable: &str, default: PathBuf) -> PathBuf {
    let path = var_os(variable).map_or(default, PathBuf::from);
    absolute(&path).unwrap_or(path)
}

const NAMES: &str = "docker-20 podman-4 podman-4-rootless docker-26 podman-5 podman-5-rootless";

pub fn all() -> Vec<Engine> {
    NAMES.split(' ').map(Engine::new).collect()
}

impl Engine {
    fn new(name: &'static str) -> Self {
        let directory = run().join(name);
        let (is_docker, is_rootless) = (name.starts_with("docker"), name.ends_with("rootless"));
        let is_old = name == "docker-20" || name.starts_with("podman-4");
        let suite = if is_old { "bookworm" } else { "trixie" };
        let root = lab().join(suite);
        let containers = match (is_docker, is_rootless) {
            (true, _) => "var/lib/docker/containers",
            (_, true) => "home/shellproof-lab/.local/share/containers/storage/overlay-containers",
            _ => "var/lib/containers/storage/overlay-containers",
        };
        Self {
            name,
            suite,
            containers: root.join(containers),
            root,
            is_docker,
            is_rootless,
            log: lab().join(format!("{name}.log")),
            socket: directory.with_extension("sock"),
            own_socket: directory.join("engine.sock"),
            pid_file: directory.with_extension("pid"),
            directory,
        }
    }

    /// The first process, while it runs. Its id alone may have been given to another process since.
    pub fn first_process(&self) -> Option<Pid> {
        let noted = fs::read_to_string(&self.pid_file).ok()?;
        let (pid, started) = noted.split_once(' ')?;
        let pid = pid.parse().ok()?;
        let runs = start_time(pid).as_deref() == Some(started.trim());
        runs.then(|| Pid::from_raw(pid)).flatten()
    }

    pub fn note_first_process(&self, pid: i32) -> io::Result<()> {
        fs::write(
            &self.pid_file,
            format!("{pid} {}", start_time(pid).unwrap_or_default()),
        )
    }

    /// Removes what only a running engine has.
    pub fn remove_files(&self) {
        let _ = fs::remove_dir_all(&self.directory);
        let _ = fs::remove_file(&self.pid_file);
    }
}

impl FromStr for Engine {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = all().into_iter().find(|engine| engine.name == name);
        found.ok_or_else(|| format!("the engines are: {NAMES}"))
    }
}

/// When a process that has not ended was started.
fn start_time(pid: i32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<_> = stat.rsplit_once(") ")?.1.split(' ').collect();
    (*fields.first()? != "Z").then(|| fields.get(19).map(|&time| time.to_owned()))?
}

pub fn answers(socket: &Path) -> bool {
    let ask = || {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"GET /_ping HTTP/1.0\r\nHost: engine\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        io::Result::Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.0 200 ") && answer.ends_with("OK"))
}
