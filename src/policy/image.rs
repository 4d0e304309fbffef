//! The image witness: what an image is and contains, under the policy for prebuilt mode.

mod debug;
mod files;
mod run;
mod start;

use shellproof_api::HealthTest;
use shellproof_api::facts::{Fact, ImageContent, OnBuild, RecordedHealth, Setting, What, without_secrets};

use super::programs::Reading;
use super::{Evidence, Rule, health};

/// Where the configuration's findings are.
const CONFIGURATION: &str = "its configuration";
/// How much of an instruction is shown, in characters.
const LINE: usize = 120;

/// What an image is to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Promise {
    /// It holds no shell and no package manager at all.
    pub is_strict: bool,
    /// It is no debug variant.
    pub is_no_debug: bool,
}

/// What stands against an image, or is worth knowing.
pub(super) fn judge(promise: Promise, fact: &Fact) -> Vec<Evidence> {
    let What::Image { content: image, .. } = &fact.what else {
        return Vec::new();
    };
    let found = program(image)
        .into_iter()
        .chain(health_check(image))
        .chain(debug::judge(promise.is_no_debug, image))
        .chain(on_build(image))
        .chain(user(image))
        .chain(secrets(image));
    let found = found.map(|found| found.about(fact, CONFIGURATION));
    let mut found: Vec<_> = found
        .chain(files::judge(promise.is_strict, fact, image))
        .collect();
    // The gravest first, and what has one cure side by side.
    found.sort_by_key(|one| one.rule);
    found
}

pub(crate) use debug::is_debug_name;
pub(super) use run::{Images, clears, gaps, is_below, judge_run};

/// The shells of an image, by path.
pub(crate) fn shells(image: &ImageContent) -> Vec<String> {
    let shells = image.programs.iter().filter(|one| files::is_shell(one));
    shells.map(|one| one.path.clone()).collect()
}

/// Whether an image has what would be started by an argument vector, looked for as an engine does.
pub(crate) fn has_program(image: &ImageContent, argv: &[String]) -> bool {
    start::missing(image, argv).is_none()
}

/// Something that was found in an image.
struct Finding {
    rule: Rule,
    detail: String,
    help: Option<String>,
    path: Option<String>,
}

impl Finding {
    fn new(rule: Rule, detail: impl Into<String>) -> Self {
        Self {
            rule,
            detail: detail.into(),
            help: None,
            path: None,
        }
    }

    fn help(self, help: impl Into<String>) -> Self {
        Self {
            help: Some(help.into()),
            ..self
        }
    }

    fn at(self, path: &str) -> Self {
        Self {
            path: Some(path.to_owned()),
            ..self
        }
    }

    fn about(self, fact: &Fact, source: &str) -> Evidence {
        Evidence {
            help: self.help,
            path: self.path,
            source: source.to_owned(),
            ..Evidence::of(fact, self.rule, self.detail)
        }
    }
}

/// What a container of the image starts.
fn program(image: &ImageContent) -> Option<Finding> {
    let configuration = &image.configuration;
    let argv = [
        configuration.entrypoint.as_slice(),
        configuration.command.as_slice(),
    ]
    .concat();
    let instruction = match configuration.entrypoint.is_empty() {
        true => "CMD",
        false => "ENTRYPOINT",
    };
    if let Some(found) = of_reading(image, &argv, "what it starts,") {
        return Some(found.help(format!(
            "use the exec form, of a program that is no shell and no script of one: `{instruction} [\"/path/to/program\", \
             \"argument\"]`"
        )));
    }
    missing(image, &argv, Rule::ProgramMissing, "what it starts,").map(|found| {
        found.help(format!(
            "copy the program into the image, or correct `{instruction}` or `PATH`"
        ))
    })
}

/// A program that is not in the image: nobody can say what somebody else would bring in its place.
fn missing(image: &ImageContent, argv: &[String], rule: Rule, what: &str) -> Option<Finding> {
    let line = shown(&without_secrets(argv).join(" "));
    let missing = start::missing(image, argv)?;
    let of = match argv.first() {
        Some(program) if *program != missing => ", which a `#!` line names,",
        _ => "",
    };
    let is = match image.resolve(&missing) {
        None => "is a link that leads in a circle",
        Some(_) => "is not in the image, or is no program there",
    };
    Some(Finding::new(
        rule,
        format!("{what} `{line}`: `{}`{of} {is}", missing.escape_debug()),
    ))
}

fn of_reading(image: &ImageContent, argv: &[String], what: &str) -> Option<Finding> {
    let line = shown(&without_secrets(argv).join(" "));
    Some(match start::read(image, argv) {
        Reading::Other => return None,
        Reading::Shell(shell) => Finding::new(
            Rule::Shell,
            format!("{what} `{line}`, is run by a shell (`{shell}`)"),
        ),
        Reading::PackageManager(manager) => Finding::new(
            Rule::PackageManager,
            format!("{what} `{line}`, is a package manager (`{manager}`)"),
        ),
        Reading::Unreadable(unread) | Reading::Cut(unread) => Finding::new(
            Rule::UnreadableWrapper,
            format!("{what} `{line}`, cannot be judged, since nobody can say what `{unread}` is or runs"),
        ),
    })
}

fn health_check(image: &ImageContent) -> Option<Finding> {
    let test = match &image.configuration.health {
        RecordedHealth::None => return None,
        RecordedHealth::NotRecorded => {
            return Some(
                Finding::new(
                    Rule::HealthCheckNotRecorded,
                    "whether it has a health check is not recorded: Podman built it in OCI's format",
                )
                .help("build it with `podman build --format docker` if it has one"),
            );
        }
        RecordedHealth::Test(test) => test,
    };
    if let Some(found) = health::judge(test, "health check", None) {
        return Some(Finding {
            help: found.help,
            ..Finding::new(found.rule, found.detail)
        });
    }
    let HealthTest::Command(argv) = test else {
        return None;
    };
    let Some(mut found) = of_reading(image, argv, "its health check,") else {
        let found = missing(image, argv, Rule::HealthCheckProgram, "its health check,")?;
        return Some(found.help("copy the program into the image, or correct `HEALTHCHECK` or `PATH`"));
    };
    if found.rule == Rule::Shell {
        found.rule = Rule::HealthCheckShell;
    }
    Some(found.help(
        "use a program that is no shell and no script of one: `HEALTHCHECK CMD [\"/path/to/program\"]`",
    ))
}

/// What is done when another image is built from this one: what it starts is as bad there as here.
fn on_build(image: &ImageContent) -> Vec<Finding> {
    let judge = |one: &OnBuild| {
        let shown = shown(&without_secrets(&words(&one.line)).join(" "));
        let Some((setting, argv)) = &one.sets else {
            let detail = format!("`ONBUILD {shown}` is carried out when an image is built from it");
            return Finding::new(Rule::OnBuild, detail);
        };
        let rule = match setting {
            Setting::HealthCheck => Rule::HealthCheckShell,
            Setting::Program => Rule::Shell,
        };
        let Some(argv) = argv else {
            let detail = format!("`ONBUILD {shown}` has the shell form, for images that are built from it");
            return Finding::new(rule, detail)
                .help("use the exec form: `[\"/path/to/program\", \"argument\"]`");
        };
        match of_reading(image, argv, "for images that are built from it,") {
            Some(found) if found.rule == Rule::Shell => Finding { rule, ..found },
            Some(found) => found,
            None => Finding::new(
                Rule::OnBuild,
                format!("`ONBUILD {shown}` holds for images that are built from it"),
            ),
        }
    };
    image.configuration.on_build.iter().map(judge).collect()
}

fn user(image: &ImageContent) -> Option<Finding> {
    let user = image.configuration.user.split(':').next().unwrap_or_default();
    let is_root = matches!(user, "" | "root") || user.parse() == Ok(0);
    is_root.then(|| {
        Finding::new(
            Rule::RootUser,
            "its program runs as root unless it is told otherwise",
        )
        .help("add `USER 65532`, or another number that is not 0, to the Dockerfile")
    })
}

/// Values are never shown.
fn secrets(image: &ImageContent) -> Vec<Finding> {
    let configuration = &image.configuration;
    let help =
        "whoever has the image has it too: give it at run time, or to the build as `RUN --mount=type=secret`";
    let env = configuration.env.iter().filter(|one| {
        let has_value = one.split_once('=').is_some_and(|(_, value)| !value.is_empty());
        has_value && without_secrets(&[(*one).clone()]) != [(*one).clone()]
    });
    let env = env.map(|one| {
        let name = one.split('=').next().unwrap_or_default();
        Finding::new(
            Rule::SecretInImage,
            format!("its environment has `{name}`, which looks like a secret"),
        )
    });
    let history = configuration.history.iter().filter_map(|line| {
        let words = words(line);
        let hidden = without_secrets(&words);
        (hidden != words && !line.starts_with("ENV ")).then(|| {
            let line = shown(&hidden.join(" "));
            Finding::new(
                Rule::SecretInImage,
                format!("its history has what looks like a secret: `{line}`"),
            )
        })
    });
    env.chain(history).map(|found| found.help(help)).collect()
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

/// A line in one piece, as long as it can be read in one go.
fn shown(line: &str) -> String {
    let words: Vec<_> = line.split_whitespace().collect();
    let line = words.join(" ");
    let mut shown: String = line.chars().take(LINE).collect();
    if shown.len() < line.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
#[path = "image_tests.rs"]
mod tests;
