//! Refusing calls to BuildKit in words that its clients show. One whose stream is refused takes the engine for an old one,
//! and makes a builder of its own instead.

use std::io;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The answer with which a connection becomes one of HTTP/2.
const UPGRADED: &[u8] = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
/// What a client of HTTP/2 begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The longest frame that a client may send unless it was told otherwise, in bytes.
const FRAME: usize = 16 << 10;
/// What gRPC does not send as it is in a message.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%');

/// The kinds of frames and their flags, as RFC 9113 numbers them.
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// Takes calls until the client goes, and refuses each.
pub(super) async fn refuse(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    message: &str,
) -> io::Result<()> {
    to.write_all(UPGRADED).await?;
    to.write_all(&frame(SETTINGS, 0, 0, b"")).await?;
    let refusal = refusal(message);
    let mut preface = [0; PREFACE.len()];
    from.read_exact(&mut preface).await?;
    if preface != PREFACE {
        return Err(io::ErrorKind::InvalidData.into());
    }
    loop {
        let mut head = [0; 9];
        from.read_exact(&mut head).await?;
        let [a, b, c, kind, flags, s, t, u, v] = head;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        if length > FRAME {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut payload = vec![0; length];
        from.read_exact(&mut payload).await?;
        let stream = u32::from_be_bytes([s, t, u, v]);
        let answer = match kind {
            SETTINGS if flags & ACK == 0 => frame(SETTINGS, ACK, 0, b""),
            PING if flags & ACK == 0 => frame(PING, ACK, 0, &payload),
            HEADERS => frame(HEADERS, END_STREAM | END_HEADERS, stream, &refusal),
            _ => continue,
        };
        to.write_all(&answer).await?;
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or_default().to_be_bytes();
    let head = [length[1], length[2], length[3], kind, flags];
    [head.as_slice(), &stream.to_be_bytes(), payload].concat()
}

/// The headers of a call that was refused (`PERMISSION_DENIED`), none of which anybody has to remember.
fn refusal(message: &str) -> Vec<u8> {
    let message = utf8_percent_encode(message, ESCAPED).to_string();
    // `:status: 200` has a place in the table that both sides know.
    let mut headers = vec![0x88];
    for (name, value) in [
        ("content-type", "application/grpc"),
        ("grpc-status", "7"),
        ("grpc-message", &message),
    ] {
        headers.push(0);
        for text in [name, value] {
            push_length(&mut headers, text.len());
            headers.extend_from_slice(text.as_bytes());
        }
    }
    headers
}

/// A length as RFC 7541 writes it behind one bit, which says that the text is not compressed.
fn push_length(headers: &mut Vec<u8>, length: usize) {
    const MOST: usize = 127;
    if length < MOST {
        headers.push(length as u8);
        return;
    }
    headers.push(MOST as u8);
    let mut rest = length - MOST;
    while rest >= 128 {
        headers.push((rest % 128) as u8 | 128);
        rest /= 128;
    }
    headers.push(rest as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_those_of_the_specification() {
        for (length, expected) in [
            (0, vec![0]),
            (126, vec![126]),
            (127, vec![127, 0]),
            (254, vec![127, 127]),
            (255, vec![127, 128, 1]),
            (1337, vec![127, 186, 9]),
        ] {
            let mut headers = Vec::new();
            push_length(&mut headers, length);
            assert_eq!(headers, expected, "{length}");
        }
    }

    #[tokio::test]
    async fn each_call_is_refused_and_the_client_is_answered_until_it_goes() {
        let sent = [
            PREFACE,
            &frame(SETTINGS, 0, 0, &[0; 6]),
            &frame(HEADERS, END_HEADERS, 1, b"whatever"),
            &frame(0, END_STREAM, 1, b"data"),
            &frame(PING, 0, 0, b"12345678"),
            &frame(PING, ACK, 0, b"12345678"),
            &frame(HEADERS, END_HEADERS, 3, b"again"),
        ]
        .concat();
        let mut answered = Vec::new();
        let ended = refuse(sent.as_slice(), &mut answered, "no: 100%").await;
        assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        let refusal = refusal("no: 100%");
        assert!(refusal.ends_with(b"\x0cgrpc-message\x0ano: 100%25"));
        let end = END_STREAM | END_HEADERS;
        let expected = [
            UPGRADED,
            &frame(SETTINGS, 0, 0, b""),
            &frame(SETTINGS, ACK, 0, b""),
            &frame(HEADERS, end, 1, &refusal),
            &frame(PING, ACK, 0, b"12345678"),
            &frame(HEADERS, end, 3, &refusal),
        ]
        .concat();
        assert_eq!(answered, expected);
    }

    #[tokio::test]
    async fn what_is_no_client_of_http_2_is_left() {
        for sent in [
            b"POST /containers/x/exec HTTP/1.1\r\n\r\n".to_vec(),
            [PREFACE, b"\xff\xff\xff\x01\x00\x00\x00\x00\x01"].concat(),
        ] {
            let ended = refuse(sent.as_slice(), tokio::io::sink(), "no").await;
            assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
    }
}
