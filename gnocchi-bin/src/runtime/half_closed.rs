//! A connection whose peer sends nothing any more but may still read.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// A stream that says a little later than it could that the peer has ended its side.
///
/// Why? A client that has gone and one that only sends nothing more, such as `nc`, look the same until something is written to them. The
/// request in hand is dropped once the end is known, so that no work is done for a client that has gone; the pause lets the response of
/// a short request through.
#[derive(Debug)]
pub(super) struct HalfClosed<S> {
    stream: S,
    pause: Duration,
    /// Runs since the peer has ended its side.
    ended: Option<Pin<Box<Sleep>>>,
}

impl<S> HalfClosed<S> {
    pub(super) fn new(stream: S, pause: Duration) -> Self {
        Self {
            stream,
            pause,
            ended: None,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for HalfClosed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ended.is_none() {
            let before = buffer.filled().len();
            ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
            if buffer.filled().len() > before || buffer.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
        }
        let pause = self.pause;
        let ended = self.ended.get_or_insert_with(|| Box::pin(sleep(pause)));
        ended.as_mut().poll(context).map(Ok)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for HalfClosed<S> {
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

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::Instant;

    use super::*;

    const PAUSE: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn the_end_is_told_after_a_pause() {
        let (near, mut far) = duplex(100);
        let mut stream = HalfClosed::new(near, PAUSE);
        far.write_all(b"ab").await.unwrap();
        far.shutdown().await.unwrap();
        let began = Instant::now();
        let mut text = [0; 2];
        stream.read_exact(&mut text).await.unwrap();
        assert_eq!((&text, began.elapsed()), (b"ab", Duration::ZERO));
        // What is written meanwhile arrives.
        stream.write_all(b"cd").await.unwrap();
        far.read_exact(&mut text).await.unwrap();
        assert_eq!(&text, b"cd");
        assert_eq!(stream.read(&mut text).await.unwrap(), 0);
        assert_eq!(began.elapsed(), PAUSE);
        assert_eq!(stream.read(&mut text).await.unwrap(), 0);
        assert_eq!(began.elapsed(), PAUSE);
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_is_told_at_once() {
        let (near, mut far) = duplex(100);
        let mut stream = HalfClosed::new(near, PAUSE);
        let began = Instant::now();
        for byte in b"abc" {
            far.write_all(&[*byte]).await.unwrap();
            assert_eq!(stream.read_u8().await.unwrap(), *byte);
        }
        assert_eq!(stream.read(&mut []).await.unwrap(), 0);
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}
