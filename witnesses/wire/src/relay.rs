//! One client's connection: two directions, each followed by a scanner.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::UnixStream;
use tokio::sync::watch;

use crate::record::Client;
use crate::relay::answers::Answers;
use crate::relay::exchange::{Exchange, RelayError};
use crate::relay::requests::Requests;
use crate::shared::Shared;

mod answers;
mod calls;
mod exchange;
mod requests;

/// Serves one client until either side has ended.
pub(crate) async fn serve(shared: Arc<Shared>, connection: u64, client: UnixStream) {
    let who = peer(&client);
    let engine = match UnixStream::connect(&shared.engine.socket).await {
        Ok(engine) => engine,
        // The client sees its connection close, which is what a dead engine looks like.
        Err(_) => return,
    };
    let (from_client, to_client) = client.into_split();
    let (from_engine, to_engine) = engine.into_split();
    let exchange = Exchange {
        queue: std::sync::Mutex::default(),
        unanswered: watch::Sender::new(0),
        to_client: tokio::sync::Mutex::new(to_client),
    };
    let answers = Answers {
        shared: &shared,
        exchange: &exchange,
    };
    let requests = Requests {
        shared: &shared,
        connection,
        who,
        exchange: &exchange,
    };
    let directions = tokio::try_join!(
        fault_only(requests.copy(from_client, to_engine)),
        fault_only(answers.copy(from_engine))
    );
    if let Err(fault) = directions {
        shared.log.fault(connection, fault);
    }
}

/// A broken connection is no fault of the record, what was sent before is in it, and the other direction may still
/// have an answer to deliver. Anything else ends both directions at once.
async fn fault_only(direction: impl Future<Output = Result<(), RelayError>>) -> Result<(), RelayError> {
    match direction.await {
        Err(RelayError::Io(_)) => Ok(()),
        result => result,
    }
}

fn peer(client: &UnixStream) -> Client {
    let pid = client.peer_cred().ok().and_then(|credentials| credentials.pid());
    let program = pid.and_then(|pid| {
        let program = std::fs::read_link(PathBuf::from(format!("/proc/{pid}/exe"))).ok()?;
        Some(program.to_string_lossy().into_owned())
    });
    Client { pid, program }
}
