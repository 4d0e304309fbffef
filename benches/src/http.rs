//! HTTP/1.1 over a unix socket, blocking and by hand.

use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// The size of one piece of an upload, in bytes: what Go's clients send too.
const PIECE: usize = 32 << 10;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: Vec<u8>,
}

/// A client that keeps its connection as long as the peer does.
#[derive(Debug)]
pub struct Client {
    socket: PathBuf,
    kept: Option<BufReader<UnixStream>>,
}

impl Client {
    /// A client of the peer on `socket`; nothing is sent yet.
    pub fn new(socket: &Path) -> Self {
        Self {
            socket: socket.to_owned(),
            kept: None,
        }
    }

    /// Sends one request and reads the whole answer.
    pub fn call(&mut self, method: &str, path: &str, json: Option<&str>) -> io::Result<Answer> {
        let content = json.map_or_else(String::new, |json| {
            format!(
                "Content-Type: application/json\r\nContent-Length: {}\r\n",
                json.len()
            )
        });
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{content}\r\n{}",
            json.unwrap_or_default()
        );
        let stream = self.stream()?;
        stream.get_mut().write_all(request.as_bytes())?;
        self.answer()
    }

    /// Sends a body of unknown length in chunks, as `docker build` does, and reads the whole answer.
    pub fn upload(&mut self, path: &str, content_type: &str, body: &mut impl Read) -> io::Result<Answer> {
        let mut stream = BufWriter::with_capacity(PIECE + 16, self.stream()?.get_mut());
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n\
             Transfer-Encoding: chunked\r\n\r\n"
        )?;
        let mut piece = vec![0; PIECE];
        loop {
            // In one write each.
            stream.flush()?;
            let read = body.read(&mut piece)?;
            if read == 0 {
                break;
            }
            write!(stream, "{read:x}\r\n")?;
            stream.write_all(&piece[..read])?;
            stream.write_all(b"\r\n")?;
        }
        write!(stream, "0\r\n\r\n")?;
        stream.flush()?;
        drop(stream);
        self.answer()
    }

    fn stream(&mut self) -> io::Result<&mut BufReader<UnixStream>> {
        if self.kept.is_none() {
            self.kept = Some(BufReader::new(UnixStream::connect(&self.socket)?));
        }
        self.kept
            .as_mut()
            .ok_or_else(|| io::Error::other("no connection"))
    }

    fn answer(&mut self) -> io::Result<Answer> {
        let stream = self.stream()?;
        let head = head(stream)?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no HTTP answer: `{head}`")))?;
        let header = |name: &str| {
            head.lines().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.eq_ignore_ascii_case(name)
                    .then(|| value.trim().to_ascii_lowercase())
            })
        };
        let mut body = Vec::new();
        let mut keeps = header("connection").as_deref() != Some("close");
        let chunked = header("transfer-encoding").as_deref() == Some("chunked");
        let length = header("content-length").and_then(|length| length.parse().ok());
        match length {
            _ if status == 204 || status == 304 => {}
            _ if chunked => read_chunks(stream, &mut body)?,
            Some(length) => {
                stream.take(length).read_to_end(&mut body)?;
            }
            None => {
                stream.read_to_end(&mut body)?;
                keeps = false;
            }
        }
        if !keeps {
            self.kept = None;
        }
        Ok(Answer { status, body })
    }
}

/// A message's head, without its empty line.
pub fn head(stream: &mut impl BufRead) -> io::Result<String> {
    let mut head = String::new();
    loop {
        let before = head.len();
        if stream.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if &head[before..] == "\r\n" {
            head.truncate(before);
            return Ok(head);
        }
    }
}

/// Reads a chunked body to its end, trailers included.
pub fn read_chunks(stream: &mut impl BufRead, body: &mut impl Write) -> io::Result<()> {
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let digits = line.trim().split(';').next().unwrap_or_default();
        let size = u64::from_str_radix(digits, 16).map_err(io::Error::other)?;
        if size == 0 {
            return head(stream).map(drop);
        }
        io::copy(&mut stream.take(size), body)?;
        stream.read_line(&mut String::new())?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_joined() {
        let mut body = Vec::new();
        read_chunks(
            &mut &b"3\r\nabc\r\n00000002;x=y\r\nde\r\n0\r\n\r\n"[..],
            &mut body,
        )
        .unwrap();
        assert_eq!(body, b"abcde");
    }

    #[test]
    fn a_head_that_breaks_off_is_an_error() {
        assert!(head(&mut &b"HTTP/1.1 200 OK\r\n"[..]).is_err());
        assert_eq!(
            head(&mut &b"HTTP/1.1 200 OK\r\n\r\nrest"[..]).unwrap(),
            "HTTP/1.1 200 OK\r\n"
        );
    }
}
