//! Health checks: what runs them, and how to do without a shell.

use std::fmt::Write;

use shellproof_api::HealthTest;
use shellproof_api::facts::Fact;

use super::programs::{self, Reading};
use super::{Evidence, Rule};

/// What is wrong with a health check.
pub(super) struct Finding {
    pub(super) rule: Rule,
    pub(super) detail: String,
    pub(super) help: Option<String>,
}

impl Finding {
    /// The finding as evidence.
    pub(super) fn about(self, fact: &Fact) -> Evidence {
        Evidence {
            help: self.help,
            ..Evidence::of(fact, self.rule, self.detail)
        }
    }
}

/// Judges a health check; `what` says which one it is.
pub(super) fn judge(test: &HealthTest, what: &str, service: Option<&str>) -> Option<Finding> {
    let (line, reading) = match test {
        HealthTest::None => return None,
        HealthTest::Shell(line) => (format!("CMD-SHELL {line}"), Reading::Shell(line.clone())),
        HealthTest::Command(argv) => (argv.join(" "), programs::read(argv)),
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

/// The shell-free form of a check.
fn help(test: &HealthTest, service: Option<&str>) -> String {
    let line = match test {
        HealthTest::Shell(line) => Some(line),
        // What comes after `-c` is a line; anything else is a script and its arguments.
        HealthTest::Command(argv) => match argv.as_slice() {
            [.., option, line] if option == "-c" => Some(line),
            _ => None,
        },
        HealthTest::None => None,
    };
    let replacement = line.and_then(|line| exec_form(line)).map_or_else(
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

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(test: &[&str], service: Option<&str>) -> Option<Finding> {
        let test: Vec<_> = test.iter().map(|word| (*word).to_owned()).collect();
        judge(&HealthTest::from_api(&test)?, "health check", service)
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
    fn a_script_of_a_shell_is_not_taken_for_a_line() {
        for argv in [
            &["CMD", "bash", "/opt/health.sh", "--port", "80"][..],
            &["CMD-SHELL", "curl -s x", "|", "grep UP"],
        ] {
            let found = finding(argv, None).unwrap();
            assert!(found.help.unwrap().contains("/path/to/program"), "{argv:?}");
        }
        let found = finding(&["CMD", "/bin/sh", "-c", "curl x"], None).unwrap();
        assert!(found.help.unwrap().contains(r#"["CMD", "curl", "x"]"#));
    }
}
