//! One engine for the time of a run: its images, what it needs beside a scenario, and the canary behind every verdict on it.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use shellproof_wire::Recorder;
use tokio::sync::OnceCell;

use super::anchor::Anchor;
use super::canary::{self, NOT_WANTED, Proof};
use super::images::{ImageError, Images};
use super::naming;
use super::options::RunOptions;
use crate::engines::{self, EngineError, EngineSpec};
use crate::invocation::Invocation;
use crate::kernel::Kernel;
use crate::vocabulary::Need;

/// One engine and its images, behind a recorder of their own.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) images: Arc<Images>,
    /// As far as it can be told without trying; or why there is none.
    kernel: Result<Arc<Kernel>, String>,
    proof: Shared<BoxFuture<'static, Proof>>,
    anchor: OnceCell<Option<Anchor>>,
    /// Why containers do not find each other by name, if they do not.
    nameless: OnceCell<Option<String>>,
    _recorder: Option<Arc<Recorder>>,
}

impl Store {
    /// Connects to an engine and sets its canary free: scenarios run meanwhile, since only their verdicts need it.
    pub(super) async fn open(
        engine: &EngineSpec,
        invocation: &Arc<Invocation>,
        options: &RunOptions,
    ) -> Result<Self, EngineError> {
        let socket = invocation.path(&format!("images-{}.sock", engine.name));
        let connection = engines::connect(engine, &socket).await?;
        if let Some(note) = &connection.note {
            anstream::eprintln!("warning: {note}");
        }
        let runtime = connection.runtime.clone();
        let kernel = match options.kernel {
            Some(Need::Off) => Err(NOT_WANTED.to_owned()),
            _ => Kernel::open(engine.endpoint.as_ref(), runtime.engine(), invocation)
                .await
                .map(Arc::new),
        };
        let recorder = connection.recorder.map(Arc::new);
        let images = Arc::new(Images::new(runtime, options.fixtures.clone(), options.offline));
        let canary = tokio::spawn({
            let (engine, images, invocation) = (engine.clone(), images.clone(), invocation.clone());
            let (kernel, recorder) = (kernel.as_ref().ok().cloned(), recorder.clone());
            async move {
                canary::prove(
                    &engine,
                    recorder.as_deref(),
                    &images,
                    &invocation,
                    kernel.as_deref(),
                )
                .await
            }
        });
        let lost = engine.unconnected("its canary was lost".into());
        let proof = async move { canary.await.unwrap_or(Err(lost)) };
        Ok(Self {
            images,
            kernel,
            proof: proof.boxed().shared(),
            anchor: OnceCell::new(),
            nameless: OnceCell::new(),
            _recorder: recorder,
        })
    }

    /// The kernel witness, as far as is known by now; or why there is none.
    pub(super) fn kernel(&self) -> Result<&Kernel, &str> {
        match (&self.kernel, self.proof.peek()) {
            (Err(reason), _) | (Ok(_), Some(Ok(Err(reason)))) => Err(reason),
            (Ok(kernel), _) => Ok(kernel),
        }
    }

    /// What the canary has shown. Waits for it.
    pub(super) async fn proof(&self) -> Proof {
        self.proof.clone().await
    }

    /// What the canary has shown, if it has ended.
    pub(super) fn proof_by_now(&self) -> Option<&Proof> {
        self.proof.peek()
    }

    /// Sees to it that containers on networks find each other.
    ///
    /// # Errors
    /// They will not, or nobody knows.
    pub(super) async fn prepare_networks(&self, invocation: &Invocation) -> Result<(), String> {
        let text = |error: ImageError| error.to_string();
        let nameless = self
            .nameless
            .get_or_try_init(|| naming::problem(&self.images, invocation));
        if let Some(problem) = nameless.await.map_err(text)? {
            return Err(format!(
                "engine `{}`: {problem}",
                self.images.runtime().engine().name
            ));
        }
        let anchor = self
            .anchor
            .get_or_try_init(|| Anchor::start(&self.images, invocation));
        anchor.await.map(|_| ()).map_err(text)
    }

    /// Removes what the run itself has on the engine, and reports what could not be removed.
    pub(super) async fn close(self) -> Vec<String> {
        // A canary that is under way has a container there; what it shows has been asked for by now.
        let _ = self.proof.await;
        match self.anchor.into_inner().flatten() {
            Some(anchor) => anchor.remove(self.images.runtime()).await,
            None => Vec::new(),
        }
    }
}
