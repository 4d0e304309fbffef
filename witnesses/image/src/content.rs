//! What is in a file, looked at as it comes by.

use std::io::{self, Read};

use sha2::{Digest as _, Sha256};
use shellproof_api::facts::{Digest, Likeness};
use shellproof_likeness::{Format, HEAD, Next, Signs};

use crate::entry::Program;
use crate::stream::PART;

/// How far into a program the packer's mark stands at most, in bytes: behind the program headers.
const MARK_WITHIN: usize = 1024;

/// What shows in a file.
#[derive(Default)]
pub(crate) struct Content {
    digest: Option<Digest>,
    likeness: Option<Likeness>,
    interpreter: Option<(Vec<u8>, Option<Vec<u8>>)>,
    is_packed: bool,
}

impl Content {
    /// Reads a file of so many bytes to its end; one that somebody may execute is hashed.
    ///
    /// # Errors
    /// It ends too early.
    pub(crate) fn of(file: &mut dyn Read, size: u64, is_executable: bool) -> io::Result<Self> {
        let mut buffer = vec![0; PART.min(usize::try_from(size).unwrap_or(PART))];
        let first = fill(file, &mut buffer)?;
        let head = &buffer[..first];
        let is_program = head.starts_with(b"\x7fELF");
        let is_script = head.starts_with(b"#!");
        let mut read = first as u64;
        let mut signs = Signs::default();
        let mut hash = (is_executable || is_program).then(Sha256::new);
        let mut content = Self::default();
        if is_script {
            if let Next::Script(line) = Format::of(&head[..first.min(HEAD)]).next {
                content.interpreter = Some((line.interpreter, line.argument));
            }
        } else if is_program {
            let head = &head[..first.min(MARK_WITHIN)];
            content.is_packed = head.windows(4).any(|four| four == b"UPX!");
        }
        if is_program || is_script {
            signs.look_at(head);
        }
        hash.iter_mut().for_each(|hash| hash.update(head));
        loop {
            let more = fill(file, &mut buffer)?;
            if more == 0 {
                break;
            }
            read += more as u64;
            if is_program || is_script {
                signs.look_at(&buffer[..more]);
            }
            hash.iter_mut().for_each(|hash| hash.update(&buffer[..more]));
        }
        if read != size {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("a file ends after {read} of {size} bytes"),
            ));
        }
        content.digest = hash.map(|hash| Digest(hash.finalize().into()));
        content.likeness = signs.likeness();
        Ok(content)
    }

    pub(crate) fn into_program(self) -> Program {
        Program {
            digest: self.digest,
            likeness: self.likeness,
            interpreter: self.interpreter,
            is_packed: self.is_packed,
            ..Program::default()
        }
    }
}

/// As much as there is, or as fits.
fn fill(file: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(more) => filled += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Whether a file is more than data: somebody may execute it, its content is that of a program that matters (a loader starts
/// it whatever its mode says), or Python starts it as a module.
pub(crate) fn matters(path: &[u8], program: &Program) -> bool {
    let looks = program
        .likeness
        .is_some_and(|likeness| likeness != Likeness::Script);
    program.mode & 0o111 != 0 || looks || program.is_packed || path.ends_with(b"/__main__.py")
}
