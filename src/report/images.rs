//! Many images that were verified, as a table for a person.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::document::ResultEntry;
use super::styles::Styles;
use super::tree::printable;
use crate::policy::Rule;
use crate::vocabulary::{Role, Status};

/// A line for each image: its roles, its verdict, and how much was found of each kind, the gravest first.
pub(super) fn table(results: &[ResultEntry], styles: &Styles) -> String {
    let name = |result: &ResultEntry| printable(result.scenario.as_deref().unwrap_or_default());
    let width = |column: &dyn Fn(&ResultEntry) -> String, title: &str| {
        let widest = results.iter().map(|result| column(result).chars().count()).max();
        widest.unwrap_or_default().max(title.len())
    };
    let (images, role) = (width(&name, "image"), width(&roles, "role"));
    let strong = styles.strong;
    let mut text = format!(
        "{strong}{:<images$}  {:<role$}  {:<8}  found{strong:#}\n",
        "image", "role", "verdict"
    );
    for result in results {
        let style = match result.status {
            Status::Passed => styles.good,
            Status::Waived | Status::Unproven | Status::NothingRan => styles.unsure,
            Status::Violated | Status::Failed | Status::Broken => styles.bad,
        };
        let verdict = result.verdict.map_or("none", |verdict| verdict.as_str());
        let _ = writeln!(
            text,
            "{:<images$}  {:<role$}  {style}{verdict:<8}{style:#}  {}",
            name(result),
            roles(result),
            found(result)
        );
    }
    text
}

/// The roles whose image it is, or a dash.
pub(super) fn roles(result: &ResultEntry) -> String {
    let roles: Vec<_> = result.roles.iter().map(|role| Role::as_str(*role)).collect();
    match roles.is_empty() {
        true => "-".to_owned(),
        false => roles.join(", "),
    }
}

/// "3 shell-in-image, root-user".
fn found(result: &ResultEntry) -> String {
    let mut kinds: BTreeMap<Rule, usize> = BTreeMap::new();
    for evidence in &result.evidence {
        *kinds.entry(evidence.rule).or_default() += 1;
    }
    let kinds: Vec<_> = kinds
        .into_iter()
        .map(|(rule, count)| match count {
            1 => rule.to_string(),
            count => format!("{count} {rule}"),
        })
        .collect();
    match kinds.is_empty() {
        true => "nothing".to_owned(),
        false => kinds.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::tests::{engine, judgement};
    use crate::result::{Case, CaseResult};
    use crate::vocabulary::{Mode, VerdictKind};

    #[test]
    fn an_image_has_its_roles_its_verdict_and_what_was_found_by_kind() {
        let result = |image: &str, roles: &[Role], verdict, rules: &[Rule]| {
            let case = Case::Verified {
                image: image.into(),
                roles: roles.to_vec(),
            };
            ResultEntry::of(&CaseResult {
                judgement: Some(judgement(verdict, rules, None)),
                ..CaseResult::new(case, Mode::Prebuilt, engine())
            })
        };
        let rules = [Rule::RootUser, Rule::ShellInImage, Rule::ShellInImage];
        let results = [
            result(
                "x:1",
                &[Role::Python, Role::KerberosTest],
                VerdictKind::Violated,
                &rules,
            ),
            result("registry.example/y:1", &[], VerdictKind::Clean, &[]),
        ];
        assert_eq!(
            table(&results, &Styles::PLAIN),
            "image                 role                   verdict   found
x:1                   python, kerberos-test  violated  2 shell-in-image, root-user
registry.example/y:1  -                      clean     nothing
"
        );
    }
}
