//! What a container writes: two pipes, followed until both are closed.

use std::io;
use std::os::fd::OwnedFd;

use bytes::Bytes;
use futures_util::stream;
use shellproof_api::{Error, OutputChunk, OutputStream, StdStream};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

/// How much is read in one go, in bytes.
const PART: usize = 64 << 10;

/// The two streams of a container that is to be started, and where it is to write.
///
/// # Errors
/// No descriptors are left.
pub(crate) fn pipes(
    failed: impl Fn(io::Error) -> Error + Send + 'static,
) -> io::Result<(OutputStream, [OwnedFd; 2])> {
    let mut readers = Vec::new();
    let mut writers = Vec::new();
    for _ in 0..2 {
        let (reader, writer) = io::pipe()?;
        readers.push(Some(Receiver::from_owned_fd(reader.into())?));
        writers.push(OwnedFd::from(writer));
    }
    let (Some(stderr), Some(stdout)) = (readers.pop(), readers.pop()) else {
        return Err(io::ErrorKind::Other.into());
    };
    let writers: [OwnedFd; 2] = writers.try_into().map_err(|_| io::ErrorKind::Other)?;
    let both = Both {
        stdout,
        stderr,
        failed: Box::new(failed),
    };
    Ok((Box::pin(stream::unfold(both, Both::next)), writers))
}

struct Both {
    /// None once it is closed.
    stdout: Option<Receiver>,
    stderr: Option<Receiver>,
    failed: Box<dyn Fn(io::Error) -> Error + Send>,
}

impl Both {
    async fn next(mut self) -> Option<(Result<OutputChunk, Error>, Self)> {
        loop {
            let (mut out, mut err) = (Vec::new(), Vec::new());
            let (stream, read) = tokio::select! {
                read = read(&mut self.stdout, &mut out) => (StdStream::Stdout, read),
                read = read(&mut self.stderr, &mut err) => (StdStream::Stderr, read),
                else => return None,
            };
            let (source, bytes) = match stream {
                StdStream::Stdout => (&mut self.stdout, out),
                StdStream::Stderr => (&mut self.stderr, err),
            };
            match read {
                Ok(0) => {
                    *source = None;
                    if self.stdout.is_none() && self.stderr.is_none() {
                        return None;
                    }
                }
                Ok(_) => {
                    let bytes = Bytes::from(bytes);
                    return Some((Ok(OutputChunk { stream, bytes }), self));
                }
                Err(error) => {
                    *source = None;
                    return Some((Err((self.failed)(error)), self));
                }
            }
        }
    }
}

/// Never returns for a stream that is closed.
async fn read(source: &mut Option<Receiver>, into: &mut Vec<u8>) -> io::Result<usize> {
    match source {
        Some(pipe) => {
            into.reserve(PART);
            pipe.read_buf(into).await
        }
        None => std::future::pending().await,
    }
}
