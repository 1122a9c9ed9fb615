//! The listener: accepts connections and serves HTTP/1.1 or HTTP/2 on them, with or without TLS, until it is told to stop.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use gnocchi_core::Shutdown;
use gnocchi_core::log_limit::LogLimit;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use metrics::{counter, gauge};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream, lookup_host};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;
use tracing::{debug, warn};

use super::half_closed::HalfClosed;
use super::impatient::Impatient;
use super::lingering::Lingering;
use super::neighbours::Neighbours;
use super::tls::{self, Accepted, Tls};
use super::unfinished::{self, Unread};
use super::unread;
use crate::api::OverTls;

/// How long a connection may be silent between requests, or take for the head of one.
const SILENCE_MAX: Duration = Duration::from_secs(75);

/// How long the handshake of TLS may take.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// What a client sends first that speaks HTTP/2 without asking.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The pause before a preface that has come in part is looked at again.
const PREFACE_PAUSE: Duration = Duration::from_millis(20);

/// How many requests of one HTTP/2 connection are handled at once; more wait.
const STREAMS_MAX: u32 = 100;

/// How much of a response one stream of HTTP/2 holds beside its source, in bytes.
const SEND_BUFFER_BYTES: usize = 64 << 10;

/// How much of a request an HTTP/2 client may send before the server has read it, in bytes: in one stream, and in all of a connection.
const STREAM_WINDOW_BYTES: u32 = 256 << 10;
const CONNECTION_WINDOW_BYTES: u32 = 1 << 20;

/// How often an HTTP/2 client is asked whether it is still there.
const PING_INTERVAL: Duration = Duration::from_secs(30);

/// How long it may take to say so.
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a request is still worked on after its client has ended its side of the connection.
const HALF_CLOSED_PAUSE: Duration = Duration::from_millis(300);

/// The pause after a connection could not be accepted, for example because the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How often that is logged: a few times at once, and then once in this time.
static UNACCEPTED: LogLimit = LogLimit::new(3, Duration::from_secs(10));

/// How many connections may wait to be accepted; what the standard library takes.
const BACKLOG_MAX: u32 = 1024;

/// How the listener treats its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest number of open connections; further ones wait to be accepted.
    pub connections_max: usize,
    /// The largest number of open connections from one address; further ones are closed.
    pub connections_per_address_max: usize,
    /// How long a client may leave a response unread.
    pub unread: Duration,
    /// How long requests in hand may take after the shutdown began.
    pub drain: Duration,
}

/// A port that is reserved. Connections to it are refused until it is listened on, so that no client takes a server that
/// is still starting, or cannot start, for one that responds.
#[derive(Debug)]
pub struct Reservation {
    socket: TcpSocket,
}

impl Reservation {
    /// Reserves a port; zero takes a free one.
    ///
    /// # Errors
    /// Whatever the system says.
    pub async fn make(host: &str, port: u16) -> io::Result<Self> {
        let mut failure = io::Error::new(io::ErrorKind::InvalidInput, "the host has no address");
        for address in lookup_host((host, port)).await? {
            match bind(address) {
                Ok(socket) => return Ok(Self { socket }),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Returns the address that will be listened on.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Begins to listen.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn listen(self) -> io::Result<Listener> {
        let socket = self.socket.listen(BACKLOG_MAX)?;
        let address = socket.local_addr()?;
        Ok(Listener {
            socket,
            address,
            tls: None,
        })
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // Else a port is taken for a while after its last server ended. Elsewhere than on Unix this would let two servers have it.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// A port that is listened on.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    tls: Option<Tls>,
}

impl Listener {
    /// Listens on a port; zero takes a free one.
    ///
    /// # Errors
    /// Whatever the system says.
    pub async fn bind(host: &str, port: u16) -> io::Result<Self> {
        Reservation::make(host, port).await?.listen()
    }

    /// Speaks TLS, or not.
    #[must_use]
    pub(super) fn with_tls(mut self, tls: Option<Tls>) -> Self {
        self.tls = tls;
        self
    }

    /// Returns the address that is listened on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the URL under which a program of this machine finds the server.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        if self.address.ip().is_unspecified() {
            format!("{scheme}://localhost:{}", self.address.port())
        } else {
            format!("{scheme}://{}", self.address)
        }
    }

    /// Serves until `shutdown`. Then no connection is accepted any more, idle ones are closed, and requests in hand are finished
    /// as far as the limits allow.
    pub async fn serve(self, router: Router, limits: Limits, shutdown: Shutdown) {
        let connections = TaskTracker::new();
        let abandon = CancellationToken::new();
        let places = Arc::new(Semaphore::new(limits.connections_max));
        let neighbours = Neighbours::new(limits.connections_per_address_max);
        while let Some((stream, peer, place)) = self.accept(&places, &shutdown).await {
            let Some(neighbour) = neighbours.admit(peer.ip()) else {
                counter!("gnocchi_connections_refused_total").increment(1);
                debug!(%peer, "a connection is closed, its address has too many");
                continue;
            };
            let connection = Connection {
                shutdown: shutdown.clone(),
                abandon: abandon.clone(),
                unread: limits.unread,
            };
            let (tls, router) = (self.tls.clone(), router.clone());
            let counted = Counted::begin();
            connections.spawn(async move {
                connection.serve(stream, peer, tls, router).await;
                drop((place, neighbour, counted));
            });
        }
        drop(self);
        connections.close();
        if tokio::time::timeout(limits.drain, connections.wait())
            .await
            .is_err()
        {
            warn!(
                connections = connections.len(),
                "requests are cut off, they took too long after the shutdown began"
            );
            abandon.cancel();
            connections.wait().await;
        }
    }

    /// Returns the next connection and its place among the open ones; `None` when the shutdown began.
    async fn accept(
        &self,
        places: &Arc<Semaphore>,
        shutdown: &Shutdown,
    ) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        let next = async {
            let place = Arc::clone(places)
                .acquire_owned()
                .await
                .expect("the semaphore is never closed");
            loop {
                match self.socket.accept().await {
                    Ok((stream, peer)) => return (stream, peer, place),
                    Err(error) => {
                        if let Some(held_back) = UNACCEPTED.pass() {
                            warn!(%error, held_back, "cannot accept a connection");
                        }
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        };
        tokio::select! {
            () = shutdown.begun() => None,
            accepted = next => Some(accepted),
        }
    }
}

/// What ends a connection from this side.
struct Connection {
    /// The request in hand is the last one.
    shutdown: Shutdown,
    /// The connection is dropped as it is.
    abandon: CancellationToken,
    /// How long a response may be left unread.
    unread: Duration,
}

impl Connection {
    async fn serve(self, stream: TcpStream, peer: SocketAddr, tls: Option<Tls>, router: Router) {
        // Answers are written whole: waiting for more to send would only delay them.
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%error, "cannot switch TCP_NODELAY on");
        }
        let begun = async {
            match tls {
                None => {
                    let version = timeout(SILENCE_MAX, version_of(&stream)).await??;
                    Ok(Some((Stream::Plain(stream), version)))
                }
                Some(tls) => match timeout(HANDSHAKE_MAX, tls.accept(stream)).await?? {
                    Accepted::Refused => Ok(None),
                    Accepted::Secured(stream) if tls::speaks_http2(&stream) => {
                        Ok(Some((Stream::Secured(stream), Version::Http2)))
                    }
                    Accepted::Secured(stream) => {
                        Ok(Some((Stream::Secured(stream), Version::Http1)))
                    }
                },
            }
        };
        let begun: io::Result<_> = tokio::select! {
            begun = begun => begun,
            // Nothing was asked yet.
            () = self.shutdown.begun() => return,
        };
        match begun {
            Ok(Some((Stream::Plain(stream), version))) => {
                self.speak(stream, version, peer, None, router).await;
            }
            Ok(Some((Stream::Secured(stream), version))) => {
                self.speak(*stream, version, peer, Some(OverTls), router)
                    .await;
            }
            Ok(None) => debug!(%peer, "a client does not speak TLS"),
            Err(error) => debug!(%peer, %error, "a connection ended before it asked anything"),
        }
    }

    /// Serves HTTP on a connection.
    async fn speak<S>(
        self,
        stream: S,
        version: Version,
        peer: SocketAddr,
        over_tls: Option<OverTls>,
        router: Router,
    ) where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let unread_max = self.unread;
        let unread = Unread::default();
        let client = unread.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let mut request = unfinished::drained(request, unfinished::LIMITS, &client);
            request.extensions_mut().insert(ConnectInfo(peer));
            if let Some(over_tls) = over_tls {
                request.extensions_mut().insert(over_tls);
            }
            let answer = router.clone().oneshot(request);
            async move {
                let answer = answer.await?;
                Ok::<_, Infallible>(match version {
                    // What is not taken fills the connection, which is given up as a whole.
                    Version::Http1 => answer,
                    Version::Http2 => answer.map(|body| unread::limited(body, unread_max)),
                })
            }
        });
        let stream = Impatient::new(stream, unread_max);
        let stream = Lingering::new(stream, unread);
        let stream = TokioIo::new(HalfClosed::new(stream, HALF_CLOSED_PAUSE));
        let result = match version {
            Version::Http1 => {
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(SILENCE_MAX)
                    .serve_connection(stream, service);
                self.drive(connection).await
            }
            Version::Http2 => {
                let connection = http2::Builder::new(TokioExecutor::new())
                    .timer(TokioTimer::new())
                    .max_concurrent_streams(STREAMS_MAX)
                    .max_send_buf_size(SEND_BUFFER_BYTES)
                    .initial_stream_window_size(STREAM_WINDOW_BYTES)
                    .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
                    .keep_alive_interval(PING_INTERVAL)
                    .keep_alive_timeout(PING_TIMEOUT)
                    .serve_connection(stream, service);
                self.drive(connection).await
            }
        };
        if let Err(error) = result {
            debug!(%error, "a connection ended badly");
        }
    }

    /// Serves a connection to its end.
    async fn drive<C: GracefulConnection>(self, connection: C) -> Result<(), C::Error> {
        tokio::pin!(connection);
        let mut last = false;
        loop {
            tokio::select! {
                result = connection.as_mut() => break result,
                () = self.shutdown.begun(), if !last => {
                    connection.as_mut().graceful_shutdown();
                    last = true;
                }
                () = self.abandon.cancelled() => break Ok(()),
            }
        }
    }
}

/// An open connection, as monitoring counts it, also when its task panics.
#[derive(Debug)]
struct Counted;

impl Counted {
    fn begin() -> Self {
        gauge!("gnocchi_connections").increment(1.0);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        gauge!("gnocchi_connections").decrement(1.0);
    }
}

/// A connection that has begun.
enum Stream {
    Plain(TcpStream),
    Secured(Box<TlsStream<TcpStream>>),
}

/// What a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    Http1,
    Http2,
}

/// Waits until a client has said enough to know what it speaks, and takes nothing of it.
async fn version_of(stream: &TcpStream) -> io::Result<Version> {
    let mut begin = [0; HTTP2_PREFACE.len()];
    loop {
        let length = stream.peek(&mut begin).await?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if begin[..length] != HTTP2_PREFACE[..length] {
            return Ok(Version::Http1);
        }
        if length == HTTP2_PREFACE.len() {
            return Ok(Version::Http2);
        }
        // What has come stays readable, so there is nothing to wait for but time.
        tokio::time::sleep(PREFACE_PAUSE).await;
    }
}

#[cfg(test)]
#[path = "listener_tests.rs"]
mod tests;
