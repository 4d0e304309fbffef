//! Whatever stands in a file, reading it ends with a scenario or with messages, never with a panic.
//!
//! Valid and invalid scenarios are cut, joined and sprinkled with what YAML finds special. The
//! sequence is the same in every run. `SCENARIO_MUTATIONS=100000` makes it longer.

use std::fs;

use shellproof::scenario::{self, Scenario};
use shellproof::source::Color;

/// A small generator of numbers (xorshift), the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides.max(1) as u64) as usize
    }

    fn pick<'a, T: AsRef<str>>(&mut self, items: &'a [T]) -> &'a str {
        items.get(self.roll(items.len())).map_or("", AsRef::as_ref)
    }
}

const PIECES: &[&str] = &[
    ":",
    ": ",
    "- ",
    "\n",
    "\n  ",
    "\n\n",
    "{",
    "}",
    "[",
    "]",
    ",",
    "&a ",
    "*a",
    "!!str ",
    "! ",
    "|\n",
    ">-\n",
    "\"",
    "'",
    "#",
    " #",
    "? ",
    "---\n",
    "...\n",
    "%YAML 1.2\n",
    "%TAG ! x\n",
    "~",
    "null",
    "true",
    "0",
    "-1",
    "1e9",
    "99999999999999999999",
    "20",
    "5s",
    "\t",
    "\r\n",
    "\r",
    "\0",
    "\u{feff}",
    "\u{85}",
    "\u{2028}",
    "é",
    "日本語",
    "\u{202e}",
    "\u{1b}[31m",
    "\\x",
    "\\",
    "<<: ",
    "@",
    "`",
    "{}",
    "[]",
    "exited-",
    "ready",
    "fixture:",
    "layered: ",
    "prebuilt: ",
    "command: ",
    "ａ",
    "👩‍👩‍👧",
];

fn seeds() -> Vec<String> {
    let mut paths: Vec<_> = ["tests/scenario-samples", "tests/diagnostics"]
        .iter()
        .flat_map(|directory| fs::read_dir(directory).expect("the directory is there"))
        .map(|entry| entry.expect("the entry can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| fs::read_to_string(path).expect("it can be read"))
        .collect()
}

/// A place in a text where it can be cut.
fn cut(text: &str, dice: &mut Dice) -> usize {
    let mut at = dice.roll(text.len() + 1);
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn mutate(text: &mut String, seeds: &[String], dice: &mut Dice) {
    let (a, b) = (cut(text, dice), cut(text, dice));
    let (start, end) = (a.min(b), a.max(b).min(a.min(b) + 200));
    let end = (end..=text.len())
        .find(|&at| text.is_char_boundary(at))
        .unwrap_or(text.len());
    match dice.roll(6) {
        0 => text.insert_str(start, dice.pick(PIECES)),
        1 => text.replace_range(start..end, ""),
        2 => text.replace_range(start..end, dice.pick(PIECES)),
        3 => {
            let again = text[start..end].to_owned();
            text.insert_str(start, &again);
        }
        4 => text.truncate(start),
        _ => {
            let other = dice.pick(seeds);
            let lines: Vec<&str> = other.split_inclusive('\n').collect();
            text.insert_str(start, dice.pick(&lines));
        }
    }
}

/// What must hold of every valid scenario.
fn resolve(scenario: &Scenario) {
    for mode in &scenario.modes {
        let plan = scenario
            .for_mode(*mode)
            .expect("a valid scenario has a plan for its modes");
        assert_eq!(plan.containers.len(), scenario.containers.len());
        for (index, container) in plan.containers.iter().enumerate() {
            for after in &container.after {
                let earlier = plan.containers[..index]
                    .iter()
                    .any(|other| other.name == after.container);
                assert!(
                    earlier,
                    "`{}` starts before `{}`",
                    container.name, after.container
                );
            }
            let argvs = [&container.entrypoint, &container.args];
            assert!(
                argvs
                    .iter()
                    .all(|argv| argv.as_ref().is_none_or(|argv| !argv.value.is_empty()))
            );
        }
    }
}

#[test]
fn no_text_makes_the_reader_panic() {
    let rounds = std::env::var("SCENARIO_MUTATIONS")
        .ok()
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(4000);
    let seeds = seeds();
    let mut dice = Dice(0x5eed_5ce7_a210);
    let (mut valid, mut invalid) = (0, 0);
    for _ in 0..rounds {
        let mut text = dice.pick(&seeds).to_owned();
        for _ in 0..=dice.roll(4) {
            mutate(&mut text, &seeds, &mut dice);
        }
        let outcome = std::panic::catch_unwind(|| match scenario::parse("mutated.yaml", &text) {
            Ok(scenario) => {
                resolve(&scenario);
                true
            }
            Err(mistakes) => {
                assert!(mistakes.iter().next().is_some(), "an error without a mistake");
                for mistake in &mistakes {
                    let Some(span) = mistake.span else { continue };
                    let source = mistake.file.source();
                    assert!(
                        source.get(span.start..span.end).is_some(),
                        "{span:?} cuts a character"
                    );
                    let line = source[..span.start].matches('\n').count() + 1;
                    assert_eq!(line, span.line, "{span:?}");
                }
                assert!(!mistakes.render(Color::Never).is_empty());
                assert!(!mistakes.render(Color::Always).is_empty());
                false
            }
        });
        match outcome {
            Ok(true) => valid += 1,
            Ok(false) => invalid += 1,
            Err(_) => panic!("this text does it:\n{text:?}"),
        }
    }
    assert!(
        valid > 0 && invalid > 0,
        "{valid} valid and {invalid} invalid texts are no good mixture"
    );
}
