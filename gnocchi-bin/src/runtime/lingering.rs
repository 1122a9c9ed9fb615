//! A connection that takes what its client still sends before it ends.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::unfinished::Unread;

/// How long a client may go on sending after everything was said to it.
const LINGER_MAX: Duration = Duration::from_secs(30);

/// How long it may be silent meanwhile.
const SILENCE_MAX: Duration = Duration::from_secs(5);

/// How much is read at once, in bytes.
const PIECE_BYTES: usize = 16 << 10;

/// A stream that closes its writing half first and then reads, for a while, what still comes.
///
/// Why? When a connection is closed with bytes unread, or bytes come after that, the system resets it, and what was sent last is
/// lost at the other end: the response that says why nothing more is wanted.
#[derive(Debug)]
pub(super) struct Lingering<S> {
    stream: S,
    /// Whether more is to be expected though nothing has come just now.
    unread: Unread,
    closing: Option<Closing>,
}

/// A stream whose writing half is closed.
#[derive(Debug)]
struct Closing {
    ends: Instant,
    /// Runs until the client has been silent for too long, or the end.
    waiting: Pin<Box<Sleep>>,
    has_read: bool,
}

impl Closing {
    fn begin() -> Self {
        let now = Instant::now();
        Self {
            ends: now + LINGER_MAX,
            waiting: Box::pin(sleep_until(now + SILENCE_MAX)),
            has_read: false,
        }
    }

    fn read(&mut self) {
        self.has_read = true;
        let silence_ends = Instant::now() + SILENCE_MAX;
        self.waiting.as_mut().reset(silence_ends.min(self.ends));
    }
}

impl<S> Lingering<S> {
    pub(super) fn new(stream: S, unread: Unread) -> Self {
        Self {
            stream,
            unread,
            closing: None,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lingering<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.closing.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
        }
        let closing = this.closing.get_or_insert_with(Closing::begin);
        loop {
            if closing.waiting.as_mut().poll(context).is_ready() {
                return Poll::Ready(Ok(()));
            }
            let mut piece = [0; PIECE_BYTES];
            let mut piece = ReadBuf::new(&mut piece);
            match Pin::new(&mut this.stream).poll_read(context, &mut piece) {
                Poll::Ready(Ok(())) if !piece.filled().is_empty() => closing.read(),
                Poll::Pending if closing.has_read || this.unread.is_set() => return Poll::Pending,
                // The client has closed its half as well, or has nothing to say.
                Poll::Ready(_) | Poll::Pending => return Poll::Ready(Ok(())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_is_heard_out() {
        let (near, mut far) = duplex(100);
        let mut stream = Lingering::new(near, Unread::default());
        far.write_all(&[7; 50]).await.unwrap();
        let sending = async {
            assert_eq!(far.read(&mut [0]).await.unwrap(), 0, "nothing more is said");
            far.write_all(&[7; 1000]).await.unwrap();
            drop(far);
        };
        let (closed, ()) = tokio::join!(stream.shutdown(), sending);
        closed.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn but_not_without_end() {
        let (near, mut far) = duplex(100);
        let unread = Unread::default();
        unread.set();
        let mut stream = Lingering::new(near, unread);
        let sending = async {
            while far.write_all(&[7; 10]).await.is_ok() {
                tokio::time::sleep(SILENCE_MAX / 2).await;
            }
        };
        let began = Instant::now();
        let closing = async {
            stream.shutdown().await.unwrap();
            drop(stream);
        };
        tokio::join!(closing, sending);
        assert!(began.elapsed() < LINGER_MAX + SILENCE_MAX);
        assert!(began.elapsed() + SILENCE_MAX > LINGER_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_client_is_waited_for_only_if_it_owes_something() {
        let (near, far) = duplex(100);
        let began = Instant::now();
        Lingering::new(near, Unread::default())
            .shutdown()
            .await
            .unwrap();
        assert_eq!(began.elapsed(), Duration::ZERO);
        drop(far);

        let (near, far) = duplex(100);
        let unread = Unread::default();
        unread.set();
        Lingering::new(near, unread).shutdown().await.unwrap();
        assert_eq!(began.elapsed(), SILENCE_MAX);
        drop(far);
    }
}
