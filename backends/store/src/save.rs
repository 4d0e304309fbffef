//! Images as archives, as `docker save` writes them.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write};

use serde::Serialize;
use tar::{Builder, Header};

use crate::error::{Error, Result};
use crate::image::Image;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    repo_tags: Vec<String>,
    layers: Vec<String>,
}

fn blob(digest: &str) -> String {
    digest.replacen("sha256:", "blobs/sha256/", 1)
}

fn header(size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(size);
    header
}

impl Image {
    /// Writes the image as an archive. Layers are as they are stored, plain or packed.
    ///
    /// # Errors
    /// A blob is gone, or it cannot be written.
    pub fn save(&self, out: impl Write) -> Result<()> {
        self.write(out).map_err(|error| Error::Machine {
            what: format!("image {} cannot be saved", self.id()),
            error,
        })
    }

    fn write(&self, out: impl Write) -> io::Result<()> {
        let mut archive = Builder::new(out);
        let digests = self.layers.iter().map(|layer| layer.stored.digest());
        // A layer may be there twice, a file of an archive may not.
        let files: BTreeSet<&str> = digests.clone().chain([self.id()]).collect();
        for digest in files {
            let file = File::open(self.store.blob(digest))?;
            let size = file.metadata()?.len();
            archive.append_data(&mut header(size), blob(digest), file)?;
        }
        let saved = [Saved {
            config: blob(self.id()),
            repo_tags: self
                .names()
                .iter()
                .filter(|name| !name.contains('@'))
                .cloned()
                .collect(),
            layers: digests.map(blob).collect(),
        }];
        let text = serde_json::to_vec(&saved)?;
        archive.append_data(&mut header(text.len() as u64), "manifest.json", text.as_slice())?;
        archive.into_inner()?.flush()
    }
}
