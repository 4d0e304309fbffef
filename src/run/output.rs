use std::sync::{Mutex, PoisonError};

use shellproof_api::{Output, OutputChunk, StdStream};
use tokio::sync::Notify;

/// How much of each stream is kept, in bytes.
const KEPT: usize = 4 << 20;

/// The output of one container while it grows.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    collected: Mutex<Collected>,
    grown: Notify,
}

/// What a container wrote, up to a bound.
#[derive(Clone, Debug, Default)]
pub(crate) struct Collected {
    output: Output,
    /// More was written than is kept.
    pub(crate) is_cut: bool,
}

impl Collected {
    /// One stream as text.
    pub(crate) fn text(&self, stream: StdStream) -> String {
        let bytes = match stream {
            StdStream::Stdout => &self.output.stdout,
            StdStream::Stderr => &self.output.stderr,
        };
        String::from_utf8_lossy(bytes).into_owned()
    }

    /// The last lines of both streams, stderr behind stdout, for a person who looks for the cause.
    pub(crate) fn tail(&self, lines: usize) -> Vec<String> {
        let both = [self.text(StdStream::Stdout), self.text(StdStream::Stderr)];
        let all: Vec<&str> = both.iter().flat_map(|text| text.lines()).collect();
        all[all.len().saturating_sub(lines)..]
            .iter()
            .map(|line| (*line).to_owned())
            .collect()
    }
}

impl Collector {
    pub(crate) fn push(&self, chunk: &OutputChunk) {
        {
            let mut collected = self.lock();
            let kept = match chunk.stream {
                StdStream::Stdout => collected.output.stdout.len(),
                StdStream::Stderr => collected.output.stderr.len(),
            };
            let fits = chunk.bytes.len().min(KEPT.saturating_sub(kept));
            collected.is_cut |= fits < chunk.bytes.len();
            collected.output.push(&OutputChunk {
                stream: chunk.stream,
                bytes: chunk.bytes.slice(..fits),
            });
        }
        self.grown.notify_waiters();
    }

    pub(crate) fn snapshot(&self) -> Collected {
        self.lock().clone()
    }

    /// Waits until a line of either stream fits; never returns if none does.
    pub(crate) async fn line(&self, fits: impl Fn(&str) -> bool) {
        loop {
            let grown = self.grown.notified();
            tokio::pin!(grown);
            // Registered before the look, so that nothing written in between is missed.
            grown.as_mut().enable();
            let collected = self.snapshot();
            let found = [StdStream::Stdout, StdStream::Stderr]
                .into_iter()
                .any(|stream| collected.text(stream).lines().any(&fits));
            if found {
                return;
            }
            grown.await;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Collected> {
        self.collected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(stream: StdStream, text: &str) -> OutputChunk {
        OutputChunk {
            stream,
            bytes: text.to_owned().into(),
        }
    }

    #[tokio::test]
    async fn a_line_is_found_even_when_it_comes_in_pieces() {
        let collector = std::sync::Arc::new(Collector::default());
        let waiting = tokio::spawn({
            let collector = collector.clone();
            async move { collector.line(|line| line == "listening on 80").await }
        });
        for piece in ["starting\nlis", "tening on ", "80", "\nmore"] {
            collector.push(&chunk(StdStream::Stderr, piece));
            tokio::task::yield_now().await;
        }
        waiting.await.unwrap();
    }

    #[test]
    fn output_is_cut_and_says_so() {
        let collector = Collector::default();
        collector.push(&chunk(StdStream::Stdout, &"x".repeat(KEPT)));
        assert!(!collector.snapshot().is_cut);
        collector.push(&chunk(StdStream::Stdout, "y"));
        collector.push(&chunk(StdStream::Stderr, "kept"));
        let collected = collector.snapshot();
        assert!(collected.is_cut);
        assert_eq!(collected.text(StdStream::Stdout).len(), KEPT);
        assert_eq!(collected.tail(1), ["kept"]);
    }
}
