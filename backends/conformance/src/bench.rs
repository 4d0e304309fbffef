//! What a case works with.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use shellproof_api::{
    ContainerId, ContainerSpec, ContainerStatus, Error, ErrorKind, Inspect, Labels, Mount, MountSource,
    NetworkAttachment, NetworkSpec, Output, OutputStream, Resource, ResourceKind, Result, Runtime,
    VolumeSpec, labels,
};

use crate::Subject;
use crate::network::Network;

/// A runtime, the images on it, and names and labels for what one case makes.
pub struct Bench {
    runtime: Arc<dyn Inspect>,
    subject: Subject,
    network: Network,
    run: String,
    case: &'static str,
    made: AtomicUsize,
}

/// How a container ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i64,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Bench {
    /// A bench for one case of one run.
    pub(crate) fn new(
        runtime: Arc<dyn Inspect>,
        subject: Subject,
        network: Network,
        run: &str,
        case: &'static str,
    ) -> Self {
        Self {
            runtime,
            subject,
            network,
            run: run.to_owned(),
            case,
            made: AtomicUsize::new(0),
        }
    }

    pub(crate) fn runtime(&self) -> &dyn Runtime {
        &*self.runtime
    }

    pub(crate) fn inspect(&self) -> &dyn Inspect {
        &*self.runtime
    }

    pub(crate) fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Where the engine's published ports answer.
    pub(crate) fn network_of_engine(&self) -> &Network {
        &self.network
    }

    /// The labels of everything that this case makes.
    pub(crate) fn labels(&self) -> Labels {
        Labels::from([
            (labels::RUN.to_owned(), self.run.clone()),
            (labels::SCENARIO.to_owned(), self.case.to_owned()),
        ])
    }

    /// A name that nothing else has, short enough for a host name.
    pub(crate) fn name(&self) -> String {
        let case = self.case.bytes().fold(0_u32, |hash, byte| {
            hash.wrapping_mul(31).wrapping_add(byte.into())
        });
        let made = self.made.fetch_add(1, Ordering::Relaxed);
        format!("{}-{case:08x}-{made}", self.run)
    }

    /// A container of the suite's image that runs one of its subcommands.
    pub(crate) fn spec(&self, args: &[&str]) -> ContainerSpec {
        ContainerSpec {
            command: Some(words(args)),
            ..self.plain()
        }
    }

    /// A container of the suite's image as it is.
    pub(crate) fn plain(&self) -> ContainerSpec {
        ContainerSpec {
            name: self.name(),
            image: self.subject.reference.clone(),
            labels: self.labels(),
            ..ContainerSpec::default()
        }
    }

    pub(crate) async fn create(&self, spec: &ContainerSpec) -> ContainerId {
        self.runtime
            .create_container(spec)
            .await
            .expect("the container is created")
    }

    pub(crate) async fn start(&self, spec: &ContainerSpec) -> ContainerId {
        let id = self.create(spec).await;
        self.runtime
            .start_container(&id)
            .await
            .expect("the container starts");
        id
    }

    /// Makes a container, attaches to it and starts it, as a run does.
    pub(crate) async fn start_attached(&self, spec: &ContainerSpec) -> (ContainerId, OutputStream) {
        let id = self.create(spec).await;
        let stream = self.runtime.attach(&id).await.expect("it is attached to");
        self.runtime.start_container(&id).await.expect("it starts");
        (id, stream)
    }

    /// Starts a container that says `ready`, and waits until it has.
    pub(crate) async fn start_ready(&self, spec: &ContainerSpec) -> ContainerId {
        let (id, mut stream) = self.start_attached(spec).await;
        let mut output = Output::default();
        let ready = async {
            while !output.stdout.starts_with(b"ready\n") {
                let chunk = stream.next().await.expect("it goes on after `ready`");
                output.push(&chunk.expect("the stream does not break"));
            }
        };
        let ready = tokio::time::timeout(Duration::from_secs(5), ready).await;
        ready.unwrap_or_else(|_| panic!("`{}` did not say `ready` within 5 s", spec.name));
        id
    }

    /// Runs a container to its end.
    pub(crate) async fn run(&self, spec: &ContainerSpec) -> Ended {
        let (id, stream) = self.start_attached(spec).await;
        let output = collect(stream).await;
        let code = self
            .runtime
            .wait_container(&id)
            .await
            .expect("the container ends");
        Ended::new(code, output)
    }

    /// Runs a container that writes something to its end: once more if nothing came and the engine may have lost it.
    pub(crate) async fn run_for_output(&self, spec: &ContainerSpec) -> Ended {
        let ended = self.run(spec).await;
        if ended.is_silent() && self.runtime.may_lose_output() {
            let name = self.name();
            return self.run(&ContainerSpec { name, ..spec.clone() }).await;
        }
        ended
    }

    /// Runs a subcommand and gives what it printed.
    pub(crate) async fn stdout(&self, spec: &ContainerSpec) -> String {
        let ended = self.run_for_output(spec).await;
        assert_eq!(ended.code, 0, "{ended:?}");
        ended.stdout
    }

    pub(crate) async fn network(&self) -> String {
        let spec = NetworkSpec {
            name: self.name(),
            labels: self.labels(),
        };
        self.runtime
            .create_network(&spec)
            .await
            .expect("the network is created");
        spec.name
    }

    pub(crate) async fn volume(&self) -> String {
        let spec = VolumeSpec {
            name: self.name(),
            labels: self.labels(),
        };
        self.runtime
            .create_volume(&spec)
            .await
            .expect("the volume is created");
        spec.name
    }

    /// What this case has made and not yet removed.
    ///
    /// # Errors
    /// As [`Runtime::owned`].
    pub async fn owned(&self) -> Result<Vec<Resource>> {
        let labels = self.labels();
        let mine = |resource: &Resource| {
            labels
                .iter()
                .all(|(key, value)| resource.labels.get(key) == Some(value))
        };
        let mut owned: Vec<_> = self.runtime.owned().await?.into_iter().filter(mine).collect();
        owned.sort();
        Ok(owned)
    }

    pub(crate) async fn status(&self, id: &ContainerId) -> ContainerStatus {
        self.runtime
            .inspect_container(id)
            .await
            .expect("the container is there")
            .status
    }

    /// Asserts that an operation failed with this kind, and that the error names everything it should.
    pub(crate) fn refused<T: Debug>(&self, result: Result<T>, kind: ErrorKind, names: &[&str]) -> Error {
        let error = result.expect_err("the operation is refused");
        assert_eq!(error.kind, kind, "{error}");
        assert_eq!(error.engine, self.runtime.engine().name);
        assert!(!error.message.is_empty(), "an error without a message: {error:?}");
        for name in names {
            assert!(error.to_string().contains(name), "`{name}` is not named: {error}");
        }
        error
    }
}

impl Ended {
    fn is_silent(&self) -> bool {
        self.stdout.is_empty() && self.stderr.is_empty()
    }

    fn new(code: i64, output: Output) -> Self {
        Self {
            code,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

pub(crate) fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

pub(crate) fn container(id: &ContainerId) -> Resource {
    resource(ResourceKind::Container, &id.0)
}

pub(crate) fn resource(kind: ResourceKind, id: &str) -> Resource {
    Resource {
        kind,
        id: id.to_owned(),
        name: id.to_owned(),
        labels: Labels::new(),
    }
}

pub(crate) fn on_network(network: &str, aliases: &[&str]) -> Option<NetworkAttachment> {
    Some(NetworkAttachment {
        network: network.to_owned(),
        aliases: words(aliases),
    })
}

pub(crate) fn volume_at(volume: &str, target: &str, read_only: bool) -> Mount {
    Mount {
        relabel: None,
        chown: false,
        source: MountSource::Volume(volume.to_owned()),
        target: target.to_owned(),
        read_only,
    }
}

/// Takes a stream to its end.
pub(crate) async fn collect(mut stream: OutputStream) -> Output {
    let mut output = Output::default();
    while let Some(chunk) = stream.next().await {
        output.push(&chunk.expect("the stream does not break"));
    }
    output
}
