//! What was started of what the images offer, in all results together: what no scenario starts may be left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::document::ResultEntry;
use super::styles::Styles;
use super::tree::printable;
use crate::vocabulary::Mode;

/// How many programs are named.
const NAMED: usize = 3;

/// The programs of one image, by path.
#[derive(Default)]
struct Programs<'a> {
    started: BTreeSet<&'a str>,
    others: BTreeSet<&'a str>,
}

/// A line for each image of prebuilt mode that has programs which nothing has started.
pub(super) fn lines(results: &[ResultEntry], styles: &Styles) -> String {
    let mut images: BTreeMap<(&str, &str), Programs<'_>> = BTreeMap::new();
    for image in results
        .iter()
        .filter(|result| result.mode == Mode::Prebuilt)
        .flat_map(|result| &result.images)
    {
        if let Some(programs) = &image.programs {
            let of_image = images.entry((&image.source, &image.id)).or_default();
            of_image
                .started
                .extend(programs.started.iter().map(String::as_str));
            of_image
                .others
                .extend(programs.never_started.iter().map(String::as_str));
        }
    }
    let faint = styles.faint;
    let mut text = String::new();
    for ((name, _), Programs { started, others }) in images {
        let never: Vec<_> = others.difference(&started).collect();
        let shown: Vec<_> = never.iter().take(NAMED).map(|path| format!("`{path}`")).collect();
        let more = match never.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        if !never.is_empty() {
            let _ = writeln!(
                text,
                "{faint}programs{faint:#} {}: {} of {} were started, never {}{more}",
                printable(name),
                started.len(),
                started.len() + never.len(),
                printable(&shown.join(", "))
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Document;
    use crate::report::document::UsageEntry;
    use crate::result::tests::of_scenario;
    use crate::result::{CaseResult, Image, Report};

    #[test]
    fn what_any_result_has_started_is_used() {
        let image = Image {
            source: "fixture:x".into(),
            reference: "x:1".into(),
            config: Default::default(),
            shells: None,
        };
        let result = CaseResult {
            images: vec![image],
            ..of_scenario("")
        };
        let report = Report {
            run_id: "00000000".into(),
            results: vec![result.clone(), result],
            interrupted: false,
            leftovers: Vec::new(),
        };
        let mut document = Document::of(&report);
        let told = |document: &Document| lines(&document.results, &Styles::PLAIN);
        assert_eq!(told(&document), "");
        let programs = |started: &[&str], never: &[&str]| {
            let owned = |paths: &[&str]| paths.iter().map(|&path| path.to_owned()).collect();
            Some(UsageEntry {
                started: owned(started),
                never_started: owned(never),
            })
        };
        for result in &mut document.results {
            result.mode = Mode::Prebuilt;
        }
        document.results[0].images[0].programs = programs(&["/a"], &["/b", "/c", "/d", "/e", "/f"]);
        document.results[1].images[0].programs = programs(&["/b"], &["/a", "/c", "/d", "/e", "/f"]);
        assert_eq!(
            told(&document),
            "programs fixture:x: 2 of 6 were started, never `/c`, `/d`, `/e` and 1 more\n"
        );
        document.results[1].mode = Mode::Layered;
        assert!(told(&document).starts_with("programs fixture:x: 1 of 6 were started, never `/b`"));
        document.results[0].images[0].programs = programs(&["/a"], &[]);
        assert_eq!(told(&document), "");
    }
}
