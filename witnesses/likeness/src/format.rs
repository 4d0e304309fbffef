//! What a file says that the kernel loads for it: a script its interpreter, a program its loader.

use std::io;

/// How much of a file the kernel reads to find out what it is.
pub const HEAD: usize = 256;
/// The longest path of a loader, with its end.
const PATH: u64 = libc::PATH_MAX as u64;
/// The most program headers that the kernel reads, in bytes.
const HEADERS: usize = 64 << 10;

/// The bytes of a file, from a place on; fewer at its end.
pub trait Bytes {
    /// Reads as many as there are at that place, at most as many as fit.
    ///
    /// # Errors
    /// The file cannot be read.
    fn read(&self, buffer: &mut [u8], at: u64) -> io::Result<usize>;
}

impl Bytes for std::fs::File {
    fn read(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, buffer, at)
    }
}

impl Bytes for [u8] {
    fn read(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let from = usize::try_from(at).unwrap_or(usize::MAX).min(self.len());
        io::Read::read(&mut &self[from..], buffer)
    }
}

/// What the kernel loads for a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Format {
    /// The file's first bytes, as far as they were there.
    pub head: Vec<u8>,
    /// What it names.
    pub next: Next,
}

/// What a file names itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Next {
    /// Nothing: a static program, or a file that the kernel does not know.
    #[default]
    Nothing,
    /// The interpreter of a script.
    Script(Shebang),
    /// The interpreter of a program, mostly a dynamic loader.
    Loader(Vec<u8>),
}

/// The `#!` line of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shebang {
    /// Its path.
    pub interpreter: Vec<u8>,
    /// The rest of the line, which the kernel passes as one argument.
    pub argument: Option<Vec<u8>>,
}

impl Format {
    /// Reads as much of a file as it takes.
    pub fn of(file: &(impl Bytes + ?Sized)) -> Self {
        let head = exact(file, 0, HEAD, true).unwrap_or_default();
        let next = match shebang(&head) {
            Some(shebang) => Next::Script(shebang),
            None => loader(file, &head).map_or(Next::Nothing, Next::Loader),
        };
        Self { head, next }
    }
}

/// Reads a `#!` line as the kernel does: blanks around both words, one argument, the line's end or a NUL ends it.
fn shebang(head: &[u8]) -> Option<Shebang> {
    let line = head.strip_prefix(b"#!")?;
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let line = match line.iter().position(|&byte| byte == b'\n') {
        Some(end) => &line[..end],
        // A line that goes on beyond what is read: its first word must be whole.
        None if head.len() == HEAD => {
            let line = &line[..line.len() - 1];
            let start = line.iter().position(|byte| !blank(byte))?;
            line[start..].iter().position(|byte| blank(byte) || *byte == 0)?;
            line
        }
        None => line,
    };
    let line = line.split(|&byte| byte == 0).next()?;
    let start = line.iter().position(|byte| !blank(byte))?;
    let line = &line[start..];
    let end = line.iter().position(blank).unwrap_or(line.len());
    let (interpreter, rest) = line.split_at(end);
    let argument = rest.iter().position(|byte| !blank(byte)).map(|start| {
        let end = rest
            .iter()
            .rposition(|byte| !blank(byte))
            .map_or(rest.len(), |last| last + 1);
        rest[start..end].to_vec()
    });
    Some(Shebang {
        interpreter: interpreter.to_vec(),
        argument,
    })
}

/// Where an ELF file of one width has what matters here.
struct Layout {
    machines: &'static [u16],
    /// The place of the program headers, in the file's header.
    headers: usize,
    /// The size of one, and how many there are, in the file's header.
    header_size: usize,
    size: usize,
    /// The place of a segment in the file and its size there, in its header.
    offset: usize,
    file_size: usize,
    word: usize,
}

/// The kernel goes by the machine; whether the file calls itself wide or narrow is nothing to it. The second line of
/// x86-64 is x32.
const LAYOUTS: [Layout; 2] = [
    Layout {
        machines: &[libc::EM_X86_64, libc::EM_AARCH64],
        headers: 32,
        header_size: 54,
        size: 56,
        offset: 8,
        file_size: 32,
        word: 8,
    },
    Layout {
        machines: &[libc::EM_386, EM_486, libc::EM_ARM, libc::EM_X86_64],
        headers: 28,
        header_size: 42,
        size: 32,
        offset: 4,
        file_size: 16,
        word: 4,
    },
];
/// Taken for an i386 program too.
const EM_486: u16 = 6;

/// The path of a program's `PT_INTERP`, if it is a program and has one.
fn loader(file: &(impl Bytes + ?Sized), head: &[u8]) -> Option<Vec<u8>> {
    head.strip_prefix(b"\x7fELF")?;
    let machine = number(head, 18, 2)? as u16;
    let layouts = LAYOUTS.iter().filter(|layout| layout.machines.contains(&machine));
    layouts.filter_map(|layout| layout.loader(file, head)).next()
}

impl Layout {
    fn loader(&self, file: &(impl Bytes + ?Sized), head: &[u8]) -> Option<Vec<u8>> {
        let count = usize::try_from(number(head, self.header_size + 2, 2)?).ok()?;
        let bytes = count * self.size;
        if number(head, self.header_size, 2)? != self.size as u64 || bytes > HEADERS {
            return None;
        }
        let headers = exact(file, number(head, self.headers, self.word)?, bytes, false)?;
        let mut headers = headers.chunks_exact(self.size);
        let header = headers.find(|header| number(header, 0, 4) == Some(libc::PT_INTERP.into()))?;
        let size = number(header, self.file_size, self.word).filter(|size| (2..=PATH).contains(size))?;
        let text = exact(
            file,
            number(header, self.offset, self.word)?,
            size as usize,
            false,
        )?;
        let end = text.iter().position(|&byte| byte == 0)?;
        (text.last() == Some(&0)).then(|| text[..end].to_vec())
    }
}

/// A little-endian number.
fn number(bytes: &[u8], at: usize, width: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + width)?;
    Some(
        bytes
            .iter()
            .rev()
            .fold(0, |number, &byte| number << 8 | u64::from(byte)),
    )
}

/// So many bytes of a file, or `fewer` where it ends.
fn exact(file: &(impl Bytes + ?Sized), at: u64, length: usize, fewer: bool) -> Option<Vec<u8>> {
    let mut bytes = vec![0; length];
    let mut read = 0;
    while read < length {
        match file.read(&mut bytes[read..], at.checked_add(read as u64)?) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
    bytes.truncate(read);
    (fewer || read == length).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shebang_is_read_as_the_kernel_reads_it() {
        let found = |interpreter: &str, argument: Option<&str>| {
            Some(Shebang {
                interpreter: interpreter.into(),
                argument: argument.map(Into::into),
            })
        };
        let cases: [(&[u8], Option<Shebang>); 10] = [
            (b"#!/bin/sh\n", found("/bin/sh", None)),
            (b"#! \t/bin/sh  -e \t\nexit", found("/bin/sh", Some("-e"))),
            (
                b"#!/usr/bin/env -S sh -e\n",
                found("/usr/bin/env", Some("-S sh -e")),
            ),
            (b"#!/bin/sh", found("/bin/sh", None)),
            (b"#!/bin/sh\0-e\n", found("/bin/sh", None)),
            (b"#!sh\n", found("sh", None)),
            (b"#!/bin/sh\r\n", found("/bin/sh\r", None)),
            (b"#!\n/bin/sh\n", None),
            (b"#", None),
            (b"\x7fELF", None),
        ];
        for (head, expected) in cases {
            assert_eq!(shebang(head), expected, "{}", String::from_utf8_lossy(head));
        }
    }

    #[test]
    fn a_line_without_an_end_counts_as_far_as_the_kernel_reads_it() {
        let long = |line: &str| shebang(line.as_bytes().get(..HEAD).unwrap_or(line.as_bytes()));
        let path = "x".repeat(HEAD);
        assert_eq!(long(&format!("#!/{path}")), None);
        let argument = long(&format!("#!/bin/sh {path}")).unwrap().argument;
        assert_eq!(argument.unwrap().len(), HEAD - 1 - "#!/bin/sh ".len());
        assert!(long(&format!("#!/{}\n", &path[..200])).is_some());
    }

    /// A program whose second header names a loader of `size` bytes.
    fn elf(layout: &Layout, machine: u16, text: &[u8]) -> Vec<u8> {
        let mut elf = vec![0; 64];
        let mut put = |at: usize, number: u64, width: usize| {
            if elf.len() < at + width {
                elf.resize(at + width, 0);
            }
            elf[at..at + width].copy_from_slice(&number.to_le_bytes()[..width]);
        };
        put(0, u64::from(u32::from_le_bytes(*b"\x7fELF")), 4);
        put(18, machine.into(), 2);
        put(layout.headers, 300, layout.word);
        put(layout.header_size, layout.size as u64, 2);
        put(layout.header_size + 2, 2, 2);
        let second = 300 + layout.size;
        put(300, 1, 4);
        put(second, 3, 4);
        put(second + layout.offset, 600, layout.word);
        put(second + layout.file_size, text.len() as u64, layout.word);
        elf.resize(600, 0);
        elf.extend(text);
        elf
    }

    #[test]
    fn a_loader_is_read_as_the_kernel_reads_it() {
        let cases: [(&[u8], Option<&[u8]>); 5] = [
            (b"/lib/ld.so\0", Some(b"/lib/ld.so")),
            (b"sh\0\0", Some(b"sh")),
            (b"a\0b\0", Some(b"a")),
            (b"/lib/ld.so", None),
            (b"\0", None),
        ];
        for layout in &LAYOUTS {
            for &machine in layout.machines {
                for (text, expected) in cases {
                    let format = Format::of(elf(layout, machine, text).as_slice());
                    let expected = expected.map_or(Next::Nothing, |path| Next::Loader(path.to_vec()));
                    assert_eq!(
                        format.next,
                        expected,
                        "{machine} {}",
                        String::from_utf8_lossy(text)
                    );
                }
            }
            let other = elf(layout, 8, b"/lib/ld.so\0");
            assert_eq!(Format::of(other.as_slice()).next, Next::Nothing);
        }
    }

    #[test]
    fn a_loader_that_is_cut_is_none() {
        let whole = elf(&LAYOUTS[0], libc::EM_X86_64, b"/lib/ld.so\0");
        for end in 0..whole.len() {
            assert_eq!(Format::of(&whole[..end]).next, Next::Nothing, "{end}");
        }
        let mut far = whole.clone();
        far[32..40].copy_from_slice(&u64::MAX.to_le_bytes());
        assert_eq!(Format::of(far.as_slice()).next, Next::Nothing);
    }

    #[test]
    fn this_program_has_a_loader() {
        let own = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
        let Next::Loader(path) = Format::of(&own).next else {
            panic!("none");
        };
        assert!(std::fs::exists(String::from_utf8(path).unwrap()).unwrap());
    }
}
