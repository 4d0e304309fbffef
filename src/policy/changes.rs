//! What containers changed in their file systems: a new program, library or Python package is an install.

use shellproof_wire::{ChangedFile, FileKind, Recording};

use super::{Evidence, Rule};
use crate::vocabulary::Witness;

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
            let removes_itself = subject.is_some_and(|subject| subject.auto_remove);
            evidence.push(found(
                Rule::ChangesMissing,
                format!("what it changed is not known: {gap}"),
                removes_itself.then_some("leave out `--rm`, or add `--read-only`"),
            ));
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
        "programs, libraries or packages were added or changed at run time: {}{more}",
        shown.join(", ")
    )
}

/// A program, a shared library, or a part of Python's library or of a package. What Python compiles of a module that it has
/// is no part.
fn is_installed(file: &ChangedFile) -> bool {
    let path = file.path.as_str();
    let is_package = [
        "/lib/python3",
        "/site-packages/",
        "/dist-packages/",
        ".dist-info/",
        ".egg-info/",
    ]
    .iter()
    .any(|part| path.contains(part));
    let is_compiled = path
        .rsplit_once("/__pycache__/")
        .is_some_and(|(_, name)| name.ends_with(".pyc") && !name.contains('/'));
    matches!(file.kind, FileKind::Elf | FileKind::Script) || is_package && !is_compiled
}

#[cfg(test)]
mod tests {
    use shellproof_wire::Changes;

    use super::super::wire::tests::{recording, run};
    use super::*;

    fn found(files: &[(&str, FileKind)], gap: Option<&str>) -> Vec<Evidence> {
        judge(&changed(files, gap))
    }

    fn changed(files: &[(&str, FileKind)], gap: Option<&str>) -> Recording {
        let mut recording = recording(run("1", &["/tiny"], &[]));
        let file = |(path, kind): &(&str, FileKind)| ChangedFile {
            path: (*path).to_owned(),
            kind: *kind,
        };
        recording.changes.push(Changes {
            container: "1".into(),
            files: files.iter().map(file).collect(),
            gap: gap.map(str::to_owned),
            ..Changes::default()
        });
        recording
    }

    fn rules(files: &[(&str, FileKind)], gap: Option<&str>) -> Vec<Rule> {
        let found = found(files, gap);
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
            ("/usr/lib/python3.11/__pycache__/tool", FileKind::Elf),
            ("/usr/lib/python3.11/__pycache__/run", FileKind::Script),
            ("/tmp/target/x-1.0.dist-info/METADATA", FileKind::Unread),
            ("/usr/lib/python3.11/sitecustomize.py", FileKind::Other),
            ("/usr/lib/python311.zip", FileKind::Other),
            (
                "/usr/lib/python3/dist-packages/__pycache__/x/__init__.py",
                FileKind::Other,
            ),
            (
                "/usr/lib/python3/dist-packages/__pycache__/x/a.pyc",
                FileKind::Other,
            ),
        ] {
            assert_eq!(rules(&[(path, kind)], None), [Rule::RunTimeInstall], "{path}");
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
        assert_eq!(rules(&files, None), []);
    }

    #[test]
    fn what_could_not_be_read_is_said() {
        assert_eq!(rules(&[("/x", FileKind::Unread)], None), [Rule::ChangesMissing]);
        assert_eq!(rules(&[], Some("404")), [Rule::ChangesMissing]);
    }

    #[test]
    fn a_finding_names_the_container_and_the_first_files() {
        let paths = ["/a", "/b", "/c", "/d", "/e", "/f", "/g"];
        let [installed] = found(&paths.map(|path| (path, FileKind::Elf)), None)
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
        let [one] = found(&[("/a", FileKind::Elf)], None).try_into().unwrap();
        assert!(one.detail.ends_with(": `/a`"), "{}", one.detail);
        let mut gap = changed(&[], Some("404"));
        assert_eq!(judge(&gap)[0].help, None);
        gap.records[1].subject.as_mut().unwrap().auto_remove = true;
        assert!(judge(&gap)[0].help.as_deref().unwrap().contains("--rm"));
    }
}
