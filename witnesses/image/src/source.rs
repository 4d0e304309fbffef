//! Where an image lies.

use std::fmt;
use std::fs::File;
use std::path::PathBuf;
use std::str::FromStr;

use shellproof_api::facts::ImageContent;

use crate::error::{Error, Result};
use crate::form::Form;
use crate::known::Layers;
use crate::layout;
use crate::read::look_stream;
use crate::wanted::{Looked, WantedFiles, until_known};

/// An image that no engine is needed for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub(crate) form: Form,
    pub(crate) path: PathBuf,
    /// Which of its images; none where there is but one.
    pub(crate) tag: Option<String>,
}

impl Source {
    /// The image of this name in an OCI layout, or the only one.
    pub const fn layout(directory: PathBuf, tag: Option<String>) -> Self {
        Self {
            form: Form::Layout,
            path: directory,
            tag,
        }
    }

    /// The only image of an archive as `docker save` writes it.
    pub const fn saved(file: PathBuf) -> Self {
        Self {
            form: Form::DockerArchive,
            path: file,
            tag: None,
        }
    }

    /// Opens the file of an archive.
    pub(crate) fn open(&self) -> Result<File> {
        let named = |error: std::io::Error| {
            Error::Name(format!(
                "`{}` cannot be read: {error}\nhelp: `{}` wants the file of an archive, `oci:` a directory",
                self.path.display(),
                self.form.prefix()
            ))
        };
        let file = File::open(&self.path).map_err(named)?;
        match file.metadata().map_err(named)?.is_dir() {
            true => Err(named(std::io::ErrorKind::IsADirectory.into())),
            false => Ok(file),
        }
    }

    /// Whether a text names a file or a directory rather than an image of an engine.
    pub fn is_meant(text: &str) -> bool {
        Form::ALL.iter().any(|form| text.starts_with(form.prefix()))
    }
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let form = Form::ALL.into_iter().find(|form| text.starts_with(form.prefix()));
        let form = form.ok_or_else(|| {
            format!("`{text}` names no file, expected `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]` or `docker-archive:FILE[:TAG]`")
        })?;
        let rest = &text[form.prefix().len()..];
        // A tag may have a registry's port in it, and a path has no colon: so the first one parts them.
        let (path, tag) = match rest.split_once(':') {
            Some((path, tag)) => (path, Some(tag)),
            None => (rest, None),
        };
        if path.is_empty() || tag == Some("") {
            return Err(format!(
                "`{text}` is not complete, expected `{}PATH` or `{0}PATH:TAG`",
                form.prefix()
            ));
        }
        Ok(Self {
            form,
            path: path.into(),
            tag: tag.map(str::to_owned),
        })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.form.prefix(), self.path.display())?;
        self.tag.iter().try_for_each(|tag| write!(f, ":{tag}"))
    }
}

/// Reads an image.
///
/// # Errors
/// There is nothing of that name, it is no image or one that is larger than what is read, or the machine failed.
pub fn read(source: &Source) -> Result<ImageContent> {
    Ok(look(source, &WantedFiles::default(), &Layers::default())?.content)
}

/// Reads an image and files of it. It is read once, and again where links of the image lead from those paths elsewhere. Of an image in
/// a layout, layers that are known already are not read.
///
/// # Errors
/// As [`read`].
pub fn look(source: &Source, wanted: &WantedFiles, known: &Layers) -> Result<Looked> {
    until_known(wanted, |wanted| {
        let tag = source.tag.as_deref();
        match source.form {
            Form::Layout => layout::read(&source.path, tag, wanted, known),
            _ => look_stream(source.open()?, source.form, tag, wanted),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_written_as_it_is_read() {
        for text in [
            "oci:dir",
            "oci:/a/dir:latest",
            "oci-archive:file.tar",
            "docker-archive:a.tar:localhost:5000/x:1",
        ] {
            assert_eq!(text.parse::<Source>().unwrap().to_string(), text);
        }
        for text in ["oci:", "oci-archive::x", "docker-archive:x:", "dir", "docker:x"] {
            assert!(text.parse::<Source>().is_err(), "{text}");
        }
        assert!(Source::is_meant("oci:x") && !Source::is_meant("oci/x:1"));
    }
}
