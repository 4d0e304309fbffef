//! Layers that several images share.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use crate::entry::Layer;
use crate::layer::Bounds;
use crate::limits;
use crate::path::Keys;
use crate::wanted::WantedFiles;

/// What was found in the layers of images that were read, for those that are read next: each layer is read once. A layer is known by
/// what its manifest calls it, which was checked when it was read. Whoever changes a file of a layout meanwhile is not seen.
#[derive(Default)]
pub struct Layers {
    keys: Keys,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    layers: HashMap<String, Arc<Layer>>,
    /// How many entries they have together.
    entries: usize,
}

impl Layers {
    /// What an image may have that is read next.
    pub(crate) fn bounds<'w>(&self, wanted: &'w WantedFiles) -> Bounds<'w> {
        Bounds::new(wanted, self.keys.clone())
    }

    /// The layer that is called so, read if nobody has. What was found is kept unless files of it were asked for, which is for
    /// whoever asked alone.
    pub(crate) fn get<'w>(
        &self,
        digest: &str,
        bounds: &mut Bounds<'w>,
        read: impl FnOnce(&mut Bounds<'w>) -> io::Result<Layer>,
    ) -> io::Result<Arc<Layer>> {
        if bounds.wants_files() {
            return read(bounds).map(Arc::new);
        }
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known().layers.get(digest).cloned();
        if let Some(layer) = found {
            bounds.count(&layer)?;
            return Ok(layer);
        }
        let layer = Arc::new(read(bounds)?);
        let mut known = known();
        // As many as one image may have.
        if known.entries + layer.hides.len() <= limits::ENTRIES {
            known.entries += layer.hides.len();
            known.layers.insert(layer.stored.clone(), layer.clone());
        }
        Ok(layer)
    }
}
