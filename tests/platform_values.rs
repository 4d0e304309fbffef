//! What an env file and an environment mean together, and the report of it.

#[path = "support/numbers.rs"]
mod numbers;

use std::fs;
use std::sync::Arc;

use serde_json::json;
use shellproof::ImageName;
use shellproof::platform::{DEFAULT_MODE, Origin, Platform, default_image, variable};
use shellproof::source::{Color, Diagnostics, SourceFile};
use shellproof::vocabulary::{Mode, Role};

fn read(text: &str, environment: &[(&str, &str)]) -> Result<Platform, Diagnostics> {
    let file = Arc::new(SourceFile::new("conf/.env", text));
    Platform::from_parts(Some(file), owned(environment))
}

fn platform(text: &str, environment: &[(&str, &str)]) -> Platform {
    read(text, environment).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().map(own).collect()
}

fn image(platform: &Platform, role: Role, mode: Mode) -> (String, String) {
    let found = platform.image(role, mode);
    assert_eq!((found.role, found.mode), (role, mode));
    (found.image.to_string(), found.origin.to_string())
}

fn warnings(platform: &Platform) -> Vec<String> {
    platform.warnings().iter().map(ToString::to_string).collect()
}

#[test]
fn nothing_set_means_the_specifications_defaults() {
    let platform = Platform::from_parts(None, []).expect("nothing is no mistake");
    assert_eq!(
        (platform.mode(), platform.mode_origin()),
        (Mode::Layered, &Origin::Default)
    );
    assert_eq!(platform.env_file(), None);
    assert_eq!(platform.warnings(), []);
    let images = |mode| -> Vec<String> {
        let text = |role: &Role| platform.image(*role, mode).image.to_string();
        Role::ALL.iter().map(text).collect()
    };
    let mut expected = [
        "python:3.11-alpine",
        "python:3.11-alpine",
        "postgres:17.5-alpine",
        "docker.getcollate.io/openmetadata/server:1.10.1",
        "opensearchproject/opensearch:2.19.2",
    ];
    assert_eq!(images(Mode::Layered), expected);
    expected[1] = "myorg/kerberos-test:latest";
    assert_eq!(images(Mode::Prebuilt), expected);
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_default() {
    let file =
        "A=1\nIMAGE_PYTHON=org/python:1\nexport IMAGE_POSTGRES = 'org/pg:1' # ours\nIMAGE_MODE: prebuilt";
    let environment = [("IMAGE_PYTHON", "reg:5000/python:2"), ("IMAGE_MODE", "layered")];
    let platform = platform(file, &environment);
    assert_eq!(platform.mode(), Mode::Layered);
    let variable = "IMAGE_MODE";
    assert_eq!(platform.mode_origin(), &Origin::Environment { variable });
    let python = ("reg:5000/python:2".to_owned(), "environment".to_owned());
    assert_eq!(image(&platform, Role::Python, Mode::Prebuilt), python);
    let postgres = ("org/pg:1".to_owned(), "conf/.env:3".to_owned());
    assert_eq!(image(&platform, Role::Postgres, Mode::Layered), postgres);
    assert_eq!(
        platform.image(Role::Opensearch, Mode::Layered).origin,
        Origin::Default
    );
}

#[test]
fn the_layered_kerberos_test_runs_in_the_python_image() {
    let platform = platform("IMAGE_KERBEROS_TEST=org/krb5:1\nIMAGE_PYTHON=org/python:1\n", &[]);
    let layered = platform.image(Role::KerberosTest, Mode::Layered);
    assert_eq!(layered.image.to_string(), "org/python:1");
    let path = "conf/.env".into();
    let origin = Box::new(Origin::File { path, line: 2 });
    let variable = "IMAGE_PYTHON";
    assert_eq!(layered.origin, Origin::FallsBackTo { variable, origin });
    let prebuilt = ("org/krb5:1".to_owned(), "conf/.env:1".to_owned());
    assert_eq!(image(&platform, Role::KerberosTest, Mode::Prebuilt), prebuilt);
}

#[test]
fn a_fixture_is_an_image() {
    let platform = platform("IMAGE_POSTGRES=fixture:postgres-17\n", &[]);
    let found = &platform.image(Role::Postgres, Mode::Prebuilt).image;
    assert_eq!(found, &ImageName::Fixture("postgres-17".into()));
    assert_eq!(found.to_string(), "fixture:postgres-17");
    assert_eq!(found.reference(), None);
}

#[test]
fn variables_come_from_the_environment_then_from_earlier_lines() {
    let python = |text: &str, environment: &[(&str, &str)]| {
        let platform = platform(text, environment);
        platform.image(Role::Python, Mode::Layered).image.to_string()
    };
    let file = "REG=file:5000\nTAG=1\nIMAGE_PYTHON=${REG}/python:$TAG\nTAG=2\n";
    assert_eq!(python(file, &[]), "file:5000/python:1");
    assert_eq!(python(file, &[("REG", "env:1")]), "env:1/python:1");
    // An empty variable of the environment is set.
    assert_eq!(
        python("REG=file/\nIMAGE_PYTHON=${REG}python", &[("REG", "")]),
        "python"
    );
    assert_eq!(
        python("IMAGE_PYTHON=\"${REG:-hub.corp}/a:${TAG-1}\"", &[]),
        "hub.corp/a:1"
    );
    assert_eq!(python("IMAGE_PYTHON=${REG:+reg/}a", &[("REG", "x")]), "reg/a");
    // Later lines refer to the platform's own values too.
    let file = "IMAGE_PYTHON=python:3.11\nIMAGE_KERBEROS_TEST=$IMAGE_PYTHON-krb5\n";
    let both = platform(file, &[]);
    let kerberos = both.image(Role::KerberosTest, Mode::Prebuilt);
    assert_eq!(kerberos.image.to_string(), "python:3.11-krb5");
    // A helper that other lines use is no unknown variable.
    assert_eq!(
        python("IMAGE_REGISTRY=reg.corp\nIMAGE_PYTHON=$IMAGE_REGISTRY/a\n", &[]),
        "reg.corp/a"
    );
}

#[test]
fn single_quotes_keep_dollars() {
    let mistakes = read("REG=reg.corp\nIMAGE_PYTHON='$REG/python'\n", &[]).unwrap_err();
    let expected = "\
error: `IMAGE_PYTHON`: the repository of an image holds lower-case letters, digits and `. _ -` only
 --> conf/.env:2:15
  |
2 | IMAGE_PYTHON='$REG/python'
  |               ^ not allowed here
";
    assert_eq!(mistakes.render(Color::Never), expected);
}

#[test]
fn compose_syntax_around_values_is_understood() {
    let file = "\u{feff}# comment\r\n\r\n  # another\r\nexport\tIMAGE_PYTHON=a:1#2x\r\n";
    assert!(
        read(file, &[])
            .unwrap_err()
            .to_string()
            .contains("`IMAGE_PYTHON`: the tag")
    );
    let file = "\u{feff}# comment\r\n\r\n IMAGE_PYTHON = a:1 # x\r\nNAME_ALONE\r\nKEY='it\\'s\nlong' # c\r\n\
                IMAGE_MODE=prebuilt\r\nEMPTY=\r\nA.b-c[0]=x";
    let platform = platform(file, &[]);
    assert_eq!(platform.mode(), Mode::Prebuilt);
    assert_eq!(
        image(&platform, Role::Python, Mode::Layered),
        ("a:1".to_owned(), "conf/.env:3".to_owned())
    );
    assert_eq!(platform.mode_origin().to_string(), "conf/.env:7");
}

#[test]
fn mistakes_in_the_environment_have_a_caret_too() {
    let environment = [
        ("IMAGE_PYTHON", "MyOrg/python:3.11"),
        ("IMAGE_POSTGRES", ""),
        ("IMAGE_OPENSEARCH", "me:hunter2@reg.corp/os"),
    ];
    let mistakes = Platform::from_parts(None, owned(&environment)).unwrap_err();
    let expected = "\
error: `IMAGE_PYTHON`: the repository of an image is written in lower case
 --> environment:1:14
  |
1 | IMAGE_PYTHON=MyOrg/python:3.11
  |              ^ upper case
  |
  = help: did you mean `myorg/python:3.11`?

error: `IMAGE_POSTGRES` is empty
 --> environment:1:16
  |
1 | IMAGE_POSTGRES=
  |                ^ expected a value
  |
  = help: without `IMAGE_POSTGRES` the default counts: `postgres:17.5-alpine`

error: `IMAGE_OPENSEARCH` holds a user name or a password
 --> environment:1:18
  |
1 | IMAGE_OPENSEARCH=***@reg.corp/os
  |                  ^^^^^^^^^^^^^^^ expected an image reference without them
  |
  = help: log in to the registry with the engine, as in `podman login REGISTRY`
";
    assert_eq!(mistakes.render(Color::Never), expected);
}

#[test]
fn the_file_and_the_environment_are_reported_together() {
    let mistakes = read("IMAGE_MODE=fast\n", &[("IMAGE_MODE", "slow")]).unwrap_err();
    let places: Vec<String> = mistakes
        .iter()
        .map(|m| m.file.path().display().to_string())
        .collect();
    assert_eq!(places, ["conf/.env", "environment"]);
}

#[test]
fn what_is_probably_not_meant_is_a_warning() {
    let file = "IMGE_MODE=prebuilt\nIMAGE_PYTHON=python:3.11$SUFFIX\n";
    let platform = platform(file, &[("IMAGE_POSTGRESS", "x"), ("IMAGE_TAG", "hunter2")]);
    let expected = [
        "warning: `IMGE_MODE` is not read\n --> conf/.env:1:1\n  = help: did you mean `IMAGE_MODE`?",
        "warning: `SUFFIX` is not set, and is blank in `IMAGE_PYTHON`\n --> conf/.env:2:14\n  \
         = help: set `SUFFIX` in the environment or above this line",
        "warning: unknown variable `IMAGE_POSTGRESS`\n --> environment\n  = help: did you mean `IMAGE_POSTGRES`?",
        "warning: unknown variable `IMAGE_TAG`\n --> environment\n  = help: the platform reads `IMAGE_MODE`, \
         `IMAGE_PYTHON`, `IMAGE_KERBEROS_TEST`, `IMAGE_POSTGRES`, `IMAGE_OPENMETADATA_SERVER`, `IMAGE_OPENSEARCH`",
    ];
    assert_eq!(warnings(&platform), expected);
}

#[test]
fn nothing_of_other_variables_is_kept() {
    let file = "DB_PASSWORD=hunter2\nTOKEN='hunter2\nhunter2'\nIMAGE_REGISTRY=hunter2\nX=$IMAGE_REGISTRY\n# hunter2\n";
    let platform = platform(file, &[("SECRET", "hunter2"), ("IMAGE_TAG", "hunter2")]);
    assert!(!format!("{platform:?}").contains("hunter2"));
    let report = platform.report();
    assert!(!format!("{report:?}{}{}", report.render_human(), report.to_json()).contains("hunter2"));
}

#[test]
fn the_report_tells_images_and_their_origins() {
    let file = "IMAGE_MODE=prebuilt\nIMAGE_POSTGRES=reg.corp:8443/prod/postgres/17.5:v1\nIMAGE_PYTHON=fixture:python\n";
    let platform = platform(file, &[("IMAGE_OPENSEARCH", "os:2.19.2"), ("IMAGE_X", "")]);
    let expected = "\
mode      prebuilt (conf/.env:1)
env file  conf/.env

python
  image     fixture:python
  variable  IMAGE_PYTHON (conf/.env:3)
  prebuilt  needs Python 3.11+

kerberos-test
  image     myorg/kerberos-test:latest
  variable  IMAGE_KERBEROS_TEST (default)
  prebuilt  needs Python + krb5 + test script

postgres
  image     reg.corp:8443/prod/postgres/17.5:v1
  variable  IMAGE_POSTGRES (conf/.env:2)
  registry  reg.corp:8443
  prebuilt  needs PostgreSQL 17.5+

openmetadata-server
  image     docker.getcollate.io/openmetadata/server:1.10.1
  variable  IMAGE_OPENMETADATA_SERVER (default)
  registry  docker.getcollate.io
  prebuilt  needs OpenMetadata 1.10.1

opensearch
  image     os:2.19.2
  variable  IMAGE_OPENSEARCH (environment)
  prebuilt  needs OpenSearch 2.19.2
";
    assert_eq!(platform.report().render_human(), expected);

    let layered = platform.report_for(Mode::Layered).render_human();
    assert!(
        layered.starts_with("mode      layered (command line)\n"),
        "{layered}"
    );
    let fallback = "variable  IMAGE_KERBEROS_TEST (falls back to IMAGE_PYTHON: conf/.env:3)\n";
    assert!(layered.contains(fallback), "{layered}");

    let report = platform.report().to_json();
    assert_eq!(report["schema"], 1);
    assert_eq!(report["env_file"], "conf/.env");
    let file_origin = |line: usize| json!({ "kind": "file", "path": "conf/.env", "line": line });
    assert_eq!(
        report["mode"],
        json!({ "value": "prebuilt", "variable": "IMAGE_MODE", "origin": file_origin(1) })
    );
    assert_eq!(report["roles"].as_array().map(Vec::len), Some(5));
    let postgres = json!({
        "role": "postgres",
        "mode": "prebuilt",
        "image": "reg.corp:8443/prod/postgres/17.5:v1",
        "fixture": false,
        "registry": "reg.corp:8443",
        "repository": "prod/postgres/17.5",
        "tag": "v1",
        "digest": null,
        "variable": "IMAGE_POSTGRES",
        "origin": file_origin(2),
        "prebuilt_requires": [{ "what": "PostgreSQL", "comparison": "at-least", "version": "17.5" }],
    });
    assert_eq!(report["roles"][2], postgres);
    assert_eq!(report["roles"][0]["fixture"], true);
    assert_eq!(report["warnings"][0]["title"], "unknown variable `IMAGE_X`");
}

/// The lines of the example that start with `mark`, without it.
fn example(mark: &str) -> String {
    let text = fs::read_to_string("platform-bootstrap/.env.example").expect("the example is there");
    let variant: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix(mark)).collect();
    let setting: Vec<&str> = variant
        .into_iter()
        .filter(|line| line.starts_with("IMAGE_"))
        .collect();
    setting.join("\n")
}

#[test]
fn the_example_as_it_stands_changes_nothing() {
    let text = fs::read_to_string("platform-bootstrap/.env.example").expect("the example is there");
    let found = platform(&text, &[]);
    let defaults = Platform::from_parts(None, []).expect("nothing is no mistake");
    assert_eq!(found.report().images, defaults.report().images);
    assert_eq!(found.warnings(), []);
}

#[test]
fn the_example_uncommented_says_the_defaults() {
    let text = example("#");
    assert_eq!(text.lines().count(), 6);
    let found = platform(&text, &[]);
    assert_eq!(found.mode(), DEFAULT_MODE);
    for role in Role::ALL {
        for mode in Mode::ALL {
            let found = found.image(*role, *mode);
            assert_eq!(found.image.to_string(), default_image(*role, *mode));
            assert_ne!(found.origin, Origin::Default);
        }
    }
}

#[test]
fn the_prebuilt_example_sets_every_role() {
    let text = example("## ");
    let found = platform(&text, &[]);
    assert_eq!(found.mode(), Mode::Prebuilt);
    for role in Role::ALL {
        let line = text.lines().position(|line| line.starts_with(variable(*role)));
        let (path, line) = ("conf/.env".into(), line.map_or(0, |index| index + 1));
        let found = found.image(*role, Mode::Prebuilt);
        assert_eq!(found.origin, Origin::File { path, line }, "{role}");
        assert!(found.image.to_string().starts_with("myorg/"));
    }
}

#[test]
fn no_text_is_too_strange() {
    const PIECES: &[&str] = &[
        "IMAGE_MODE",
        "IMAGE_PYTHON",
        "IMAGE_POSTGRES",
        "IMAGE_X",
        "IMAGE MODE",
        "IMGE_MODE",
        "KEY",
        "export ",
        "=",
        ":",
        " = ",
        "\n",
        "\nKEY",
        "\nKEY",
        "\r\n",
        "\n\n",
        "\"",
        "'",
        "\\",
        "\\\"",
        "$",
        "$$",
        "${",
        "}",
        "${KEY",
        ":-",
        ":?",
        "prebuilt",
        "layered",
        "python:3.11",
        "reg:5000/a",
        "@sha256:",
        "@",
        "/",
        "[::1]",
        "fixture:",
        "é",
        "\u{a0}",
        "\u{feff}",
        "日本",
        "\t",
        " #",
        "#",
        "://",
        "\u{1b}[31m",
        "\u{85}",
        "\u{2028}",
        "\u{301}",
    ];
    let mut numbers = numbers::Numbers(0x5eed_cafe);
    let mut refused = 0;
    for _ in 0..6000 {
        let text: String = match numbers.next(4) {
            0 => (0..numbers.next(60))
                .filter_map(|_| char::from_u32(numbers.next(0x300) as u32))
                .collect(),
            _ => (0..numbers.next(30))
                .map(|_| PIECES[numbers.next(PIECES.len())])
                .collect(),
        };
        let secret = text.replace("\nKEY", "\nSECRET=hunter2\nKEY");
        let value = text.clone();
        match read(&secret, &[("IMAGE_PYTHON", &value), ("KEY", "value")]) {
            Ok(platform) => {
                platform.report().render_human();
            }
            Err(mistakes) => {
                refused += 1;
                let shown = mistakes.render(Color::Always);
                assert!(
                    !shown.is_empty() && !shown.contains("hunter2"),
                    "{secret:?}\n{shown}"
                );
                assert!(!shown.contains("\u{1b}[31m"), "{secret:?}");
            }
        }
    }
    assert!(refused > 1000, "only {refused} texts were refused");
}

#[test]
fn random_bytes_are_no_env_file() {
    let path =
        std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("random-{}.env", std::process::id()));
    let mut numbers = numbers::Numbers(0xdead_beef);
    for _ in 0..200 {
        let bytes: Vec<u8> = (0..numbers.next(400)).map(|_| numbers.next(256) as u8).collect();
        fs::write(&path, bytes).expect("the file can be written");
        if let Err(mistakes) = Platform::load(Some(&path)) {
            mistakes.render(Color::Never);
        }
    }
    fs::remove_file(&path).expect("the file can be removed");
}
