//! What is said once for many, after each of them was judged and perhaps waived by itself.

use std::collections::BTreeMap;

use super::wire::{INSTALLED, listed};
use super::{Evidence, Rule, Witness};

/// How many programs of a container are shown under one rule.
const SHOWN: usize = 10;

/// What one finding may stand for: all of a container, under one rule, that nothing or the same reason waives.
type Kind = (Option<String>, Rule, Option<String>);

fn kind(one: &Evidence) -> Kind {
    (one.container.clone(), one.rule, one.waived.clone())
}

/// One finding for the files that a container has installed, and the first of each rule for its programs.
pub(super) fn fold(evidence: Vec<Evidence>) -> Vec<Evidence> {
    bounded(together(evidence))
}

/// The files that were installed and that nothing waives, as one finding for each container.
fn together(evidence: Vec<Evidence>) -> Vec<Evidence> {
    let mut files: BTreeMap<Kind, Vec<String>> = BTreeMap::new();
    let is_file = |one: &Evidence| one.rule == Rule::RunTimeInstall && one.waived.is_none();
    let mut kept = Vec::new();
    for one in evidence {
        match &one.path {
            Some(path) if is_file(&one) => {
                let files = files.entry(kind(&one)).or_default();
                files.push(path.clone());
                if files.len() == 1 {
                    kept.push(one);
                }
            }
            _ => kept.push(one),
        }
    }
    for one in kept.iter_mut().filter(|one| is_file(one)) {
        if let Some(files) = files.get(&kind(one)).filter(|files| files.len() > 1) {
            one.detail = format!("{INSTALLED}: {}", listed(files));
            one.path = None;
        }
    }
    kept
}

/// The first findings about programs, and how many there were beyond.
fn bounded(evidence: Vec<Evidence>) -> Vec<Evidence> {
    let mut counts: BTreeMap<Kind, usize> = BTreeMap::new();
    let mut shown = Vec::new();
    for one in evidence {
        if one.witness != Witness::Kernel {
            shown.push(one);
            continue;
        }
        let count = counts.entry(kind(&one)).or_default();
        *count += 1;
        if *count <= SHOWN {
            shown.push(one);
        }
    }
    let beyond = counts.into_iter().filter(|(_, count)| *count > SHOWN);
    shown.extend(beyond.map(|((container, rule, waived), count)| {
        let detail = format!("{} more of rule `{rule}`", count - SHOWN);
        Evidence {
            container,
            waived,
            ..Evidence::new(Witness::Kernel, "its supervisor", rule, detail)
        }
    }));
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(rule: Rule, path: Option<&str>, waived: Option<&str>) -> Evidence {
        Evidence {
            container: Some("job".into()),
            path: path.map(str::to_owned),
            waived: waived.map(str::to_owned),
            ..Evidence::new(Witness::Kernel, "x", rule, format!("{path:?}"))
        }
    }

    #[test]
    fn what_is_waived_does_not_count_towards_what_is_not() {
        let shells = |waived, count| (0..count).map(move |_| seen(Rule::Shell, None, waived));
        let all = shells(Some("for a while"), SHOWN + 5).chain(shells(None, SHOWN + 2));
        let folded = fold(all.collect());
        let exactly: Vec<_> = shells(None, SHOWN).collect();
        assert_eq!(fold(exactly.clone()), exactly);
        let more: Vec<_> = folded
            .iter()
            .filter(|one| one.detail.ends_with("more of rule `shell`"))
            .inspect(|one| assert_eq!(one.container.as_deref(), Some("job")))
            .map(|one| (one.detail.as_str(), one.waived.as_deref()))
            .collect();
        assert_eq!(folded.len(), 2 * SHOWN + 2);
        assert_eq!(
            more,
            [
                ("2 more of rule `shell`", None),
                ("5 more of rule `shell`", Some("for a while")),
            ]
        );
    }

    #[test]
    fn installed_files_are_one_finding_but_for_those_that_are_waived() {
        let of = |rule, path, waived| seen(rule, Some(path), waived);
        let file = |path, waived| of(Rule::RunTimeInstall, path, waived);
        let other = Evidence {
            container: Some("other".into()),
            ..file("/d", None)
        };
        let folded = fold(vec![
            file("/a", None),
            file("/b", Some("for a while")),
            file("/c", None),
            other,
            of(Rule::ShellInImage, "/e", None),
            of(Rule::ShellInImage, "/f", None),
        ]);
        let told: Vec<_> = folded
            .iter()
            .map(|one| (one.detail.as_str(), one.path.as_deref()))
            .collect();
        assert_eq!(
            told,
            [
                (
                    "programs, libraries or packages were added or changed at run time: `/a`, `/c`",
                    None
                ),
                ("Some(\"/b\")", Some("/b")),
                ("Some(\"/d\")", Some("/d")),
                ("Some(\"/e\")", Some("/e")),
                ("Some(\"/f\")", Some("/f")),
            ]
        );
    }
}
