//! How long containers take. Figures are for a release build on a quiet machine; nothing here can fail for being slow.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use shellproof_api::{ContainerSpec, ResourceKind, Runtime};
use shellproof_kernel::{Options, Supervisor, profile};

use crate::{Lab, Test, network, on, remove, run};

pub(crate) const TESTS: &[(&str, Test)] = &[("measured", measured)];

/// How often, one after the other.
const TIMES: usize = 300;
/// How often what is measured beside it.
const BESIDE: usize = 50;
/// How many side by side, and how many of them at a time.
const MANY: usize = 800;
const AT_A_TIME: usize = 8;

/// A container of which every program is recorded.
struct Watched {
    spec: ContainerSpec,
    supervisor: Supervisor,
}

impl Watched {
    fn new(directory: &Path, number: usize, spec: ContainerSpec) -> Self {
        let socket = directory.join(format!("{number}.sock"));
        let file = directory.join(format!("{number}.json"));
        std::fs::write(&file, profile::docker(&socket).expect("a profile")).expect("a file");
        let supervisor = Supervisor::start(&socket, Options::default()).expect("a supervisor");
        Self {
            spec: ContainerSpec {
                seccomp_profile: Some(file),
                ..spec
            },
            supervisor,
        }
    }

    fn check(&self) {
        assert!(self.supervisor.wait_ended(Duration::from_secs(5)));
        let sessions = self.supervisor.trace().sessions;
        assert!(sessions.iter().any(|session| !session.programs.is_empty()));
    }
}

/// From the start to the end, without making and removing it.
async fn start_to_exit(lab: &Lab, spec: &ContainerSpec) -> Duration {
    let id = lab.runtime.create_container(spec).await.expect("it is made");
    let since = Instant::now();
    lab.runtime.start_container(&id).await.expect("it starts");
    assert_eq!(lab.runtime.wait_container(&id).await.expect("it ends"), 0);
    let took = since.elapsed();
    remove(&lab.runtime, ResourceKind::Container, &id.0).await;
    drop(lab.runtime.changes(&id).await);
    took
}

fn middle(mut all: Vec<Duration>) -> f64 {
    all.sort();
    all[all.len() / 2].as_secs_f64() * 1000.0
}

/// Other ways to start the same program, as commands that semicolons part.
fn measure_beside() {
    for command in std::env::var("BESIDE").unwrap_or_default().split(';') {
        let words: Vec<&str> = command.split_whitespace().collect();
        let [program, arguments @ ..] = words.as_slice() else {
            continue;
        };
        let took = (0..BESIDE).map(|_| {
            let since = Instant::now();
            let ended = Command::new(program).args(arguments).output().expect("it starts");
            assert_eq!(String::from_utf8_lossy(&ended.stdout), "hello\n", "{ended:?}");
            since.elapsed()
        });
        eprintln!("start to exit, {program}: {:.2} ms", middle(took.collect()));
    }
}

fn measured(lab: &Lab) {
    let echo = |number: usize| lab.spec(&format!("c{number}"), &["echo", "hello"]);
    let directory = lab.directory.path();
    lab.tokio.block_on(async {
        network(&lab.runtime, "net").await;
        let mut first_and_last = Vec::new();
        for (what, is_watched, has_network) in [
            ("plain", false, false),
            ("watched", true, false),
            ("watched, on a network", true, true),
        ] {
            let mut took = Vec::new();
            for number in 0..TIMES {
                let spec = if has_network {
                    on("net", echo(number))
                } else {
                    echo(number)
                };
                took.push(if is_watched {
                    let watched = Watched::new(directory, number, spec);
                    let took = start_to_exit(lab, &watched.spec).await;
                    watched.check();
                    took
                } else {
                    start_to_exit(lab, &spec).await
                });
            }
            first_and_last.push((
                middle(took[..TIMES / 3].to_vec()),
                middle(took[TIMES * 2 / 3..].to_vec()),
            ));
            eprintln!("start to exit, {what}: {:.2} ms", middle(took));
        }
        measure_beside();
        eprintln!("the first third and the last: {first_and_last:.2?}");
        let since = Instant::now();
        let one = async |number: usize| {
            let watched = Watched::new(directory, number, on("net", echo(number)));
            assert_eq!(run(&lab.runtime, &watched.spec).await, (0, "hello\n".into()));
            watched.check();
        };
        stream::iter(0..MANY)
            .map(one)
            .buffer_unordered(AT_A_TIME)
            .count()
            .await;
        let rate = MANY as f64 / since.elapsed().as_secs_f64();
        eprintln!("{AT_A_TIME} at a time, watched, on a network: {rate:.0} a second");
    });
}
