//! Archives of images around the part that is tried.

use serde_json::json;
use sha2::{Digest, Sha256};
use shellproof_image::{Form, ImageContent, Result, read_stream};

/// Reads an archive of these files.
pub fn read(files: &[(&str, &[u8])]) -> Result<ImageContent> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        archive
            .append_data(&mut header, name, *bytes)
            .expect("an archive in memory");
    }
    let archive = archive.into_inner().expect("an archive in memory");
    read_stream(&archive[..], Form::DockerArchive, None)
}

pub fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

#[allow(dead_code, reason = "not every target has blobs")]
pub fn blob(bytes: &[u8]) -> String {
    digest(bytes).replace("sha256:", "blobs/sha256/")
}

#[allow(dead_code, reason = "not every target has this one")]
pub fn manifest() -> Vec<u8> {
    json!([{ "Config": "config.json", "RepoTags": ["x:1"], "Layers": ["layer.tar"] }])
        .to_string()
        .into_bytes()
}

#[allow(dead_code, reason = "not every target has this one")]
pub fn configuration(layer: &str) -> Vec<u8> {
    json!({
        "architecture": "amd64", "os": "linux", "config": { "Entrypoint": ["/x"] },
        "rootfs": { "type": "layers", "diff_ids": [layer] },
    })
    .to_string()
    .into_bytes()
}
