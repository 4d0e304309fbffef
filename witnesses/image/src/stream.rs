//! Bytes as they come: hashed, and unpacked.

use std::cell::RefCell;
use std::io::{self, BufRead, BufReader, Read};
use std::rc::Rc;

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use sha2::{Digest, Sha256};

use crate::limits;

/// How much is read in one go.
pub(crate) const PART: usize = 256 << 10;

/// A hash that goes on while somebody else reads.
#[derive(Clone, Default)]
pub(crate) struct Sum(Rc<RefCell<Sha256>>);

impl Sum {
    /// `sha256:…` of all that was read.
    pub(crate) fn finish(&self) -> String {
        digest(&self.0.borrow().clone().finalize())
    }
}

fn digest(hash: &[u8]) -> String {
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// The `sha256:…` of some bytes.
pub fn digest_of(bytes: &[u8]) -> String {
    digest(&Sha256::digest(bytes))
}

/// Hashes what is read through it.
pub(crate) struct Hashing<R> {
    inner: R,
    sum: Sum,
}

impl<R> Hashing<R> {
    pub(crate) fn new(inner: R) -> (Self, Sum) {
        let sum = Sum::default();
        (
            Self {
                inner,
                sum: sum.clone(),
            },
            sum,
        )
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.sum.0.borrow_mut().update(&buffer[..read]);
        Ok(read)
    }
}

/// What may be read of one image altogether, in unpacked bytes.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    left: Rc<RefCell<u64>>,
    whole: u64,
}

impl Budget {
    pub(crate) fn new() -> Self {
        Self::of(limits::UNPACKED)
    }

    pub(crate) fn of(whole: u64) -> Self {
        Self {
            left: Rc::new(RefCell::new(whole)),
            whole,
        }
    }
}

struct Bounded<R> {
    inner: R,
    budget: Budget,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let mut left = self.budget.left.borrow_mut();
        *left = left.checked_sub(read as u64).ok_or_else(|| {
            let what = match self.budget.whole {
                whole if whole < 1 << 30 => format!("it unpacks to more than {} MiB", whole >> 20),
                whole => format!("it unpacks to more than {} GiB", whole >> 30),
            };
            io::Error::new(io::ErrorKind::InvalidData, what)
        })?;
        Ok(read)
    }
}

/// How bytes are packed, by what they begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    Plain,
    Gzip,
    Zstd,
}

impl Packing {
    pub(crate) fn of(head: &[u8]) -> Self {
        // Zstandard's frames may be preceded by frames that are to be skipped.
        let is_skipped = head.len() >= 4 && head[0] & 0xf0 == 0x50 && head[1..4] == [0x2a, 0x4d, 0x18];
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            _ if is_skipped => Self::Zstd,
            _ => Self::Plain,
        }
    }
}

/// Unpacks a stream, whatever it is packed with, and says what that was.
pub(crate) fn unpacked<'r>(
    inner: impl Read + 'r,
    budget: &Budget,
) -> io::Result<(Packing, Box<dyn Read + 'r>)> {
    let mut inner = BufReader::with_capacity(PART, inner);
    let packing = Packing::of(inner.fill_buf()?);
    let plain: Box<dyn Read + 'r> = match packing {
        // What is counted here was counted where it came from, if it came out of an archive.
        Packing::Plain => return Ok((packing, Box::new(inner))),
        Packing::Gzip => Box::new(MultiGzDecoder::new(inner)),
        Packing::Zstd => Box::new(Frames {
            inner: Some(inner),
            frame: None,
        }),
    };
    let budget = budget.clone();
    Ok((packing, Box::new(Bounded { inner: plain, budget })))
}

type Frame<R> = StreamingDecoder<R, ruzstd::decoding::FrameDecoder>;

/// Zstandard frames, one after the other.
struct Frames<R: BufRead> {
    /// Between frames.
    inner: Option<R>,
    frame: Option<Box<Frame<R>>>,
}

impl<R: BufRead> Frames<R> {
    /// The next frame, or none at the end.
    fn next(mut inner: R) -> io::Result<Result<Frame<R>, R>> {
        loop {
            let head = inner.fill_buf()?;
            if head.is_empty() {
                return Ok(Err(inner));
            }
            // The decoder takes the stream and would not give it back with a frame that is to be skipped.
            let mut start = [0; 8];
            let is_short = head.len() < 8;
            start[..head.len().min(8)].copy_from_slice(&head[..head.len().min(8)]);
            if is_short || !(start[0] & 0xf0 == 0x50 && start[1..4] == [0x2a, 0x4d, 0x18]) {
                return StreamingDecoder::new(inner).map(Ok).map_err(invalid);
            }
            let length = u64::from(u32::from_le_bytes([start[4], start[5], start[6], start[7]]));
            inner.consume(8);
            let skipped = io::copy(&mut (&mut inner).take(length), &mut io::sink())?;
            if skipped != length {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

fn invalid(error: FrameDecoderError) -> io::Error {
    let kind = match &error {
        FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::MagicNumberReadError(_)) => {
            io::ErrorKind::UnexpectedEof
        }
        _ => io::ErrorKind::InvalidData,
    };
    io::Error::new(kind, format!("it is no Zstandard frame: {error}"))
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.frame.is_none() {
                let Some(inner) = self.inner.take() else {
                    return Ok(0);
                };
                match Self::next(inner)? {
                    Ok(frame) => self.frame = Some(Box::new(frame)),
                    Err(inner) => {
                        self.inner = Some(inner);
                        return Ok(0);
                    }
                }
            }
            let Some(frame) = &mut self.frame else {
                return Ok(0);
            };
            let read = frame.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            self.inner = self.frame.take().map(|frame| frame.into_inner());
        }
    }
}
