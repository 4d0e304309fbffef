//! One direction of a connection, in two parts: whatever the bytes and wherever the split, the scanner sees the same
//! requests, and passes on exactly the bytes that it has understood.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shellproof_wire::scan::{Piece, RequestHead, ResponseHead, ScanError, Scanner};
use shellproof_wire::{Recording, Route};

/// The requests' heads and bodies, and all bytes passed on; with the error that ended it.
fn scan(parts: &[&[u8]]) -> (Vec<(RequestHead, Vec<u8>)>, Vec<u8>, Option<ScanError>) {
    let (mut messages, mut passed) = (Vec::new(), Vec::new());
    let mut scanner = Scanner::default();
    for part in parts {
        let mut input = *part;
        loop {
            match scanner.next(&mut input) {
                Ok(None) => break,
                Ok(Some(Piece::Head(raw))) => match RequestHead::parse(&raw) {
                    Ok(head) => {
                        Route::parse(&head.method, &head.target);
                        scanner.body(head.body);
                        passed.extend(raw);
                        messages.push((head, Vec::new()));
                    }
                    Err(error) => return (messages, passed, Some(error)),
                },
                Ok(Some(Piece::Data(data))) => {
                    passed.extend_from_slice(data);
                    messages
                        .last_mut()
                        .expect("data belongs to a head")
                        .1
                        .extend_from_slice(data);
                }
                Ok(Some(Piece::Framing(raw))) => passed.extend(raw),
                Ok(Some(Piece::End)) => {}
                Err(error) => return (messages, passed, Some(error)),
            }
        }
    }
    (messages, passed, None)
}

fuzz_target!(|bytes: &[u8]| {
    let [at, stream @ ..] = bytes else { return };
    let at = usize::from(*at).min(stream.len());
    let whole = scan(&[stream]);
    assert!(stream.starts_with(&whole.1), "what is passed on is what came");
    let split = scan(&[&stream[..at], &stream[at..]]);
    assert_eq!(
        split.0.iter().map(|one| &one.0).collect::<Vec<_>>(),
        whole.0.iter().map(|one| &one.0).collect::<Vec<_>>()
    );
    assert_eq!(split.2.is_some(), whole.2.is_some());
    if whole.2.is_none() {
        assert_eq!(split, whole);
    }
    // Answers are read by the same scanner, and recordings by anybody who has the file.
    let _ = ResponseHead::parse(stream);
    if let Ok(text) = std::str::from_utf8(stream) {
        let _ = Recording::from_lines(text);
    }
});
