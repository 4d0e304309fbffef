use std::sync::{Mutex, PoisonError};

use crate::content::Hasher;
use crate::keep::Left;
use crate::log::Log;
use crate::misc::Handlers;
use crate::options::Options;

/// What all threads of a supervisor share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub options: Options,
    pub log: Log,
    pub hasher: Hasher,
    pub handlers: Handlers,
    /// What the threads had in their hands when they were stopped.
    left: Mutex<Left>,
}

impl Shared {
    pub fn new(options: Options, hasher: Hasher) -> Self {
        Self {
            options,
            log: Log::new(),
            hasher,
            handlers: Handlers::of_host(),
            left: Mutex::default(),
        }
    }

    /// Adds to what is left, or takes it.
    pub fn left<T>(&self, change: impl FnOnce(&mut Left) -> T) -> T {
        change(&mut self.left.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
