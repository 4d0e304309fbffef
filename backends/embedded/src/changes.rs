//! What containers have changed in their file systems: asked for when they are removed, since nobody can afterwards.

use std::io::Read;
use std::os::fd::AsFd;

use shellproof_api::facts::{ChangedFile, Content};

use crate::embedded::Embedded;
use crate::plan::{Change, ChangeKind};
use crate::protocol::{Ask, Number};
use crate::state::Changes;

impl Embedded {
    /// What a container has changed by now.
    pub(crate) async fn changes_of(&self, container: Number) -> Changes {
        let text = |error: std::io::Error| error.to_string();
        let (mut answer, its) = std::io::pipe().map_err(text)?;
        let number = self.link.number();
        let ask = Ask::Changes { number, container };
        self.link.ask(number, &ask, &[its.as_fd()]).await?;
        drop(its);
        let read = tokio::task::spawn_blocking(move || {
            let mut text = Vec::new();
            answer.read_to_end(&mut text).map(|_| text)
        });
        let listed = read.await.map_err(|error| error.to_string())?.map_err(text)?;
        if listed.is_empty() {
            return Err("the process that lists them has ended".into());
        }
        let listed: Result<Vec<Change>, String> =
            serde_json::from_slice(&listed).map_err(|error| error.to_string())?;
        Ok(listed?.into_iter().map(changed).collect())
    }
}

fn changed(change: Change) -> ChangedFile {
    ChangedFile {
        path: change.path,
        content: match change.kind {
            ChangeKind::Elf => Content::Elf,
            ChangeKind::Script => Content::Script,
            ChangeKind::Other => Content::Other,
            ChangeKind::Unread => Content::Unread,
        },
    }
}
