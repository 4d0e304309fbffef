//! Files that are no scenarios, and directories to find scenarios in.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use shellproof::scenario::{self, MAX_FILE_BYTES};
use tempfile::TempDir;

const VALID: &str = "schema: 1\nname: a\ncontainers:\n  a: { role: python, expect: { exit: 0 } }\n";

/// An empty directory, removed at the end of the test.
fn directory() -> TempDir {
    tempfile::tempdir().expect("a directory can be made")
}

/// The first line of why a file is refused, and that this was quick.
fn refused(path: &Path) -> String {
    let start = Instant::now();
    let mistakes = scenario::load(path).expect_err("it is no scenario");
    let text = mistakes.to_string();
    assert!(
        start.elapsed() < Duration::from_secs(30),
        "{:?} for {}",
        start.elapsed(),
        path.display()
    );
    assert!(text.contains(&path.display().to_string()), "{text}");
    text.lines().next().unwrap_or_default().to_owned()
}

fn refused_bytes(bytes: &[u8]) -> String {
    let directory = directory();
    let path = directory.path().join("a.yaml");
    fs::write(&path, bytes).expect("the file can be written");
    refused(&path)
}

#[test]
fn a_missing_file() {
    assert_eq!(
        refused(&directory().path().join("a.yaml")),
        "error: no such file or directory"
    );
}

#[test]
fn a_directory() {
    assert_eq!(
        refused(directory().path()),
        "error: expected a scenario file, found a directory"
    );
}

#[test]
fn a_device_is_never_opened() {
    assert_eq!(
        refused(Path::new("/dev/zero")),
        "error: expected a scenario file, found no regular file"
    );
}

#[test]
fn a_large_file_is_never_read() {
    let directory = directory();
    let path = directory.path().join("a.yaml");
    let file = fs::File::create(&path).expect("the file can be made");
    file.set_len(1 << 40).expect("a file with a hole takes no space");
    assert_eq!(
        refused(&path),
        "error: the file is too large for a scenario: 1099511627776 bytes"
    );
}

#[test]
fn a_large_text() {
    let text = " ".repeat(MAX_FILE_BYTES as usize + 1);
    let mistakes = scenario::parse("a.yaml", &text)
        .expect_err("it is too large")
        .to_string();
    assert!(
        mistakes.contains("1048577 bytes") && mistakes.contains("at most 1048576 bytes"),
        "{mistakes}"
    );
}

#[test]
fn bytes_that_are_no_text() {
    let expected = "error: the file is no UTF-8 text: line 2 holds other bytes";
    assert_eq!(refused_bytes(b"schema: 1\nname: Gr\xfc\xdfe\n"), expected);
    let utf16: Vec<u8> = VALID.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(
        refused_bytes(&utf16),
        "error: the file is no text: line 1 holds a NUL byte"
    );
    let elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0";
    assert_eq!(
        refused_bytes(elf),
        "error: the file is no text: line 1 holds a NUL byte"
    );
}

#[test]
fn an_empty_file() {
    assert_eq!(refused_bytes(b""), "error: the file is empty");
    assert_eq!(refused_bytes(b" \n\n"), "error: the file is empty");
    assert_eq!(refused_bytes("\u{feff}".as_bytes()), "error: the file is empty");
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_read() {
    let text = format!("\u{feff}{}", VALID.replace('\n', "\r\n"));
    assert!(scenario::parse("a.yaml", &text).is_ok());
}

/// Files of the largest size that are made to take long.
#[test]
fn hostile_files_are_refused_quickly() {
    let fill = |unit: &str| unit.repeat(MAX_FILE_BYTES as usize / unit.len());
    let numbered = |line: &dyn Fn(usize) -> String| {
        let mut text = String::new();
        for index in 0.. {
            let line = line(index);
            if text.len() + line.len() > MAX_FILE_BYTES as usize - VALID.len() {
                return text;
            }
            text.push_str(&line);
        }
        text
    };
    let cases = [
        ("open-lists", fill("[")),
        ("open-maps", fill("{a: ")),
        ("nested-dashes", fill("- ")),
        ("question-marks", fill("? ")),
        ("bangs", fill("!")),
        ("one-line-list", format!("a: [{}]", numbered(&|_| "[],".into()))),
        ("one-line-words", format!("ä: [{}]", numbered(&|_| "é, ".into()))),
        ("one-word", fill("a")),
        ("one-key", format!("{}: 1", fill("a").split_at(1000).1)),
        ("quotes", format!("\"{}", fill("a").split_at(10).1)),
        ("unknown-keys", numbered(&|index| format!("k{index}: 1\n"))),
        ("same-keys", fill("a: 1\n")),
        (
            "anchors",
            format!("a: [{}]", numbered(&|index| format!("&a{index} x, "))),
        ),
        (
            "networks",
            format!(
                "{VALID}networks: [{}]\n",
                numbered(&|index| format!("n{index},")).split_at(900_000).0
            ),
        ),
        (
            "containers",
            format!(
                "{VALID}{}",
                numbered(&|index| format!("  c{index}: {{ network: n{index} }}\n"))
            ),
        ),
        ("spaces", fill(" ")),
        ("breaks", fill("\n")),
        ("comments", fill("# a\n")),
        ("documents", fill("---\n")),
        ("tabs", fill("\t")),
        ("colons", fill(":\n")),
        ("block-text", format!("a: |\n{}", numbered(&|_| " x\n".into()))),
        (
            "circle",
            format!(
                "schema: 1\nname: a\ncontainers:\n{}",
                (0..64)
                    .map(|index| {
                        let all: Vec<String> = (0..64).map(|other| format!("c{other}: started")).collect();
                        format!(
                            "  c{index}: {{ role: python, after: {{ {} }} }}\n",
                            all.join(", ")
                        )
                    })
                    .collect::<String>()
            ),
        ),
    ];
    for (name, text) in cases {
        let start = Instant::now();
        refused_bytes(text.as_bytes());
        println!("{name}: {:?}", start.elapsed());
    }
}

#[test]
fn a_regular_expression_cannot_use_up_the_memory() {
    let text = VALID.replace("role: python", "role: python, ready: { log: '(x{1000}){1000}' }");
    let mistakes = scenario::parse("a.yaml", &text)
        .expect_err("it is too large")
        .to_string();
    assert!(mistakes.contains("is no regular expression"), "{mistakes}");
}

#[test]
fn scenarios_are_found_in_order() {
    let directory = directory();
    let root = directory.path().to_path_buf();
    for name in [
        "b.yaml",
        "a.yml",
        "c/d.yaml",
        "c/e/f.yaml",
        "notes.txt",
        ".hidden.yaml",
        ".git/g.yaml",
    ] {
        let path = root.join(name);
        fs::create_dir_all(path.parent().expect("it has one")).expect("it can be made");
        fs::write(path, VALID).expect("it can be written");
    }
    let found = scenario::discover(&[root.clone(), root.join("b.yaml"), root.join("notes.txt")])
        .expect("they are there");
    let names: Vec<_> = found
        .iter()
        .filter_map(|path| path.strip_prefix(&root).ok()?.to_str())
        .collect();
    assert_eq!(names, ["a.yml", "b.yaml", "c/d.yaml", "c/e/f.yaml", "notes.txt"]);
}

#[cfg(unix)]
#[test]
fn a_link_to_a_directory_is_no_endless_way() {
    let directory = directory();
    let root = directory.path().to_path_buf();
    fs::write(root.join("a.yaml"), VALID).expect("it can be written");
    std::os::unix::fs::symlink(&root, root.join("again")).expect("it can be linked");
    std::os::unix::fs::symlink(&root, root.join("again.yaml")).expect("it can be linked");
    assert_eq!(
        scenario::discover(std::slice::from_ref(&root)).expect("one is there"),
        [root.join("a.yaml")]
    );
}

#[test]
fn finding_nothing_is_a_mistake() {
    let directory = directory();
    let root = directory.path().to_path_buf();
    let none = scenario::discover(&[root.clone(), root.join("missing")])
        .expect_err("nothing is there")
        .to_string();
    assert!(none.contains("no scenario in this directory"), "{none}");
    assert!(none.contains("no such file or directory"), "{none}");
    let none = scenario::discover(&[])
        .expect_err("nothing is asked for")
        .to_string();
    assert!(none.contains("no path to look for scenarios in"), "{none}");
}

#[test]
fn two_scenarios_cannot_share_a_name_and_all_files_are_reported() {
    let directory = directory();
    let root = directory.path().to_path_buf();
    fs::write(root.join("a.yaml"), VALID).expect("it can be written");
    fs::write(root.join("b.yaml"), VALID).expect("it can be written");
    fs::write(root.join("c.yaml"), "schema: 2\n").expect("it can be written");
    let mistakes = scenario::load_all(std::slice::from_ref(&root))
        .expect_err("names clash")
        .to_string();
    assert!(mistakes.contains("two scenarios are named `a`"), "{mistakes}");
    assert!(mistakes.contains("a.yaml:2:7"), "{mistakes}");
    assert!(mistakes.contains("no scenario schema 2"), "{mistakes}");
}
