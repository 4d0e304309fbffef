//! What becomes of containers, and of whoever made them, where something goes wrong: somebody is killed, programs take all
//! they can get, or there are very many.

mod apart;
mod killed;
mod limits;
mod many;
mod measure;
mod outside;
mod world;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use libtest_mimic::{Arguments, Failed, Trial};
use shellproof_api::{
    ContainerId, ContainerSpec, Labels, NetworkAttachment, NetworkSpec, Output, Resource, ResourceKind,
    Runtime, labels,
};
use shellproof_conformance::{Subject, lab};
use shellproof_embedded::{Embedded, Options};
use shellproof_kernel::profile::DOCKER_DEFAULT;
use shellproof_store::Store;
use shellproof_userns::{Started, Wanted};

/// Longer than anything here takes on a busy machine, but for what is ignored.
const DEADLINE: Duration = Duration::from_secs(120);

/// A test, which gets a runtime of its own.
type Test = fn(&Lab);

/// A run: a runtime, and its image.
pub(crate) struct Lab {
    tokio: tokio::runtime::Runtime,
    runtime: Arc<Embedded>,
    image: String,
    directory: tempfile::TempDir,
}

impl Lab {
    fn open() -> Self {
        let tokio = tokio::runtime::Runtime::new().expect("tokio starts");
        let directory = tempfile::tempdir().expect("a directory");
        let (runtime, image) = tokio.block_on(async {
            let subject = Subject::build(Path::new(env!("CARGO_TARGET_TMPDIR"))).expect("the suite's image");
            let runtime = embedded(&directory.path().join("run"));
            if runtime
                .image(&subject.reference)
                .await
                .expect("a sound store")
                .is_none()
            {
                runtime.load_image(&subject.archive).await.expect("it is loaded");
            }
            (runtime, subject.reference)
        });
        Self {
            tokio,
            runtime: Arc::new(runtime),
            image,
            directory,
        }
    }

    fn spec(&self, name: &str, arguments: &[&str]) -> ContainerSpec {
        spec(&self.image, name, arguments)
    }

    /// Does something with the runtime, within the time that anything here may take.
    fn within<T>(&self, work: impl Future<Output = T>) -> T {
        self.tokio.block_on(async {
            let done = tokio::time::timeout(DEADLINE, work).await;
            done.expect("it takes too long")
        })
    }
}

fn spec(image: &str, name: &str, arguments: &[&str]) -> ContainerSpec {
    ContainerSpec {
        name: name.to_owned(),
        image: image.to_owned(),
        command: Some(arguments.iter().map(|&word| word.to_owned()).collect()),
        labels: run_labels(),
        ..ContainerSpec::default()
    }
}

fn run_labels() -> Labels {
    Labels::from([(labels::RUN.to_owned(), "robust".to_owned())])
}

/// A runtime with the store that all of these tests share.
fn embedded(directory: &Path) -> Embedded {
    let user = rustix::process::geteuid().as_raw();
    let store = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("store-{user}"));
    embedded_with(Store::open_at(&store).expect("a store"), directory)
}

fn embedded_with(store: Store, directory: &Path) -> Embedded {
    let options = Options {
        name: "embedded".into(),
        directory: directory.to_owned(),
        store,
        on_disk: false,
        ids: Wanted::Many,
        profile: DOCKER_DEFAULT.to_owned(),
    };
    Embedded::open(options).unwrap_or_else(|error| panic!("{error}"))
}

async fn network(runtime: &Embedded, name: &str) {
    let spec = NetworkSpec {
        name: name.to_owned(),
        labels: run_labels(),
    };
    runtime.create_network(&spec).await.expect("a network");
}

fn on(network: &str, spec: ContainerSpec) -> ContainerSpec {
    let network = NetworkAttachment {
        network: network.to_owned(),
        aliases: Vec::new(),
    };
    ContainerSpec {
        network: Some(network),
        ..spec
    }
}

/// Starts a container, and waits until it has written a line.
async fn start(runtime: &Embedded, spec: &ContainerSpec) -> ContainerId {
    let id = runtime.create_container(spec).await.expect("it is made");
    let mut output = runtime.attach(&id).await.expect("it is attached");
    runtime.start_container(&id).await.expect("it starts");
    output.next().await.expect("it says something").expect("readable");
    // Who writes to a closed pipe ends.
    tokio::spawn(async move { while output.next().await.is_some() {} });
    id
}

/// Runs a container to its end, and removes it.
async fn run(runtime: &Embedded, spec: &ContainerSpec) -> (i64, String) {
    let id = runtime.create_container(spec).await.expect("it is made");
    let mut stream = runtime.attach(&id).await.expect("it is attached");
    runtime.start_container(&id).await.expect("it starts");
    let mut output = Output::default();
    while let Some(chunk) = stream.next().await {
        output.push(&chunk.expect("readable"));
    }
    let code = runtime.wait_container(&id).await.expect("it ends");
    remove(runtime, ResourceKind::Container, &id.0).await;
    // Nobody asked for it: it would be kept.
    drop(runtime.changes(&id).await);
    let text = [output.stdout, output.stderr].concat();
    (code, String::from_utf8_lossy(&text).into_owned())
}

async fn remove(runtime: &Embedded, kind: ResourceKind, id: &str) {
    let resource = Resource {
        kind,
        id: id.to_owned(),
        name: id.to_owned(),
        labels: run_labels(),
    };
    runtime.remove(&resource).await.expect("it goes");
}

fn main() -> ExitCode {
    if shellproof_userns::run_if_meant(&[shellproof_embedded::STUB, shellproof_store::STUB, limits::FULL]) {
        return ExitCode::SUCCESS;
    }
    let words: Vec<_> = std::env::args().skip(1).collect();
    if let [killed::CALLER, directory, point] = words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        killed::caller(Path::new(directory), point);
        return ExitCode::SUCCESS;
    }
    // Where it is forbidden nothing of this can be tested, and it is a failure where everything must be.
    let forbidden = Started::start(&shellproof_embedded::STUB, Wanted::Many).err();
    if let Some(error) = &forbidden {
        eprintln!("ignored: {error}");
    }
    let is_ignored = forbidden.is_some() && !lab::is_required();
    let trial = |(name, test): (&str, Test), is_long: bool| {
        let run = move || -> Result<(), Failed> {
            test(&Lab::open());
            Ok(())
        };
        Trial::test(name, run).with_ignored_flag(is_ignored || is_long)
    };
    let short = [
        killed::TESTS,
        limits::TESTS,
        apart::TESTS,
        outside::TESTS,
        many::TESTS,
    ]
    .concat();
    let mut trials: Vec<_> = short.into_iter().map(|one| trial(one, false)).collect();
    let long = [many::LONG, measure::TESTS].concat();
    trials.extend(long.into_iter().map(|one| trial(one, true)));
    // Each counts the processes of this one.
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    libtest_mimic::run(&arguments, trials).exit_code()
}
