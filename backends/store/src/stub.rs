//! The process that unpacks: what it is told, and how it answers.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use serde::{Deserialize, Serialize};
use shellproof_userns::{Ids, Inside, Started, Stub, Wanted};

use crate::apply::{Applied, How, apply};
use crate::error::{Error, Result};

/// The process that unpacks layers and removes them, for [`shellproof_userns::run_if_meant`]: root in a user namespace, which
/// has the directory that it works on as its root and sees nothing else.
pub const STUB: Stub = Stub {
    name: "image-layers",
    main: serve,
};

/// What is to be done in the directory that comes with it.
#[derive(Debug, Deserialize, Serialize)]
enum Order {
    /// Unpack the layer that comes as well.
    Unpack(How),
    /// Remove all that is in it.
    Empty,
}

#[derive(Debug, Deserialize, Serialize)]
enum Answer {
    Unpacked(Applied),
    Emptied,
    /// What failed, in words.
    Failed(String),
}

fn serve(inside: Inside) -> io::Result<()> {
    // Nobody else would stop it in the middle of a layer.
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    // A layer says itself who may do what.
    rustix::process::umask(rustix::fs::Mode::empty());
    loop {
        let message = inside.channel.receive()?;
        if message.is_end() {
            return Ok(());
        }
        let mut descriptors = message.descriptors.into_iter();
        let answer = (|| {
            let order: Order = serde_json::from_slice(&message.bytes)?;
            let directory = descriptors.next().ok_or(io::ErrorKind::InvalidInput)?;
            rustix::process::fchdir(&directory)?;
            rustix::process::chroot(".")?;
            std::env::set_current_dir("/")?;
            match order {
                Order::Unpack(how) => {
                    let layer = descriptors.next().ok_or(io::ErrorKind::InvalidInput)?;
                    apply(File::from(layer), how).map(Answer::Unpacked)
                }
                Order::Empty => empty(Path::new("/")).map(|()| Answer::Emptied),
            }
        })();
        let answer = answer.unwrap_or_else(|error: io::Error| Answer::Failed(error.to_string()));
        inside.channel.send(&serde_json::to_vec(&answer)?, &[])?;
    }
}

fn empty(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => fs::remove_dir_all(entry.path())?,
            false => fs::remove_file(entry.path())?,
        }
    }
    Ok(())
}

/// A process that unpacks.
#[derive(Debug)]
pub(crate) struct Worker(Started);

impl Worker {
    pub(crate) fn start(wanted: Wanted) -> Result<Self> {
        Ok(Self(Started::start(&STUB, wanted)?))
    }

    pub(crate) fn ids(&self) -> &Ids {
        self.0.ids()
    }

    /// Unpacks a layer into an empty directory.
    ///
    /// # Errors
    /// Why it cannot be, in words.
    pub(crate) fn unpack(
        &self,
        directory: &File,
        layer: &File,
        how: How,
    ) -> std::result::Result<Applied, String> {
        match self.ask(&Order::Unpack(how), &[directory.as_fd(), layer.as_fd()]) {
            Ok(Answer::Unpacked(applied)) => Ok(applied),
            Ok(Answer::Failed(reason)) => Err(reason),
            Ok(Answer::Emptied) => Err("another answer was expected".into()),
            Err(error) => Err(format!("the process that unpacks it has ended: {error}")),
        }
    }

    /// Removes all that is in a directory, whosever it is.
    pub(crate) fn empty(&self, path: &Path) -> Result<()> {
        let failed = || Error::machine("removed", path);
        let directory = File::open(path).map_err(failed())?;
        match self.ask(&Order::Empty, &[directory.as_fd()]).map_err(failed())? {
            Answer::Emptied => Ok(()),
            Answer::Failed(reason) => Err(failed()(io::Error::other(reason))),
            Answer::Unpacked(_) => Err(failed()(io::ErrorKind::InvalidData.into())),
        }
    }

    fn ask(&self, order: &Order, descriptors: &[BorrowedFd<'_>]) -> io::Result<Answer> {
        self.0.channel().send(&serde_json::to_vec(order)?, descriptors)?;
        let message = self.0.channel().receive()?;
        match message.is_end() {
            true => Err(io::ErrorKind::BrokenPipe.into()),
            false => Ok(serde_json::from_slice(&message.bytes)?),
        }
    }
}
