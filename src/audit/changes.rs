//! What containers changed in their file systems: a new program, library or Python package is an install.

use shellproof_recorder::{ChangedFile, FileKind, Recording, Subject};

use super::{Evidence, Rule};
use crate::scenario::Witness;

/// How many files a finding lists.
const NAMED: usize = 5;

/// Run-time installs, whatever made them.
pub(super) fn judge(recording: &Recording) -> Vec<Evidence> {
    let subject_of = |id: &str| {
        let mut subjects = recording.starts().filter_map(|record| record.subject.as_ref());
        subjects.find(|subject| subject.id == id)
    };
    let mut evidence = Vec::new();
    for changes in &recording.changes {
        let subject = subject_of(&changes.container);
        let name = subject.map_or(&changes.container, |subject| &subject.name);
        let found = |rule: Rule, detail: String, help: Option<&str>| Evidence {
            container: Some(name.clone()),
            help: help.map(str::to_owned),
            ..Evidence::new(Witness::Wire, "the container's change list", rule, detail)
        };
        let installed: Vec<&str> = changes
            .files
            .iter()
            .filter(|file| is_installed(file))
            .map(|file| file.path.as_str())
            .collect();
        if !installed.is_empty() {
            evidence.push(found(Rule::RunTimeInstall, listed(&installed), None));
        }
        let unread = changes
            .files
            .iter()
            .filter(|file| file.kind == FileKind::Unread)
            .count();
        if unread > 0 && installed.is_empty() {
            let detail = format!("{unread} changed files could not be read");
            evidence.push(found(Rule::ChangesMissing, detail, None));
        }
        if let Some(gap) = &changes.gap {
            evidence.push(if subject.is_some_and(|subject: &Subject| subject.auto_remove) {
                found(
                    Rule::ChangesUnread,
                    "the engine removed it as it ended, so what it had installed, if anything, was not seen"
                        .into(),
                    Some("leave out `--rm`, or add `--read-only`"),
                )
            } else {
                found(
                    Rule::ChangesMissing,
                    format!("what it changed is not known: {gap}"),
                    None,
                )
            });
        }
    }
    evidence
}

fn listed(installed: &[&str]) -> String {
    let shown: Vec<_> = installed
        .iter()
        .take(NAMED)
        .map(|path| format!("`{path}`"))
        .collect();
    let more = match installed.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "programs, libraries or packages were installed at run time: {}{more}",
        shown.join(", ")
    )
}

/// A program, a shared library, or a part of a Python package. What Python compiles of a module that it has is none.
fn is_installed(file: &ChangedFile) -> bool {
    let path = file.path.as_str();
    if path.contains("/__pycache__/") {
        return false;
    }
    let is_package = ["/site-packages/", "/dist-packages/", ".dist-info/", ".egg-info/"]
        .iter()
        .any(|part| path.contains(part));
    matches!(file.kind, FileKind::Elf | FileKind::Script) || is_package
}

#[cfg(test)]
mod tests {
    use shellproof_recorder::Changes;

    use super::super::wire::tests::{recording, run};
    use super::*;

    fn found(files: &[(&str, FileKind)], gap: Option<&str>, auto_remove: bool) -> Vec<Evidence> {
        let mut recording = recording(run("1", &["/tiny"], &[]));
        if let Some(subject) = &mut recording.records[1].subject {
            subject.auto_remove = auto_remove;
        }
        let file = |(path, kind): &(&str, FileKind)| ChangedFile {
            path: (*path).to_owned(),
            kind: *kind,
        };
        recording.changes.push(Changes {
            container: "1".into(),
            files: files.iter().map(file).collect(),
            gap: gap.map(str::to_owned),
        });
        judge(&recording)
    }

    fn rules(files: &[(&str, FileKind)], gap: Option<&str>, auto_remove: bool) -> Vec<Rule> {
        let found = found(files, gap, auto_remove);
        found.iter().map(|one| one.rule).collect()
    }

    #[test]
    fn each_kind_of_install_is_seen() {
        for (path, kind) in [
            ("/usr/local/bin/tool", FileKind::Elf),
            ("/opt/run", FileKind::Script),
            ("/tmp/libx.so.1", FileKind::Elf),
            ("/usr/lib/python3.11/site-packages/x/__init__.py", FileKind::Other),
            ("/usr/lib/python3/dist-packages/x.py", FileKind::Other),
            ("/tmp/target/x-1.0.dist-info/METADATA", FileKind::Unread),
        ] {
            assert_eq!(
                rules(&[(path, kind)], None, false),
                [Rule::RunTimeInstall],
                "{path}"
            );
        }
    }

    #[test]
    fn what_a_job_writes_is_no_install() {
        let files = [
            ("/data/out.csv", FileKind::Other),
            ("/app/script.sh", FileKind::Other),
            (
                "/usr/lib/python3.11/site-packages/x/__pycache__/a.pyc",
                FileKind::Other,
            ),
        ];
        assert_eq!(rules(&files, None, false), []);
    }

    #[test]
    fn what_could_not_be_read_is_said() {
        assert_eq!(
            rules(&[("/x", FileKind::Unread)], None, false),
            [Rule::ChangesMissing]
        );
        assert_eq!(rules(&[], Some("404"), false), [Rule::ChangesMissing]);
        assert_eq!(rules(&[], Some("404"), true), [Rule::ChangesUnread]);
    }

    #[test]
    fn a_finding_names_the_container_and_the_first_files() {
        let paths = ["/a", "/b", "/c", "/d", "/e", "/f", "/g"];
        let [installed] = found(&paths.map(|path| (path, FileKind::Elf)), None, false)
            .try_into()
            .unwrap();
        assert_eq!(installed.container.as_deref(), Some("job"));
        assert_eq!(installed.source, "the container's change list");
        assert!(
            installed
                .detail
                .ends_with(": `/a`, `/b`, `/c`, `/d`, `/e` and 2 more"),
            "{}",
            installed.detail
        );
        let [one] = found(&[("/a", FileKind::Elf)], None, false).try_into().unwrap();
        assert!(one.detail.ends_with(": `/a`"), "{}", one.detail);
        let [unread] = found(&[], Some("404"), true).try_into().unwrap();
        assert!(unread.help.unwrap().contains("--rm"));
    }
}
