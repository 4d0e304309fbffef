//! The documents that say which layers an image has: of `docker save`, and of an OCI archive, whose manifests have the digests that
//! its index names.

#![no_main]

#[path = "../image.rs"]
mod image;

use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|bytes: &[u8]| {
    let [kind, document @ ..] = bytes else { return };
    let layer = [0; 1024];
    let configuration = image::configuration(&image::digest(&layer));
    let configuration_blob = image::blob(&configuration);
    let layer_blob = image::blob(&layer);
    let manifest_blob = image::blob(document);
    let index = json!({ "schemaVersion": 2, "manifests": [{
        "mediaType": if kind & 2 == 0 { "application/vnd.oci.image.manifest.v1+json" } else { "application/vnd.oci.image.index.v1+json" },
        "digest": image::digest(document),
        "size": document.len(),
    }]});
    let index = index.to_string().into_bytes();
    let files: &[(&str, &[u8])] = match kind & 1 {
        0 => &[
            ("manifest.json", document),
            ("config.json", &configuration),
            ("layer.tar", &layer),
        ],
        _ => &[
            ("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#),
            ("index.json", if kind & 4 == 0 { &index } else { document }),
            (&manifest_blob, document),
            (&configuration_blob, &configuration),
            (&layer_blob, &layer),
        ],
    };
    if let Ok(content) = image::read(files) {
        assert_eq!(content.configuration.id, image::digest(&configuration));
        assert!(content.programs.is_empty());
    }
});
