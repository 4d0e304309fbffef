//! Starting one's own binary again, as a process of one thread in a user namespace of its own.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use rustix::fs::{Gid, Uid};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use crate::error::{Error, Step};
use crate::ids::{self, Ids, Wanted};
use crate::message::Channel;
use crate::sys;

/// What a process of our own binary does in a user namespace.
#[derive(Clone, Copy, Debug)]
pub struct Stub {
    /// The one word of its command line.
    pub name: &'static str,
    /// Its work. What it fails with is the starter's to know: the channel is closed then.
    pub main: fn(Inside) -> io::Result<()>,
}

/// What a stub has.
#[derive(Debug)]
pub struct Inside {
    /// The way to who started it, which ends when that one does.
    pub channel: Channel,
}

/// It has entered its namespace and waits for its ids.
const ENTERED: &[u8] = b"entered";
/// It could not; the number of the error follows.
const REFUSED: &[u8] = b"refused ";
/// It has its ids.
const MAPPED: &[u8] = b"mapped";
/// It is root now, and its work begins.
const READY: &[u8] = b"ready";

/// Whether this process is one of these stubs. If so, its work is done when this returns, and all that is left is to end.
///
/// To be called before anything else: a process with several threads cannot be one.
pub fn run_if_meant(stubs: &[Stub]) -> bool {
    let meant = |stub: &&Stub| std::env::args_os().skip(1).eq([stub.name]);
    let Some(stub) = stubs.iter().find(meant) else {
        return false;
    };
    // Whoever started it sees that the channel is closed, and a stub has nobody else to tell.
    let _ = enter().and_then(|inside| (stub.main)(inside));
    true
}

fn enter() -> io::Result<Inside> {
    sys::close_all_but_standard()?;
    let channel = Channel::from(io::stdin().as_fd().try_clone_to_owned()?);
    rustix::stdio::dup2_stdin(std::fs::File::open("/dev/null")?)?;
    // A terminal's Ctrl-C is for who started it, and the channel tells the end.
    let _ = rustix::process::setsid();
    let refused = |channel: &Channel, step: u8, error: io::Error| {
        let number = error.raw_os_error().unwrap_or_default();
        let _ = channel.send(&[REFUSED, &[step], number.to_string().as_bytes()].concat(), &[]);
        error
    };
    sys::new_user_namespace().map_err(|error| refused(&channel, b'n', error))?;
    channel.send(ENTERED, &[])?;
    if channel.receive()?.bytes != MAPPED {
        return Err(io::ErrorKind::BrokenPipe.into());
    }
    become_root().map_err(|error| refused(&channel, b'r', error))?;
    channel.send(READY, &[])?;
    Ok(Inside { channel })
}

/// All ids are those of the namespace's root. Its groups are dropped where they may be: with one id they may not.
fn become_root() -> io::Result<()> {
    set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT)?;
    set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT)?;
    let _ = set_thread_groups(&[]);
    // Whoever changed its user is not dumpable, and its files below /proc are not its own.
    Ok(set_dumpable_behavior(DumpableBehavior::Dumpable)?)
}

/// A stub that was started. Dropping it closes its channel and waits for its end.
#[derive(Debug)]
pub struct Started {
    channel: Channel,
    ids: Ids,
    child: Child,
}

impl Started {
    /// Starts a stub, which is root in a user namespace of its own when this returns. Blocks for some milliseconds.
    ///
    /// # Errors
    /// The first step that failed.
    pub fn start(stub: &Stub, wanted: Wanted) -> Result<Self, Error> {
        let not_started = |error| Error::new(Step::Start, error);
        let (channel, its) = Channel::pair().map_err(not_started)?;
        // The file that runs, also where it has been replaced meanwhile.
        let child = Command::new("/proc/self/exe")
            .arg0("shellproof")
            .arg(stub.name)
            .env_clear()
            .stdin(Stdio::from(OwnedFd::from(its)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(not_started)?;
        // From here on dropping it ends the process.
        let mut started = Self {
            channel,
            ids: Ids {
                users: Vec::new(),
                groups: Vec::new(),
                narrow: None,
            },
            child,
        };
        started.expect(ENTERED)?;
        started.ids = ids::write(started.child.id(), wanted)?;
        started.channel.send(MAPPED, &[]).map_err(not_started)?;
        started.expect(READY)?;
        Ok(started)
    }

    /// The way to it.
    pub fn channel(&self) -> &Channel {
        &self.channel
    }

    /// The ids that it has.
    pub fn ids(&self) -> &Ids {
        &self.ids
    }

    /// Its process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    fn expect(&self, word: &[u8]) -> Result<(), Error> {
        let said = self
            .channel
            .receive()
            .map_err(|error| Error::new(Step::Start, error))?
            .bytes;
        if said == word {
            return Ok(());
        }
        let refused = said
            .strip_prefix(REFUSED)
            .and_then(|rest| rest.split_first())
            .and_then(|(step, number)| {
                let number = std::str::from_utf8(number).ok()?.parse().ok()?;
                Some((*step, io::Error::from_raw_os_error(number)))
            });
        Err(match refused {
            Some((b'n', error)) => Error::new(Step::Namespace, error),
            Some((_, error)) => Error::new(Step::Root, error),
            None => Error::new(Step::Start, io::Error::other("it ended before it had begun")),
        })
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        self.channel.close();
        // It ends when its channel does; an error would mean that somebody else has waited for it.
        let _ = self.child.wait();
    }
}
