//! Interpreters that `binfmt_misc` has for files of other formats. The kernel asks it before it looks at a file itself.
//!
//! The handlers are those of the host, which a rootful engine's containers share. A user namespace may have handlers of
//! its own (Linux 6.7), which only somebody in it can see.

use std::fs;
use std::os::unix::fs::DirEntryExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use shellproof_likeness::HEAD;

/// Where it is mounted.
const MOUNTED: &str = "/proc/sys/fs/binfmt_misc";

/// The handlers, as they were when they were last looked at.
#[derive(Debug)]
pub(crate) struct Handlers {
    directory: PathBuf,
    last: Mutex<Listing>,
}

#[derive(Debug, Default)]
struct Listing {
    /// What is there, by the number and name of each: a handler that is made anew has another number.
    entries: Vec<(u64, PathBuf)>,
    handlers: Vec<Handler>,
}

/// One handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Handler {
    pub interpreter: Vec<u8>,
    /// The interpreter was opened when the handler was made, outside of any container.
    pub is_fixed: bool,
    files: Files,
}

/// Which files a handler is for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Files {
    /// These bytes at a place, of which the mask's bits count.
    Magic {
        offset: usize,
        magic: Vec<u8>,
        mask: Vec<u8>,
    },
    /// Names that end in this, behind their last dot.
    Extension(Vec<u8>),
}

impl Handlers {
    pub(crate) fn of_host() -> Self {
        Self::in_directory(MOUNTED.into())
    }

    pub(crate) fn in_directory(directory: PathBuf) -> Self {
        Self {
            directory,
            last: Mutex::default(),
        }
    }

    /// The handler of a file that is called `name` and begins with `head`.
    pub(crate) fn of(&self, name: &[u8], head: &[u8]) -> Option<Handler> {
        let entries = self.entries();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.entries != entries {
            let handlers = entries.iter().filter_map(|(_, name)| Handler::read(name));
            *last = Listing {
                handlers: handlers.collect(),
                entries,
            };
        }
        last.handlers
            .iter()
            .find(|handler| handler.is_for(name, head))
            .cloned()
    }

    fn entries(&self) -> Vec<(u64, PathBuf)> {
        // Where it is not mounted, there is an empty directory or none.
        let there = fs::read_dir(&self.directory).into_iter().flatten().flatten();
        let mut entries: Vec<_> = there.map(|entry| (entry.ino(), entry.path())).collect();
        entries.sort_unstable();
        entries
    }
}

impl Handler {
    fn read(path: &Path) -> Option<Self> {
        Self::parse(&fs::read(path).ok()?)
    }

    /// Reads what the kernel says of one; nothing if it is switched off, or is no handler.
    fn parse(text: &[u8]) -> Option<Self> {
        let mut lines = text.split(|&byte| byte == b'\n');
        let is_on = lines.next()? == b"enabled";
        let lines: Vec<&[u8]> = lines.collect();
        let value = |key: &str| lines.iter().find_map(|line| line.strip_prefix(key.as_bytes()));
        let files = match value("extension .") {
            Some(extension) => Files::Extension(extension.to_vec()),
            None => {
                let magic = hex(value("magic ")?)?;
                Files::Magic {
                    offset: std::str::from_utf8(value("offset ")?).ok()?.parse().ok()?,
                    mask: value("mask ").map_or(Some(vec![0xff; magic.len()]), hex)?,
                    magic,
                }
            }
        };
        is_on.then_some(Self {
            interpreter: value("interpreter ")?.to_vec(),
            is_fixed: value("flags: ").unwrap_or_default().contains(&b'F'),
            files,
        })
    }

    fn is_for(&self, name: &[u8], head: &[u8]) -> bool {
        match &self.files {
            Files::Extension(extension) => {
                let dot = name.iter().rposition(|&byte| byte == b'.');
                dot.is_some_and(|dot| name[dot + 1..] == extension[..])
            }
            Files::Magic { offset, magic, mask } => {
                // Behind a file's end the kernel sees zeros.
                let byte = |at: usize| head.get(at).copied().unwrap_or(0);
                let mut bytes = magic.iter().zip(mask).enumerate();
                offset + magic.len() <= HEAD
                    && bytes.all(|(at, (wanted, mask))| (byte(offset + at) ^ wanted) & mask == 0)
            }
        }
    }
}

fn hex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let pair = |pair: &[u8]| Some(digit(pair[0])? * 16 + digit(*pair.get(1)?)?);
    text.chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PYTHON: &[u8] = b"enabled\ninterpreter /usr/bin/python3\nflags: \noffset 0\nmagic cb0d0d0a\n";
    const QEMU: &[u8] = b"enabled\ninterpreter /usr/bin/qemu\nflags: POCF\noffset 1\nmagic 45ff\nmask ff0f\n";
    const JAR: &[u8] = b"enabled\ninterpreter /usr/bin/jexec\nflags: \nextension .jar\n";

    #[test]
    fn a_handler_is_read_as_the_kernel_writes_it() {
        let python = Handler::parse(PYTHON).unwrap();
        assert_eq!(
            (&*python.interpreter, python.is_fixed),
            (&b"/usr/bin/python3"[..], false)
        );
        assert!(Handler::parse(QEMU).unwrap().is_fixed);
        for other in [
            &b"enabled\n"[..],
            b"disabled\ninterpreter /x\nflags: \nextension .jar\n",
            b"enabled\ninterpreter /x\nflags: \noffset 0\nmagic 4\n",
            b"",
        ] {
            assert_eq!(Handler::parse(other), None, "{}", String::from_utf8_lossy(other));
        }
    }

    #[test]
    fn a_handler_is_for_its_files() {
        let is_for = |handler: &[u8], name: &str, head: &[u8]| {
            Handler::parse(handler).unwrap().is_for(name.as_bytes(), head)
        };
        assert!(is_for(PYTHON, "x", b"\xcb\x0d\x0d\x0a rest"));
        assert!(!is_for(PYTHON, "x", b"\xcb\x0d\x0d"));
        assert!(is_for(QEMU, "x", b"\x7fE\x1f") && !is_for(QEMU, "x", b"\x7fE\x1e"));
        assert!(is_for(JAR, "/opt/a.b.jar", b"") && !is_for(JAR, "/opt/jar", b""));
        let long = [
            &b"enabled\ninterpreter /x\nflags: \noffset 0\nmagic "[..],
            &b"00".repeat(HEAD + 1),
        ]
        .concat();
        assert!(
            !is_for(&long, "x", &[0; HEAD]),
            "the kernel reads no more than that"
        );
        assert!(is_for(&long[..long.len() - 2], "x", &[0; HEAD]));
        assert!(!is_for(JAR, "/opt/a.jar.b", b"") && !is_for(JAR, "/opt/a.jars", b""));
    }

    #[test]
    fn a_handler_that_is_made_is_seen_at_once() {
        let directory = std::env::temp_dir().join(format!("shellproof-handlers-{}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        let handlers = Handlers::in_directory(directory.clone());
        assert_eq!(handlers.of(b"a.jar", b""), None);
        fs::write(directory.join("status"), "enabled\n").unwrap();
        fs::write(directory.join("jar"), JAR).unwrap();
        assert_eq!(handlers.of(b"a.jar", b""), Handler::parse(JAR));
        fs::remove_dir_all(&directory).unwrap();
        assert_eq!(handlers.of(b"a.jar", b""), None);
    }
}
