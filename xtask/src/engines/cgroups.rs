//! Containers that are killed leave their control groups behind, a dozen each.

use std::fs::{read_dir, remove_dir};
use std::path::Path;

/// Removes those of an engine that has ended, from a directory of control groups down. Its containers have their files
/// in its store by their ids, and their groups are called by them: `ID`, `libpod-ID`, `libpod-conmon-ID`.
pub fn remove(directory: &Path, store: &Path, is_theirs: bool) {
    // Others' groups come and go meanwhile.
    for entry in read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let name = entry.file_name().to_string_lossy().into_owned();
            let id = name.rsplit('-').next().unwrap_or_default();
            let is_theirs = is_theirs || (id.len() == 64 && store.join(id).exists());
            remove(&entry.path(), store, is_theirs);
            if is_theirs {
                let _ = remove_dir(entry.path());
            }
        }
    }
}
