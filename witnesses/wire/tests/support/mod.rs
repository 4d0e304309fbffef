//! A scripted engine behind a recorder.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// A directory of this test's own, removed at its end.
pub struct Dir(pub PathBuf);

impl Dir {
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("shellproof-relay-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

/// An engine that answers whenever its script has an answer to all it has received; gives what it received.
pub fn engine(
    socket: &Path,
    script: impl Fn(&[u8]) -> Option<Vec<u8>> + Send + Sync + 'static,
) -> UnboundedReceiver<Vec<u8>> {
    let script = Arc::new(script);
    let listener = UnixListener::bind(socket).unwrap();
    let (sender, receiver) = unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (sender, script) = (sender.clone(), script.clone());
            tokio::spawn(async move {
                let (mut all, mut buffer) = (Vec::new(), vec![0; 1 << 20]);
                while let Ok(read) = stream.read(&mut buffer).await {
                    all.extend_from_slice(&buffer[..read]);
                    if read == 0 {
                        break;
                    }
                    if let Some(answer) = script(&all) {
                        // Who asked may be gone.
                        let _ = stream.write_all(&answer).await;
                    }
                }
                // The test may have ended.
                let _ = sender.send(all);
            });
        }
    });
    receiver
}
