//! One file of the catalogue.

use std::path::Path;

use shellproof_conformance::lab::Engine;

/// What a file tries, and what must come of it.
pub struct Case {
    /// The file's name.
    pub name: String,
    /// Its first line.
    pub what: String,
    /// The expected verdict.
    pub verdict: String,
    /// The rule that must be among the evidence.
    pub rule: Option<String>,
    /// Only for this kind of engine.
    kind: Option<String>,
    /// What becomes of it when the policy is enforced, where that is tried as well.
    pub denied: Option<Denied>,
    /// How many bytes go into one write.
    pub write: usize,
    /// The parts, in their order.
    pub parts: Vec<Part>,
}

/// What becomes of a case when what violates the policy is refused.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// The container `{new}` never starts.
    Stopped,
    /// Everything is as without.
    Passed,
}

/// A part of a file: how it follows the part before, and its text.
pub struct Part {
    /// What its separator says.
    pub how: How,
    /// A head, an empty line and a body.
    pub text: String,
}

/// How a part follows the part before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// On a new connection to the recorder, after the answer.
    Next,
    /// On the same connection, before the answer.
    Pipelined,
    /// On a new connection to the recorder, whose answers nobody waits for.
    Open,
    /// On a new connection to the engine itself.
    Direct,
    /// After so many milliseconds, with no request.
    Pause(u64),
}

impl Case {
    pub fn is_for(&self, engine: &Engine) -> bool {
        self.kind
            .as_deref()
            .is_none_or(|kind| kind == engine.kind.as_str())
    }

    fn read(name: &str, text: &str) -> Self {
        let header: Vec<&str> = text.lines().map_while(|line| line.strip_prefix("# ")).collect();
        let value = |key: &str| {
            header
                .iter()
                .find_map(|line| line.strip_prefix(key))
                .map(str::trim)
        };
        let expected = value("expect:").unwrap_or_else(|| panic!("{name}: no `expect:`"));
        let (verdict, rule) = match expected.split_once(' ') {
            Some((verdict, rule)) => (verdict, Some(rule.to_owned())),
            None => (expected, None),
        };
        let body: Vec<&str> = text.lines().skip(header.len() + 1).collect();
        let mut parts: Vec<Part> = Vec::new();
        for line in body {
            let separator = line.strip_prefix("=== ");
            if separator.is_some() || parts.is_empty() {
                parts.push(Part {
                    how: separator.map_or(How::Next, |how| how_of(name, how)),
                    text: String::new(),
                });
            }
            if separator.is_none()
                && let Some(part) = parts.last_mut()
            {
                part.text.push_str(line);
                part.text.push('\n');
            }
        }
        Self {
            name: name.to_owned(),
            what: header.first().map_or(String::new(), |line| (*line).to_owned()),
            verdict: verdict.to_owned(),
            rule,
            kind: value("engines:").map(str::to_owned),
            denied: value("deny:").map(|denied| match denied {
                "stopped" => Denied::Stopped,
                "passed" => Denied::Passed,
                other => panic!("{name}: `deny:` knows no `{other}`"),
            }),
            write: value("writes:").map_or(usize::MAX, |bytes| bytes.parse().expect("a number")),
            parts,
        }
    }
}

fn how_of(name: &str, how: &str) -> How {
    match how {
        "next" => How::Next,
        "pipelined" => How::Pipelined,
        "direct" => How::Direct,
        "open" => How::Open,
        _ => match how.strip_prefix("pause ").and_then(|time| time.parse().ok()) {
            Some(time) => How::Pause(time),
            None => panic!("{name}: no separator is called `{how}`"),
        },
    }
}

/// All files of a kind.
pub fn read_all(kind: &str) -> Vec<Case> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/evasions")
        .join(kind);
    let mut files: Vec<_> = std::fs::read_dir(&directory)
        .expect("the catalogue")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "http"))
        .collect();
    files.sort();
    let read = |path: &std::path::PathBuf| {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        Case::read(&name, &std::fs::read_to_string(path).expect("a readable file"))
    };
    files.iter().map(read).collect()
}
