//! The direction from the engine to the client.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::OwnedReadHalf;

use crate::action::Action;
use crate::body::{Kept, made, said};
use crate::relay::exchange::{BUFFER, Exchange, Pending, RelayError};
use crate::scan::{BodyLength, Piece, ResponseHead, Scanner};
use crate::shared::Shared;

pub(super) struct Answers<'a> {
    pub(super) shared: &'a Shared,
    pub(super) exchange: &'a Exchange,
}

impl Answers<'_> {
    pub(super) async fn copy(self, mut from: OwnedReadHalf) -> Result<(), RelayError> {
        let result = self.follow(&mut from).await;
        self.exchange.silent();
        self.exchange.to_client.lock().await.shutdown().await?;
        result
    }

    async fn follow(&self, from: &mut OwnedReadHalf) -> Result<(), RelayError> {
        let mut scanner = Scanner::default();
        let mut buffer = vec![0; BUFFER];
        let mut reading: Option<(usize, Kept)> = None;
        loop {
            let read = from.read(&mut buffer).await?;
            if read == 0 {
                // An answer without a length ends here.
                self.note(reading.take());
                return Ok(());
            }
            let mut input = &buffer[..read];
            let mut ended = 0;
            while let Some(piece) = scanner.next(&mut input).map_err(RelayError::Response)? {
                match piece {
                    Piece::Head(raw) => {
                        let head = ResponseHead::parse(&raw).map_err(RelayError::Response)?;
                        if matches!(head.status, 100..=199) && head.status != 101 {
                            scanner.interim();
                            continue;
                        }
                        let pending = self.exchange.queue().pop_front();
                        let pending = pending.ok_or(RelayError::Unasked)?;
                        let leaves = head.leaves_http() && pending.leaves_http.is_some();
                        if head.status == 101 && !leaves {
                            return Err(RelayError::LeftHttp);
                        }
                        self.shared.log.update(pending.place, |record| {
                            record.status = Some(head.status);
                            record.left_http = leaves;
                        });
                        for place in &pending.implied {
                            self.shared
                                .log
                                .update(*place, |record| record.status = Some(head.status));
                        }
                        self.note_start(&pending);
                        if let Some(sender) = pending.leaves_http {
                            // The request direction may be gone already; then nobody needs the word.
                            let _ = sender.send(leaves);
                        }
                        if leaves {
                            let mut to_client = self.exchange.to_client.lock().await;
                            to_client.write_all(&buffer[..read]).await?;
                            tokio::io::copy(from, &mut *to_client).await?;
                            return Ok(());
                        }
                        let is_read = match head.status {
                            400.. => pending.action.is_on_the_way_to_a_start(),
                            _ => matches!(pending.action, Action::CreateContainer | Action::CreateExec),
                        };
                        reading = is_read.then(|| (pending.place, Kept::default()));
                        let bodiless = pending.is_head || matches!(head.status, 204 | 304);
                        scanner.body(if bodiless {
                            BodyLength::Empty
                        } else {
                            head.body.unwrap_or(BodyLength::UntilEnd)
                        });
                    }
                    Piece::Data(data) => {
                        if let Some((_, kept)) = &mut reading {
                            kept.push(data);
                        }
                    }
                    Piece::Framing(_) => {}
                    Piece::End => {
                        self.note(reading.take());
                        ended += 1;
                    }
                }
            }
            // Recorded first: a client that has its answer can rely on the record.
            self.exchange.to_client(&buffer[..read]).await?;
            (0..ended).for_each(|_| self.exchange.answered());
        }
    }

    /// Has a container that was kept removed when it has ended. One that could not be started is removed by engines too.
    fn note_start(&self, request: &Pending) {
        if request.action != Action::StartContainer {
            return;
        }
        for place in request.implied.iter().chain([&request.place]) {
            let container = self.shared.log.update(*place, |record| record.subject.clone());
            if let Some(container) = container.filter(|container| self.shared.is_kept(container)) {
                // Nobody takes it once the recorder is gone.
                let _ = self.shared.kept.send(container.id);
            }
        }
    }

    /// Notes what an answer says, when it has ended.
    fn note(&self, read: Option<(usize, Kept)>) {
        let Some((place, kept)) = read else { return };
        self.shared.log.update(place, |record| match record.status {
            Some(400..) => record.answer = Some(said(kept.whole())),
            _ => record.made = made(kept.whole()),
        });
    }
}
