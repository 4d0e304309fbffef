//! The caller's side of its holder. Safe in a program with threads: the only process that it starts is its own program again.

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::MemfdFlags;
use serde::Serialize;
use shellproof_userns::{Channel, Error, Ids, Started, Step, Wanted};
use tokio::sync::{oneshot, watch};

use crate::holder::STUB;
use crate::protocol::{Ask, Number, Say, Setup};

/// What is said of everything once the holder is gone.
const GONE: &str = "the process that holds this run's containers has ended";

/// An answer of the holder.
#[derive(Debug)]
pub(crate) enum Answer {
    Done(Vec<OwnedFd>),
    Made(Option<Ipv4Addr>),
}

/// How something ended, once it has: with a code, or with its holder.
pub(crate) type End = watch::Receiver<Option<Result<i32, String>>>;

#[derive(Default)]
struct Waiting {
    answers: HashMap<Number, oneshot::Sender<Result<Answer, String>>>,
    ends: HashMap<Number, watch::Sender<Option<Result<i32, String>>>>,
    is_gone: bool,
}

/// A holder that is at work. Dropping it ends everything that it holds.
pub(crate) struct Link {
    channel: Channel,
    waiting: Arc<Mutex<Waiting>>,
    next: AtomicU64,
    ids: Ids,
    _started: Started,
}

fn lock(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    // Every change of it is whole.
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Link {
    /// Starts a holder. Blocks for some milliseconds.
    ///
    /// # Errors
    /// The first step that failed, with its cure.
    pub(crate) fn open(setup: &Setup, wanted: Wanted) -> Result<Self, Error> {
        let started = Started::start(&STUB, wanted)?;
        let failed = |error| Error::new(Step::Start, error);
        let channel = started.channel().try_clone().map_err(failed)?;
        let setup = serde_json::to_vec(setup).map_err(|error| failed(error.into()))?;
        channel.send(&setup, &[]).map_err(failed)?;
        let said = channel.receive().map_err(failed)?.bytes;
        match serde_json::from_slice(&said) {
            Ok(Say::Ready(Ok(()))) => {}
            Ok(Say::Ready(Err((step, number)))) => {
                return Err(Error::new(step, io::Error::from_raw_os_error(number)));
            }
            _ => return Err(failed(io::Error::other("it ended before it had begun"))),
        }
        let waiting = Arc::new(Mutex::new(Waiting::default()));
        let listening = channel.try_clone().map_err(failed)?;
        std::thread::Builder::new()
            .name("holder".into())
            .spawn({
                let waiting = waiting.clone();
                move || listen(&listening, &waiting)
            })
            .map_err(failed)?;
        Ok(Self {
            channel,
            waiting,
            next: AtomicU64::new(1),
            ids: started.ids().clone(),
            _started: started,
        })
    }

    /// The ids that its containers have.
    pub(crate) fn ids(&self) -> &Ids {
        &self.ids
    }

    /// Whether the holder has ended, and with it all that it held.
    pub(crate) fn is_gone(&self) -> bool {
        lock(&self.waiting).is_gone
    }

    /// A number that nothing else has.
    pub(crate) fn number(&self) -> Number {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Tells the end of what is asked for under a number. To be called before that.
    pub(crate) fn end_of(&self, number: Number) -> End {
        let (sender, end) = watch::channel(None);
        let mut waiting = lock(&self.waiting);
        match waiting.is_gone {
            true => drop(sender.send_replace(Some(Err(GONE.into())))),
            false => drop(waiting.ends.insert(number, sender)),
        }
        end
    }

    /// Asks for something, and waits for the answer. What was asked for is done also where nobody waits any more.
    ///
    /// # Errors
    /// The holder's own words.
    pub(crate) async fn ask(
        &self,
        number: Number,
        ask: &Ask,
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<Answer, String> {
        let (sender, answer) = oneshot::channel();
        {
            let mut waiting = lock(&self.waiting);
            if waiting.is_gone {
                return Err(GONE.into());
            }
            waiting.answers.insert(number, sender);
        }
        self.tell(ask, descriptors)?;
        answer.await.unwrap_or_else(|_| Err(GONE.into()))
    }

    /// Says something that has no answer.
    pub(crate) fn tell(&self, ask: &Ask, descriptors: &[BorrowedFd<'_>]) -> Result<(), String> {
        let text = serde_json::to_vec(ask).map_err(|error| error.to_string())?;
        self.channel.send(&text, descriptors).map_err(|_| GONE.into())
    }
}

fn listen(channel: &Channel, waiting: &Mutex<Waiting>) {
    while let Ok(message) = channel.receive() {
        let Ok(said) = serde_json::from_slice::<Say>(&message.bytes) else {
            break;
        };
        let mut waiting = lock(waiting);
        let (number, answer) = match said {
            Say::Done(number) => (number, Ok(Answer::Done(message.descriptors))),
            Say::Made(number, address) => (number, Ok(Answer::Made(address))),
            Say::Failed(number, why) => {
                // What never began has no end.
                waiting.ends.remove(&number);
                (number, Err(why))
            }
            Say::Ended(number, code) => {
                if let Some(end) = waiting.ends.remove(&number) {
                    end.send_replace(Some(Ok(code)));
                }
                continue;
            }
            Say::Ready(_) => continue,
        };
        if let Some(sender) = waiting.answers.remove(&number) {
            // Whoever asked may have gone.
            let _ = sender.send(answer);
        }
    }
    let mut waiting = lock(waiting);
    waiting.is_gone = true;
    waiting.answers.clear();
    for (_, end) in waiting.ends.drain() {
        end.send_replace(Some(Err(GONE.into())));
    }
}

/// A file of memory with something in it that may be too long for a message.
pub(crate) fn in_memory(content: &impl Serialize) -> io::Result<OwnedFd> {
    let memory = rustix::fs::memfd_create("shellproof", MemfdFlags::CLOEXEC)?;
    let mut file = std::fs::File::from(memory);
    file.write_all(&serde_json::to_vec(content)?)?;
    Ok(file.into())
}

/// Waits for an end.
pub(crate) async fn ended(mut end: End) -> Result<i32, String> {
    match end.wait_for(Option::is_some).await.as_deref() {
        Ok(Some(ended)) => ended.clone(),
        _ => Err(GONE.into()),
    }
}
