//! The name of an image, as env files and scenarios write it.

use std::fmt;
use std::str::FromStr;

use shellproof_api::{ImageReference, ReferenceError};

/// What stands before the name of a fixture.
const FIXTURE: &str = "fixture:";

/// The longest name of a fixture.
const MAX_FIXTURE_BYTES: usize = 63;

/// An image that a person names. Env files and scenarios have no reader of names but this one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ImageName {
    /// An image that an engine can find.
    Reference(ImageReference),
    /// One of this project's own test images: `fixture:NAME`.
    Fixture(String),
}

impl ImageName {
    /// The reference, unless it is a fixture.
    pub const fn reference(&self) -> Option<&ImageReference> {
        match self {
            Self::Reference(reference) => Some(reference),
            Self::Fixture(_) => None,
        }
    }
}

impl FromStr for ImageName {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let Some(name) = text.strip_prefix(FIXTURE) else {
            return text.parse().map(Self::Reference);
        };
        let is_inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let is_name = !name.is_empty()
            && name.len() <= MAX_FIXTURE_BYTES
            && name.bytes().all(is_inner)
            && !name.starts_with('-')
            && !name.ends_with('-');
        match is_name {
            true => Ok(Self::Fixture(name.to_owned())),
            false => Err(ReferenceError {
                range: FIXTURE.len()..text.len(),
                problem: "this names no fixture",
                expected: "expected lower-case letters, digits and dashes, 63 at most",
            }),
        }
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reference(reference) => reference.fmt(f),
            Self::Fixture(name) => write!(f, "{FIXTURE}{name}"),
        }
    }
}

/// The image that was probably meant by a text that names none.
pub(crate) fn suggestion(text: &str) -> Option<String> {
    const LONGEST: usize = 100;
    let meant = match text.split_once("://") {
        Some((_, rest)) => rest.to_owned(),
        None => {
            let name = text.find('@').unwrap_or(text.len());
            let tag = text[..name]
                .rfind(':')
                .filter(|colon| !text[*colon..name].contains('/'));
            let (name, rest) = text.split_at(tag.unwrap_or(name));
            format!("{}{rest}", name.to_lowercase())
        }
    };
    let is_better = meant != text && meant.len() <= LONGEST && meant.parse::<ImageName>().is_ok();
    is_better.then(|| format!("did you mean `{meant}`?"))
}
