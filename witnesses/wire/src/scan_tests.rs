use super::*;

type Scanned = (Vec<(RequestHead, Vec<u8>)>, Vec<u8>);

/// Scans a stream of requests that arrives in the given parts; gives heads, bodies and the bytes passed on.
fn scan(parts: &[&[u8]]) -> Result<Scanned, ScanError> {
    let mut scanner = Scanner::default();
    let (mut messages, mut passed) = (Vec::new(), Vec::new());
    let mut current = None;
    for part in parts {
        let mut input = *part;
        while let Some(piece) = scanner.next(&mut input)? {
            match piece {
                Piece::Head(raw) => {
                    let head = RequestHead::parse(&raw)?;
                    scanner.body(head.body);
                    passed.extend(raw);
                    current = Some((head, Vec::new()));
                }
                Piece::Data(data) => {
                    passed.extend_from_slice(data);
                    current
                        .as_mut()
                        .expect("data belongs to a head")
                        .1
                        .extend_from_slice(data);
                }
                Piece::Framing(raw) => passed.extend(raw),
                Piece::End => messages.push(current.take().expect("an end belongs to a head")),
            }
        }
    }
    Ok((messages, passed))
}

const STREAM: &[u8] = b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n\
    POST /containers/create?name=x HTTP/1.1\r\nHost: d\r\nContent-Length: 5\r\n\r\n{\"a\"}\
    POST /build HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\na;ext=1\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n\
    POST /exec/1/start HTTP/1.1\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n";

#[test]
fn pipelined_requests_are_told_apart() {
    let (messages, passed) = scan(&[STREAM]).unwrap();
    assert_eq!(passed, STREAM);
    let seen: Vec<_> = messages
        .iter()
        .map(|(head, body)| (head.target.as_str(), body.as_slice()))
        .collect();
    let expected: [(&str, &[u8]); 4] = [
        ("/_ping", b""),
        ("/containers/create?name=x", b"{\"a\"}"),
        ("/build", b"abc0123456789"),
        ("/exec/1/start", b""),
    ];
    assert_eq!(seen, expected);
    assert!(messages[3].0.upgrade);
}

#[test]
fn a_split_at_any_byte_changes_nothing() {
    let whole = scan(&[STREAM]).unwrap();
    for at in 0..STREAM.len() {
        assert_eq!(
            scan(&[&STREAM[..at], &STREAM[at..]]).unwrap(),
            whole,
            "split at {at}"
        );
    }
    let bytes: Vec<&[u8]> = STREAM.chunks(1).collect();
    assert_eq!(scan(&bytes).unwrap(), whole);
}

#[test]
fn what_two_readers_might_read_differently_is_refused() {
    let cases: &[(&[u8], &str)] = &[
        (b"GET / HTTP/1.1\nHost: d\n\n", "bare line feeds"),
        (b"GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n", "a bare carriage return"),
        (b"\r\nGET / HTTP/1.1\r\n\r\n", "an empty line first"),
        (
            b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "both lengths",
        ),
        (
            b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
            "two lengths",
        ),
        (b"POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\n", "a sign"),
        (
            b"POST / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\n",
            "a list of lengths",
        ),
        (
            b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "a length beyond 64 bits",
        ),
        (
            b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "another coding",
        ),
        (
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            "two codings",
        ),
        (
            b"POST / HTTP/1.1\r\nTransfer-Encoding : chunked\r\n\r\n",
            "a space before the colon",
        ),
        (b"POST / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n", "a folded header"),
        (
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n",
            "a prefixed chunk size",
        ),
        (
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\na\r\n",
            "a bare line feed after a chunk size",
        ),
        (
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
            "a chunk longer than its size",
        ),
        (
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
            "an empty chunk size",
        ),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/2"),
    ];
    for (bytes, what) in cases {
        assert!(scan(&[bytes]).is_err(), "{what}");
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert!(scan(&single).is_err(), "{what}, byte by byte");
    }
}

#[test]
fn endless_heads_and_lines_are_refused() {
    let head = [b"GET /".to_vec(), vec![b'a'; MAX_HEAD]].concat();
    assert_eq!(scan(&[&head]), Err(ScanError::HeadTooLong));
    let line = [
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;".to_vec(),
        vec![b'a'; MAX_LINE],
    ]
    .concat();
    assert_eq!(scan(&[&line]), Err(ScanError::LineTooLong));
}

#[test]
fn only_an_unframed_raw_stream_or_101_leaves_http() {
    let leaves = |text: &str| ResponseHead::parse(text.as_bytes()).unwrap().leaves_http();
    let raw = "Content-Type: application/vnd.docker.raw-stream\r\n";
    assert!(leaves("HTTP/1.1 101 UPGRADED\r\n\r\n"));
    assert!(leaves(&format!("HTTP/1.1 200 OK\r\n{raw}\r\n")));
    assert!(!leaves(&format!(
        "HTTP/1.1 200 OK\r\n{raw}Content-Length: 0\r\n\r\n"
    )));
    assert!(!leaves(&format!("HTTP/1.1 404 Not Found\r\n{raw}\r\n")));
    assert!(!leaves("HTTP/1.1 200 OK\r\n\r\n"));
}
