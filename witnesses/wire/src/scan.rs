//! Incremental framing of one direction of an HTTP/1.1 connection, without I/O.
//!
//! The scanner is stricter than the engines: whatever two HTTP implementations might read differently (bare line
//! feeds, a length beside chunks, signs in a length) is an error, so that a client cannot make the engine see
//! a request that the scanner did not.

use crate::redact;
use crate::target::Target;

/// The longest head that is accepted, in bytes: what Go's server accepts too.
const MAX_HEAD: usize = 1 << 20;
/// The longest chunk-size or trailer line that is accepted, in bytes.
const MAX_LINE: usize = 8 << 10;
const MAX_HEADERS: usize = 256;

/// Something on the wire that cannot be followed safely.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// A head longer than a mebibyte.
    #[error("a head of more than {MAX_HEAD} bytes")]
    HeadTooLong,
    /// A line of chunk framing that is too long.
    #[error("a chunk-size or trailer line of more than {MAX_LINE} bytes")]
    LineTooLong,
    /// A carriage return or line feed on its own, or an empty line before the head.
    #[error("a line that does not end in CR LF")]
    LineEnding,
    /// A head that is no HTTP/1 head.
    #[error("no HTTP/1 head: {0}")]
    Head(String),
    /// A target that engines may read in another way than it looks.
    #[error("a request target that begins neither with `/` nor with `http://` and a host: `{0}`")]
    Target(String),
    /// Body lengths that contradict each other or cannot be read.
    #[error("an ambiguous body length: {0}")]
    Length(String),
    /// Chunk framing that cannot be read.
    #[error("malformed chunk framing")]
    Chunk,
}

/// How long a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// There is none.
    Empty,
    /// As many bytes.
    Exactly(u64),
    /// Chunked transfer coding.
    Chunked,
    /// All until the end of the connection.
    UntilEnd,
}

/// A piece of the input, in the order of the wire. All pieces together are the input, byte for byte.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A complete head with its empty line. [`Scanner::body`] must be called before the next piece.
    Head(Vec<u8>),
    /// Bytes of a body.
    Data(&'a [u8]),
    /// Bytes between the bodies' bytes: chunk sizes and trailers.
    Framing(Vec<u8>),
    /// The message is complete. Stands for no bytes.
    End,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Head,
    Length(u64),
    ChunkSize,
    ChunkData(u64),
    ChunkEnd,
    Trailer,
    UntilEnd,
    End,
}

/// Splits one direction of a connection into [`Piece`]s.
#[derive(Debug)]
pub struct Scanner {
    state: State,
    buffer: Vec<u8>,
}

impl Default for Scanner {
    fn default() -> Self {
        Self {
            state: State::Head,
            buffer: Vec::new(),
        }
    }
}

impl Scanner {
    /// Says how long the body is that follows the head just given.
    pub fn body(&mut self, length: BodyLength) {
        self.state = match length {
            BodyLength::Empty | BodyLength::Exactly(0) => State::End,
            BodyLength::Exactly(bytes) => State::Length(bytes),
            BodyLength::Chunked => State::ChunkSize,
            BodyLength::UntilEnd => State::UntilEnd,
        };
    }

    /// Says that the head just given is an interim answer, which another head follows.
    pub fn interim(&mut self) {
        self.state = State::Head;
    }

    /// Takes the next piece from the front of `input`; `None` when more input is needed.
    ///
    /// # Errors
    /// The input cannot be followed; the connection must be closed.
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Piece<'a>>, ScanError> {
        if self.state == State::End {
            self.state = State::Head;
            return Ok(Some(Piece::End));
        }
        if input.is_empty() {
            return Ok(None);
        }
        match self.state {
            State::Head => Ok(self.head(input)?.map(Piece::Head)),
            State::Length(left) => {
                let data = take(input, left);
                let left = left - data.len() as u64;
                self.state = if left == 0 {
                    State::End
                } else {
                    State::Length(left)
                };
                Ok(Some(Piece::Data(data)))
            }
            State::ChunkSize => {
                let Some(line) = self.line(input)? else {
                    return Ok(None);
                };
                self.state = match chunk_size(&line)? {
                    0 => State::Trailer,
                    size => State::ChunkData(size),
                };
                Ok(Some(Piece::Framing(line)))
            }
            State::ChunkData(left) => {
                let data = take(input, left);
                let left = left - data.len() as u64;
                self.state = if left == 0 {
                    State::ChunkEnd
                } else {
                    State::ChunkData(left)
                };
                Ok(Some(Piece::Data(data)))
            }
            State::ChunkEnd => {
                let Some(line) = self.line(input)? else {
                    return Ok(None);
                };
                if line != b"\r\n" {
                    return Err(ScanError::Chunk);
                }
                self.state = State::ChunkSize;
                Ok(Some(Piece::Framing(line)))
            }
            State::Trailer => {
                let Some(line) = self.line(input)? else {
                    return Ok(None);
                };
                if line == b"\r\n" {
                    self.state = State::End;
                }
                Ok(Some(Piece::Framing(line)))
            }
            State::UntilEnd => Ok(Some(Piece::Data(std::mem::take(input)))),
            State::End => Ok(Some(Piece::End)),
        }
    }

    fn head(&mut self, input: &mut &[u8]) -> Result<Option<Vec<u8>>, ScanError> {
        let before = self.buffer.len();
        self.buffer.extend_from_slice(input);
        let from = before.saturating_sub(3);
        let end = self.buffer[from..]
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .map(|at| from + at + 4);
        let head = &self.buffer[..end.unwrap_or(self.buffer.len())];
        check_head_lines(&head[from.min(head.len())..], from == 0)?;
        if head.len() > MAX_HEAD {
            return Err(ScanError::HeadTooLong);
        }
        let Some(end) = end else {
            *input = &[];
            return Ok(None);
        };
        *input = &input[end - before..];
        self.buffer.truncate(end);
        Ok(Some(std::mem::take(&mut self.buffer)))
    }

    /// One line with its CR LF.
    fn line(&mut self, input: &mut &[u8]) -> Result<Option<Vec<u8>>, ScanError> {
        let end = input
            .iter()
            .position(|&byte| byte == b'\n')
            .map_or(input.len(), |at| at + 1);
        if self.buffer.len() + end > MAX_LINE {
            return Err(ScanError::LineTooLong);
        }
        self.buffer.extend_from_slice(&input[..end]);
        *input = &input[end..];
        if self.buffer.last() != Some(&b'\n') {
            return Ok(None);
        }
        match self.buffer.strip_suffix(b"\r\n") {
            Some(line) if !line.contains(&b'\r') => Ok(Some(std::mem::take(&mut self.buffer))),
            _ => Err(ScanError::LineEnding),
        }
    }
}

fn take<'a>(input: &mut &'a [u8], most: u64) -> &'a [u8] {
    let at = usize::try_from(most).map_or(input.len(), |most| most.min(input.len()));
    let (taken, rest) = input.split_at(at);
    *input = rest;
    taken
}

/// Every CR is followed by LF (or by nothing yet), every LF preceded by CR, and a head does not begin with either.
fn check_head_lines(bytes: &[u8], begins: bool) -> Result<(), ScanError> {
    if begins && matches!(bytes.first(), Some(b'\r' | b'\n')) {
        return Err(ScanError::LineEnding);
    }
    for (at, &byte) in bytes.iter().enumerate() {
        let fits = match byte {
            b'\r' => bytes.get(at + 1).is_none_or(|&next| next == b'\n'),
            // The first byte of a later stretch was checked with the stretch before.
            b'\n' => at == 0 || bytes[at - 1] == b'\r',
            _ => true,
        };
        if !fits {
            return Err(ScanError::LineEnding);
        }
    }
    Ok(())
}

fn chunk_size(line: &[u8]) -> Result<u64, ScanError> {
    let line = line.strip_suffix(b"\r\n").ok_or(ScanError::Chunk)?;
    let digits = line.split(|&byte| byte == b';').next().unwrap_or_default();
    if digits.is_empty() || digits.len() > 15 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(ScanError::Chunk);
    }
    let digits = std::str::from_utf8(digits).map_err(|_| ScanError::Chunk)?;
    u64::from_str_radix(digits, 16).map_err(|_| ScanError::Chunk)
}

/// A request's head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHead {
    /// The method as sent.
    pub method: String,
    /// The target as sent.
    pub target: String,
    /// The body is said to be a form, whose values engines may take for the query's.
    pub is_form: bool,
    /// The body's length.
    pub body: BodyLength,
    /// The client offers to leave HTTP.
    pub upgrade: bool,
    /// The client sends its body only when it is told to.
    pub expects_continue: bool,
}

impl RequestHead {
    /// Reads a head that [`Scanner`] gave.
    ///
    /// # Errors
    /// It is no HTTP/1 request, or its body's length is ambiguous.
    pub fn parse(raw: &[u8]) -> Result<Self, ScanError> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        complete(request.parse(raw))?;
        let headers = &*request.headers;
        let target = request.path.unwrap_or_default();
        if Target::read(target).is_none() {
            return Err(ScanError::Target(redact::target(target)));
        }
        Ok(Self {
            method: request.method.unwrap_or_default().to_owned(),
            target: target.to_owned(),
            is_form: values(headers, "content-type").any(|value| value.to_ascii_lowercase().contains("form")),
            body: body_length(headers)?.unwrap_or(BodyLength::Empty),
            upgrade: values(headers, "upgrade").next().is_some(),
            expects_continue: values(headers, "expect")
                .any(|value| value.eq_ignore_ascii_case("100-continue")),
        })
    }
}

/// An answer's head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseHead {
    /// The status code.
    pub status: u16,
    /// The body's length as the headers have it; `None` when they say nothing.
    pub body: Option<BodyLength>,
    /// The content is one of the two stream types that engines use after leaving HTTP.
    pub raw_stream: bool,
}

impl ResponseHead {
    /// Reads a head that [`Scanner`] gave.
    ///
    /// # Errors
    /// It is no HTTP/1 answer, or its body's length is ambiguous.
    pub fn parse(raw: &[u8]) -> Result<Self, ScanError> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        complete(response.parse(raw))?;
        let headers = &*response.headers;
        let raw_stream = values(headers, "content-type").any(|value| {
            [
                "application/vnd.docker.raw-stream",
                "application/vnd.docker.multiplexed-stream",
            ]
            .contains(&value)
        });
        Ok(Self {
            status: response.code.unwrap_or_default(),
            body: body_length(headers)?,
            raw_stream,
        })
    }

    /// Whether the connection leaves HTTP with this answer to a request that may do so.
    pub fn leaves_http(&self) -> bool {
        self.status == 101 || (self.status == 200 && self.raw_stream && self.body.is_none())
    }
}

fn complete(parsed: httparse::Result<usize>) -> Result<(), ScanError> {
    match parsed {
        Ok(httparse::Status::Complete(_)) => Ok(()),
        Ok(httparse::Status::Partial) => Err(ScanError::Head("incomplete".into())),
        Err(error) => Err(ScanError::Head(error.to_string())),
    }
}

fn values<'h>(headers: &'h [httparse::Header<'h>], name: &'h str) -> impl Iterator<Item = &'h str> {
    headers
        .iter()
        .filter(move |header| header.name.eq_ignore_ascii_case(name))
        .map(|header| std::str::from_utf8(header.value).unwrap_or("\u{fffd}").trim())
}

fn body_length(headers: &[httparse::Header<'_>]) -> Result<Option<BodyLength>, ScanError> {
    let ambiguous = |what: &str| Err(ScanError::Length(what.to_owned()));
    let mut codings = values(headers, "transfer-encoding");
    let mut lengths = values(headers, "content-length");
    match (codings.next(), lengths.next()) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => ambiguous("both content-length and transfer-encoding"),
        (Some(coding), None) if codings.next().is_some() || !coding.eq_ignore_ascii_case("chunked") => {
            ambiguous("a transfer-encoding that is not `chunked`")
        }
        (Some(_), None) => Ok(Some(BodyLength::Chunked)),
        (None, Some(_)) if lengths.next().is_some() => ambiguous("more than one content-length"),
        (None, Some(length)) if !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit()) => {
            length
                .parse()
                .map(|bytes| Some(BodyLength::Exactly(bytes)))
                .or_else(|_| ambiguous("a content-length that is too large"))
        }
        (None, Some(_)) => ambiguous("a content-length that is no number"),
    }
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
