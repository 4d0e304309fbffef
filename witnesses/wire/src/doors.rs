//! Doors from a container to an engine: whoever has one makes containers, and starts programs in others, of which this
//! recorder hears nothing.
//!
//! The engine says what it mounts, and the kernel which file that is: a door has many names.

use std::collections::HashSet;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use hyper::{Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rustix::fs::{FileType, Stat, fstat};
use rustix::io::Errno;
use serde_json::{Value, json};

use crate::endpoint::Endpoint;
use crate::{host, http};

/// Where engines listen when nobody says otherwise. A `*` stands for one name.
const SOCKETS: &[&str] = &[
    "/run/docker.sock",
    "/run/podman/podman.sock",
    "/run/containerd/containerd.sock",
    "/run/containerd/containerd.sock.ttrpc",
    // Where each container's own keeper listens.
    "/run/containerd/s/*",
    "/run/crio/crio.sock",
    "/run/k3s/containerd/containerd.sock",
    "/run/k3s/containerd/containerd.sock.ttrpc",
    // One that Docker has started for itself.
    "/run/docker/containerd/containerd.sock",
    "/run/docker/containerd/containerd.sock.ttrpc",
    "/run/docker/containerd/containerd-debug.sock",
    "/run/user/*/docker/containerd/containerd.sock",
    "/run/user/*/docker/containerd/containerd.sock.ttrpc",
    "/run/buildkit/buildkitd.sock",
    "/run/user/*/docker.sock",
    "/run/user/*/podman/podman.sock",
];
/// The kernel's settings that name programs, which it starts on the host.
const SETTINGS: &[&str] = &[
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/modprobe",
    "/proc/sys/kernel/hotplug",
    "/proc/sys/kernel/poweroff_cmd",
];
/// File systems that show the host's processes or devices wherever they are mounted.
const OF_HOST: &[&str] = &["proc", "devtmpfs"];
/// How long a socket may take to answer as an engine does.
const PATIENCE: Duration = Duration::from_secs(1);
/// The longest description of a volume that is read, in bytes.
const VOLUME: usize = 1 << 20;

/// The doors that a container is given, each in a few words; nothing for nearly all containers.
///
/// `recorder` is the socket of this recorder: what comes through it is heard, and is a door all the same.
///
/// # Errors
/// The engine does not say what a volume is, or what it mounts lies behind a link that nobody else may follow.
pub(crate) async fn of(engine: &Endpoint, recorder: &Path, inspect: &Value) -> Result<Vec<String>, String> {
    let mut doors = powers(&inspect["HostConfig"]);
    let sources = sources(engine, inspect, &mut doors).await?;
    if sources.is_empty() {
        return Ok(doors);
    }
    let host = Host::of(engine, recorder).await;
    for (source, is_writable) in sources {
        if let Some(socket) = host.reached_through(&source).await? {
            doors.push(format!("`{source}` of the host, which leads to {socket}"));
        } else if is_writable
            && SETTINGS
                .iter()
                .any(|setting| leads(&plain(Path::new(&source)), setting))
        {
            doors.push(format!(
                "`{source}` of the host, which leads to settings that name programs for the host to start"
            ));
        }
    }
    Ok(doors)
}

/// The container whose processes a container shares: it has the other's doors too.
pub(crate) fn shares(inspect: &Value) -> Option<String> {
    let mode = inspect["HostConfig"]["PidMode"].as_str()?;
    mode.strip_prefix("container:").map(str::to_owned)
}

/// What lets a container go through the host's processes or devices.
fn powers(host: &Value) -> Vec<String> {
    let mut doors = Vec::new();
    if host["Privileged"] == true {
        doors.push("it is privileged, and has the host's devices".to_owned());
    }
    // `ns:` is a namespace by its path: nobody says whose.
    let is_host = |mode: &str| mode == "host" || mode.starts_with("ns:");
    if host["PidMode"].as_str().is_some_and(is_host) {
        doors.push("it has the host's processes, and through them the host's files".to_owned());
    }
    // Docker says so with an empty list, Podman in its own words.
    let options = host["SecurityOpt"].as_array().into_iter().flatten();
    let unmasks = |option: &str| option.starts_with("unmask=") || option == "systempaths=unconfined";
    if host["ReadonlyPaths"] == json!([]) || options.filter_map(Value::as_str).any(unmasks) {
        doors
            .push("it may write the kernel's settings, which name programs for the host to start".to_owned());
    }
    doors
}

/// The files and directories of the host that a container is given, and whether it may write there. A volume may stand for
/// one. What is a door by its kind alone is added to the doors.
async fn sources(
    engine: &Endpoint,
    inspect: &Value,
    doors: &mut Vec<String>,
) -> Result<Vec<(String, bool)>, String> {
    let mut sources = Vec::new();
    for mount in inspect["Mounts"].as_array().into_iter().flatten() {
        let (kind, source) = match mount["Type"].as_str() {
            Some("volume") => device(engine, mount["Name"].as_str().unwrap_or_default()).await?,
            kind => {
                let source = mount["Source"].as_str().map(str::to_owned);
                (kind.map(str::to_owned), source)
            }
        };
        if let Some(kind) = kind.filter(|kind| OF_HOST.contains(&kind.as_str())) {
            doors.push(format!(
                "a file system of the type `{kind}`, which shows the host's"
            ));
        }
        let Some(source) = source else { continue };
        // An engine takes it from where it runs itself, which is `/`, or its runtime from a place of its own.
        if !source.starts_with('/')
            && Path::new(&source)
                .components()
                .any(|part| part == Component::ParentDir)
        {
            doors.push(format!("`{source}`, and nobody knows from where that leads"));
        }
        let whole = Path::new("/").join(&source).to_string_lossy().into_owned();
        sources.push((whole, mount["RW"] != false));
    }
    Ok(sources)
}

/// The type of a volume's file system and what it is made of, where it is no directory of the engine's own.
async fn device(engine: &Endpoint, volume: &str) -> Result<(Option<String>, Option<String>), String> {
    let path = format!("/volumes/{}", utf8_percent_encode(volume, NON_ALPHANUMERIC));
    let asked = http::call(&engine.socket, Method::GET, &path, None, VOLUME).await;
    match asked {
        Ok((StatusCode::OK, body)) => {
            let described: Value = serde_json::from_slice(&body).unwrap_or_default();
            let option = |name: &str| described["Options"][name].as_str().map(str::to_owned);
            Ok((option("type"), option("device")))
        }
        // Then nothing of it can be mounted.
        Ok((StatusCode::NOT_FOUND, _)) => Ok((None, None)),
        Ok((status, _)) => Err(format!("volume `{volume}` could not be inspected: {status}")),
        Err(error) => Err(format!("volume `{volume}` could not be inspected: {error}")),
    }
}

/// Which file it is, whatever its name.
type Identity = (u64, u64);

/// The host's files as the engine sees them, and the sockets that are there.
struct Host {
    /// The root directory of the engine; ours where nobody lets us look.
    root: Option<OwnedFd>,
    sockets: Vec<Socket>,
}

/// A socket that is a door.
struct Socket {
    /// What it is, in a few words.
    what: String,
    /// Its path, and those above it that lead to it.
    names: HashSet<PathBuf>,
    /// The files and directories that are there under these names.
    files: HashSet<Identity>,
}

impl Host {
    async fn of(engine: &Endpoint, recorder: &Path) -> Self {
        let server = engine.server().await.ok();
        let own = server.as_ref().and_then(host::root_of);
        let roots: Vec<_> = own.into_iter().chain(host::directory("/")).collect();
        // Ours may be a link to it, whose own directories lead nowhere, and it may have another name where the engine lives.
        let ours = std::fs::canonicalize(&engine.socket).unwrap_or_else(|_| engine.socket.clone());
        let names = [Some(ours), server.and_then(|server| server.socket)];
        let mut sockets: Vec<_> = names
            .into_iter()
            .flatten()
            .map(|path| {
                let path = plain(&path);
                let what = format!("the engine's socket `{}`", path.display());
                Socket::at(what, path.ancestors(), &roots)
            })
            .collect();
        for path in SOCKETS.iter().map(Path::new) {
            if roots.iter().any(|root| identity(root, path).is_some()) {
                sockets.push(Socket::at(
                    format!("an engine's socket, `{}`", path.display()),
                    path.ancestors(),
                    &roots,
                ));
            }
        }
        // Above its own directory lies what others use too, and what comes through it is heard.
        let what = "the socket on which shellproof records".to_owned();
        sockets.push(Socket::at(what, recorder.ancestors().take(2), &roots));
        Self {
            root: roots.into_iter().next(),
            sockets,
        }
    }

    /// The engine's socket that a file or directory of the host is, or leads to.
    async fn reached_through(&self, source: &str) -> Result<Option<String>, String> {
        let name = plain(Path::new(source));
        if is_of_processes(&name) {
            return Ok(Some("the files of the host's processes".to_owned()));
        }
        if let Some(socket) = self.sockets.iter().find(|socket| socket.names.contains(&name)) {
            return Ok(Some(socket.what.clone()));
        }
        if let Some(socket) = SOCKETS.iter().find(|socket| leads(&name, socket)) {
            return Ok(Some(format!("an engine's socket, as `{socket}` is")));
        }
        let Some(root) = &self.root else {
            return Ok(None);
        };
        let file = match host::find(root, Path::new(source)) {
            Ok(file) => file,
            // It is not there, or not for us; then its name is all that is known.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS) => return Ok(None),
            Err(error) => return Err(format!("`{source}` of the host cannot be looked at: {error}")),
        };
        let Ok(stat) = fstat(&file) else {
            return Ok(None);
        };
        let is_met = |socket: &&Socket| socket.files.contains(&identity_of(&stat));
        if let Some(socket) = self.sockets.iter().find(is_met) {
            return Ok(Some(socket.what.clone()));
        }
        if FileType::from_raw_mode(stat.st_mode) != FileType::Socket {
            return Ok(None);
        }
        // One that only passes on to an engine answers as the engine does.
        let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        let answer = tokio::time::timeout(PATIENCE, Endpoint::identify(&path)).await;
        Ok(match answer {
            Ok(Ok(engine)) => Some(format!("a socket on which {} answers", engine.kind)),
            _ => None,
        })
    }
}

impl Socket {
    fn at<'a>(what: String, names: impl Iterator<Item = &'a Path>, roots: &[OwnedFd]) -> Self {
        let names: HashSet<_> = names.map(Path::to_owned).collect();
        let files = roots
            .iter()
            .flat_map(|root| names.iter().filter_map(|name| identity(root, name)))
            .collect();
        Self { what, names, files }
    }
}

/// Whether a path is that of the processes' own files: their root directories are among them.
fn is_of_processes(path: &Path) -> bool {
    let Ok(below) = path.strip_prefix("/proc") else {
        return false;
    };
    below.components().next().is_none_or(|process| {
        let name = process.as_os_str().to_string_lossy();
        name.starts_with(|first: char| first.is_ascii_digit()) || ["self", "thread-self"].contains(&&*name)
    })
}

/// A path without what says nothing: engines take `/var/run` for `/run`, where it is a link.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::Normal(name) => plain.push(name),
            Component::ParentDir => {
                plain.pop();
            }
            _ => {}
        }
    }
    match plain.strip_prefix("/var/run") {
        Ok(rest) => Path::new("/run").join(rest),
        Err(_) => plain,
    }
}

/// Whether a path is a socket's, or that of a directory above it.
fn leads(path: &Path, socket: &str) -> bool {
    let mut names = Path::new(socket).components();
    path.components().all(|name| {
        names
            .next()
            .is_some_and(|other| other == name || other.as_os_str() == "*")
    })
}

fn identity(root: &OwnedFd, path: &Path) -> Option<Identity> {
    Some(identity_of(&fstat(host::find(root, path).ok()?).ok()?))
}

fn identity_of(stat: &Stat) -> Identity {
    (stat.st_dev, stat.st_ino)
}

#[cfg(test)]
#[path = "doors_tests.rs"]
mod tests;
