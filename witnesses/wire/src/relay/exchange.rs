//! What the two directions of one connection tell each other.

use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::io::AsyncWriteExt;
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::{oneshot, watch};

use crate::action::Action;
use crate::scan::ScanError;

/// The size of one read, in bytes.
pub(super) const BUFFER: usize = 64 << 10;
/// What the two directions of one connection tell each other.
pub(super) struct Exchange {
    pub(super) queue: Mutex<VecDeque<Pending>>,
    /// How many requests were passed on whose answer has not ended.
    pub(super) unanswered: watch::Sender<usize>,
    /// The way to the client, which a refusal takes too.
    pub(super) to_client: tokio::sync::Mutex<OwnedWriteHalf>,
}

/// A request whose answer has not begun.
pub(super) struct Pending {
    pub(super) place: usize,
    /// The places of the starts that the engine makes for it.
    pub(super) implied: Vec<usize>,
    pub(super) is_head: bool,
    pub(super) action: Action,
    /// Tells the request direction whether the connection leaves HTTP, when the client offered to.
    pub(super) leaves_http: Option<oneshot::Sender<bool>>,
}

impl Exchange {
    pub(super) fn queue(&self) -> MutexGuard<'_, VecDeque<Pending>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn asked(&self, pending: Pending) {
        self.unanswered.send_modify(|number| *number += 1);
        self.queue().push_back(pending);
    }

    pub(super) fn answered(&self) {
        self.unanswered
            .send_modify(|number| *number = number.saturating_sub(1));
    }

    /// Nothing will be answered any more.
    pub(super) fn silent(&self) {
        // Drops the senders, so that a request direction which waits for word goes on.
        self.queue().clear();
        self.unanswered.send_replace(0);
    }

    pub(super) async fn to_client(&self, bytes: &[u8]) -> io::Result<()> {
        self.to_client.lock().await.write_all(bytes).await
    }
}

#[derive(Debug, thiserror::Error)]
pub(super) enum RelayError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("a request cannot be followed: {0}")]
    Request(ScanError),
    #[error("an answer cannot be followed: {0}")]
    Response(ScanError),
    #[error("an answer to no request")]
    Unasked,
    #[error("the connection left HTTP though nobody offered to")]
    LeftHttp,
}
