//! Files of [container-structure-test](https://github.com/GoogleContainerTools/container-structure-test), schema 2.0.0, with its
//! semantics. What cannot be honoured is named, and is never a pass.

mod commands;
mod decode;
mod expand;
mod files;
mod go_pattern;
mod metadata;
mod schema;
mod sheet;
mod suggest;

use shellproof_image::{Looked, WantedFiles};

pub(super) use decode::load;
pub(crate) use schema::Tests;
pub(super) use sheet::Sheet;

use crate::scenario::{ImageChoice, Scenario};
use expand::Env;

/// What tests come to, as far as nothing has to be started for it.
pub(super) struct Tested {
    pub(super) sheet: Sheet,
    /// What the command tests say.
    pub(super) scenarios: Vec<Scenario>,
    /// The text of a scenario that says what the file says, as far as a scenario can.
    pub(super) suggestion: String,
}

impl Tests {
    /// The files that have to be read, before anything is known of the image.
    pub(super) fn wanted(&self) -> WantedFiles {
        files::wanted(self, None)
    }

    /// Those that have to be read of this image, if others are among them since paths have variables in them.
    pub(super) fn wanted_of(&self, looked: &Looked) -> Option<WantedFiles> {
        let has_variables = self.existence.iter().any(|test| test.path.value.contains('$'));
        has_variables.then(|| files::wanted(self, Some(&self.env(looked))))
    }

    /// Compares an image with what is expected of it. `run` is how the engine calls it that is to run the command tests, and
    /// `called` how people do.
    pub(super) fn check(&self, looked: &Looked, run: &ImageChoice, called: &str) -> Tested {
        let mut sheet = Sheet::new(&self.file);
        let containers = commands::containers(self, run, &looked.content, &mut sheet);
        files::check(self, looked, &self.env(looked), &mut sheet);
        if let Some(test) = &self.metadata {
            metadata::check(test, &looked.content.configuration, &mut sheet);
        }
        let suggestion = suggest::scenario(self, &containers, looked, called, &sheet);
        Tested {
            scenarios: commands::scenarios(self, containers),
            sheet,
            suggestion,
        }
    }

    /// The image's variables, and those of the file over them.
    fn env(&self, looked: &Looked) -> Env {
        let image = expand::env(&looked.content.configuration.env);
        let global = self.global_env.iter();
        let global = global.map(|one| (one.key.value.clone(), expand::expand(&one.value.value, &image)));
        let global: Vec<_> = global.collect();
        image.into_iter().chain(global).collect()
    }
}
