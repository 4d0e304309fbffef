//! Health checks: what runs them, and how to do without a shell.

use std::fmt::Write;

use serde_json::Value;
use shellproof_api::HealthTest;
use shellproof_wire::{Record, Subject};

use super::Rule;
use super::programs::{self, Reading};

/// What is wrong with a health check.
pub(super) struct Finding {
    pub(super) rule: Rule,
    pub(super) detail: String,
    pub(super) help: Option<String>,
}

/// Judges a health check's `Test`; `what` says which check it is.
pub(super) fn judge(test: &[String], what: &str, service: Option<&str>) -> Option<Finding> {
    let (line, reading) = match HealthTest::from_api(test)? {
        HealthTest::None => return None,
        HealthTest::Shell(line) => (format!("CMD-SHELL {line}"), Reading::Shell(line)),
        HealthTest::Command(argv) => (argv.join(" "), programs::read(&argv)),
    };
    let (rule, problem) = match reading {
        Reading::Other => return None,
        Reading::Shell(_) => (Rule::HealthCheckShell, "run by a shell".to_owned()),
        Reading::PackageManager(_) => (Rule::PackageManager, "a package manager".to_owned()),
        Reading::Unreadable(unread) | Reading::Cut(unread) => (
            Rule::UnreadableWrapper,
            format!("and what `{unread}` is or runs cannot be judged"),
        ),
    };
    let mut detail = format!("{what} `{line}`, {problem}");
    if let Some(service) = service {
        let _ = write!(detail, ", of the compose service `{service}`");
    }
    let help = (rule == Rule::HealthCheckShell).then(|| help(test, service));
    Some(Finding { rule, detail, help })
}

/// All health checks of a container.
pub(super) fn judge_all<'a>(subject: &'a Subject, what: &'a str) -> impl Iterator<Item = Finding> + 'a {
    let service = subject.service.as_deref();
    let startup = judge(&subject.startup_test, "start-up health check", service);
    judge(&subject.health_test, what, service)
        .into_iter()
        .chain(startup)
}

/// The shell-free form of a check.
fn help(test: &[String], service: Option<&str>) -> String {
    let line = test.last().map_or("", String::as_str);
    let replacement = exec_form(line).map_or_else(
        || r#"["CMD", "/path/to/program", "argument"]"#.to_owned(),
        |words| {
            let words: Vec<_> = words.iter().map(|word| format!("{:?}", word)).collect();
            format!(r#"["CMD", {}]"#, words.join(", "))
        },
    );
    match service {
        Some(service) => {
            format!("in the compose file, under `{service}`, set `healthcheck.test` to `{replacement}`")
        }
        None => format!("use the exec form: `{replacement}`"),
    }
}

/// The words of a shell line that needs no shell. `|| exit 1` changes nothing for a health check.
fn exec_form(line: &str) -> Option<Vec<&str>> {
    let line = line.trim();
    let line = line
        .strip_suffix("|| exit 1")
        .or_else(|| line.strip_suffix("|| false"))
        .unwrap_or(line);
    let words: Vec<_> = line.split_whitespace().collect();
    let is_plain = line
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b" ./:-_=@,%+?".contains(&byte));
    let [program, ..] = words.as_slice() else {
        return None;
    };
    let is_built_in = ["exit", "test", "true", "false", "[", "cd", "export", "set"].contains(program);
    (is_plain && !is_built_in && !program.contains('=')).then_some(words)
}

/// What an update of a container sets that concerns its health checks; `None` when its body cannot be read.
///
/// Docker's updates cannot set one. Podman's can, by a line that is a JSON list or else a shell's.
pub(super) fn of_update(record: &Record) -> Option<Vec<Finding>> {
    let body = record.body.as_object()?;
    let lines = body.iter().filter_map(|(key, value)| {
        let key: String = key
            .to_ascii_lowercase()
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        let is_command = key.starts_with("health")
            && (key.ends_with("cmd") || key.ends_with("check") || key.ends_with("test"));
        is_command.then_some(value).filter(|value| !value.is_null())
    });
    let findings = lines.filter_map(|value| {
        let test = match value {
            Value::String(line) if line.eq_ignore_ascii_case("none") || line.is_empty() => return None,
            Value::String(line) => test_of_line(line),
            Value::Array(words) => words.iter().map(text).collect(),
            other => vec![other.to_string()],
        };
        judge(&test, "an update sets the health check", None)
    });
    Some(findings.collect())
}

/// As Podman reads the line of `--health-cmd`.
fn test_of_line(line: &str) -> Vec<String> {
    match serde_json::from_str::<Vec<String>>(line) {
        Ok(words)
            if words
                .first()
                .is_some_and(|word| ["CMD", "CMD-SHELL", "NONE"].contains(&word.as_str())) =>
        {
            words
        }
        Ok(words) => std::iter::once("CMD".to_owned()).chain(words).collect(),
        Err(_) => vec!["CMD-SHELL".to_owned(), line.to_owned()],
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use shellproof_wire::Record;

    use super::*;

    fn finding(test: &[&str], service: Option<&str>) -> Option<Finding> {
        let test: Vec<_> = test.iter().map(|word| (*word).to_owned()).collect();
        judge(&test, "health check", service)
    }

    #[test]
    fn a_compose_health_check_is_named_with_its_cure() {
        let found = finding(
            &["CMD-SHELL", "curl -f http://localhost:8080/ || exit 1"],
            Some("web"),
        )
        .unwrap();
        assert_eq!(
            found.detail,
            "health check `CMD-SHELL curl -f http://localhost:8080/ || exit 1`, run by a shell, \
             of the compose service `web`"
        );
        assert_eq!(
            found.help.unwrap(),
            "in the compose file, under `web`, set `healthcheck.test` to \
             `[\"CMD\", \"curl\", \"-f\", \"http://localhost:8080/\"]`"
        );
    }

    #[test]
    fn a_line_that_needs_a_shell_is_not_pretended_to_need_none() {
        for line in [
            "exit 0",
            "a | b",
            "a && b",
            "a $B",
            "a 'b c'",
            "A=b c",
            "test -f x",
            "",
        ] {
            let found = finding(&["CMD-SHELL", line], None).unwrap();
            assert_eq!(
                found.help.unwrap(),
                "use the exec form: `[\"CMD\", \"/path/to/program\", \"argument\"]`",
                "{line}"
            );
        }
    }

    #[test]
    fn an_update_is_judged_by_what_it_sets() {
        let rules = |body: Value| -> Option<Vec<Rule>> {
            let record = Record {
                body,
                ..Record::default()
            };
            Some(
                of_update(&record)?
                    .into_iter()
                    .map(|finding| finding.rule)
                    .collect(),
            )
        };
        let shell = Some(vec![Rule::HealthCheckShell]);
        assert_eq!(rules(json!({ "health_cmd": "exit 0" })), shell);
        assert_eq!(rules(json!({ "Health_CMD": "exit 0" })), shell);
        assert_eq!(rules(json!({ "health_startup_cmd": "exit 0" })), shell);
        assert_eq!(
            rules(json!({ "HealthCheck": { "Test": ["CMD", "/tiny"] } })),
            shell
        );
        assert_eq!(rules(json!({ "health_test": "exit 0" })), shell);
        assert_eq!(
            rules(json!({ "health_cmd": "[\"CMD-SHELL\",\"exit 0\"]" })),
            shell
        );
        assert_eq!(rules(json!({ "health_cmd": "[\"CMD\",\"sh\"]" })), shell);
        assert_eq!(rules(json!({ "health_cmd": "[\"sh\"]" })), shell);
        assert_eq!(rules(json!({ "health_cmd": ["CMD-SHELL", "exit 0"] })), shell);
        for clean in [
            json!({ "health_cmd": "[\"CMD\",\"/tiny\",\"healthy\"]" }),
            json!({ "health_cmd": "[\"/tiny\",\"healthy\"]" }),
            json!({ "health_cmd": ["CMD", "/tiny"] }),
            json!({ "health_retries": 3, "cmd": "exit 0" }),
            json!({ "health_cmd": "none" }),
            json!({ "health_cmd": null, "health_interval": "3s" }),
            json!({ "Memory": 100, "RestartPolicy": { "Name": "no" } }),
        ] {
            assert_eq!(rules(clean.clone()), Some(Vec::new()), "{clean}");
        }
        assert_eq!(rules(Value::Null), None);
    }
}
