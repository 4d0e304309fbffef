use std::path::Path;
use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::Stream;

use crate::facts::ChangedFile;
use crate::{
    ContainerId, ContainerSpec, ContainerState, Credentials, Engine, HealthRun, ImageConfig, ImageFile,
    Labels, NetworkSpec, PullProgress, Resource, Result, VolumeSpec,
};

/// A container engine, or a runtime that needs none.
///
/// Deadlines are the caller's: dropping a future abandons the operation. No method retries on its own account.
#[async_trait]
pub trait Runtime: Send + Sync {
    /// The engine as it answered when this runtime was connected.
    fn engine(&self) -> &Engine;

    /// Whether its containers find each other by name.
    fn naming(&self) -> Naming {
        Naming::Lasting
    }

    /// Whether the engine may lose what a container writes right before its end, all of it or the last of it, without a
    /// word. Nobody but the engine sees output, so nobody else can make up for it: whoever misses some must run it again.
    fn may_lose_output(&self) -> bool {
        false
    }

    /// Other machines that containers of a network asked for and this one cannot reach, by name or address; a few of them, if there
    /// are many. None where the runtime cannot tell.
    fn unreached(&self, network: &str) -> Vec<String> {
        let _ = network;
        Vec::new()
    }

    /// Why the machine gives all of its containers' users one and the same id, if it does: then nobody can tell what a user may
    /// do there and another may not, and what changes its user fails.
    fn one_id(&self) -> Option<OneId> {
        None
    }

    /// Loads an image archive in the `docker save` format. Loading an image twice is no error.
    async fn load_image(&self, archive: &Path) -> Result<()>;

    /// The configuration of an image that is present on the engine, or `None`.
    async fn image(&self, reference: &str) -> Result<Option<ImageConfig>>;

    /// Pulls an image from its registry and reports progress as the engine does.
    ///
    /// # Errors
    /// Names image, registry and cause, also when the engine hides the failure in a successful answer.
    async fn pull_image(
        &self,
        reference: &str,
        credentials: Option<&Credentials>,
        progress: &(dyn Fn(PullProgress) + Send + Sync),
    ) -> Result<()>;

    /// Reads one file of an image without running it; `None` when the path does not exist.
    ///
    /// Links in the middle of the path are followed inside the image; the last component is not.
    /// What an engine needs to make for this (a container that never starts) carries `labels` and is removed.
    async fn read_image_file(
        &self,
        reference: &str,
        path: &str,
        labels: &Labels,
    ) -> Result<Option<ImageFile>>;

    /// Reads a whole image as an archive in the `docker save` format, as it comes. Dropping the stream ends it.
    ///
    /// # Errors
    /// [`crate::ErrorKind::ImageMissing`]; also in the stream, which is then no whole archive.
    async fn save_image(&self, reference: &str) -> Result<ByteStream>;

    /// Makes a bridge network on which containers find each other by name.
    ///
    /// # Errors
    /// [`crate::ErrorKind::AlreadyExists`] when there is one of that name.
    async fn create_network(&self, spec: &NetworkSpec) -> Result<()>;

    /// Makes a named volume.
    ///
    /// # Errors
    /// [`crate::ErrorKind::AlreadyExists`] when there is one of that name.
    async fn create_volume(&self, spec: &VolumeSpec) -> Result<()>;

    /// Makes a container without starting it.
    ///
    /// # Errors
    /// [`crate::ErrorKind::ImageMissing`], [`crate::ErrorKind::AlreadyExists`] or [`crate::ErrorKind::NotFound`] (network,
    /// volume, or the source of a bind mount: none is made on the way). [`crate::ErrorKind::Invalid`] when there is
    /// no program to run.
    async fn create_container(&self, spec: &ContainerSpec) -> Result<ContainerId>;

    /// Attaches to a container that has not started yet. The stream ends when the container does.
    async fn attach(&self, id: &ContainerId) -> Result<OutputStream>;

    /// Starts a container. Starting a running one is no error.
    ///
    /// # Errors
    /// [`crate::ErrorKind::CommandNotFound`] and [`crate::ErrorKind::NotExecutable`] tell a wrong command from other
    /// failures. A container that failed to start counts as exited.
    async fn start_container(&self, id: &ContainerId) -> Result<()>;

    /// Waits for a started container to exit and gives its exit code.
    ///
    /// # Errors
    /// [`crate::ErrorKind::WrongState`] for a container that was never started.
    async fn wait_container(&self, id: &ContainerId) -> Result<i64>;

    /// The last runs of a container's health check, oldest first; none where the engine has run none, as Podman does without
    /// systemd.
    async fn health_runs(&self, id: &ContainerId) -> Result<Vec<HealthRun>>;

    /// Removes an object, a running container included. Removing what is not there is no error. Of an image that is called
    /// by one of its names this name goes, and the image with its last name.
    ///
    /// # Errors
    /// [`crate::ErrorKind::WrongState`] for the last name of an image that a container uses, among others.
    async fn remove(&self, resource: &Resource) -> Result<()>;

    /// The files that a container has added or changed in its own file system, volumes excepted, or why nobody knows; where a
    /// container was removed, as it left them, once. Only a runtime without a wire has something to say: elsewhere that is the
    /// wire witness's to look at.
    async fn changes(&self, id: &ContainerId) -> Option<std::result::Result<Vec<ChangedFile>, String>> {
        let _ = id;
        None
    }

    /// Everything on the engine that is ours: containers, networks and volumes that carry [`crate::labels::RUN`], of all
    /// runs, and images that carry any label which begins with [`crate::labels::PREFIX`], one by one for each of their names:
    /// images belong to no run, and inherit labels.
    async fn owned(&self) -> Result<Vec<Resource>>;
}

/// Looking at a container from outside, for whoever checks that a [`Runtime`] keeps its word. A scenario needs none of it:
/// what its containers write and how they end come by [`Runtime::attach`] and [`Runtime::wait_container`].
#[async_trait]
pub trait Inspect: Runtime {
    /// A container's state.
    async fn inspect_container(&self, id: &ContainerId) -> Result<ContainerState>;
}

/// Whether containers on a network find each other by name, which the engine's own name server decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Naming {
    /// They do.
    #[default]
    Lasting,
    /// They do as long as any network of the engine has a container on it: the name server ends with the last one, and
    /// misses a network that starts in that moment.
    WhileInUse,
    /// Perhaps they do not: it takes a try. The cause and its cure, should they not.
    Doubtful(String),
}

/// Why a runtime has one id for all of its containers' users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneId {
    /// What is missing.
    pub cause: String,
    /// What to do about it, where that is known.
    pub help: Option<String>,
}

/// Collected output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

impl Output {
    /// Appends one chunk to the stream that it came from.
    pub fn push(&mut self, chunk: &OutputChunk) {
        match chunk.stream {
            StdStream::Stdout => self.stdout.extend_from_slice(&chunk.bytes),
            StdStream::Stderr => self.stderr.extend_from_slice(&chunk.bytes),
        }
    }
}

/// Live output of a container; ends when the container does.
pub type OutputStream = Pin<Box<dyn Stream<Item = Result<OutputChunk>> + Send>>;

/// Bytes of any length, as they come.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>;

/// A piece of output, not aligned to lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputChunk {
    /// Where it was written.
    pub stream: StdStream,
    /// What was written.
    pub bytes: Bytes,
}

/// One of a container's two output streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StdStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}
