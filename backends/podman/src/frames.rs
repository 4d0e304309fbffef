//! The multiplexed stream of attach: frames of `[stream, 0, 0, 0, length as big-endian u32]` and content.

use std::collections::VecDeque;
use std::error::Error as _;

use bytes::{Buf, Bytes, BytesMut};
use futures_util::stream;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use shellproof_api::{ErrorKind, OutputChunk, OutputStream, Result, StdStream};

use crate::fault::Op;
use crate::wire::Wire;

const HEAD: usize = 8;

/// Cuts a byte stream into output chunks. Content is passed on as it comes, so that no frame is held in memory.
#[derive(Default)]
struct Frames {
    buffer: BytesMut,
    /// The frame that is being read: where it belongs (`None`: nowhere) and how much of it is missing.
    current: Option<(Option<StdStream>, usize)>,
}

impl Frames {
    fn push(&mut self, bytes: &[u8], chunks: &mut VecDeque<OutputChunk>) -> std::result::Result<(), String> {
        self.buffer.extend_from_slice(bytes);
        loop {
            let (stream, missing) = match self.current {
                Some(current) => current,
                None if self.buffer.len() < HEAD => return Ok(()),
                None => self.head()?,
            };
            let length = missing.min(self.buffer.len());
            let bytes = self.buffer.split_to(length).freeze();
            if let (Some(stream), false) = (stream, bytes.is_empty()) {
                chunks.push_back(OutputChunk { stream, bytes });
            }
            self.current = (length < missing).then_some((stream, missing - length));
            if self.current.is_some() {
                return Ok(());
            }
        }
    }

    fn head(&mut self) -> std::result::Result<(Option<StdStream>, usize), String> {
        let stream = match self.buffer[0] {
            // Stream 0 would be an echo of standard input, which is never attached.
            0 => None,
            1 => Some(StdStream::Stdout),
            2 => Some(StdStream::Stderr),
            _ => {
                return Err(format!(
                    "the engine's stream is not multiplexed: `{}`",
                    String::from_utf8_lossy(&self.buffer).trim()
                ));
            }
        };
        self.buffer.advance(4);
        Ok((stream, self.buffer.get_u32() as usize))
    }

    fn is_whole(&self) -> bool {
        self.buffer.is_empty() && self.current.is_none()
    }
}

struct Reader {
    body: Option<Incoming>,
    frames: Frames,
    chunks: VecDeque<OutputChunk>,
    wire: Wire,
    operation: &'static str,
    object: String,
}

impl Reader {
    fn fail(&mut self, kind: ErrorKind, message: String) -> Result<OutputChunk> {
        self.body = None;
        self.chunks.clear();
        let op = Op {
            operation: self.operation,
            object: &self.object,
        };
        Err(self.wire.error(op, kind, message))
    }

    async fn next(&mut self) -> Option<Result<OutputChunk>> {
        loop {
            if let Some(chunk) = self.chunks.pop_front() {
                return Some(Ok(chunk));
            }
            let Some(frame) = self.body.as_mut()?.frame().await else {
                self.body = None;
                return (!self.frames.is_whole())
                    .then(|| self.fail(ErrorKind::Unreachable, "the stream ended inside a frame".into()));
            };
            match frame.map(|frame| frame.into_data().unwrap_or_else(|_| Bytes::new())) {
                Ok(bytes) => {
                    if let Err(message) = self.frames.push(&bytes, &mut self.chunks) {
                        return Some(self.fail(ErrorKind::Other, message));
                    }
                }
                Err(error) => {
                    let cause = error
                        .source()
                        .map(|cause| format!(": {cause}"))
                        .unwrap_or_default();
                    return Some(self.fail(ErrorKind::Unreachable, format!("{error}{cause}")));
                }
            }
        }
    }
}

/// The output that an answer's body carries, until its end.
pub(crate) fn output_stream(wire: Wire, op: Op<'_>, body: Incoming) -> OutputStream {
    let reader = Reader {
        body: Some(body),
        frames: Frames::default(),
        chunks: VecDeque::new(),
        wire,
        operation: op.operation,
        object: op.object.to_owned(),
    };
    Box::pin(stream::unfold(reader, |mut reader| async move {
        reader.next().await.map(|chunk| (chunk, reader))
    }))
}

#[cfg(test)]
mod tests {
    use shellproof_api::Output;

    use super::*;

    fn frame(stream: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![stream, 0, 0, 0];
        bytes.extend(u32::try_from(content.len()).unwrap().to_be_bytes());
        bytes.extend(content);
        bytes
    }

    fn read(parts: impl Iterator<Item = Vec<u8>>) -> (Output, bool) {
        let (mut frames, mut chunks, mut output) = (Frames::default(), VecDeque::new(), Output::default());
        for part in parts {
            frames.push(&part, &mut chunks).unwrap();
        }
        chunks.iter().for_each(|chunk| output.push(chunk));
        (output, frames.is_whole())
    }

    #[test]
    fn frames_are_told_apart_however_they_are_cut() {
        let bytes = [
            frame(1, b"out"),
            frame(2, b"err"),
            frame(0, b"in"),
            frame(1, b""),
            frame(1, b"put"),
        ]
        .concat();
        for size in 1..=bytes.len() {
            let (output, whole) = read(bytes.chunks(size).map(<[u8]>::to_vec));
            assert_eq!(output.stdout, b"output");
            assert_eq!(output.stderr, b"err");
            assert!(whole, "cut into pieces of {size}");
        }
    }

    #[test]
    fn a_stream_that_ends_inside_a_frame_is_not_whole() {
        let bytes = frame(1, b"out");
        assert!(!read(std::iter::once(bytes[..9].to_vec())).1);
        assert!(!read(std::iter::once(bytes[..3].to_vec())).1);
    }

    #[test]
    fn text_is_no_frame() {
        let error = Frames::default()
            .push(b"Error: broken", &mut VecDeque::new())
            .unwrap_err();
        assert_eq!(error, "the engine's stream is not multiplexed: `Error: broken`");
    }
}
