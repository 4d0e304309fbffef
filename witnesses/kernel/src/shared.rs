use crate::content::Hasher;
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
}
