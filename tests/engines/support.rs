//! Engines, scenario files, and the binary as a process.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use shellproof_api::labels;
use shellproof_conformance::lab;
use shellproof_wire::http;
use tempfile::TempDir;
use tokio::runtime::Runtime;

pub use crate::ended::Ended;

/// How long anything may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// An engine under test, and what it says when it is asked past every recorder.
#[derive(Clone)]
pub struct Engine(lab::Engine);

impl Deref for Engine {
    type Target = lab::Engine;

    fn deref(&self) -> &lab::Engine {
        &self.0
    }
}

/// The engine of this name, which must be there.
pub fn engine(name: &str) -> Engine {
    Engine(lab::engine(name))
}

impl Engine {
    /// Asks the engine itself, past every recorder.
    pub fn get(&self, path: &str) -> Value {
        let (status, body) = self.request("GET", path);
        assert_eq!(status, 200, "GET {path}: {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).expect("an engine answers in JSON")
    }

    /// One request to the engine itself, with its answer's status and body.
    pub fn request(&self, method: &str, path: &str) -> (u16, Vec<u8>) {
        block_on(self.call(method, path))
    }

    /// The same where futures run already.
    pub async fn call(&self, method: &str, path: &str) -> (u16, Vec<u8>) {
        let method = method.parse().expect("a method");
        let answer = http::call(&self.socket, method, path, None, 16 << 20).await;
        let (status, body) =
            answer.unwrap_or_else(|error| panic!("engine `{}` does not answer: {error}", self.name));
        (status.as_u16(), body.to_vec())
    }

    /// The containers, networks and volumes that carry this label.
    pub fn labelled(&self, label: &str) -> Vec<String> {
        let filters = filters(label);
        let mut found = Vec::new();
        for container in list(&self.get(&format!("/containers/json?all=1&filters={filters}"))) {
            found.push(format!("container {}", container["Names"]));
        }
        for network in list(&self.get(&format!("/networks?filters={filters}"))) {
            found.push(format!("network {}", network["Name"]));
        }
        for volume in list(&self.get(&format!("/volumes?filters={filters}"))["Volumes"]) {
            found.push(format!("volume {}", volume["Name"]));
        }
        found
    }

    /// Everything that a run has made and that is still there.
    pub fn of_run(&self, run: &str) -> Vec<String> {
        self.labelled(&format!("{}={run}", labels::RUN))
    }

    /// The tags of all images that carry a label of ours, also those that were made of ours.
    pub fn images(&self) -> Vec<String> {
        let mut found = Vec::new();
        for label in [labels::RUN, labels::FIXTURE, labels::STAND_IN, labels::PROBE] {
            let images = self.get(&format!("/images/json?all=1&filters={}", filters(label)));
            found.extend(
                list(&images)
                    .iter()
                    .flat_map(|image| list(&image["RepoTags"]))
                    .filter_map(|tag| tag.as_str().map(str::to_owned))
                    .filter(|tag| tag != "<none>:<none>"),
            );
        }
        found.sort();
        found.dedup();
        found
    }

    /// Waits until the container of a scenario runs; gives its id, its name and its run.
    pub fn running(&self, scenario: &str) -> Container {
        let filters = filters(&format!("{}={scenario}", labels::SCENARIO));
        wait_for(&format!("`{scenario}` to run on {}", self.name), || {
            let containers = self.get(&format!("/containers/json?filters={filters}"));
            let container = list(&containers).first()?.clone();
            Some(Container {
                id: container["Id"].as_str()?.to_owned(),
                name: container["Names"][0].as_str()?.trim_start_matches('/').to_owned(),
                run: container["Labels"][labels::RUN].as_str()?.to_owned(),
            })
        })
    }
}

/// A running container.
pub struct Container {
    pub id: String,
    pub name: String,
    pub run: String,
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn filters(label: &str) -> String {
    let text = json!({ "label": [label] }).to_string();
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    Runtime::new().expect("a runtime starts").block_on(future)
}

/// A directory of scenarios, removed at the end of the test.
pub struct Scenarios(TempDir);

impl Scenarios {
    pub fn new(files: &[(&str, String)]) -> Self {
        let directory = tempfile::tempdir().expect("a directory can be made");
        for (name, text) in files {
            std::fs::write(directory.path().join(format!("{name}.yaml")), text)
                .expect("a file can be written");
        }
        Self(directory)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// A scenario of one prebuilt container, `job`, with these keys, and an expectation of the whole.
pub fn scenario(name: &str, keys: &str, rest: &str) -> String {
    format!(
        "schema: 1\nname: {name}\nmodes: [prebuilt]\nnetworks: [n]\nvolumes: [v]\ncontainers:\n  job:\n    \
         image: fixture:tiny\n    network: n\n    volumes: [\"v:/v\"]\n    {keys}\n{rest}"
    )
}

/// A name that no other test, process or engine uses.
pub fn unique(what: &str, engine: &Engine) -> String {
    format!("{what}-{}-{}", engine.name, std::process::id())
}

/// The binary, with nothing in its environment that names an engine.
pub fn shellproof() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shellproof"));
    command
        .env_remove("CONTAINER_HOST")
        .env_remove("DOCKER_HOST")
        .env_remove("DOCKER_CONTEXT")
        .env_remove("NO_COLOR")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// `shellproof run` on an engine, which does without the kernel witness where there is none.
pub fn run(engine: &Engine, path: &Path) -> Command {
    let mut command = shellproof();
    command
        .arg("run")
        .arg(path)
        .args(["--engine", &engine.choice(), "--timeout", "60s"]);
    if !engine.has_kernel_witness() {
        command.args(["--kernel", "if-available"]);
    }
    command
}

impl Ended {
    /// Checks the exit code, and shows everything if it is another.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "stdout:\n{}\nstderr:\n{}",
            self.stdout,
            self.stderr
        );
        self
    }

    /// Standard output, which must be one JSON document.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in:\n{}", self.stdout))
    }
}

pub fn finish(command: &mut Command) -> Ended {
    command.output().expect("the binary starts").into()
}

/// A run that is going on. It is killed with the test that has it.
pub struct Going(Option<Child>);

impl Going {
    pub fn start(command: &mut Command) -> Self {
        Self(Some(command.spawn().expect("the binary starts")))
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let child = self.0.as_ref().expect("it is not over");
        let pid = i32::try_from(child.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(pid.expect("a process id"), signal).expect("it can be signalled");
    }

    pub fn end(mut self) -> Ended {
        let child = self.0.take().expect("it is not over");
        child.wait_with_output().expect("it can be waited for").into()
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            // The test has failed already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// `shellproof clean` takes images that no run uses, from under tests that run engines without a session of their own
/// as well: whoever cleans is alone.
static CLEANING: RwLock<()> = RwLock::new(());

pub fn beside_others() -> RwLockReadGuard<'static, ()> {
    CLEANING.read().unwrap_or_else(PoisonError::into_inner)
}

pub fn alone() -> RwLockWriteGuard<'static, ()> {
    CLEANING.write().unwrap_or_else(PoisonError::into_inner)
}
