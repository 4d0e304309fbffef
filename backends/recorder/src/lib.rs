//! The wire witness: a byte-transparent relay that records what an engine is asked to do.

mod endpoint;
pub mod http;
mod recorder;

pub use endpoint::{Endpoint, EndpointError, RecordedEndpoint};
pub use recorder::Recorder;
