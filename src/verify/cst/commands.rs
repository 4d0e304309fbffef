//! Command tests as scenarios: each is a container that ends, and nothing is committed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use shellproof_api::facts::ImageContent;

use super::expand::{Env, env, expand};
use super::schema::{CommandTest, Output, Tests};
use super::sheet::Sheet;
use crate::policy::image::has_program;
use crate::scenario::{
    Audit, Container, EnvVar, Expect, ImageChoice, Outcomes, Scenario, Settings, TextExpect,
};
use crate::source::{Span, Spanned};
use crate::vocabulary::Mode;

/// How many containers run side by side.
const AT_ONCE: usize = 16;
/// container-structure-test waits as long as it takes.
const PATIENCE: Duration = Duration::from_secs(240);

/// A container for each command test; what cannot be said so is noted.
pub(super) fn containers(
    tests: &Tests,
    image: &ImageChoice,
    content: &ImageContent,
    sheet: &mut Sheet,
) -> Vec<Container> {
    let mut known = env(&content.configuration.env);
    let global = tests.global_env.iter().map(|one| EnvVar {
        name: one.key.clone(),
        value: one.value.clone().map(|value| expand(&value, &known)),
    });
    let global: Vec<EnvVar> = global.collect();
    known.extend(
        global
            .iter()
            .map(|one| (one.name.value.clone(), one.value.value.clone())),
    );
    let (mut containers, mut names) = (Vec::new(), BTreeSet::new());
    for test in &tests.commands {
        if let Some((place, why)) = beyond(tests, test) {
            sheet.skip(place, format!("command test `{}`", test.name), why);
            continue;
        }
        let Some(base) = settings(tests, test, image, &global, &known, sheet) else {
            continue;
        };
        if let Some(program) = lacking(content, &base) {
            let what = format!("`{program}` to be started (command test `{}`)", test.name);
            sheet.check(
                test.command.span,
                what,
                Some("it is no program of the image".into()),
            );
            continue;
        }
        containers.push(Container {
            name: Spanned::new(unique(&test.name.value, &mut names), test.name.span),
            span: test.name.span,
            base,
            layered: None,
            prebuilt: None,
        });
    }
    containers
}

/// The program of a test, if the image has none of that name: then nothing has to be started to know that it fails.
fn lacking(image: &ImageContent, settings: &Settings) -> Option<String> {
    let program = &settings.entrypoint.as_ref()?.value.first()?.value;
    // Elsewhere, where it is looked for is not for the image to say.
    let is_relative = program.contains('/') && !program.starts_with('/');
    let is_elsewhere = settings.env.iter().flatten().any(|one| one.name.value == "PATH");
    let is_there = is_relative || is_elsewhere || has_program(image, std::slice::from_ref(program));
    (!is_there).then(|| program.clone())
}

/// Scenarios of these containers, of which not all run at a time.
pub(super) fn scenarios(tests: &Tests, containers: Vec<Container>) -> Vec<Scenario> {
    let chunks = containers.chunks(AT_ONCE).enumerate();
    let name = |place: usize| match containers.len() <= AT_ONCE {
        true => "command-tests".to_owned(),
        false => format!("command-tests-{}", place + 1),
    };
    chunks
        .map(|(place, containers)| Scenario {
            file: Arc::clone(&tests.file),
            name: Spanned::new(name(place), Span::default()),
            proves: None,
            modes: vec![Mode::Prebuilt],
            criteria: Vec::new(),
            networks: Vec::new(),
            volumes: Vec::new(),
            containers: containers.to_vec(),
            audit: Audit::default(),
            expect: Outcomes::default(),
            waivers: Vec::new(),
        })
        .collect()
}

/// Why a test cannot be honoured, and where that is said.
fn beyond(tests: &Tests, test: &CommandTest) -> Option<(Span, String)> {
    let options = &tests.options;
    if let Some(setup) = test.setup {
        let why =
            "what `setup` changes would have to be kept, and no image is committed; bring it in the image";
        return Some((setup, why.to_owned()));
    }
    if let Some(key) = options.beyond.first() {
        let why = format!("`{key}` of `containerRunOptions` has no place here");
        return Some((key.span, why));
    }
    match (options.is_set, test.env.first()) {
        (Some(_), Some(env)) => {
            let why = "beside `containerRunOptions`, container-structure-test drops the test's own `envVars`";
            Some((env.key.span, why.to_owned()))
        }
        _ => None,
    }
}

fn settings(
    tests: &Tests,
    test: &CommandTest,
    image: &ImageChoice,
    global: &[EnvVar],
    known: &Env,
    sheet: &mut Sheet,
) -> Option<Settings> {
    let put_in = |text: &Spanned<String>| text.clone().map(|text| expand(&text, known));
    let argv: Vec<_> = std::iter::once(&test.command)
        .chain(&test.args)
        .map(put_in)
        .collect();
    if argv[0].value.is_empty() {
        let what = format!("command test `{}` to name a program", test.name);
        sheet.check(test.command.span, what, Some("its variables are empty".into()));
        return None;
    }
    let mut variables: Vec<EnvVar> = global.to_vec();
    let own = test.env.iter().map(|one| EnvVar {
        name: one.key.clone(),
        value: one.value.clone(),
    });
    // Of whoever asks, and only where they have a value.
    let asked = tests.options.env.iter().filter_map(|name| {
        let value = std::env::var(&name.value)
            .ok()
            .filter(|value| !value.is_empty())?;
        Some(EnvVar {
            name: name.clone(),
            value: Spanned::new(value, name.span),
        })
    });
    for one in own.chain(asked) {
        variables.retain(|other| other.name != one.name);
        variables.push(one);
    }
    let (stdout, stderr) = (text(test, &test.stdout, sheet)?, text(test, &test.stderr, sheet)?);
    let expect = Expect {
        exit: Some(test.exit),
        stdout,
        stderr,
        ..Expect::default()
    };
    let (first, rest) = argv.split_first()?;
    Some(Settings {
        image: Some(Spanned::new(image.clone(), test.name.span)),
        entrypoint: Some(Spanned::new(vec![first.clone()], first.span)),
        args: (!rest.is_empty()).then(|| Spanned::new(rest.to_vec(), first.span)),
        env: Some(variables).filter(|variables| !variables.is_empty()),
        user: tests.options.user.clone(),
        expect: Some(expect),
        timeout: Some(Spanned::new(PATIENCE, test.name.span)),
        ..Settings::default()
    })
}

/// What is expected of a stream; none where a pattern says nothing, so that the whole test is left out.
fn text(test: &CommandTest, output: &Output, sheet: &mut Sheet) -> Option<Option<TextExpect>> {
    let mut compile = |all: &[Spanned<String>]| -> Option<Vec<_>> {
        let what = format!("command test `{}`", test.name);
        let compiled = all
            .iter()
            .map(|one| Some(Spanned::new(sheet.pattern(one, &what)?, one.span)));
        compiled.collect()
    };
    let expect = TextExpect {
        span: test.name.span,
        matches: compile(&output.expected)?,
        not_matches: compile(&output.excluded)?,
        ..TextExpect::default()
    };
    let is_empty = expect.matches.is_empty() && expect.not_matches.is_empty();
    Some((!is_empty).then_some(expect))
}

/// A name that a container can have, and no other has.
fn unique(name: &str, names: &mut BTreeSet<String>) -> String {
    let mut word = String::new();
    for c in name.chars() {
        match c {
            c if c.is_ascii_alphanumeric() => word.push(c.to_ascii_lowercase()),
            _ if !word.ends_with('-') => word.push('-'),
            _ => {}
        }
    }
    word.truncate(50);
    let word = match word.trim_matches('-') {
        "" => "test",
        word => word,
    };
    let mut found = word.to_owned();
    let mut number = 2;
    while !names.insert(found.clone()) {
        found = format!("{word}-{number}");
        number += 1;
    }
    found
}
