//! Whoever is killed, and whenever: nothing stays.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use shellproof_api::{ContainerSpec, Mount, MountSource, Port, Runtime, VolumeSpec};
use shellproof_conformance::Subject;

use crate::world::{self, Process, descendants, eventually};
use crate::{Lab, Test, embedded, network, on, run, run_labels, spec, start};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("killed::a_caller_leaves_nothing", a_caller_leaves_nothing),
    ("killed::a_stub_leaves_nothing", a_stub_leaves_nothing),
    ("killed::a_holder_leaves_nothing", a_holder_leaves_nothing),
    (
        "killed::a_caller_in_the_middle_leaves_nothing",
        a_caller_in_the_middle,
    ),
];

/// The first word with which this program is one that is to be killed; a directory and a point follow.
pub(crate) const CALLER: &str = "caller";
/// Where it may be when that happens.
const POINTS: [&str; 3] = ["opened", "made", "running"];
/// It makes and removes containers, one after the other.
const BUSY: &str = "busy";

/// Goes as far as it is to, says so, and stays until its holder has ended.
pub(crate) fn caller(directory: &Path, point: &str) {
    let tokio = tokio::runtime::Runtime::new().expect("tokio starts");
    tokio.block_on(async {
        let runtime = embedded(directory);
        let image = Subject::build(Path::new(env!("CARGO_TARGET_TMPDIR"))).expect("the suite's image");
        let image = image.reference;
        if point == BUSY {
            println!("{point}");
            loop {
                run(&runtime, &spec(&image, "one", &["echo", "hello"])).await;
            }
        }
        let mut port = 0;
        if point != POINTS[0] {
            network(&runtime, "net").await;
            let volume = VolumeSpec {
                name: "data".into(),
                labels: run_labels(),
            };
            runtime.create_volume(&volume).await.expect("a volume");
            let wanted = ContainerSpec {
                mounts: vec![Mount {
                    source: MountSource::Volume("data".into()),
                    target: "/data".into(),
                    read_only: false,
                    relabel: None,
                    chown: false,
                }],
                ports: vec![Port {
                    container: 8000,
                    host: None,
                }],
                ..on("net", spec(&image, "server", &["serve", "8000"]))
            };
            if point == POINTS[2] {
                use shellproof_api::Inspect;
                let server = start(&runtime, &wanted).await;
                start(&runtime, &spec(&image, "daemon", &["serve-a-daemon"])).await;
                let seen = runtime.inspect_container(&server).await.expect("it is there");
                port = seen.ports[0].1;
            } else {
                runtime.create_container(&wanted).await.expect("it is made");
            }
        }
        println!("{point} {port}");
        // A holder that has gone is told to whoever wants something of it.
        let mut number = 0;
        loop {
            number += 1;
            let volume = VolumeSpec {
                name: format!("volume{number}"),
                labels: run_labels(),
            };
            if let Err(error) = runtime.create_volume(&volume).await {
                assert!(error.to_string().contains("has ended"), "{error}");
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
}

/// A caller that is at a point, and everything of it.
struct Scene {
    caller: Child,
    /// Its stub, the holder and the containers' processes, in this order.
    all: Vec<Process>,
    port: u16,
}

impl Scene {
    fn set(directory: &Path, point: &str) -> Self {
        let mut caller = Command::new("/proc/self/exe")
            .args([CALLER, directory.to_str().expect("a path of text"), point])
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        let stdout = caller.stdout.as_mut().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("readable");
        let port = line.split_whitespace().nth(1).and_then(|port| port.parse().ok());
        let all = descendants(caller.id());
        assert!(line.starts_with(point) && all.len() >= 2, "{line} {all:?}");
        Self {
            caller,
            all,
            port: port.unwrap_or_default(),
        }
    }

    fn check_that_nothing_stays(mut self, directory: &Path, kill: impl FnOnce(&mut Child, &[Process])) {
        let namespaces = world::namespaces(&self.all);
        assert!(namespaces.len() >= 7, "{namespaces:?}");
        let answers = || TcpStream::connect(("127.0.0.1", self.port)).is_ok();
        assert_eq!(answers(), self.port != 0);
        kill(&mut self.caller, &self.all);
        eventually("all processes have ended", || {
            !self.all.iter().any(|one| one.is_there())
        });
        eventually("the caller has ended", || {
            self.caller.try_wait().expect("it is a child of this").is_some()
        });
        eventually("nobody is in its namespaces", || {
            world::who_is_in(&namespaces).is_empty()
        });
        assert!(!answers() && !world::is_mounted(directory));
        // What was in there was the holder's alone.
        assert_eq!(std::fs::read_dir(directory).expect("it is there").count(), 0);
    }
}

fn at_each_point(lab: &Lab, kill: fn(&mut Child, &[Process])) {
    for point in POINTS {
        let directory = lab.directory.path().join(point);
        Scene::set(&directory, point).check_that_nothing_stays(&directory, kill);
    }
}

fn a_caller_leaves_nothing(lab: &Lab) {
    at_each_point(lab, |caller, _| caller.kill().expect("it is there"));
}

fn a_stub_leaves_nothing(lab: &Lab) {
    at_each_point(lab, |_, all| all[0].kill(Signal::KILL));
}

fn a_holder_leaves_nothing(lab: &Lab) {
    at_each_point(lab, |_, all| {
        assert_eq!(all[1].parent, all[0].number);
        all[1].kill(Signal::KILL);
    });
}

fn a_caller_in_the_middle(lab: &Lab) {
    for after in 0..10 {
        let directory = lab.directory.path().join(format!("{BUSY}{after}"));
        let scene = Scene::set(&directory, BUSY);
        scene.check_that_nothing_stays(&directory, |caller, _| {
            thread::sleep(Duration::from_millis(after * 3));
            caller.kill().expect("it is there");
        });
    }
}
