//! The fixture images that `scripts/fixtures` has built.

use std::path::PathBuf;

/// Where they are.
pub fn directory() -> PathBuf {
    std::env::var_os("SHELLPROOF_FIXTURES").map_or_else(|| "target/fixtures".into(), PathBuf::from)
}

/// The name that a fixture has once it is loaded.
pub fn reference(image: &str) -> String {
    let key = std::fs::read_to_string(directory().join(format!("{image}.key"))).unwrap_or_default();
    let line = key.lines().find_map(|line| line.strip_prefix("reference "));
    line.unwrap_or("the fixtures are not built").to_owned()
}
