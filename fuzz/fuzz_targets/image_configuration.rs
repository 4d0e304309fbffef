//! What an image says of itself: it is read or refused, and no shell in it is seen through to nothing.

#![no_main]

#[path = "../image.rs"]
mod image;

use libfuzzer_sys::fuzz_target;
use shellproof_image::Configuration;

fuzz_target!(|configuration: &[u8]| {
    let layer = [0; 1024];
    let manifest = image::manifest();
    let read = image::read(&[
        ("manifest.json", &manifest),
        ("config.json", configuration),
        ("layer.tar", &layer),
    ]);
    if let Ok(content) = read {
        assert_eq!(content.configuration.id, image::digest(configuration));
        assert_eq!(content.layers.len(), 1);
        assert!(Configuration::read(configuration).is_ok());
    }
});
