//! What was found in the files of an image, as a tree of its directories for a person.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::document::EvidenceEntry;
use super::styles::Styles;
use super::tree::printable;
use crate::policy::Rule;

/// How deep lines are indented at most.
const DEPTH: usize = 12;

/// Findings below the directories of their files, and then what to do about them.
pub(super) fn tree(found: &[&EvidenceEntry], indent: &str, styles: &Styles) -> String {
    let faint = styles.faint;
    let mut found: Vec<_> = found.iter().map(|one| (parts(one), *one)).collect();
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut text = format!("{indent}/\n");
    let mut open: Vec<&str> = Vec::new();
    for (parts, evidence) in &found {
        let Some((name, directories)) = parts.split_last() else {
            continue;
        };
        let common = open
            .iter()
            .zip(directories)
            .take_while(|(one, other)| one == other)
            .count();
        open.truncate(common);
        for directory in &directories[common..] {
            open.push(directory);
            let _ = writeln!(text, "{indent}{}{}/", deep(open.len()), printable(directory));
        }
        let own = format!("`{}` ", evidence.path.as_deref().unwrap_or_default());
        let detail = evidence.detail.strip_prefix(&own).unwrap_or(&evidence.detail);
        let deep = deep(open.len() + 1);
        let _ = writeln!(
            text,
            "{indent}{deep}{}  {}  {faint}{}, {}{faint:#}",
            printable(name),
            printable(detail),
            evidence.rule,
            printable(&evidence.source)
        );
    }
    for (help, rules) in cures(&found) {
        let rules: Vec<_> = rules.iter().map(Rule::to_string).collect();
        let _ = writeln!(text, "{indent}help: {}: {}", rules.join(", "), printable(help));
    }
    text
}

/// Each cure once, with the rules of what it cures, the gravest first.
fn cures<'a>(found: &[(Vec<&str>, &'a EvidenceEntry)]) -> Vec<(&'a str, BTreeSet<Rule>)> {
    let mut by_rule: Vec<_> = found.iter().map(|(_, one)| *one).collect();
    by_rule.sort_by_key(|one| one.rule);
    let mut cures: Vec<(&str, BTreeSet<Rule>)> = Vec::new();
    for one in by_rule {
        let Some(help) = &one.help else { continue };
        match cures.iter_mut().find(|(known, _)| known == help) {
            Some((_, rules)) => drop(rules.insert(one.rule)),
            None => cures.push((help, BTreeSet::from([one.rule]))),
        }
    }
    cures
}

fn parts(evidence: &EvidenceEntry) -> Vec<&str> {
    let path = evidence.path.as_deref().unwrap_or_default();
    path.split('/').filter(|part| !part.is_empty()).collect()
}

fn deep(depth: usize) -> String {
    "  ".repeat(depth.min(DEPTH))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::Witness;

    fn found(path: &str, rule: Rule, help: &str) -> EvidenceEntry {
        EvidenceEntry {
            witness: Witness::Image,
            rule,
            container: None,
            scenario_container: None,
            at: None,
            detail: format!("`{path}` is a shell"),
            path: Some(path.into()),
            source: "layer 1 of 2".into(),
            waived: None,
            help: Some(help.into()),
        }
    }

    #[test]
    fn each_directory_and_each_cure_is_named_once() {
        let all = [
            found("/usr/bin/dash", Rule::ShellInImage, "leave it out"),
            found("/usr-local", Rule::ShellInImage, "leave it out"),
            found("/usr/bin/bash", Rule::ShellInImage, "leave it out"),
            found("/usr/lib/x/su", Rule::PrivilegedFile, "chmod"),
        ];
        let all: Vec<_> = all.iter().collect();
        assert_eq!(
            tree(&all, "> ", &Styles::PLAIN),
            "> /
>   usr/
>     bin/
>       bash  is a shell  shell-in-image, layer 1 of 2
>       dash  is a shell  shell-in-image, layer 1 of 2
>     lib/
>       x/
>         su  is a shell  privileged-file, layer 1 of 2
>   usr-local  is a shell  shell-in-image, layer 1 of 2
> help: shell-in-image: leave it out
> help: privileged-file: chmod
"
        );
    }

    #[test]
    fn a_path_as_deep_as_a_name_may_be_is_no_wider_for_that() {
        let path = "/a".repeat(10_000);
        let text = tree(&[&found(&path, Rule::ShellInImage, "x")], "", &Styles::PLAIN);
        assert!(text.lines().all(|line| line.len() < 100));
    }
}
