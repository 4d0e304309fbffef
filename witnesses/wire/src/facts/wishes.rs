//! What the bodies of requests ask for, whatever the case of their keys.

use serde_json::Value;
use shellproof_api::HealthTest;
use shellproof_api::facts::Wish;

use super::words;
use crate::json;

/// The members of a body that an engine may read under one of these names.
fn all<'a>(body: &'a Value, names: &[&str]) -> Vec<&'a Value> {
    let members = body.as_object().into_iter().flatten();
    let is_called = |key: &str| names.iter().any(|name| json::names(key, name));
    members
        .filter(|(key, _)| is_called(key))
        .map(|(_, value)| value)
        .collect()
}

/// What a request to make a container says by itself.
pub(super) fn of(body: &Value) -> Wish {
    let commands: Vec<_> = match all(body, &["cmd", "command"]) {
        // Without a command, the entry point stands alone.
        none if none.is_empty() => vec![Vec::new()],
        commands => commands.into_iter().map(words).collect(),
    };
    // Without an entry point, the image's own decides what the command is.
    let is_program = |entrypoint: &Vec<String>| entrypoint.first().is_some_and(|program| !program.is_empty());
    let entrypoints = all(body, &["entrypoint"])
        .into_iter()
        .map(words)
        .filter(is_program);
    let mut labels = all(body, &["labels"]).into_iter();
    let service = labels.find_map(|labels| labels["com.docker.compose.service"].as_str());
    let checks = all(body, &["healthcheck", "healthconfig", "startuphealthconfig"]);
    let tests = checks.into_iter().flat_map(|check| all(check, &["test"]));
    Wish {
        programs: entrypoints
            .flat_map(|entrypoint| {
                let argv = |command: &Vec<String>| [entrypoint.clone(), command.clone()].concat();
                commands.iter().map(argv).collect::<Vec<_>>()
            })
            .collect(),
        checks: tests
            .filter_map(|test| HealthTest::from_api(&words(test)))
            .collect(),
        service: service.map(str::to_owned),
    }
}

/// Whether a request to make a container names the file that is to be its init.
pub(super) fn has_own_init(body: &Value) -> bool {
    let is_named = |value: &&Value| value.as_str() != Some("") && !value.is_null();
    all(body, &["init_path"]).iter().any(is_named)
}

/// The program of an exec.
pub(super) fn exec(body: &Value) -> Vec<String> {
    all(body, &["cmd"]).first().map_or(Vec::new(), |argv| words(argv))
}

/// The health checks that an update of a container sets.
///
/// Docker's updates cannot set one. Podman's can, by a line.
///
/// # Errors
/// The body cannot be read.
pub(super) fn updated_checks(body: &Value) -> Result<Vec<HealthTest>, ()> {
    if !body.is_object() {
        return Err(());
    }
    let tests = all(body, CHECKS).into_iter().filter_map(|value| {
        let test = match value {
            Value::Null => return None,
            Value::String(line) => test_of_line(line),
            Value::Array(_) => words(value),
            other => vec![other.to_string()],
        };
        HealthTest::from_api(&test).filter(|test| *test != HealthTest::None)
    });
    Ok(tests.collect())
}

/// The members of an update that set a health check.
const CHECKS: &[&str] = &[
    "health_cmd",
    "health_startup_cmd",
    "health_test",
    "healthcheck",
    "healthconfig",
    "startuphealthconfig",
];

/// As Podman reads the line of `--health-cmd` (`MakeHealthCheckFromCli`): a list of several words is a program with its
/// arguments, and so is a line that begins with `CMD`; any other line, also of one word, is a shell's.
fn test_of_line(line: &str) -> Vec<String> {
    let list = serde_json::from_str::<Option<Vec<Option<String>>>>(line);
    let (mut words, is_list): (Vec<String>, bool) = match list {
        Ok(words) => {
            let words = words.unwrap_or_default().into_iter();
            (words.map(Option::unwrap_or_default).collect(), true)
        }
        Err(_) => (line.splitn(2, ' ').map(str::to_owned).collect(), false),
    };
    let Some(first) = words.first().map(|word| word.to_uppercase()) else {
        // Podman refuses a check without a command.
        return Vec::new();
    };
    match first.as_str() {
        "NONE" => return vec!["NONE".to_owned()],
        // A list stays one since Podman 5.5; before, its brackets became a part of a program's name.
        "CMD" if is_list => {}
        "CMD" => words = line.split_whitespace().map(str::to_owned).collect(),
        "CMD-SHELL" => {}
        _ if is_list && words.len() > 1 => words.insert(0, "CMD".to_owned()),
        _ => words = vec!["CMD-SHELL".to_owned(), words.join(" ")],
    }
    // When it runs the check, only these words mean something, and anything else is a program.
    if words
        .first()
        .is_some_and(|word| !["CMD", "CMD-SHELL"].contains(&word.as_str()))
    {
        words.insert(0, "CMD".to_owned());
    }
    words
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shell(line: &str) -> Result<Vec<HealthTest>, ()> {
        Ok(vec![HealthTest::Shell(line.into())])
    }

    fn command(argv: &[&str]) -> Result<Vec<HealthTest>, ()> {
        let argv = argv.iter().map(|word| (*word).to_owned()).collect();
        Ok(vec![HealthTest::Command(argv)])
    }

    #[test]
    fn an_update_says_which_check_it_sets() {
        for (body, test) in [
            (json!({ "health_cmd": "exit 0" }), shell("exit 0")),
            (json!({ "Health_CMD": "exit 0" }), shell("exit 0")),
            (json!({ "health_startup_cmd": "exit 0" }), shell("exit 0")),
            (json!({ "health_test": "exit 0" }), shell("exit 0")),
            (
                json!({ "health_cmd": "[\"CMD-SHELL\",\"exit 0\"]" }),
                shell("exit 0"),
            ),
            (json!({ "health_cmd": "[\"CMD\",\"sh\"]" }), command(&["sh"])),
            (json!({ "health_cmd": "[\"sh\"]" }), shell("sh")),
            (json!({ "health_cmd": "/tiny" }), shell("/tiny")),
            (json!({ "health_cmd": "/tiny a b" }), shell("/tiny a b")),
            (json!({ "health_cmd": "CMD-SHELL exit 0" }), shell("exit 0")),
            (
                json!({ "health_cmd": "CMD /tiny  a b" }),
                command(&["/tiny", "a", "b"]),
            ),
            (json!({ "health_cmd": "cmd x" }), command(&["cmd", "x"])),
            (json!({ "health_cmd": "None of it" }), Ok(vec![])),
            (json!({ "health_cmd": "[]" }), Ok(vec![])),
            (json!({ "no_healthcheck": true }), Ok(vec![])),
            (json!({ "health_cmd": ["CMD-SHELL", "exit 0"] }), shell("exit 0")),
            (json!({ "health_cmd": ["CMD", "/tiny"] }), command(&["/tiny"])),
            (
                json!({ "health_cmd": "[\"/tiny\",\"healthy\"]" }),
                command(&["/tiny", "healthy"]),
            ),
            (
                json!({ "HealthCheck": { "Test": ["CMD", "/tiny"] } }),
                shell("{\"Test\":[\"CMD\",\"/tiny\"]}"),
            ),
            (json!({ "health_retries": 3, "cmd": "exit 0" }), Ok(vec![])),
            (json!({ "health_cmd": "none" }), Ok(vec![])),
            (json!({ "health_cmd": "" }), shell("")),
            (json!({ "health_cmd": ["NONE"] }), Ok(vec![])),
            (json!({ "health_cmd": null, "health_interval": "3s" }), Ok(vec![])),
            (
                json!({ "Memory": 100, "RestartPolicy": { "Name": "no" } }),
                Ok(vec![]),
            ),
            (
                json!({ "health_cmd": "a", "health_startup_cmd": ["CMD", "b"] }),
                Ok(vec![
                    HealthTest::Shell("a".into()),
                    HealthTest::Command(vec!["b".into()]),
                ]),
            ),
            (Value::Null, Err(())),
        ] {
            assert_eq!(updated_checks(&body), test, "{body}");
        }
    }

    #[test]
    fn a_wish_holds_each_reading_of_its_keys() {
        let wish = of(&json!({
            "eNtrypoint": ["/tiny"], "entrypoint": "sh", "Cmd": ["a", "b"], "command": ["c"],
            "Labels": { "com.docker.compose.service": "web" },
            "healthconfig": { "tEst": ["CMD", "sh"] }, "HealthCheck": { "Test": ["NONE"] }
        }));
        assert_eq!(wish.programs.len(), 4, "{wish:?}");
        assert!(wish.programs.contains(&vec!["sh".into(), "c".into()]), "{wish:?}");
        assert_eq!(wish.service.as_deref(), Some("web"));
        assert!(
            wish.checks.contains(&HealthTest::Command(vec!["sh".into()])),
            "{wish:?}"
        );
        for body in [
            json!({ "Cmd": ["sh"] }),
            json!({ "Entrypoint": [], "Cmd": ["sh"] }),
            json!({ "Entrypoint": [""], "Cmd": ["sh"] }),
            Value::Null,
        ] {
            assert_eq!(of(&body), Wish::default(), "{body}");
        }
        assert_eq!(of(&json!({ "Entrypoint": ["sh"] })).programs, [["sh"]]);
    }
}
