//! The recording while it grows.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::changes::Changes;
use crate::container::InspectedContainer;
use crate::record::{Client, Record, Recording};
use crate::route::Route;

/// The shared, growing recording.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    started: Instant,
    recording: Arc<Mutex<Recording>>,
    /// Requests that an engine may have read in another way than we, and why.
    doubts: Arc<Mutex<Vec<(usize, String)>>>,
}

impl Log {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            recording: Arc::default(),
            doubts: Arc::default(),
        }
    }

    /// The time since the recorder started.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Adds a request, whose target holds no secret any more, and gives its place, for [`Log::update`].
    pub(crate) fn add(
        &self,
        connection: u64,
        client: &Client,
        method: &str,
        target: &str,
        route: Route,
    ) -> usize {
        self.with(|recording| {
            let place = recording.records.len();
            recording.records.push(Record {
                number: place as u64 + 1,
                at: self.started.elapsed(),
                connection,
                client: client.clone(),
                method: method.to_owned(),
                target: target.to_owned(),
                route,
                ..Record::default()
            });
            place
        })
    }

    pub(crate) fn update<T>(&self, place: usize, change: impl FnOnce(&mut Record) -> T) -> T {
        self.with(|recording| change(&mut recording.records[place]))
    }

    pub(crate) fn fault(&self, connection: u64, fault: impl std::fmt::Display) {
        self.with(|recording| recording.faults.push(format!("connection {connection}: {fault}")));
    }

    /// Notes that an engine may read a request in another way than we do: a fault, unless
    /// the engine refuses the request.
    pub(crate) fn doubt(&self, place: usize, why: String) {
        let mut doubts = self.doubts.lock().unwrap_or_else(PoisonError::into_inner);
        doubts.push((place, why));
    }

    /// Notes what a container has changed, unless what was noted of it before tells more.
    pub(crate) fn changes(&self, changes: Changes) {
        self.with(|recording| {
            let is_before = |before: &Changes| before.container == changes.container;
            match recording.changes.iter().position(is_before) {
                Some(at) if recording.changes[at].outweighs(&changes) => {}
                Some(at) => recording.changes[at] = changes,
                None => recording.changes.push(changes),
            }
        });
    }

    /// Forgets what a container had changed: it goes on.
    pub(crate) fn goes_on(&self, container: &str) {
        self.with(|recording| recording.changes.retain(|changes| changes.container != container));
    }

    /// Whether somebody is waiting for the start of a container.
    pub(crate) fn is_starting(&self, container: &str) -> bool {
        self.with(|recording| {
            let waits = |record: &Record| record.status.is_none();
            let is_it = |record: &Record| {
                record
                    .subject
                    .as_ref()
                    .is_some_and(|subject| subject.id == container)
            };
            recording.starts().any(|record| waits(record) && is_it(record))
        })
    }

    /// The ids of the containers that were started here.
    pub(crate) fn started(&self) -> Vec<String> {
        self.with(|recording| {
            let subjects = recording.starts().filter_map(|record| record.subject.as_ref());
            let started: BTreeSet<&String> = subjects.map(|subject| &subject.id).collect();
            started.into_iter().cloned().collect()
        })
    }

    /// The ids of the images of the containers that were started here.
    pub(crate) fn images(&self) -> BTreeSet<String> {
        self.with(|recording| {
            let subjects = recording.starts().filter_map(|record| record.subject.as_ref());
            subjects.filter_map(InspectedContainer::image_id).collect()
        })
    }

    /// The ids of the containers that were started here and of which nothing is noted that they have changed.
    pub(crate) fn unread(&self) -> Vec<String> {
        let mut unread = self.started();
        self.with(|recording| {
            let is_noted = |id: &String| recording.changes.iter().any(|changes| changes.container == *id);
            unread.retain(|id| !is_noted(id));
        });
        unread
    }

    /// The ids of the containers that were made here.
    pub(crate) fn created(&self) -> Vec<String> {
        self.with(|recording| recording.created().into_iter().map(str::to_owned).collect())
    }

    pub(crate) fn snapshot(&self) -> Recording {
        let mut recording = self.with(|recording| recording.clone());
        let doubts = self.doubts.lock().unwrap_or_else(PoisonError::into_inner);
        for (place, why) in doubts.iter() {
            let record = &recording.records[*place];
            if record.refused.is_some() || record.status.is_none_or(|status| status < 400) {
                let fault = format!("request {}: its body cannot be judged: {why}", record.number);
                recording.faults.push(fault);
            }
        }
        recording
    }

    fn with<T>(&self, work: impl FnOnce(&mut Recording) -> T) -> T {
        work(&mut self.recording.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
