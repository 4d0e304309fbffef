//! Health checks: what runs them, and how to do without a shell.

use std::fmt::Write;

use shellproof_api::HealthTest;
use shellproof_api::facts::{Check, Fact};

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
    find(test, None, what, service)
}

/// The same of one whose image may have been looked into.
pub(super) fn judge_of_image(check: &Check, what: &str, service: Option<&str>) -> Option<Finding> {
    find(&check.test, check.lacking.as_deref(), what, service)
}

/// The program that a health check runs, or that its line would run without a shell.
pub(crate) fn program(test: &HealthTest) -> Option<String> {
    match test {
        HealthTest::Command(argv) if line_of(test).or(one_word(argv)).is_none() => argv.first().cloned(),
        _ => shell_free(test)?.first().map(|&word| word.to_owned()),
    }
}

/// What there is to say of a check that its engine did not run.
pub(super) fn not_run(test: &HealthTest) -> String {
    let line = match test {
        HealthTest::Shell(line) => line.clone(),
        HealthTest::Command(argv) => argv.join(" "),
        HealthTest::None => String::new(),
    };
    format!("the engine told of no run of the health check `{line}` (Podman runs none without systemd)")
}

fn find(test: &HealthTest, lacking: Option<&str>, what: &str, service: Option<&str>) -> Option<Finding> {
    let (line, reading) = match test {
        HealthTest::None => return None,
        HealthTest::Shell(line) => (format!("CMD-SHELL {line}"), Reading::Shell(line.clone())),
        HealthTest::Command(argv) => (argv.join(" "), programs::read(argv)),
    };
    let (rule, problem) = match (reading, not_there(test, lacking)) {
        (Reading::Shell(_), _) => (Rule::HealthCheckShell, "run by a shell".to_owned()),
        (Reading::PackageManager(_), _) => (Rule::PackageManager, "a package manager".to_owned()),
        (_, Some(problem)) => (Rule::HealthCheckProgram, problem),
        (Reading::Other, None) => return None,
        (Reading::Unreadable(unread) | Reading::Cut(unread), None) => (
            Rule::UnreadableWrapper,
            format!("and what `{unread}` is or runs cannot be judged"),
        ),
    };
    let mut detail = format!("{what} `{line}`, {problem}");
    if let Some(service) = service {
        let _ = write!(detail, ", of the compose service `{service}`");
    }
    let help = match rule {
        Rule::HealthCheckShell | Rule::HealthCheckProgram => Some(help(test, lacking, service)),
        _ => None,
    };
    Some(Finding { rule, detail, help })
}

/// Why a check's program cannot be there.
fn not_there(test: &HealthTest, lacking: Option<&str>) -> Option<String> {
    let HealthTest::Command(argv) = test else {
        return None;
    };
    match (one_word(argv), lacking) {
        (Some(_), _) => Some("a whole line in one word, which no program is called".to_owned()),
        (None, Some(program)) => Some(format!("whose program `{program}` is not in its image")),
        (None, None) => None,
    }
}

/// The shell-free form of a check, or what else works where its image lacks the program for that.
fn help(test: &HealthTest, lacking: Option<&str>, service: Option<&str>) -> String {
    if let Some(program) = lacking {
        return format!(
            "the image has no `{program}`: name a program that it has, such as the server itself with an option that \
             checks it, or ask from outside whether it is ready"
        );
    }
    let replacement = shell_free(test).map_or_else(
        || r#"["CMD", "/path/to/program", "argument"]"#.to_owned(),
        |words| {
            let words: Vec<_> = words.iter().map(|word| format!("{word:?}")).collect();
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

/// The words of a check's line that needs no shell.
fn shell_free(test: &HealthTest) -> Option<Vec<&str>> {
    exec_form(line_of(test).or_else(|| match test {
        HealthTest::Command(argv) => one_word(argv),
        _ => None,
    })?)
}

/// The line that a check gives to a shell.
fn line_of(test: &HealthTest) -> Option<&str> {
    match test {
        HealthTest::Shell(line) => Some(line),
        // What comes after `-c` is a line; anything else is a script and its arguments.
        HealthTest::Command(argv) if matches!(programs::read(argv), Reading::Shell(_)) => {
            match argv.as_slice() {
                [.., option, line] if option == "-c" => Some(line),
                _ => None,
            }
        }
        HealthTest::Command(_) | HealthTest::None => None,
    }
}

/// A whole line in the place of a program.
fn one_word(argv: &[String]) -> Option<&str> {
    match argv {
        [line] if line.trim().contains(char::is_whitespace) => Some(line),
        _ => None,
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

    #[test]
    fn a_whole_line_in_one_word_can_only_fail() {
        let found = finding(&["CMD", "curl -f http://x"], Some("web")).unwrap();
        assert_eq!(found.rule, Rule::HealthCheckProgram);
        assert!(
            found.detail.contains("of the compose service `web`"),
            "{}",
            found.detail
        );
        assert!(
            found
                .help
                .unwrap()
                .ends_with(r#"to `["CMD", "curl", "-f", "http://x"]`"#)
        );
        assert!(finding(&["CMD", "curl", "-f http://x"], None).is_none());
        assert!(finding(&["CMD", "/probe"], None).is_none());
    }

    #[test]
    fn a_program_that_the_image_lacks_is_named_and_no_cure() {
        let of = |test: &[&str], lacking: Option<&str>| {
            let test: Vec<_> = test.iter().map(|word| (*word).to_owned()).collect();
            let check = Check {
                kind: shellproof_api::facts::CheckKind::Regular,
                test: HealthTest::from_api(&test).unwrap(),
                lacking: lacking.map(str::to_owned),
            };
            judge_of_image(&check, "health check", None)
        };
        assert!(of(&["CMD", "curl", "x"], None).is_none());
        let found = of(&["CMD", "curl", "x"], Some("curl")).unwrap();
        assert_eq!(found.rule, Rule::HealthCheckProgram);
        assert_eq!(
            found.detail,
            "health check `curl x`, whose program `curl` is not in its image"
        );
        // It stays what it is, and is not told to run what is not there.
        let found = of(&["CMD-SHELL", "curl x"], Some("curl")).unwrap();
        assert_eq!(found.rule, Rule::HealthCheckShell);
        let help = found.help.unwrap();
        assert!(
            help.starts_with("the image has no `curl`: ") && !help.contains("CMD"),
            "{help}"
        );
    }

    #[test]
    fn a_check_that_was_not_run_is_told_as_it_was_given() {
        for (test, line) in [
            (&["CMD", "/probe", "x"][..], "/probe x"),
            (&["CMD-SHELL", "curl x"], "curl x"),
        ] {
            let test: Vec<_> = test.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(
                not_run(&HealthTest::from_api(&test).unwrap()),
                format!(
                    "the engine told of no run of the health check `{line}` (Podman runs none without systemd)"
                )
            );
        }
    }

    #[test]
    fn the_program_is_the_one_that_would_run_without_a_shell() {
        for (test, expected) in [
            (&["CMD", "/probe", "x"][..], Some("/probe")),
            (&["CMD-SHELL", "curl x || exit 1"], Some("curl")),
            (&["CMD", "sh", "-c", "curl x"], Some("curl")),
            (&["CMD", "python3", "-c", "import x"], Some("python3")),
            (&["CMD", "curl x"], Some("curl")),
            (&["CMD-SHELL", "a | b"], None),
            (&["NONE"], None),
        ] {
            let test: Vec<_> = test.iter().map(|word| (*word).to_owned()).collect();
            let found = program(&HealthTest::from_api(&test).unwrap());
            assert_eq!(found.as_deref(), expected, "{test:?}");
        }
    }
}
