//! What a recorder does beside recording: what it refuses, what it changes, and what it asks of the engine.

use std::fmt;
use std::sync::Arc;

use shellproof_api::facts::Fact;

use crate::record::{Record, Refusal};

/// Decides whether a request may reach the engine. The policy lives with whoever makes one; nothing here judges.
///
/// It is asked when the request's body is known, or what a container will run for a start.
#[derive(Clone)]
pub struct Gate(Arc<Refuse>);

type Refuse = dyn Fn(&Fact) -> Option<String> + Send + Sync;

impl Gate {
    /// A gate that asks `refuse` about what each request asks for, and is told why it may not be passed on.
    pub fn new(refuse: impl Fn(&Fact) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(refuse))
    }

    pub(crate) fn refuse(&self, record: &Record) -> Option<Refusal> {
        let message = (self.0)(&record.fact()?)?;
        Some(Refusal { message })
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gate")
    }
}

/// Changes requests to make a container before the engine sees them. What is changed, and why, is decided where the
/// policy is.
///
/// It is given the record and the body as it was sent.
#[derive(Clone)]
pub struct Prepare(Arc<Prepares>);

type Prepares = dyn Fn(&Record, &[u8]) -> Prepared + Send + Sync;

/// What becomes of a request to make a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prepared {
    /// It is passed on as it was sent.
    AsSent,
    /// This body is passed on in its place.
    Changed(Vec<u8>),
    /// It is not passed on.
    Refused(Refusal),
}

impl Prepare {
    /// Asks `prepare` about each request.
    pub fn new(prepare: impl Fn(&Record, &[u8]) -> Prepared + Send + Sync + 'static) -> Self {
        Self(Arc::new(prepare))
    }

    pub(crate) fn prepare(&self, record: &Record, body: &[u8]) -> Prepared {
        (self.0)(record, body)
    }
}

impl fmt::Debug for Prepare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Prepare")
    }
}

/// How to record.
#[derive(Clone, Debug, Default)]
pub struct RecorderOptions {
    /// Decides which requests reach the engine; all without one.
    pub gate: Option<Gate>,
    /// Changes requests to make a container; none without one.
    pub prepare: Option<Prepare>,
    /// Ask what each container has changed in its file system: before it is removed, and in [`Recorder::finish`]. One that
    /// its engine would remove as soon as it has ended is made without that, and removed by the recorder: it carries the
    /// labels of the run whose id this is.
    pub changes: Option<String>,
}
