//! The readers of this crate against Go's own, in which engines are written: JSON keys against `encoding/json`, request
//! targets against `net/http`.
//!
//! Where Go is, it is asked anew, and its answers must be the recorded ones; elsewhere the recorded ones are taken. With
//! `SHELLPROOF_RECORD=1` they are written anew. `--ignored` asks other questions, for ten minutes.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use shellproof_wire::{Target, names, read_body};

const FIELDS: [&str; 9] = [
    "Image",
    "Cmd",
    "Entrypoint",
    "HostConfig",
    "SecurityOpt",
    "Healthcheck",
    "seccomp_profile_path",
    "health_cmd",
    "k",
];

/// The directory of the program that asks Go, and of what it once said.
const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/go");

/// Asks Go what the questions of one kind ask.
type Ask = fn(&str, &[Value]) -> Vec<Value>;

/// What Go answers to each question, now or when it was recorded.
fn ask(name: &str, questions: &[Value]) -> Vec<Value> {
    let file = Path::new(PROGRAM).join(format!("{name}.jsonl"));
    let recorded = std::fs::read_to_string(&file).unwrap_or_default();
    let answers = match go(questions) {
        Some(answers) if std::env::var_os("SHELLPROOF_RECORD").is_some() => {
            std::fs::write(&file, &answers).unwrap();
            answers
        }
        Some(answers) => {
            assert!(
                answers == recorded,
                "Go no longer answers as recorded in {}",
                file.display()
            );
            answers
        }
        None => {
            eprintln!("no Go here: its recorded answers are taken");
            recorded
        }
    };
    read(&answers, questions)
}

/// What Go answers now.
fn ask_go(_: &str, questions: &[Value]) -> Vec<Value> {
    read(&go(questions).expect("Go is needed for this"), questions)
}

/// One answer for each question.
fn read(answers: &str, questions: &[Value]) -> Vec<Value> {
    let answers: Vec<Value> = answers
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(answers.len(), questions.len());
    answers
}

fn go(questions: &[Value]) -> Option<String> {
    let child = Command::new("go")
        .args(["run", "main.go"])
        .current_dir(PROGRAM)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut child = child.ok()?;
    let mut stdin = child.stdin.take().unwrap();
    let questions: String = questions.iter().map(|question| format!("{question}\n")).collect();
    // A program that cannot be built reads nothing.
    let writing = std::thread::spawn(move || stdin.write_all(questions.as_bytes()).is_ok());
    let output = child.wait_with_output().unwrap();
    (writing.join().unwrap() && output.status.success()).then(|| String::from_utf8(output.stdout).unwrap())
}

/// The same numbers on each machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % sides
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len())]
    }
}

/// Spellings of a name: other cases, and letters that look or fold alike.
fn spellings(name: &str, dice: &mut Dice) -> BTreeSet<String> {
    const ALIKE: [(char, &str); 8] = [
        ('s', "\u{17f}\u{455}\u{ff53}"),
        ('k', "\u{212a}\u{3ba}\u{ff4b}"),
        ('i', "\u{130}\u{131}\u{456}"),
        ('e', "\u{435}\u{e9}"),
        ('c', "\u{441}\u{2ca5}"),
        ('o', "\u{43e}\u{ba}"),
        ('_', "-\u{ff3f}"),
        ('a', "\u{430}\u{aa}"),
    ];
    let mut found = BTreeSet::from([name.to_owned(), name.to_uppercase(), name.to_lowercase()]);
    found.extend([
        format!("{name}s"),
        format!(" {name}"),
        format!("{name}\u{200b}"),
        name[1..].to_owned(),
    ]);
    for _ in 0..60 {
        let spelled = name.chars().map(|letter| {
            let alike = ALIKE.iter().find(|(one, _)| *one == letter.to_ascii_lowercase());
            match (dice.roll(4), alike) {
                (0, _) => letter.to_ascii_uppercase(),
                (1, _) => letter.to_ascii_lowercase(),
                (2, Some((_, alike))) => alike.chars().nth(dice.roll(alike.chars().count())).unwrap(),
                _ => letter,
            }
        });
        found.insert(spelled.collect());
    }
    found
}

#[test]
fn a_key_is_taken_for_a_field_whenever_go_takes_it() {
    compare_keys(1, ask);
}

fn compare_keys(seed: u64, ask: Ask) {
    let mut dice = Dice(seed);
    let pairs: Vec<(&str, String)> = FIELDS
        .iter()
        .flat_map(|name| {
            spellings(name, &mut dice)
                .into_iter()
                .map(move |spelled| (*name, spelled))
        })
        .collect();
    let questions: Vec<_> = pairs
        .iter()
        .map(|(name, spelled)| json!(["key", name, spelled]))
        .collect();
    let mut taken = 0;
    for ((name, spelled), answer) in pairs.iter().zip(ask("keys", &questions)) {
        let is_taken = answer == true;
        taken += usize::from(is_taken);
        // `json-iterator`, which parts of Podman use, takes one letter more.
        let is_ours = names(spelled, name);
        assert!(
            is_ours == is_taken || is_ours && spelled.contains('\u{130}'),
            "{spelled} for {name}"
        );
        let body = json!({ *name: 1, spelled.clone(): 2 }).to_string();
        let differs = is_taken && spelled != name || !spelled.is_ascii() && is_ours;
        assert!(
            read_body(body.as_bytes()).is_err() == differs || !differs,
            "{body}"
        );
    }
    assert!(
        taken > 100 && taken < pairs.len() - 100,
        "{taken} of {}",
        pairs.len()
    );
}

#[test]
fn no_letter_beyond_ascii_stands_for_another_one() {
    let answers = ask("letters", &[json!(["letters"])]);
    let of_go: BTreeSet<char> = answers[0].as_str().unwrap().chars().collect();
    let of_ours: BTreeSet<char> = ('\u{80}'..=char::MAX)
        .filter(|letter| {
            let text = letter.to_string();
            ('a'..='z').any(|plain| names(&text, &plain.to_string()))
        })
        .collect();
    assert!(of_go.is_subset(&of_ours) && !of_go.is_empty(), "{of_go:?}");
    assert_eq!(
        of_ours.difference(&of_go).copied().collect::<Vec<_>>(),
        ['\u{130}']
    );
}

#[test]
fn a_body_that_is_read_says_the_same_to_go() {
    compare_bodies(2, ask);
}

fn compare_bodies(seed: u64, ask: Ask) {
    let mut dice = Dice(seed);
    let bodies: Vec<String> = (0..600).map(|_| body(&mut dice, 0)).collect();
    let questions: Vec<_> = bodies.iter().map(|body| json!(["body", body])).collect();
    let mut read = 0;
    for (body, answer) in bodies.iter().zip(ask("bodies", &questions)) {
        if let Ok(value) = read_body(body.as_bytes()) {
            assert_eq!(answer, json!([value]), "{body}");
            read += 1;
        }
    }
    assert!(read > 100 && read < 500, "{read}");
}

/// Something like JSON, of pieces that are easily read differently.
fn body(dice: &mut Dice, depth: usize) -> String {
    const KEYS: [&str; 8] = [
        "Cmd",
        "cmd",
        "\u{17f}",
        "S",
        "Labels",
        "env",
        "\\u0043md",
        "Cmd\\u0000",
    ];
    const VALUES: [&str; 14] = [
        "1",
        "2.5",
        "\"x\"",
        "\"\\ud800\"",
        "\"\\ud83d\\ude00\"",
        "null",
        "true",
        "01",
        "nul",
        "\"\\x\"",
        "[1,]",
        " 2 ",
        "\"\t\"",
        "\"\u{feff}\"",
    ];
    match dice.roll(if depth > 2 { 2 } else { 6 }) {
        0 | 1 => {
            let among = if dice.roll(4) == 0 { VALUES.len() } else { 7 };
            dice.pick(&VALUES[..among]).to_owned()
        }
        2 => {
            let values: Vec<_> = (0..dice.roll(3)).map(|_| body(dice, depth + 1)).collect();
            format!("[{}]", values.join(","))
        }
        _ => {
            let members: Vec<_> = (0..dice.roll(4))
                .map(|_| format!("\"{}\":{}", dice.pick(&KEYS), body(dice, depth + 1)))
                .collect();
            let end = if dice.roll(12) == 0 { "}{" } else { "}" };
            format!("{{{}{end}", members.join(","))
        }
    }
}

#[test]
fn a_target_is_taken_apart_as_go_does() {
    compare_targets(3, ask);
}

fn compare_targets(seed: u64, ask: Ask) {
    const BEGIN: [&str; 16] = [
        "/",
        "//",
        "http://d/",
        "http:/",
        "http:",
        "http://",
        "http:///",
        "HTTP://d/",
        "a+b://d/",
        "*",
        "",
        "d:80",
        "http://u:p@d/",
        "https://d/",
        "/v1.41/",
        "http://d?",
    ];
    const MIDDLE: [&str; 16] = [
        "containers",
        "/",
        "x",
        "%2F",
        "%2e%2e",
        "..",
        "?",
        "fromImage=",
        "&",
        "%zz",
        ";",
        "+",
        "#",
        "images/create",
        "from%49mage=",
        "a%20b",
    ];
    let mut dice = Dice(seed);
    let targets: BTreeSet<String> = (0..2000)
        .map(|_| {
            let mut target = dice.pick(&BEGIN).to_owned();
            (0..dice.roll(8)).for_each(|_| target.push_str(dice.pick(&MIDDLE)));
            target
        })
        .collect();
    let questions: Vec<_> = targets.iter().map(|target| json!(["target", target])).collect();
    let (mut same, mut refused) = (0, 0);
    for (target, answer) in targets.iter().zip(ask("targets", &questions)) {
        match Target::read(target) {
            Some(read) if !answer.is_null() => {
                assert_eq!(answer["path"], *read.decoded(), "{target}");
                assert_eq!(answer["query"], read.query, "{target}");
                if let Some(values) = read.values("fromImage") {
                    assert_eq!(answer["values"], json!(values), "{target}");
                }
                same += 1;
            }
            // Then no engine does anything for it.
            Some(_) => {}
            None => {
                assert!(!target.starts_with('/'), "{target}");
                refused += 1;
            }
        }
    }
    assert!(same > 300 && refused > 300, "{same} {refused}");
}

#[test]
#[ignore = "ten minutes of other questions, which need Go"]
fn all_of_them_for_ten_minutes() {
    let began = Instant::now();
    let mut seed = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let mut rounds = 0;
    while began.elapsed() < Duration::from_secs(600) {
        eprintln!("seed {seed}");
        compare_keys(seed, ask_go);
        compare_bodies(seed, ask_go);
        compare_targets(seed, ask_go);
        seed += 1;
        rounds += 1;
    }
    eprintln!("{rounds} rounds without a difference");
}
