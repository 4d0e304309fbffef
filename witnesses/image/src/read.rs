//! An archive, read for what it contains.

use std::io::Read;

use shellproof_api::facts::ImageContent;

use crate::archive::Archived;
use crate::assemble::assemble;
use crate::error::Result;
use crate::form::Form;
use crate::layer::{self, Bounds};

/// Reads an image from an archive that comes as a stream: that of `docker save` or that of an OCI layout.
///
/// # Errors
/// As [`crate::read`].
pub fn read_stream(stream: impl Read, form: Form, tag: Option<&str>) -> Result<ImageContent> {
    let mut bounds = Bounds::new();
    let budget = bounds.budget.clone();
    let archived = Archived::read(stream, &budget, &mut |layer| layer::read(layer, &mut bounds))?;
    let parts = archived.image(form, tag)?;
    assemble(&parts, &bounds.keys)
}
