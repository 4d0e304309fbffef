//! Decides between the env file and the environment, and checks the values.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::env_file::{self, EnvFile, Value};
use super::hide::hide_credentials;
use super::image::{self, Mistake};
use super::load::ENV_FILE;
use super::names::{Name, classify, known, similar};
use super::roles::{DEFAULT_MODE, MODE_VARIABLE, default_image, variable, variable_in_mode};
use super::{Origin, Platform, ResolvedImage, Warning};
use crate::ImageName;
use crate::source::{Diagnostic, Diagnostics, SourceFile, Span};
use crate::vocabulary::{Mode, Role};

/// What messages call the process environment.
const ENVIRONMENT: &str = "environment";

/// The configuration of an env file and of an environment.
pub(super) fn decide(
    file: Option<&SourceFile>,
    environment: &HashMap<String, String>,
) -> Result<Platform, Diagnostics> {
    let mut settings = Settings::default();
    let mut used = BTreeSet::new();
    if let Some(file) = file {
        ENV_FILE.check(file)?;
        let read = env_file::read(file, environment);
        used.clone_from(&read.used);
        settings.add_file(read);
    }
    settings.add_environment(environment, &used);
    settings.finish(file)
}

#[derive(Default)]
struct Settings {
    mode: Option<(Mode, Origin)>,
    images: HashMap<&'static str, (ImageName, Origin)>,
    errors: Vec<Diagnostic>,
    warnings: Vec<Warning>,
}

impl Settings {
    /// Takes what a file says, and reports its mistakes even where the environment wins.
    fn add_file(&mut self, read: EnvFile) {
        self.errors.extend(read.errors);
        let mut first: HashMap<String, Span> = HashMap::new();
        for assignment in read.assignments {
            let (key, span) = (assignment.key, assignment.key_span);
            if let Some(earlier) = first.get(&key) {
                let error = Diagnostic::new(&read.shown, span, format!("`{key}` is set twice"));
                self.errors.push(
                    error
                        .label("set again here")
                        .secondary(*earlier, "first set here")
                        .help("remove one of the two lines"),
                );
                continue;
            }
            first.insert(key.clone(), span);
            match classify(&key) {
                Name::Known(variable) => {
                    let path = read.shown.path().to_owned();
                    let origin = Origin::File {
                        path,
                        line: span.line,
                    };
                    self.set(variable, &assignment.value, origin);
                }
                // What other lines refer to is a helper, such as `IMAGE_REGISTRY`.
                _ if read.used.contains(&key) => {}
                _ => {
                    let error =
                        Diagnostic::new(&read.shown, span, format!("unknown variable `{}`", short(&key)));
                    self.errors.push(error.label("names no image").help(meant(&key)));
                }
            }
        }
        for (key, meant, span) in read.near_misses {
            if !read.used.contains(&key) {
                self.warnings.push(Warning {
                    title: format!("`{key}` is not read"),
                    place: read.shown.location(span),
                    help: Some(format!("did you mean `{meant}`?")),
                });
            }
        }
    }

    /// Takes what the environment says, which wins over a file.
    fn add_environment(&mut self, environment: &HashMap<String, String>, used: &BTreeSet<String>) {
        for variable in known() {
            if let Some(text) = environment.get(variable) {
                self.set(
                    variable,
                    &environment_value(variable, text),
                    Origin::Environment { variable },
                );
            }
        }
        for name in environment.keys() {
            if classify(name) == Name::Unknown && !used.contains(name) {
                self.warnings.push(Warning {
                    title: format!("unknown variable `{}`", short(name)),
                    place: ENVIRONMENT.to_owned(),
                    help: Some(meant(name)),
                });
            }
        }
    }

    /// Checks a value and keeps it.
    fn set(&mut self, variable: &'static str, value: &Value, origin: Origin) {
        let result = if value.text.is_empty() {
            Err(Mistake::new(format!("`{variable}` is empty"), "expected a value").help(without(variable)))
        } else if variable == MODE_VARIABLE {
            image::mode(value).map(|mode| self.mode = Some((mode, origin)))
        } else {
            image::image(variable, value).map(|image| {
                self.images.insert(variable, (image, origin));
            })
        };
        match result {
            Err(mistake) => self.errors.push(mistake.at(value)),
            Ok(()) => {
                for name in &value.unset {
                    self.warnings.push(Warning {
                        title: format!("`{name}` is not set, and is blank in `{variable}`"),
                        place: value.file.location(value.span),
                        help: Some(format!("set `{name}` in the environment or above this line")),
                    });
                }
            }
        }
    }

    fn finish(mut self, file: Option<&SourceFile>) -> Result<Platform, Diagnostics> {
        if let Some(errors) = Diagnostics::from_vec(self.errors) {
            return Err(errors);
        }
        let mut images = Vec::with_capacity(Mode::ALL.len() * Role::ALL.len());
        for mode in Mode::ALL {
            for role in Role::ALL {
                images.push(resolve(*role, *mode, &self.images));
            }
        }
        let (mode, mode_origin) = self.mode.unwrap_or((DEFAULT_MODE, Origin::Default));
        self.warnings
            .sort_by(|a, b| (&a.place, &a.title).cmp(&(&b.place, &b.title)));
        Ok(Platform {
            env_file: file.map(|file| file.path().to_owned()),
            mode,
            mode_origin,
            images,
            warnings: self.warnings,
        })
    }
}

/// The image of a role in a mode: its variable's, else the default.
fn resolve(role: Role, mode: Mode, set: &HashMap<&'static str, (ImageName, Origin)>) -> ResolvedImage {
    let read = variable_in_mode(role, mode);
    let (image, origin) = set.get(read).cloned().unwrap_or_else(|| {
        let image = default_image(role, mode)
            .parse()
            .expect("the specification's defaults are image references");
        (image, Origin::Default)
    });
    let origin = match read == variable(role) {
        true => origin,
        false => Origin::FallsBackTo {
            variable: read,
            origin: Box::new(origin),
        },
    };
    ResolvedImage {
        role,
        mode,
        image,
        origin,
    }
}

/// A variable of the environment, written as a line of a file so that messages can point into it.
fn environment_value(variable: &str, text: &str) -> Value {
    let shown = hide_credentials(text);
    let start = variable.len() + 1;
    Value {
        text: text.to_owned(),
        file: Arc::new(SourceFile::new(ENVIRONMENT, format!("{variable}={shown}"))),
        span: Span {
            start,
            end: start + shown.len(),
            line: 1,
            column: start + 1,
        },
        is_verbatim: shown == text,
        is_filled_in: false,
        unset: Vec::new(),
    }
}

/// What to do about a value that is missing.
fn without(variable: &str) -> String {
    let default = match Role::ALL.iter().find(|role| super::variable(**role) == variable) {
        None => DEFAULT_MODE.as_str(),
        // Layered mode never reads this one.
        Some(role @ Role::KerberosTest) => default_image(*role, Mode::Prebuilt),
        Some(role) => default_image(*role, Mode::Layered),
    };
    format!("without `{variable}` the default counts: `{default}`")
}

/// The variable that was probably meant, or all there are.
fn meant(name: &str) -> String {
    match similar(name) {
        Some(known) => format!("did you mean `{known}`?"),
        None => {
            let all: Vec<String> = known().map(|known| format!("`{known}`")).collect();
            format!("the platform reads {}", all.join(", "))
        }
    }
}

/// A name for a message.
fn short(name: &str) -> String {
    match name.char_indices().nth(64) {
        Some((end, _)) => format!("{}…", name[..end].escape_debug()),
        None => name.escape_debug().to_string(),
    }
}
