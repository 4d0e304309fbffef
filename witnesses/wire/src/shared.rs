//! What all connections of one recorder share, and what they ask of the engine.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use hyper::{Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;

use crate::changes::{Changes, reading};
use crate::container::InspectedContainer;
use crate::dialect::Dialect;
use crate::doors;
use crate::endpoint::Endpoint;
use crate::http;
use crate::log::Log;
use crate::options::RecorderOptions;

/// The longest answer to an inspect that is read, in bytes.
const INSPECT: usize = 4 << 20;
/// How many containers are followed whose processes one shares that shares another's.
const SHARED: usize = 8;
/// How long an engine may take to say what it is about to run.
const PATIENCE: Duration = Duration::from_secs(30);

/// What all connections of one recorder share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) engine: Endpoint,
    /// The recorder's own socket.
    pub(crate) socket: PathBuf,
    pub(crate) log: Log,
    pub(crate) options: RecorderOptions,
    /// Containers that were kept and started: they are to be removed when they end.
    pub(crate) kept: UnboundedSender<String>,
}

/// What an engine says of a container.
pub(crate) enum Described {
    /// It is there.
    Container(Box<InspectedContainer>),
    /// It is not, in these words.
    Missing(Vec<u8>),
}

impl Shared {
    /// Asks the engine what a container would run if it were started now; nothing when there is no such container.
    pub(crate) async fn inspect(&self, container: &str) -> Result<Option<InspectedContainer>, String> {
        match self.inspected(container).await? {
            Ok(inspect) => read(container, &inspect).map(Some),
            Err(_) => Ok(None),
        }
    }

    /// The same, with what the engine says of a container that it does not know; of one that `starts`, with the doors that it
    /// is given.
    pub(crate) async fn ask(&self, container: &str, starts: bool) -> Result<Described, String> {
        let inspect = match self.inspected(container).await? {
            Ok(inspect) => inspect,
            Err(missing) => return Ok(Described::Missing(missing)),
        };
        let mut described = read(container, &inspect)?;
        if starts {
            described.doors = self
                .doors(&inspect)
                .await
                .map_err(|why| not_inspected(container, &why))?;
        }
        Ok(Described::Container(Box::new(described)))
    }

    /// The doors that a container is given, and those of the containers whose processes it shares.
    async fn doors(&self, inspect: &Value) -> Result<Vec<String>, String> {
        let mut doors = doors::of(&self.engine, &self.socket, inspect).await?;
        let mut next = doors::shares(inspect);
        for _ in 0..SHARED {
            let Some(other) = next else {
                return Ok(doors);
            };
            // Where there is none, this one cannot be started.
            let inspect = self.inspected(&other).await?.unwrap_or_default();
            let others = doors::of(&self.engine, &self.socket, &inspect).await?;
            let others = others.into_iter();
            doors.extend(others.map(|door| format!("the processes of `{other}`, of which {door}")));
            next = doors::shares(&inspect);
        }
        Err("its processes are shared along too many containers".to_owned())
    }

    /// What the engine says of a container, or that there is none.
    async fn inspected(&self, container: &str) -> Result<Result<Value, Vec<u8>>, String> {
        let name = utf8_percent_encode(container, NON_ALPHANUMERIC).to_string();
        let path = Dialect::of(self.engine.kind).inspect(&name);
        let failed = |why: String| not_inspected(container, &why);
        let asked = http::call(&self.engine.socket, Method::GET, &path, None, INSPECT);
        let (status, body) = tokio::time::timeout(PATIENCE, asked)
            .await
            .map_err(|_| failed(format!("no answer within {} s", PATIENCE.as_secs())))?
            .map_err(|error| failed(error.to_string()))?;
        match status {
            StatusCode::NOT_FOUND => Ok(Err(body.to_vec())),
            StatusCode::OK => Ok(Ok(serde_json::from_slice(&body).unwrap_or_default())),
            status => Err(failed(status.to_string())),
        }
    }

    /// Whether the engine finds a container by its id, and not another one that has this id for a name.
    pub(crate) async fn is_found_by_id(&self, container: &InspectedContainer) -> bool {
        if !Dialect::of(self.engine.kind).prefers_names() {
            return true;
        }
        let found = self.inspect(&container.id).await;
        found.is_ok_and(|found| found.is_some_and(|found| found.id == container.id))
    }

    /// The containers that do not run and that an engine starts before this one, as Podman does: what they depend on first.
    pub(crate) async fn dependencies(
        &self,
        container: &InspectedContainer,
    ) -> Vec<Result<InspectedContainer, String>> {
        let mut wanted: Vec<String> = container.dependencies.clone();
        let mut seen: HashSet<String> = HashSet::from([container.id.clone()]);
        let mut found = Vec::new();
        while let Some(id) = wanted.pop() {
            if !seen.insert(id.clone()) {
                continue;
            }
            match self.ask(&id, true).await {
                Ok(Described::Container(dependency)) => {
                    wanted.extend(dependency.dependencies.iter().cloned());
                    if !dependency.running {
                        found.push(Ok(*dependency));
                    }
                }
                // Then the engine cannot start it either.
                Ok(Described::Missing(_)) => {}
                Err(fault) => found.push(Err(fault)),
            }
        }
        found.reverse();
        found
    }

    /// Notes what a container has changed.
    pub(crate) async fn read_changes(&self, container: &str) {
        let unknown = match self.inspect(container).await {
            Ok(Some(described)) => return self.note_changes(&described).await,
            Ok(None) => "the container is gone".to_owned(),
            Err(reason) => reason,
        };
        self.log.changes(Changes::unknown(container, unknown));
    }

    /// The same of one that the engine has just described.
    pub(crate) async fn note_changes(&self, described: &InspectedContainer) {
        let at = self.log.elapsed();
        self.log.changes(reading::of(&self.engine, described, at).await);
    }

    /// Notes what all containers that were started here have changed.
    pub(crate) async fn read_all_changes(&self) {
        for container in self.log.started() {
            self.read_changes(&container).await;
        }
    }
}

fn read(container: &str, inspect: &Value) -> Result<InspectedContainer, String> {
    InspectedContainer::from_inspect(inspect)
        .ok_or_else(|| format!("the engine does not say what container `{container}` runs"))
}

fn not_inspected(container: &str, why: &str) -> String {
    format!("container `{container}` could not be inspected: {why}")
}
