//! Every door through which an image's name comes takes and refuses the same ones.

use std::sync::Arc;

use shellproof::platform::Platform;
use shellproof::scenario::{self, ImageChoice};
use shellproof::source::SourceFile;
use shellproof::vocabulary::{Mode, Role};
use shellproof::{ImageName, ImageReference};
use shellproof_api::{ErrorKind, Runtime};
use shellproof_fake::Fake;

const DIGEST: &str = "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// What is a reference. `#` at the end stands for a digest.
const ACCEPTED: &[&str] = &[
    "a",
    "python:3.11-alpine",
    "myorg/python:latest",
    "localhost/a",
    "localhost:5000/a/b:TAG",
    "localhost:65535/a",
    "docker.io/library/postgres",
    "reg.corp:8443/docker-prod/postgres/17.5:v2025.10-hardened",
    "Reg.Corp/a",
    "10.0.0.1:5000/a:b",
    "[::1]:5000/a:1",
    "[2001:db8::1]/a",
    "a__b/c---d/e.f_g:_x",
    "a#",
    "reg.corp/a:1#",
    "sub.localhost:5000/a",
    "reg:5000",
    "xn--n3h.com/a:1",
];

/// What is none.
const REFUSED: &[&str] = &[
    "reg.corp/Foo/bar:1",
    "reg.corp/foo/Bar",
    "Python:3.11",
    "MyOrg/python",
    "a..b:1",
    "a._b",
    "a___b",
    "a-",
    "-a",
    "a//b",
    "/a",
    "a/",
    "localhost:99999/a",
    "localhost:0/a",
    "localhost:/a",
    "localhost:http/a",
    "localhost:+80/a",
    "[::1/a",
    "[::g]/a",
    "[]/a",
    "::1/a",
    "[::1]x/a",
    "[::1]:5000",
    "[fe80::1%eth0]/a",
    "reg_1.corp/a",
    "reg..corp/a",
    "-reg.corp/a",
    "a:",
    ":1",
    "a:1:2",
    "a:.x",
    "a:-x",
    "a:x+y",
    "a@sha256:12",
    "a@latest",
    "a##",
    "a#:1",
    "https://reg.corp/a",
    "docker://reg.corp/a",
    "a b",
    "a?b",
    "a%2fb",
    "../a",
    "reg.corp/../a",
    "./a",
    "a/./b",
    "ä",
    "a\\b",
    "reg.corp/a,b",
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
];

async fn doors(text: &str) -> Vec<(&'static str, Option<String>)> {
    let python = |platform: Platform| platform.image(Role::Python, Mode::Prebuilt).image.to_string();
    let file = Arc::new(SourceFile::new(".env", format!("IMAGE_PYTHON='{text}'\n")));
    let variable = [("IMAGE_PYTHON".to_owned(), text.to_owned())];
    let file_of = |quoted: &str| {
        let text = format!(
            "schema: 1\nname: a\nmodes: [prebuilt]\ncontainers:\n  a: {{ image: {quoted}, expect: {{ exit: 0 }} }}\n"
        );
        let scenario = scenario::parse("a.yaml", &text).ok()?;
        match &scenario.for_mode(Mode::Prebuilt)?.containers[0].image.value {
            ImageChoice::Named(name) => Some(name.to_string()),
            ImageChoice::Role(_) => None,
        }
    };
    let engine = {
        match Fake::new().image(text).await {
            Ok(_) => Some(text.to_owned()),
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::Invalid, "{text}");
                None
            }
        }
    };
    vec![
        (
            "the type",
            text.parse::<ImageReference>().ok().map(|it| it.to_string()),
        ),
        (
            "the name",
            text.parse::<ImageName>().ok().map(|it| it.to_string()),
        ),
        (
            "the env file",
            Platform::from_parts(Some(file), []).ok().map(python),
        ),
        (
            "the environment",
            Platform::from_parts(None, variable).ok().map(python),
        ),
        ("a scenario", file_of(&format!("'{text}'"))),
        ("a backend", engine),
    ]
}

#[tokio::test]
async fn every_door_takes_the_same_references() {
    for text in ACCEPTED {
        let text = text.replace('#', DIGEST);
        for (door, taken) in doors(&text).await {
            assert_eq!(taken.as_ref(), Some(&text), "{door}");
        }
    }
}

#[tokio::test]
async fn every_door_refuses_the_same_texts() {
    for text in REFUSED {
        let text = text.replace('#', DIGEST);
        for (door, taken) in doors(&text).await {
            assert_eq!(taken, None, "{door} takes `{text}`");
        }
    }
}
