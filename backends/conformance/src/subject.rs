//! The suite's own image: one static program, and files of every kind to be read back.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

const PROGRAM: &str = include_str!("../subject/main.rs");

/// The program's path in the image.
pub const SUBJECT: &str = "/bin/subject";
/// How large `/files/large` is in the image.
pub const LARGE: usize = 3 << 20;
/// The image's `USER`.
pub const USER: &str = "1234:4321";
/// The image's one label.
pub const LABEL: (&str, &str) = ("io.shellproof.conformance", "subject");

/// The suite's images in one archive.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The archive, in the `docker save` format.
    pub archive: PathBuf,
    /// The image with an entrypoint, a command and everything else.
    pub reference: String,
    /// The same files with no entrypoint, no command and no user.
    pub bare: String,
}

impl Subject {
    /// References for a runtime that is told what is in the images and loads nothing.
    pub fn unbuilt() -> Self {
        Self {
            archive: PathBuf::new(),
            reference: "localhost/shellproof/conformance:unbuilt".into(),
            bare: "localhost/shellproof/conformance-bare:unbuilt".into(),
        }
    }

    /// Compiles the program with `rustc` and packs the images, unless `dir` has them already.
    ///
    /// # Errors
    /// `rustc` is missing or fails, or `dir` cannot be written.
    pub fn build(dir: &Path) -> io::Result<Self> {
        let tag = &sha256([PROGRAM, include_str!("subject.rs")].concat().as_bytes())[..12];
        let subject = Self {
            archive: dir.join(format!("conformance-{tag}.tar")),
            reference: format!("localhost/shellproof/conformance:{tag}"),
            bare: format!("localhost/shellproof/conformance-bare:{tag}"),
        };
        if !subject.archive.exists() {
            let work = tempfile::tempdir_in(dir)?;
            let packed = subject.pack(&compile(work.path())?)?;
            let archive = work.path().join("archive");
            fs::write(&archive, packed)?;
            // Two test programs may be at it: whoever is last wins with the same bytes.
            fs::rename(archive, &subject.archive)?;
        }
        Ok(subject)
    }

    fn pack(&self, program: &[u8]) -> io::Result<Vec<u8>> {
        let layer = layer(program)?;
        let rootfs = json!({"type": "layers", "diff_ids": [format!("sha256:{}", sha256(&layer))]});
        let config = |config: Value| {
            json!({"architecture": "amd64", "os": "linux", "config": config, "rootfs": rootfs}).to_string()
        };
        let full = config(json!({
            "Entrypoint": [SUBJECT],
            "Cmd": ["echo", "from", "the", "image"],
            "Env": ["PATH=/bin", "FROM=image", "BOTH=image"],
            "User": USER,
            "WorkingDir": "/files",
            "Labels": {LABEL.0: LABEL.1},
            "Healthcheck": {"Test": ["CMD", SUBJECT, "exit", "0"], "Interval": 30_000_000_000_u64},
        }));
        let bare = config(json!({}));
        let manifest = json!([
            {"Config": "full.json", "RepoTags": [self.reference], "Layers": ["layer.tar"]},
            {"Config": "bare.json", "RepoTags": [self.bare], "Layers": ["layer.tar"]},
        ]);
        let mut archive = Builder::new(Vec::new());
        file(&mut archive, "full.json", 0o644, (0, 0), full.as_bytes())?;
        file(&mut archive, "bare.json", 0o644, (0, 0), bare.as_bytes())?;
        file(&mut archive, "layer.tar", 0o644, (0, 0), &layer)?;
        file(
            &mut archive,
            "manifest.json",
            0o644,
            (0, 0),
            manifest.to_string().as_bytes(),
        )?;
        archive.into_inner()
    }
}

fn compile(work: &Path) -> io::Result<Vec<u8>> {
    let source = work.join("subject.rs");
    let program = work.join("subject");
    fs::write(&source, PROGRAM)?;
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .args([
            "--edition",
            "2024",
            "-O",
            "-C",
            "target-feature=+crt-static",
            "-C",
            "strip=symbols",
            "-o",
        ])
        .args([&program, &source])
        .output()?;
    if !output.status.success() {
        return Err(io::Error::other(
            String::from_utf8_lossy(&output.stderr).into_owned(),
        ));
    }
    fs::read(program)
}

fn layer(program: &[u8]) -> io::Result<Vec<u8>> {
    let mut layer = Builder::new(Vec::new());
    // Writable by all, so that the image's user can try.
    for (path, mode) in [("bin/", 0o755), ("files/", 0o1777), ("files/dir/", 0o750)] {
        entry(&mut layer, path, EntryType::Directory, mode, (0, 0), b"")?;
    }
    file(&mut layer, "bin/subject", 0o755, (0, 0), program)?;
    file(&mut layer, "files/small", 0o640, (12, 34), b"small\n")?;
    file(&mut layer, "files/empty", 0o644, (0, 0), b"")?;
    file(&mut layer, "files/privileged", 0o4755, (0, 0), b"set-user-id")?;
    file(&mut layer, "files/not-executable", 0o644, (0, 0), b"text\n")?;
    file(&mut layer, "files/large", 0o644, (0, 0), &vec![b'x'; LARGE])?;
    file(&mut layer, "files/dir/inner", 0o644, (0, 0), b"inner\n")?;
    for (path, target) in [
        ("files/link", "/files/small"),
        ("files/dir-link", "dir"),
        ("files/broken", "/none"),
    ] {
        let mut header = header(EntryType::Symlink, 0o777, (0, 0), 0);
        layer.append_link(&mut header, path, target)?;
    }
    layer.into_inner()
}

pub(crate) fn file(
    archive: &mut Builder<Vec<u8>>,
    path: &str,
    mode: u32,
    owner: (u64, u64),
    content: &[u8],
) -> io::Result<()> {
    entry(archive, path, EntryType::Regular, mode, owner, content)
}

fn entry(
    archive: &mut Builder<Vec<u8>>,
    path: &str,
    kind: EntryType,
    mode: u32,
    owner: (u64, u64),
    content: &[u8],
) -> io::Result<()> {
    let mut header = header(kind, mode, owner, content.len());
    archive.append_data(&mut header, path, content)
}

fn header(kind: EntryType, mode: u32, owner: (u64, u64), size: usize) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(owner.0);
    header.set_gid(owner.1);
    header.set_size(size as u64);
    header.set_mtime(0);
    header
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    let mut hex = Vec::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        // Writing to a vector cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    String::from_utf8_lossy(&hex).into_owned()
}
