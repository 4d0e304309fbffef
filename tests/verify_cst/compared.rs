//! The answers of container-structure-test, recorded, against those given here.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::{Held, fixtures, verify};

/// One line for each case.
const ANSWERS: &str = include_str!("answers.tsv");

/// A case as it was recorded.
struct Case {
    theirs: &'static str,
    ours: &'static str,
    image: &'static str,
    key: &'static str,
    test: &'static str,
}

fn cases() -> Vec<Case> {
    let lines = ANSWERS.lines().filter(|line| !line.starts_with('#'));
    let case = |line: &'static str| {
        let parts: Vec<_> = line.split('\t').collect();
        let [theirs, ours, image, key, test] = parts[..] else {
            panic!("no case: {line}");
        };
        Case {
            theirs,
            ours,
            image,
            key,
            test,
        }
    };
    lines.map(case).collect()
}

/// Cases that can stand in one file, by their places.
fn groups(cases: &[Case]) -> BTreeMap<(&str, &str, usize), Vec<usize>> {
    let mut groups: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (place, case) in cases.iter().enumerate() {
        let is_alone = !matches!(case.key, "fileExistenceTests" | "fileContentTests");
        let group = (case.image, case.key, if is_alone { place } else { 0 });
        groups.entry(group).or_default().push(place);
    }
    groups
}

fn text(cases: &[Case], group: &[usize]) -> String {
    let first = &cases[group[0]];
    let head = "schemaVersion: 2.0.0\n";
    match first.key {
        "whole" => first.test.replace("\\n", "\n") + "\n",
        "metadataTest" => format!("{head}metadataTest: {{ {} }}\n", first.test),
        "licenseTests" => format!("{head}licenseTests: [{{ {} }}]\n", first.test),
        key => {
            let item = |place: &usize| format!("- {{ name: c{place}, {} }}\n", cases[*place].test);
            format!("{head}{key}:\n") + &group.iter().map(item).collect::<String>()
        }
    }
}

fn archive(image: &str) -> PathBuf {
    let path = std::path::absolute(fixtures::directory().join(format!("{image}.tar"))).unwrap();
    assert!(path.exists(), "the fixtures are not built: scripts/fixtures");
    path
}

#[test]
#[ignore = "needs the fixtures"]
fn the_answers_are_those_that_were_recorded() {
    let cases = cases();
    assert!(cases.len() > 100);
    for (_, group) in groups(&cases) {
        let directory = TempDir::new().unwrap();
        let image = format!("docker-archive:{}", archive(cases[group[0]].image).display());
        let text = text(&cases, &group);
        let ended = verify(&directory, &image, "tests.yaml", &text, &["--format", "json"]);
        let held = (ended.code != Some(2)).then(|| Held::of(&ended));
        for &place in &group {
            let case = &cases[place];
            let name = match group.len() {
                1 => String::new(),
                _ => format!("`c{place}`"),
            };
            let is_its = |what: &&str| what.contains(&name);
            let ours = match &held {
                None => "refused",
                Some(held) if held.failed().iter().any(&is_its) => "fail",
                Some(held) if held.gaps.iter().any(|gap| is_its(&gap.as_str())) => "unproven",
                Some(_) => "pass",
            };
            assert_eq!(ours, case.ours, "{} {}: {}", case.image, case.key, case.test);
        }
    }
}

/// What passes there and not here is a difference that is known, and nothing that fails there may pass here, but for owners,
/// of which its tar driver says nothing.
#[test]
fn no_answer_is_milder() {
    for case in cases() {
        let is_of_owner = case.test.contains("uid: ") || case.test.contains("gid: ");
        let is_milder = case.theirs == "fail" && case.ours == "pass";
        assert!(!is_milder || is_of_owner, "{} {}", case.image, case.test);
    }
}

#[test]
#[ignore = "CONTAINER_STRUCTURE_TEST=/path/to/it cargo test --test verify_cst -- --ignored"]
fn the_recorded_answers_are_its_own() {
    let program = std::env::var_os("CONTAINER_STRUCTURE_TEST").expect("it is named");
    let cases = cases();
    for (_, group) in groups(&cases) {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("tests.yaml");
        fs::write(&path, text(&cases, &group)).unwrap();
        let output = Command::new(&program)
            .args(["test", "--driver", "tar", "--output", "json", "--image"])
            .arg(archive(cases[group[0]].image))
            .arg("--config")
            .arg(&path)
            .output()
            .unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let results = report["Results"].as_array().cloned().unwrap_or_default();
        for &place in &group {
            let is_its = |one: &&Value| {
                let name = one["Name"].as_str().unwrap_or_default();
                group.len() == 1 || name.ends_with(&format!(" c{place}"))
            };
            let mut its = results.iter().filter(is_its).peekable();
            let passes = its.peek().is_some() && its.all(|one| one["Pass"] == true);
            let theirs = if passes { "pass" } else { "fail" };
            assert_eq!(theirs, cases[place].theirs, "{}", cases[place].test);
        }
    }
}
