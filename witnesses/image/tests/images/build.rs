//! Images, built in memory.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

/// A file that is known as a shell by its content, whatever it is called.
pub const SHELL: &[u8] = b"\x7fELF getopts OPTIND PS4 readonly umask";
/// A file that is known as BusyBox.
pub const BUSYBOX: &[u8] = b"\x7fELF BusyBox v1.37 applet not found";
/// A program of no such kind.
pub const OTHER: &[u8] = b"\x7fELF some other program";

/// The archive of one layer.
pub struct Layer(Builder<Vec<u8>>);

impl Layer {
    pub fn new() -> Self {
        Self(Builder::new(Vec::new()))
    }

    pub fn file(self, path: &str, mode: u32, content: &[u8]) -> Self {
        self.entry(path, EntryType::Regular, mode, "", content)
    }

    pub fn directory(self, path: &str) -> Self {
        self.entry(path, EntryType::Directory, 0o755, "", b"")
    }

    pub fn symlink(self, path: &str, target: &str) -> Self {
        self.entry(path, EntryType::Symlink, 0o777, target, b"")
    }

    pub fn hardlink(self, path: &str, target: &str) -> Self {
        self.entry(path, EntryType::Link, 0o644, target, b"")
    }

    /// An entry as it is given, whatever its path.
    pub fn entry(mut self, path: &str, kind: EntryType, mode: u32, target: &str, content: &[u8]) -> Self {
        for (kind, text) in [(EntryType::GNULongName, path), (EntryType::GNULongLink, target)] {
            if text.len() >= 100 {
                let text = [text.as_bytes(), b"\0"].concat();
                self.0
                    .append(&header("././@LongLink", kind, 0o644, "", text.len()), &text[..])
                    .unwrap();
            }
        }
        self.0
            .append(&header(path, kind, mode, target, content.len()), content)
            .unwrap();
        self
    }

    /// Extended headers of the next entry.
    pub fn pax(mut self, records: &[(&str, &[u8])]) -> Self {
        self.0.append_pax_extensions(records.iter().copied()).unwrap();
        self
    }

    pub fn bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

pub fn header(path: &str, kind: EntryType, mode: u32, target: &str, size: usize) -> Header {
    let mut header = Header::new_gnu();
    let fill = |field: &mut [u8], text: &str| {
        let length = text.len().min(field.len());
        field[..length].copy_from_slice(&text.as_bytes()[..length]);
    };
    fill(&mut header.as_gnu_mut().unwrap().name, path);
    fill(&mut header.as_gnu_mut().unwrap().linkname, target);
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(size as u64);
    header.set_cksum();
    header
}

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// How a layer is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    Plain,
    Gzip,
    Zstd,
}

pub fn pack(bytes: &[u8], packing: Packing) -> Vec<u8> {
    match packing {
        Packing::Plain => bytes.to_vec(),
        Packing::Gzip => {
            let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            writer.write_all(bytes).unwrap();
            writer.finish().unwrap()
        }
        Packing::Zstd => {
            ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
        }
    }
}

/// An image: its layers, lowest first, with the instruction that made each, and what it says of itself.
pub struct Image {
    pub layers: Vec<(Vec<u8>, String)>,
    pub config: Value,
    pub packing: Packing,
    pub name: String,
}

impl Image {
    pub fn new(layers: Vec<Layer>) -> Self {
        let layers = layers.into_iter().enumerate();
        Self {
            layers: layers
                .map(|(place, layer)| (layer.bytes(), format!("COPY step {}", place + 1)))
                .collect(),
            config: json!({ "Entrypoint": ["/app/server"], "User": "65532" }),
            packing: Packing::Plain,
            name: "localhost/x:1".into(),
        }
    }

    pub fn config(self, config: Value) -> Self {
        Self { config, ..self }
    }

    pub fn packed(self, packing: Packing) -> Self {
        Self { packing, ..self }
    }

    pub fn configuration(&self) -> String {
        let diff_ids: Vec<_> = self
            .layers
            .iter()
            .map(|(layer, _)| format!("sha256:{}", sha256(layer)))
            .collect();
        let mut history = vec![json!({ "created_by": "ENV A=b", "empty_layer": true })];
        history.extend(self.layers.iter().map(|(_, made)| json!({ "created_by": made })));
        json!({
            "architecture": "amd64", "os": "linux", "config": self.config,
            "rootfs": { "type": "layers", "diff_ids": diff_ids }, "history": history,
        })
        .to_string()
    }

    /// The files of a `docker save` of old.
    pub fn saved(&self) -> Vec<(String, Vec<u8>)> {
        let configuration = self.configuration();
        let name = format!("{}.json", sha256(configuration.as_bytes()));
        let layers = self.layers.iter().enumerate();
        let mut files: Vec<_> = layers
            .map(|(place, (layer, _))| (format!("{place}/layer.tar"), pack(layer, self.packing)))
            .collect();
        let names: Vec<_> = files.iter().map(|(name, _)| name.clone()).collect();
        let manifest = json!([{ "Config": name, "RepoTags": [self.name], "Layers": names }]);
        files.push((name, configuration.into_bytes()));
        files.push(("manifest.json".into(), manifest.to_string().into_bytes()));
        files
    }

    /// The files of an OCI layout.
    pub fn layout(&self) -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        let mut blob = |bytes: Vec<u8>| {
            let digest = format!("sha256:{}", sha256(&bytes));
            let size = bytes.len();
            files.push((format!("blobs/sha256/{}", sha256(&bytes)), bytes));
            json!({ "digest": digest, "size": size, "mediaType": "application/vnd.oci.image.config.v1+json" })
        };
        let layers: Vec<_> = self
            .layers
            .iter()
            .map(|(layer, _)| blob(pack(layer, self.packing)))
            .collect();
        let configuration = blob(self.configuration().into_bytes());
        let manifest = json!({ "schemaVersion": 2, "config": configuration, "layers": layers });
        let mut manifest = blob(manifest.to_string().into_bytes());
        manifest["annotations"] = json!({ "org.opencontainers.image.ref.name": "1" });
        let index = json!({ "schemaVersion": 2, "manifests": [manifest] });
        files.push(("index.json".into(), index.to_string().into_bytes()));
        files.push((
            "oci-layout".into(),
            b"{\"imageLayoutVersion\":\"1.0.0\"}".to_vec(),
        ));
        files.dedup_by(|one, other| one.0 == other.0);
        files
    }
}

/// An archive of files.
pub fn archive(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let layer = files.iter().fold(Layer::new(), |layer, (name, content)| {
        layer.file(name, 0o644, content)
    });
    layer.bytes()
}

/// Writes the files of a layout below a directory.
pub fn write(directory: &Path, files: &[(String, Vec<u8>)]) -> PathBuf {
    for (name, content) in files {
        let path = directory.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    directory.to_owned()
}
