//! Path and arguments of a call, out of the memory of the process that made it.

use std::fs::File;
use std::io::{self, Read};

use crate::sys::read_memory;

/// The longest path that the kernel takes, with its end.
const PATH: usize = libc::PATH_MAX as usize;
/// How many arguments are kept.
const ARGUMENTS: usize = 4096;
/// How much of all arguments is kept, in bytes.
const ALL_ARGUMENTS: usize = 64 << 10;

/// The arguments of a call, as many as the bounds allow: the first ones, of which the last may be cut too.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Argv {
    pub words: Vec<String>,
    pub cut: bool,
}

/// The memory that text is read from; tests have one without a process.
pub(crate) trait Memory {
    /// Reads at an address, at most up to the end of its page. Nothing is an error.
    fn read(&self, address: u64, buffer: &mut [u8]) -> io::Result<usize>;
}

/// The memory of the process that a thread belongs to.
pub(crate) struct Of(pub(crate) u32);

impl Memory for Of {
    fn read(&self, address: u64, buffer: &mut [u8]) -> io::Result<usize> {
        match read_memory(self.0, address, buffer)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => Ok(read),
        }
    }
}

/// Reads a path.
pub(crate) fn path(memory: &impl Memory, address: u64) -> io::Result<Vec<u8>> {
    text(memory, address, PATH).map(|(path, _)| path)
}

/// Reads a list of arguments. A null list is an empty one, as it is to the kernel.
pub(crate) fn argv(memory: &impl Memory, list: u64, pointer_bytes: usize) -> io::Result<Argv> {
    let mut argv = Argv::default();
    if list == 0 {
        return Ok(argv);
    }
    let mut left = ALL_ARGUMENTS;
    let mut pointers = Pointers {
        memory,
        address: list,
        pointer_bytes,
        buffer: Vec::new(),
    };
    loop {
        let pointer = pointers.next()?;
        if pointer == 0 {
            return Ok(argv);
        }
        if argv.words.len() == ARGUMENTS {
            argv.cut = true;
            return Ok(argv);
        }
        let (word, whole) = text(memory, pointer, left)?;
        left -= word.len();
        argv.words.push(String::from_utf8_lossy(&word).into_owned());
        if !whole {
            argv.cut = true;
            return Ok(argv);
        }
    }
}

/// The arguments with which a process runs, as many as would be kept of a call and one word more.
pub(crate) fn words_of_running(process: u32) -> io::Result<Vec<String>> {
    let mut bytes = Vec::new();
    let file = File::open(format!("/proc/{process}/cmdline"))?;
    file.take(2 * ALL_ARGUMENTS as u64).read_to_end(&mut bytes)?;
    if bytes.last() == Some(&0) {
        bytes.pop();
    } else if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let words = bytes.split(|&byte| byte == 0);
    Ok(words
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect())
}

/// The pointers of a list, read some at a time.
struct Pointers<'m, M> {
    memory: &'m M,
    address: u64,
    pointer_bytes: usize,
    buffer: Vec<u8>,
}

impl<M: Memory> Pointers<'_, M> {
    fn next(&mut self) -> io::Result<u64> {
        // A list need not be aligned, so a pointer may lie on two pages.
        while self.buffer.len() < self.pointer_bytes {
            let mut some = [0; 128];
            let read = self.memory.read(self.address, &mut some)?;
            self.buffer.extend_from_slice(&some[..read]);
            self.address = self.address.wrapping_add(read as u64);
        }
        let mut pointer = [0; 8];
        pointer[..self.pointer_bytes].copy_from_slice(&self.buffer[..self.pointer_bytes]);
        self.buffer.drain(..self.pointer_bytes);
        // Every supported machine is little-endian.
        Ok(u64::from_le_bytes(pointer))
    }
}

/// Reads text up to its NUL, or `limit` bytes of it; says whether that was all.
fn text(memory: &impl Memory, mut address: u64, limit: usize) -> io::Result<(Vec<u8>, bool)> {
    let mut text = Vec::new();
    // Most words are short: the first read is small, further ones larger.
    let mut buffer = [0; 1024];
    let mut ask = 256;
    loop {
        let read = memory.read(address, &mut buffer[..ask])?;
        let end = buffer[..read].iter().position(|&byte| byte == 0);
        text.extend_from_slice(&buffer[..end.unwrap_or(read)]);
        if text.len() > limit {
            text.truncate(limit);
            return Ok((text, false));
        }
        if end.is_some() {
            return Ok((text, true));
        }
        address = address.wrapping_add(read as u64);
        ask = buffer.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Memory that begins at address 4096 and ends where its bytes end; pages are 64 bytes long.
    struct Bytes(Vec<u8>);

    impl Memory for Bytes {
        fn read(&self, address: u64, buffer: &mut [u8]) -> io::Result<usize> {
            let at = address.checked_sub(4096).unwrap_or(u64::MAX) as usize;
            let rest = self.0.get(at..).filter(|rest| !rest.is_empty());
            let rest = rest.ok_or(io::ErrorKind::UnexpectedEof)?;
            let read = buffer.len().min(rest.len()).min(64 - at % 64);
            buffer[..read].copy_from_slice(&rest[..read]);
            Ok(read)
        }
    }

    /// A list of pointers at 4096, and after it the words.
    fn list(words: &[&[u8]], pointer_bytes: usize) -> Bytes {
        let mut list = Vec::new();
        let mut data = Vec::new();
        let start = 4096 + (words.len() + 1) * pointer_bytes;
        for word in words {
            let address = (start + data.len()) as u64;
            list.extend_from_slice(&address.to_le_bytes()[..pointer_bytes]);
            data.extend_from_slice(word);
            data.push(0);
        }
        list.extend(vec![0; pointer_bytes]);
        list.extend(data);
        Bytes(list)
    }

    #[test]
    fn words_are_read_whatever_the_width_of_a_pointer_and_across_pages() {
        let long = vec![b'x'; 300];
        let words: [&[u8]; 4] = [b"sh", b"", b"-c", &long];
        for pointer_bytes in [4, 8] {
            let argv = argv(&list(&words, pointer_bytes), 4096, pointer_bytes).unwrap();
            let expected: Vec<_> = words.iter().map(|word| String::from_utf8_lossy(word)).collect();
            assert_eq!(argv.words, expected);
            assert!(!argv.cut);
        }
    }

    #[test]
    fn no_list_is_an_empty_one() {
        assert_eq!(argv(&Bytes(Vec::new()), 0, 8).unwrap(), Argv::default());
    }

    #[test]
    fn what_is_beyond_a_bound_is_marked() {
        let many = vec![b"a".as_slice(); ARGUMENTS + 1];
        let read = argv(&list(&many, 8), 4096, 8).unwrap();
        assert_eq!((read.words.len(), read.cut), (ARGUMENTS, true));
        let exactly = argv(&list(&many[1..], 8), 4096, 8).unwrap();
        assert_eq!((exactly.words.len(), exactly.cut), (ARGUMENTS, false));
        let long = vec![b'x'; ALL_ARGUMENTS - 1];
        let read = argv(&list(&[&long, b"a", b"", b"ab", b"after"], 8), 4096, 8).unwrap();
        let lengths: Vec<_> = read.words.iter().map(String::len).collect();
        assert_eq!(
            (&lengths[..], read.cut),
            (&[ALL_ARGUMENTS - 1, 1, 0, 0][..], true)
        );
        let exactly = argv(&list(&[&long, b"a", b""], 8), 4096, 8).unwrap();
        assert_eq!((exactly.words.len(), exactly.cut), (3, false));
    }

    #[test]
    fn text_that_does_not_end_and_bytes_that_are_no_utf8() {
        assert!(path(&Bytes(b"/bin/sh".to_vec()), 4096).is_err());
        assert!(path(&Bytes(Vec::new()), 7).is_err());
        assert_eq!(argv(&list(&[b"\xff"], 8), 4096, 8).unwrap().words, ["\u{fffd}"]);
    }
}
