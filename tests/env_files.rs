//! `kerberos/setup.sh` and `shellproof config` read the same env files, and agree on the mode and the image of the
//! Kerberos test, or both refuse the file.
#![cfg(unix)]

#[path = "support/numbers.rs"]
mod numbers;

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use shellproof::platform::Platform;
use shellproof::vocabulary::Role;

type Environment<'a> = &'a [(&'a str, &'a str)];

/// Mode and image, or why there are none.
type Answer = Result<String, String>;

fn setup(file: &Path, environment: Environment<'_>) -> Answer {
    let ended = Command::new("kerberos/setup.sh")
        .arg("--print-config")
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("ENV_FILE", file)
        .envs(environment.iter().copied())
        .output()
        .expect("the script can be started");
    let errors = String::from_utf8_lossy(&ended.stderr).into_owned();
    match ended.status.code() {
        Some(0) if errors.is_empty() => Ok(String::from_utf8_lossy(&ended.stdout).into_owned()),
        Some(2) if errors.starts_with("error: ") => Err(errors),
        code => panic!("{}: setup.sh ended with {code:?}: {errors}", file.display()),
    }
}

fn config(file: &Path, environment: Environment<'_>) -> Answer {
    let variables: HashMap<String, String> = environment
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let platform = Platform::load_with(Some(file), variables).map_err(|mistakes| mistakes.to_string())?;
    let image = &platform.image(Role::KerberosTest, platform.mode()).image;
    Ok(format!("mode {}\nimage {image}\n", platform.mode()))
}

/// What both say of a file.
fn agreed(file: &Path, environment: Environment<'_>) -> Answer {
    let (setup, config) = (setup(file, environment), config(file, environment));
    let show = || {
        let text = fs::read(file).unwrap_or_default();
        format!(
            "{} {environment:?}\n{}\nsetup.sh: {setup:?}\nconfig:   {config:?}",
            file.display(),
            text.escape_ascii()
        )
    };
    match (&setup, &config) {
        (Ok(one), Ok(other)) => assert_eq!(one, other, "{}", show()),
        (Err(_), Err(_)) => {}
        _ => panic!("only one of them refuses\n{}", show()),
    }
    setup
}

fn env_files(directory: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("the directory is there");
    let paths = entries.map(|entry| entry.expect("the entry can be read").path());
    paths
        .filter(|path| path.extension().is_some_and(|found| found == "env"))
        .collect()
}

/// A file with this text, until the end of the test.
fn with_file<T>(text: &[u8], then: impl FnOnce(&Path) -> T) -> T {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let file = directory.path().join("a.env");
    fs::write(&file, text).expect("the file can be written");
    then(&file)
}

#[test]
fn both_refuse_the_same_files() {
    let files = env_files("tests/platform");
    assert!(files.len() > 25);
    for file in files {
        let answer = agreed(&file, &[]);
        assert!(answer.is_err(), "{}: {answer:?}", file.display());
        let errors = answer.unwrap_err().to_lowercase();
        assert!(!errors.contains("hunter2"), "{}: {errors}", file.display());
    }
}

#[test]
fn both_read_the_same_from_the_others() {
    let files = env_files("tests/platform/accepted");
    assert!(files.len() > 5);
    for file in files {
        let answer = agreed(&file, &[]);
        assert!(answer.is_ok(), "{}: {answer:?}", file.display());
    }
    for text in ["platform-bootstrap/.env.example", "scenarios/fixtures.env"] {
        assert!(agreed(Path::new(text), &[]).is_ok());
    }
}

#[test]
fn the_environment_counts_in_the_same_way() {
    let text = b"IMAGE_MODE=prebuilt\nIMAGE_KERBEROS_TEST=${REG:-reg.corp}/a:$name\nname=1\n";
    with_file(text, |file| {
        // A variable of the script itself is none of the environment.
        assert!(agreed(file, &[]).is_err());
        let with = |environment| agreed(file, environment);
        let image = "mode prebuilt\nimage other/a:2\n".to_owned();
        assert_eq!(with(&[("REG", "other"), ("name", "2")]), Ok(image));
        let layered = "mode layered\nimage python:3.11-alpine\n".to_owned();
        assert_eq!(with(&[("name", "2"), ("IMAGE_MODE", "layered")]), Ok(layered));
        for wrong in [
            [("name", "2"), ("IMAGE_MODE", "Layered")],
            [("name", "2"), ("IMAGE_MODE", "")],
            [("name", "2"), ("IMAGE_OPENSEARCH", "reg.corp/Foo/bar:1")],
            [("name", "2"), ("IMAGE_PYTHON", "")],
        ] {
            assert!(agreed(file, &wrong).is_err(), "{wrong:?}");
        }
    });
}

#[test]
fn both_follow_one_grammar_of_references() {
    let zeros = "0".repeat(64);
    for (text, is_image) in [
        ("a", true),
        ("[::1]:5000/a:1", true),
        ("[1:2:3:4:5:6:7::]/a", true),
        ("[1:2:3:4:5:6:7:8]/a", true),
        ("[::]/a", true),
        ("localhost:00080/a", true),
        ("a__b/c---d/e.f_g:_x", true),
        (&format!("a:1@sha256:{zeros}"), true),
        (&format!("{zeros}:1"), true),
        (&format!("reg.corp/{}:{}", "r".repeat(255), "t".repeat(128)), true),
        ("fixture:python-3", true),
        ("reg.corp/Foo/bar:1", false),
        ("a..b:1", false),
        ("localhost:99999/a", false),
        ("localhost:0/a", false),
        ("[1:2:3:4:5:6:7:8::]/a", false),
        ("[1:2:3:4:5:6:7]/a", false),
        ("[::1::]/a", false),
        ("[:::]/a", false),
        ("[::ffff:1.2.3.4]/a", false),
        ("::1/a", false),
        ("a___b", false),
        ("MyOrg/a", false),
        (&format!("a@sha256:{zeros}@sha256:{zeros}"), false),
        (&zeros, false),
        (&format!("reg.corp/{}", "r".repeat(256)), false),
        (&format!("a:{}", "t".repeat(129)), false),
        ("fixture:", false),
        ("fixture:a_b", false),
        ("äa", false),
    ] {
        let answer = with_file(format!("IMAGE_PYTHON='{text}'").as_bytes(), |file| {
            agreed(file, &[])
        });
        assert_eq!(answer.is_ok(), is_image, "{text}: {answer:?}");
    }
}

#[test]
fn both_agree_on_texts_that_nobody_wrote() {
    const PIECES: &[&str] = &[
        "IMAGE_MODE=",
        "IMAGE_PYTHON=",
        "IMAGE_PYTHON: ",
        "IMAGE_X=",
        "\nKEY=",
        "\nB=",
        "export ",
        "\n",
        "\n",
        "\r\n",
        "\"",
        "'",
        "\\",
        "\\\"",
        "\\n",
        "$",
        "$$",
        "${",
        "}",
        "${KEY",
        "$KEY",
        "${KEY:-",
        "${B-",
        ":+x",
        ":?",
        "prebuilt",
        "layered",
        "python:3.11",
        "reg:5000/a",
        "a",
        "A",
        ".",
        "_",
        "-",
        "/",
        ":1",
        "@",
        "[::1]",
        "fixture:",
        "é",
        "\u{a0}",
        "\t",
        " ",
        " #",
        "#",
        "\u{b}",
        "\u{7f}",
        "[0]",
    ];
    let (mut numbers, mut read) = (numbers::Numbers(0x5eed_cafe), 0);
    for _ in 0..400 {
        let text: String = match numbers.next(3) {
            // A value that is probably one.
            0 => {
                let value = (0..numbers.next(5)).map(|_| PIECES[numbers.next(PIECES.len())]);
                format!("KEY=a\nIMAGE_PYTHON={}\n", value.collect::<String>())
            }
            _ => (0..numbers.next(12))
                .map(|_| PIECES[numbers.next(PIECES.len())])
                .collect(),
        };
        let mut bytes = text.into_bytes();
        if numbers.next(20) == 0 {
            bytes.push([0xff, 0xc3, 0][numbers.next(3)]);
        }
        read += usize::from(with_file(&bytes, |file| agreed(file, &[("B", "env")])).is_ok());
    }
    assert!(read > 50, "only {read} texts were read");
}

#[test]
fn a_path_that_is_no_text_is_a_path() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let file = directory.path().join(OsStr::from_bytes(b"\xff.env"));
    fs::write(&file, "IMAGE_PYTHON=a:1").expect("the file can be written");
    assert_eq!(agreed(&file, &[]), Ok("mode layered\nimage a:1\n".to_owned()));
}
