//! What the caller and its holder say to each other. Each message is one JSON text; what may be long, and what must be handed
//! over, comes as descriptors beside it.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use shellproof_userns::Step;

/// A number that the caller gives each thing that it asks for, and that the answer repeats.
pub(crate) type Number = u64;

/// The first message to a holder.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Setup {
    /// An empty directory of the run, on which the holder's own file system is mounted for itself alone.
    pub(crate) scratch: PathBuf,
    /// Where containers write if that is not to be in memory, or cannot be. Nobody has made it yet.
    pub(crate) disk: PathBuf,
    /// They are to write there in any case.
    pub(crate) on_disk: bool,
}

/// What a holder is asked for.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Ask {
    /// A bridge. The answer brings the socket on which its containers ask for names, and both of its way out.
    Network(Number),
    /// The end of one.
    RemoveNetwork { number: Number, network: Number },
    /// An empty directory that containers share.
    Volume(Number),
    /// The end of one.
    RemoveVolume { number: Number, volume: Number },
    /// A container; with its [`crate::plan::Plan`], its control channel, and both of its outputs.
    Run(Number),
    /// A further process in a container; with the same.
    Enter {
        /// Its number, by which its end is told.
        number: Number,
        /// The container's.
        container: Number,
    },
    /// SIGKILL for a container or a process in one.
    Kill(Number),
    /// A process that lists what a container has written; with the pipe that it answers on.
    Changes { number: Number, container: Number },
    /// The end of a container's files. It has ended.
    Forget { number: Number, container: Number },
    /// A socket in the holder's network, not connected yet. The holder never waits for anybody.
    Socket(Number),
    /// A process that reads a file of an image; with its [`crate::plan::Look`] and the pipe that it answers on.
    Look(Number),
}

/// What a holder says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Say {
    /// It is there; or the first step that failed, and its errno.
    Ready(Result<(), (Step, i32)>),
    /// What was asked for under this number is done.
    Done(Number),
    /// A container was made, with its address if it is on a network.
    Made(Number, Option<Ipv4Addr>),
    /// What was asked for under this number could not be done.
    Failed(Number, String),
    /// A container or a process in one has ended, with the code that engines give.
    Ended(Number, i32),
}

/// What a container's process says on its control channel before it becomes its program.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    /// Its filter's listener comes along.
    Listener,
    /// It could not.
    Failed(Failure, String),
}

/// Why a container did not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Failure {
    /// There is no such program.
    NotFound,
    /// There is, and it cannot be executed.
    NotExecutable,
    /// Something before it.
    Other,
}
