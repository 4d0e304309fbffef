//! The names of variables.

use super::roles::{MODE_VARIABLE, variable};
use crate::vocabulary::Role;

/// The longest name that is compared with the known ones.
pub(super) const MAX_SUGGESTED_BYTES: usize = 64;

/// Every variable that is read.
pub(super) fn known() -> impl Iterator<Item = &'static str> {
    std::iter::once(MODE_VARIABLE).chain(Role::ALL.iter().map(|role| variable(*role)))
}

/// What the platform makes of a variable's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// One of the platform's own.
    Known(&'static str),
    /// It starts as the platform's own do.
    Unknown,
    /// It is one of the platform's own but for a slip or two.
    Near(&'static str),
    /// Somebody else's.
    Other,
}

impl Name {
    /// Whether it is one of the platform's own, or named like them.
    pub(super) fn is_platform(self) -> bool {
        matches!(self, Self::Known(_) | Self::Unknown)
    }
}

/// Whether a text is the name of one of the platform's own variables, or like them.
pub(super) fn is_platform(text: &str) -> bool {
    looks_like_a_name(text) && classify(text).is_platform()
}

/// What the platform makes of a variable's name.
pub(super) fn classify(name: &str) -> Name {
    let upper = name.to_ascii_uppercase().replace('-', "_");
    if let Some(known) = known().find(|known| *known == name) {
        Name::Known(known)
    } else if upper.starts_with("IMAGE_") {
        Name::Unknown
    } else if name.len() > MAX_SUGGESTED_BYTES {
        Name::Other
    } else {
        known()
            .find(|known| strsim::damerau_levenshtein(&upper, known) <= 2)
            .map_or(Name::Other, Name::Near)
    }
}

/// The known name that was probably meant.
pub(super) fn similar(name: &str) -> Option<&'static str> {
    const PREFIX: usize = "IMAGE_".len();
    if name.len() > MAX_SUGGESTED_BYTES {
        return None;
    }
    let word = name.to_ascii_uppercase().replace('-', "_");
    let is_part = |known: &str| word.len() > PREFIX && (known.starts_with(&word) || word.starts_with(known));
    known()
        .map(|known| (strsim::damerau_levenshtein(&word, known), known))
        .filter(|(distance, known)| *distance <= (known.len() - PREFIX) / 2 || is_part(known))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// Whether a text can be a variable's name in an env file.
pub(super) fn looks_like_a_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| !c.is_ascii() || c.is_ascii_alphanumeric() || "_.-[]".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised() {
        let cases = [
            ("IMAGE_MODE", Name::Known("IMAGE_MODE")),
            ("IMAGE_MOD", Name::Unknown),
            ("image_mode", Name::Unknown),
            ("IMAGE-MODE", Name::Unknown),
            ("IMGE_MODE", Name::Near("IMAGE_MODE")),
            ("MAGE_POSTGRES", Name::Near("IMAGE_POSTGRES")),
            ("POSTGRES_PASSWORD", Name::Other),
            ("IMAGES", Name::Other),
        ];
        for (name, expected) in cases {
            assert_eq!(classify(name), expected, "{name}");
        }
    }

    #[test]
    fn suggestions_are_near() {
        let cases = [
            ("IMAGE_PYHTON", Some("IMAGE_PYTHON")),
            ("IMAGE_KERBEROS", Some("IMAGE_KERBEROS_TEST")),
            ("IMAGE_POSTGRESQL", Some("IMAGE_POSTGRES")),
            ("IMAGE_OPENMETADATA", Some("IMAGE_OPENMETADATA_SERVER")),
            ("image_mode", Some("IMAGE_MODE")),
            ("IMAGE_MODUS", Some("IMAGE_MODE")),
            ("IMAGE_REDIS", None),
            ("IMAGE_", None),
        ];
        for (name, expected) in cases {
            assert_eq!(similar(name), expected, "{name}");
        }
    }
}
