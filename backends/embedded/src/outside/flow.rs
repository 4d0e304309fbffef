//! A connection of a container, as a stream of bytes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use smoltcp::iface::SocketHandle;
use smoltcp::socket::tcp::{RecvError, State};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::stack::Stack;

/// One end of a connection; the other is in a container. Dropping it breaks the connection, unless that has ended.
pub(super) struct Flow {
    stack: Arc<Stack>,
    handle: SocketHandle,
}

impl Flow {
    pub(super) const fn new(stack: Arc<Stack>, handle: SocketHandle) -> Self {
        Self { stack, handle }
    }

    /// Waits until the container knows that it has a connection: what breaks off before that is refused, to it. Nothing comes
    /// and goes before.
    pub(super) async fn begin(&self) {
        self.until(|state| !matches!(state, State::Listen | State::SynReceived))
            .await;
    }

    /// Waits until the container has seen that both sides have ended.
    pub(super) async fn end(self) {
        self.until(|state| matches!(state, State::Closed | State::TimeWait))
            .await;
    }

    async fn until(&self, is_so: impl Fn(State) -> bool) {
        std::future::poll_fn(|context| {
            self.stack.with(self.handle, |socket| {
                if is_so(socket.state()) {
                    return Poll::Ready(());
                }
                socket.register_recv_waker(context.waker());
                Poll::Pending
            })
        })
        .await;
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.stack.remove(self.handle);
    }
}

impl AsyncRead for Flow {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stack.with(self.handle, |socket| {
            if socket.may_recv() && !socket.can_recv() {
                socket.register_recv_waker(context.waker());
                return Poll::Pending;
            }
            match socket.recv_slice(into.initialize_unfilled()) {
                Ok(length) => {
                    into.advance(length);
                    Poll::Ready(Ok(()))
                }
                Err(RecvError::Finished) => Poll::Ready(Ok(())),
                Err(RecvError::InvalidState) => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            }
        })
    }
}

impl AsyncWrite for Flow {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.stack.with(self.handle, |socket| {
            if socket.may_send() && !socket.can_send() {
                socket.register_send_waker(context.waker());
                return Poll::Pending;
            }
            let sent = socket.send_slice(bytes);
            Poll::Ready(sent.map_err(|_| io::ErrorKind::BrokenPipe.into()))
        })
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // It is on its way.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stack.with(self.handle, |socket| socket.close());
        Poll::Ready(Ok(()))
    }
}
