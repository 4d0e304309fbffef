//! Where an image lies.

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use shellproof_api::facts::ImageContent;

use crate::error::{Error, Result};
use crate::form::Form;
use crate::layout;
use crate::read::look_stream;
use crate::wanted::{Looked, Wanted, until_known};

/// An image that no engine is needed for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    form: Form,
    path: PathBuf,
    /// Which of its images; none where there is but one.
    tag: Option<String>,
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

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Which of its images it is, unless there is but one.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// Whether it is an OCI layout, which is a directory.
    pub fn is_layout(&self) -> bool {
        self.form == Form::Layout
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
    Ok(once(source, &Wanted::default())?.content)
}

/// Reads an image and files of it. It is read once, and again where links of the image lead from those paths elsewhere.
///
/// # Errors
/// As [`read`].
pub fn look(source: &Source, wanted: &Wanted) -> Result<Looked> {
    until_known(wanted, |wanted| once(source, wanted))
}

fn once(source: &Source, wanted: &Wanted) -> Result<Looked> {
    let tag = source.tag.as_deref();
    if source.form == Form::Layout {
        return layout::read(&source.path, tag, wanted);
    }
    let named = |error: std::io::Error| {
        Error::Name(format!(
            "`{}` cannot be read: {error}\nhelp: `{}` wants the file of an archive, `oci:` a directory",
            source.path.display(),
            source.form.prefix()
        ))
    };
    let file = File::open(&source.path).map_err(named)?;
    if file.metadata().map_err(named)?.is_dir() {
        return Err(named(std::io::ErrorKind::IsADirectory.into()));
    }
    look_stream(file, source.form, tag, wanted)
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
