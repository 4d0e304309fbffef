//! Image archives in the `docker save` format: reading their tag, and writing the probe's.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use shellproof_api::Labels;

/// The longest manifest that is read, in bytes.
const MANIFEST: u64 = 1 << 20;

/// The reference under which an archive's image is loaded.
///
/// # Errors
/// The file cannot be read, or is no archive with a tagged image.
pub(crate) fn reference(archive: &Path) -> io::Result<String> {
    let malformed = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    for entry in tar::Archive::new(File::open(archive)?).entries()? {
        let entry = entry?;
        if entry.path()?.as_ref() == Path::new("manifest.json") {
            let manifest: Value = serde_json::from_reader(entry.take(MANIFEST))?;
            let tag = manifest[0]["RepoTags"][0]
                .as_str()
                .ok_or_else(|| malformed("its image has no tag"))?;
            return Ok(tag.to_owned());
        }
    }
    Err(malformed("it is no image archive: it has no manifest.json"))
}

/// Writes the archive of an image that holds one static program, and gives the image's reference: `name`, tagged
/// with the hash of its content.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn write_single_program(
    path: &Path,
    name: &str,
    program: &[u8],
    labels: &Labels,
) -> io::Result<String> {
    let mut layer = tar::Builder::new(Vec::new());
    append(&mut layer, "program", 0o755, program)?;
    let layer = layer.into_inner()?;
    let config = json!({
        "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": { "Entrypoint": ["/program"], "User": "65532", "Labels": labels },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", sha256(&layer))] },
        "history": [{ "created": "1970-01-01T00:00:00Z", "created_by": "shellproof" }]
    })
    .to_string();
    let id = sha256(config.as_bytes());
    let reference = format!("{name}:{}", &id[..12]);
    let manifest =
        json!([{ "Config": format!("{id}.json"), "RepoTags": [reference], "Layers": ["layer.tar"] }]);
    let mut archive = tar::Builder::new(File::create(path)?);
    append(
        &mut archive,
        "manifest.json",
        0o644,
        manifest.to_string().as_bytes(),
    )?;
    append(&mut archive, &format!("{id}.json"), 0o644, config.as_bytes())?;
    append(&mut archive, "layer.tar", 0o644, &layer)?;
    archive.into_inner()?.flush()?;
    Ok(reference)
}

fn append<W: Write>(archive: &mut tar::Builder<W>, name: &str, mode: u32, data: &[u8]) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(data.len() as u64);
    header.set_mode(mode);
    // A field that is empty is no number to whoever is strict.
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    archive.append_data(&mut header, name, data)
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_archive_tells_its_reference_and_is_the_same_every_time() {
        let directory = std::env::temp_dir().join(format!("shellproof-archive-{}", std::process::id()));
        std::fs::create_dir(&directory).unwrap();
        let (one, two) = (directory.join("one.tar"), directory.join("two.tar"));
        let labels = Labels::from([("a".to_owned(), "b".to_owned())]);
        let written = write_single_program(&one, "localhost/x", b"program", &labels).unwrap();
        assert!(written.starts_with("localhost/x:"));
        assert_eq!(reference(&one).unwrap(), written);
        assert_eq!(
            write_single_program(&two, "localhost/x", b"program", &labels).unwrap(),
            written
        );
        assert_eq!(std::fs::read(&one).unwrap(), std::fs::read(&two).unwrap());
        assert_ne!(
            write_single_program(&two, "localhost/x", b"other", &labels).unwrap(),
            written
        );
        std::fs::write(&two, b"").unwrap();
        assert!(reference(&two).is_err());
        std::fs::remove_dir_all(directory).unwrap();
    }
}
