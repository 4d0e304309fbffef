//! What an image's configuration says against what a `metadataTest` expects.

use shellproof_api::facts::ImageConfiguration;

use super::expand::env;
use super::schema::{EnvVar, MetadataTest};
use super::sheet::Sheet;
use crate::source::Spanned;

/// Compares the two.
pub(super) fn check(test: &MetadataTest, image: &ImageConfiguration, sheet: &mut Sheet) {
    let variables = env(&image.env);
    for expected in &test.env {
        let value = variables.get(&expected.key.value).map(String::as_str);
        pair("variable", expected, value, sheet);
    }
    for unbound in &test.unbound_env {
        let actual = variables
            .contains_key(&unbound.key.value)
            .then(|| "it is there".to_owned());
        sheet.check(
            unbound.key.span,
            format!("no variable `{}` (metadata test)", unbound.key),
            actual,
        );
    }
    for expected in &test.labels {
        let value = image.labels.get(&expected.key.value).map(String::as_str);
        pair("label", expected, value, sheet);
    }
    words("cmd", test.cmd.as_ref(), &image.command, sheet);
    words("entrypoint", test.entrypoint.as_ref(), &image.entrypoint, sheet);
    for (key, expected, actual) in [
        ("workdir", &test.workdir, &image.directory),
        ("user", &test.user, &image.user),
    ] {
        if let Some(expected) = expected {
            let is_other = expected.value != *actual;
            let actual = is_other.then(|| format!("it is `{}`", actual.escape_debug()));
            sheet.check(
                expected.span,
                format!("`{key}` to be `{expected}` (metadata test)"),
                actual,
            );
        }
    }
    // It compares numbers alone: what a test says with a protocol is never among them.
    let ports: Vec<_> = image
        .ports
        .iter()
        .map(|port| port.split('/').next().unwrap_or_default())
        .collect();
    let volumes: Vec<_> = image.volumes.iter().map(String::as_str).collect();
    members("port", &test.exposed_ports, &ports, true, sheet);
    members("port", &test.unexposed_ports, &ports, false, sheet);
    members("volume", &test.volumes, &volumes, true, sheet);
    members("volume", &test.unmounted_volumes, &volumes, false, sheet);
}

fn pair(kind: &str, expected: &EnvVar, value: Option<&str>, sheet: &mut Sheet) {
    let verb = if expected.is_regex { "match" } else { "be" };
    let what = format!(
        "{kind} `{}` to {verb} `{}` (metadata test)",
        expected.key, expected.value
    );
    let Some(value) = value else {
        return sheet.check(expected.key.span, what, Some("it is not there".into()));
    };
    let is_met = match expected.is_regex {
        false => expected.value.value == value,
        true => match sheet.pattern(&expected.value, &what) {
            Some(pattern) => pattern.is_match(value),
            None => return,
        },
    };
    // A variable may be a secret: of its value nothing is shown.
    let actual = (!is_met).then(|| "it is another".to_owned());
    sheet.check(expected.value.span, what, actual);
}

fn words(key: &str, expected: Option<&Spanned<Vec<Spanned<String>>>>, actual: &[String], sheet: &mut Sheet) {
    let Some(expected) = expected else {
        return;
    };
    let wanted: Vec<_> = expected.value.iter().map(|word| word.value.as_str()).collect();
    let is_other = wanted != actual;
    let actual = is_other.then(|| format!("it is {actual:?}"));
    sheet.check(
        expected.span,
        format!("`{key}` to be {wanted:?} (metadata test)"),
        actual,
    );
}

fn members(kind: &str, expected: &[Spanned<String>], actual: &[&str], is_wanted: bool, sheet: &mut Sheet) {
    for one in expected {
        let is_there = actual.contains(&one.value.as_str());
        let not = if is_wanted { "" } else { "no " };
        let seen = match is_there {
            true => "it is there".to_owned(),
            false if actual.is_empty() => "there is none".to_owned(),
            false => format!("there is `{}`", actual.join("`, `")),
        };
        let actual = (is_there != is_wanted).then_some(seen);
        sheet.check(one.span, format!("{not}{kind} `{one}` (metadata test)"), actual);
    }
}
