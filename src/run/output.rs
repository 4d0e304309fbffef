use std::sync::{LazyLock, Mutex, PoisonError};

use regex::Regex;
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

    /// What a person who looks for the cause needs of both streams, stderr behind stdout.
    pub(crate) fn excerpt(&self) -> Excerpt {
        let both = [self.text(StdStream::Stdout), self.text(StdStream::Stderr)];
        let all: Vec<&str> = both.iter().flat_map(|text| text.lines()).collect();
        let (before, last) = all.split_at(all.len().saturating_sub(LAST));
        // Each has a cause of its own, and the last one is where it began.
        let first = before.iter().position(|line| ERROR.is_match(line));
        let cause = before.iter().rposition(|line| CAUSE.is_match(line));
        let cause = cause.filter(|at| first.is_some_and(|first| first < *at));
        let owned = |line: &str| match line.char_indices().nth(LINE) {
            Some((end, _)) => format!("{} …", &line[..end]),
            None => line.to_owned(),
        };
        Excerpt {
            errors: first
                .into_iter()
                .chain(cause)
                .map(|at| owned(before[at]))
                .collect(),
            last: last.iter().map(|line| owned(line)).collect(),
        }
    }
}

/// The lines of an output that may tell why something went wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Excerpt {
    /// The first that tells of an error, and the innermost cause of a stack of errors; none that is among the last ones.
    pub(crate) errors: Vec<String>,
    /// The last ones.
    pub(crate) last: Vec<String>,
}

/// How many of the last lines an excerpt has.
const LAST: usize = 12;
/// How much of a line it has, in characters.
const LINE: usize = 2000;
/// A line that tells of an error, such as `FATAL: …`, `ValueError: …` or `Caused by: java.net.ConnectException: …`.
static ERROR: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\b(?i:error|exception|fatal|panic(ked)?|caused by)\b|[a-z](Error|Exception)\b")
        .expect("it compiles")
});
/// A line with the cause of an error before it.
static CAUSE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^\s*Caused by:").expect("it compiles"));

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
        assert_eq!(collected.excerpt().last[1], "kept");
    }
    #[test]
    fn a_line_of_an_excerpt_has_an_end() {
        let told = excerpt(&"é".repeat(1 << 20), "");
        assert_eq!(told.last, [format!("{} …", "é".repeat(LINE))]);
        assert_eq!(excerpt(&"é".repeat(LINE), "").last, ["é".repeat(LINE)]);
    }

    fn excerpt(stdout: &str, stderr: &str) -> Excerpt {
        let collector = Collector::default();
        collector.push(&chunk(StdStream::Stderr, stderr));
        collector.push(&chunk(StdStream::Stdout, stdout));
        collector.snapshot().excerpt()
    }

    #[test]
    fn a_stack_is_told_with_its_error_and_its_innermost_cause() {
        let frames = "\tat org.example.Server.run(Server.java:7)\n".repeat(40);
        let told = excerpt(
            &format!(
                "INFO starting\njava.lang.IllegalStateException: no node\n{frames}Caused by: java.io.IOException: \
                 no\n{frames}Caused by: java.net.ConnectException: refused\n{frames}"
            ),
            "",
        );
        assert_eq!(
            told.errors,
            [
                "java.lang.IllegalStateException: no node",
                "Caused by: java.net.ConnectException: refused"
            ]
        );
        assert_eq!(
            told.last,
            vec!["\tat org.example.Server.run(Server.java:7)"; LAST]
        );
    }

    #[test]
    fn an_error_is_told_once_and_only_where_there_is_one() {
        let many = "INFO 0 errors, terrors and an ErrorHandler\n".repeat(20);
        let none: [&str; 0] = [];
        assert_eq!(excerpt(&many, "").errors, none);
        assert_eq!(
            excerpt("", &format!("{many}FATAL: no database\nbye\n")).errors,
            none
        );
        for error in [
            "FATAL: no database",
            "ValueError: 7",
            "thread 'main' panicked at 7",
        ] {
            assert_eq!(excerpt(&format!("{error}\nfatal too\n"), &many).errors, [error]);
        }
        let short = excerpt("error: one\n", "two\n");
        assert_eq!(
            (short.errors, short.last),
            (vec![], vec!["error: one".into(), "two".into()])
        );
    }
}
