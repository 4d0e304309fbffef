//! An archive, read for what it contains.

use std::io::Read;

use shellproof_api::facts::ImageContent;

use crate::archive::Archived;
use crate::assemble::assemble;
use crate::error::Result;
use crate::form::Form;
use crate::layer::{self, Bounds};
use crate::path::Keys;
use crate::wanted::{Looked, WantedFiles};

/// Reads an image from an archive that comes as a stream: that of `docker save` or that of an OCI layout.
///
/// # Errors
/// As [`crate::read`].
pub fn read_stream(stream: impl Read, form: Form, tag: Option<&str>) -> Result<ImageContent> {
    Ok(look_stream(stream, form, tag, &WantedFiles::default())?.content)
}

/// The same with files of it, in one reading: [`Looked::next`] says whether another one is needed.
///
/// # Errors
/// As [`crate::read`].
pub fn look_stream(stream: impl Read, form: Form, tag: Option<&str>, wanted: &WantedFiles) -> Result<Looked> {
    let mut bounds = Bounds::new(wanted, Keys::default());
    let budget = bounds.budget.clone();
    let archived = Archived::read(stream, &budget, &mut |layer| layer::read(layer, &mut bounds))?;
    let parts = archived.image(form, tag)?;
    assemble(&parts, &bounds.keys, wanted)
}
