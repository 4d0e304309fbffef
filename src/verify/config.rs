//! The images that the platform's configuration names.

use std::path::Path;

use shellproof_image::Source;

use super::named::{Named, Setting, Wanted};
use crate::ImageName;
use crate::failure::Failure;
use crate::platform::{Platform, ResolvedImage, variable_in_mode};
use crate::vocabulary::{Mode, Role};

/// The image of each role in a mode, each image once. `fixtures` is the directory of the built ones.
///
/// # Errors
/// A fixture is not built.
pub(crate) fn images_of(platform: &Platform, mode: Mode, fixtures: &Path) -> Result<Vec<Wanted>, Failure> {
    let mut all: Vec<Wanted> = Vec::new();
    for role in Role::ALL {
        let resolved = platform.image(*role, mode);
        let name = resolved.image.to_string();
        let setting = setting(resolved);
        match all.iter_mut().find(|one| one.name == name) {
            Some(known) => known.settings.push(setting),
            None => all.push(Wanted {
                image: named(&resolved.image, fixtures, &setting)?,
                name,
                settings: vec![setting],
            }),
        }
    }
    Ok(all)
}

fn setting(resolved: &ResolvedImage) -> Setting {
    let variable = variable_in_mode(resolved.role, resolved.mode);
    Setting {
        role: resolved.role,
        place: format!("`{variable}` ({})", resolved.origin),
        variable,
    }
}

fn named(image: &ImageName, fixtures: &Path, setting: &Setting) -> Result<Named, Failure> {
    let name = match image {
        ImageName::Reference(reference) => return Ok(Named::OfEngine(reference.clone())),
        ImageName::Fixture(name) => name,
    };
    let archive = fixtures.join(format!("{name}.tar"));
    if !archive.exists() {
        return Err(Failure::Input(format!(
            "{}: fixture `{name}` is not built: `{}` does not exist\nhelp: build it with `scripts/fixtures {name}`",
            setting.place,
            archive.display()
        )));
    }
    Ok(Named::File(Source::saved(archive)))
}
