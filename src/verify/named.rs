//! An image, as somebody named it.

use shellproof_api::ImageReference;
use shellproof_image::Source;

use super::registry;
use crate::failure::Failure;
use crate::vocabulary::Role;

/// An image that is to be judged.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// As it was named.
    pub(crate) name: String,
    pub(super) image: Named,
    /// The roles whose image it is, with the setting that says so, by the platform's configuration.
    pub(super) settings: Vec<Setting>,
}

/// What of the platform's configuration names an image.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) role: Role,
    /// "`IMAGE_POSTGRES` (.env:2)".
    pub(super) place: String,
    /// The variable.
    pub(super) variable: &'static str,
}

/// Where an image is.
#[derive(Clone, Debug)]
pub(super) enum Named {
    /// A file or a directory.
    File(Source),
    /// An image of an engine.
    OfEngine(ImageReference),
    /// An image of a registry.
    OfRegistry(ImageReference),
}

impl Wanted {
    /// The image that an argument names.
    ///
    /// # Errors
    /// It names none.
    pub(crate) fn of(image: &str) -> Result<Self, Failure> {
        Ok(Self {
            name: image.to_owned(),
            image: Named::of(image)?,
            settings: Vec::new(),
        })
    }

    /// The roles whose image it is.
    pub(super) fn roles(&self) -> Vec<Role> {
        self.settings.iter().map(|setting| setting.role).collect()
    }

    /// What to do where nobody has it.
    pub(super) fn cure(&self) -> String {
        match self.settings.first() {
            None => "pull it first, or name a file as `docker-archive:FILE` or `oci-archive:FILE`".to_owned(),
            Some(setting) => format!(
                "pull or build it first (`docs/dockerfiles` has a sample for each role), or set `{}` to an image that is there",
                setting.variable
            ),
        }
    }

    /// What of the platform's configuration names it: "`IMAGE_POSTGRES` (.env:2): ", or nothing.
    pub(super) fn place(&self) -> String {
        let setting = self.settings.first();
        setting.map_or_else(String::new, |setting| format!("{}: ", setting.place))
    }
}

impl Named {
    fn of(image: &str) -> Result<Self, Failure> {
        if Source::is_meant(image) {
            return image.parse().map(Self::File).map_err(Failure::Input);
        }
        let (name, meant): (_, fn(ImageReference) -> Self) = match image.strip_prefix(registry::PREFIX) {
            Some(name) => (name, Self::OfRegistry),
            None => (image, Self::OfEngine),
        };
        let reference: Result<ImageReference, _> = name.parse();
        reference.map(meant).map_err(|error| {
            Failure::Input(format!(
                "`{}` names no image: {error}\nhelp: name one of an engine, or `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]`, \
                 `docker-archive:FILE[:TAG]` or `registry:REFERENCE`",
                image.escape_debug()
            ))
        })
    }
}
