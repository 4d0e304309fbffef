//! A layer: whatever its bytes, it is read or refused, its entries are the same for whoever unpacks it, and what an image holds lies
//! below its root.

#![no_main]

#[path = "../image.rs"]
mod image;

use libfuzzer_sys::fuzz_target;
use shellproof_image::visit;

/// As many bytes as a layer may unpack to here.
const LIMIT: u64 = 1 << 22;

fuzz_target!(|layer: &[u8]| {
    let digests = visit(layer, LIMIT, |_, content| {
        std::io::copy(content, &mut std::io::sink()).map(drop)
    });
    let Ok(digests) = digests else { return };
    let configuration = image::configuration(&digests.unpacked);
    let manifest = image::manifest();
    let Ok(content) = image::read(&[
        ("manifest.json", &manifest),
        ("config.json", &configuration),
        ("layer.tar", layer),
    ]) else {
        return;
    };
    let mut last = "";
    for program in &content.programs {
        assert!(
            program.path.starts_with('/') && !program.path.contains("/../"),
            "{}",
            program.path
        );
        assert!(last <= program.path.as_str(), "in the order of paths");
        assert_eq!(
            content.resolve(&program.path).as_deref(),
            Some(program.path.as_str())
        );
        last = &program.path;
    }
});
