//! A runtime in memory, whose images, programs and failures are a script.
//!
//! It keeps the contract as far as a runtime without a kernel can: names, states, labels, output and errors are
//! real, isolation is not. It proves that our own code is right and never that an image is.
//!
//! ```
//! # use shellproof_fake::{Behaviour, Fake};
//! # use shellproof_api::{Seccomp,ErrorKind, ImageConfig};
//! let config = ImageConfig { entrypoint: vec!["/server".into()], ..ImageConfig::default() };
//! let fake = Fake::new()
//!     .with_image("server:1", config, Behaviour::until_killed().stdout("listening\n"))
//!     .fail("create_network", ErrorKind::Denied);
//! ```

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod runtime;
mod state;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use shellproof_api::{
    ContainerSpec, Engine, EngineKind, ErrorKind, HealthRun, ImageConfig, ImageFile, Naming, OutputChunk,
    Seccomp, StdStream,
};

use crate::state::State;

/// A runtime in memory.
pub struct Fake {
    engine: Engine,
    images: BTreeMap<String, Image>,
    failures: BTreeMap<&'static str, ErrorKind>,
    loses_output: bool,
    naming: Naming,
    state: Arc<Mutex<State>>,
}

/// What runs in a container: told its specification and its whole argv.
pub type Program = Arc<dyn Fn(&ContainerSpec, &[String]) -> Behaviour + Send + Sync>;

struct Image {
    config: ImageConfig,
    program: Program,
    files: BTreeMap<String, ImageFile>,
    /// What is given for all of it.
    archive: Option<Bytes>,
    /// Whether it has to be pulled first.
    remote: bool,
}

/// What a program does. It writes its output when it starts.
#[derive(Clone, Debug, Default)]
pub struct Behaviour {
    output: Vec<OutputChunk>,
    refusal: Option<ErrorKind>,
    /// The stream of whoever is attached breaks behind the output.
    breaks: Option<ErrorKind>,
    /// The runs of its health check, and when each ends.
    health_runs: Vec<(Duration, HealthRun)>,
    /// `None`: it runs until it is killed.
    end: Option<(Duration, i64)>,
}

impl Behaviour {
    /// Ends at once with this code.
    pub fn exit(code: i64) -> Self {
        Self {
            end: Some((Duration::ZERO, code)),
            ..Self::default()
        }
    }

    /// Runs until `SIGKILL`. It has no handlers, and so as a container's first process it ignores other signals.
    pub fn until_killed() -> Self {
        Self::default()
    }

    /// Cannot be started: [`ErrorKind::CommandNotFound`], [`ErrorKind::NotExecutable`] or anything else.
    pub fn refuse(kind: ErrorKind) -> Self {
        Self {
            refusal: Some(kind),
            ..Self::exit(127)
        }
    }

    /// Ends so much later.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.end = self.end.map(|(_, code)| (delay, code));
        self
    }

    /// Breaks the stream of whoever is attached, once all output is written.
    #[must_use]
    pub fn stream_breaks(mut self, kind: ErrorKind) -> Self {
        self.breaks = Some(kind);
        self
    }

    /// Has a run of its health check, which ends so long after its start.
    #[must_use]
    pub fn health_run(mut self, after: Duration, exit_code: i64, output: &str) -> Self {
        let run = HealthRun {
            began: format!("{after:?}"),
            exit_code,
            output: output.to_owned(),
        };
        self.health_runs.push((after, run));
        self
    }

    /// Writes to standard output.
    #[must_use]
    pub fn stdout(self, text: impl Into<Bytes>) -> Self {
        self.writes(StdStream::Stdout, text.into())
    }

    /// Writes to standard error.
    #[must_use]
    pub fn stderr(self, text: impl Into<Bytes>) -> Self {
        self.writes(StdStream::Stderr, text.into())
    }

    fn writes(mut self, stream: StdStream, bytes: Bytes) -> Self {
        self.output.push(OutputChunk { stream, bytes });
        self
    }
}

impl Fake {
    /// An engine without images.
    pub fn new() -> Self {
        let engine = Engine {
            name: "fake".to_owned(),
            kind: EngineKind::Fake,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            rootless: true,
            seccomp: Seccomp::Off,
        };
        Self {
            engine,
            images: BTreeMap::new(),
            failures: BTreeMap::new(),
            loses_output: false,
            naming: Naming::Lasting,
            state: Arc::default(),
        }
    }

    /// An image whose containers all do the same.
    #[must_use]
    pub fn with_image(self, reference: &str, config: ImageConfig, behaviour: Behaviour) -> Self {
        self.with_program(reference, config, move |_, _| behaviour.clone())
    }

    /// An image whose containers do what their specification and argv ask for.
    #[must_use]
    pub fn with_program(
        mut self,
        reference: &str,
        config: ImageConfig,
        program: impl Fn(&ContainerSpec, &[String]) -> Behaviour + Send + Sync + 'static,
    ) -> Self {
        let program = Arc::new(program);
        let image = Image {
            config,
            program,
            files: BTreeMap::new(),
            archive: None,
            remote: false,
        };
        self.images.insert(reference.to_owned(), image);
        self
    }

    /// A file of an image that is there. Paths are taken as they are: links in them are not followed.
    ///
    /// # Panics
    /// There is no such image.
    #[must_use]
    pub fn with_file(mut self, reference: &str, path: &str, file: ImageFile) -> Self {
        self.image_mut(reference).files.insert(path.to_owned(), file);
        self
    }

    /// The archive of an image that is there.
    ///
    /// # Panics
    /// There is no such image.
    #[must_use]
    pub fn with_archive(mut self, reference: &str, archive: impl Into<Bytes>) -> Self {
        self.image_mut(reference).archive = Some(archive.into());
        self
    }

    /// Moves an image to its registry, from where it must be pulled.
    ///
    /// # Panics
    /// There is no such image.
    #[must_use]
    pub fn with_remote(mut self, reference: &str) -> Self {
        self.image_mut(reference).remote = true;
        self
    }

    /// Makes an operation, named as its method, fail from now on.
    ///
    /// # Panics
    /// There is no such operation: a failure that never happens would test nothing.
    #[must_use]
    pub fn fail(mut self, operation: &str, kind: ErrorKind) -> Self {
        let known = runtime::OPERATIONS
            .into_iter()
            .find(|(method, _)| *method == operation);
        let (method, _) = known.unwrap_or_else(|| panic!("no operation is called `{operation}`"));
        self.failures.insert(method, kind);
        self
    }

    /// Says that it may lose output. Which output is lost is for the programs to say, by not writing it.
    #[must_use]
    pub fn losing_output(mut self) -> Self {
        self.loses_output = true;
        self
    }

    /// Says so of its names; what is resolved is for the programs to say.
    #[must_use]
    pub fn with_naming(mut self, naming: Naming) -> Self {
        self.naming = naming;
        self
    }

    fn image_mut(&mut self, reference: &str) -> &mut Image {
        self.images
            .get_mut(reference)
            .unwrap_or_else(|| panic!("there is no image `{reference}`"))
    }
}

impl Default for Fake {
    fn default() -> Self {
        Self::new()
    }
}
