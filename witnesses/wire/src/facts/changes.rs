//! What containers changed in their file systems.

use shellproof_api::facts::{ChangedFile, Container, Content, Fact, Gap, What, Witness};

use super::container;
use crate::changes::{Changes, FileKind};
use crate::container::InspectedContainer;
use crate::record::Recording;

const SOURCE: &str = "the container's change list";

pub(super) fn facts(recording: &Recording) -> impl Iterator<Item = Fact> + '_ {
    recording.changes.iter().flat_map(move |changes| {
        let mut subjects = recording.starts().filter_map(|record| record.subject.as_ref());
        of(changes, subjects.find(|subject| subject.id == changes.container))
    })
}

fn of(changes: &Changes, subject: Option<&InspectedContainer>) -> impl Iterator<Item = Fact> + use<> {
    let about = subject.map_or_else(
        || Container {
            id: Some(changes.container.clone()),
            name: changes.container.clone(),
        },
        container,
    );
    let files = changes.files.iter().map(|file| ChangedFile {
        path: file.path.clone(),
        content: match file.kind {
            FileKind::Elf => Content::Elf,
            FileKind::Script => Content::Script,
            FileKind::Other => Content::Other,
            FileKind::Unread => Content::Unread,
        },
    });
    let files: Vec<_> = files.collect();
    let changed = (!files.is_empty()).then_some(What::Changed(files));
    let removes_itself = subject.is_some_and(|subject| subject.auto_remove);
    let gap = changes.gap.as_ref().map(|gap| What::Unseen {
        gap: Gap::Changes,
        why: format!("what it changed is not known: {gap}"),
        help: removes_itself.then_some("leave out `--rm`, or add `--read-only`"),
    });
    changed
        .into_iter()
        .chain(gap)
        .map(move |what| Fact::new(Witness::Wire, SOURCE, what).about(about.clone()))
}
