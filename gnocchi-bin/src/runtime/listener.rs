//! The listener: accepts connections and serves HTTP/1.1 on them until it is told to stop.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

/// How long a connection may be silent between requests, or take for the head of one.
const SILENCE_MAX: Duration = Duration::from_secs(75);

/// The pause after a connection could not be accepted, for example because the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How the listener treats its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest number of open connections; further ones wait to be accepted.
    pub connections_max: usize,
    /// How long requests in hand may take after the shutdown began.
    pub drain: Duration,
}

/// A bound port.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Binds a port; zero takes a free one.
    ///
    /// # Errors
    /// Whatever the system says.
    pub async fn bind(host: &str, port: u16) -> io::Result<Self> {
        let socket = TcpListener::bind((host, port)).await?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address })
    }

    /// Returns the address that is listened on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the URL under which a program of this machine finds the server.
    #[must_use]
    pub fn url(&self) -> String {
        if self.address.ip().is_unspecified() {
            format!("http://localhost:{}", self.address.port())
        } else {
            format!("http://{}", self.address)
        }
    }

    /// Serves until `shutdown`. Then no connection is accepted any more, idle ones are closed, and requests in hand are finished
    /// as far as the limits allow.
    pub async fn serve(self, router: Router, limits: Limits, shutdown: CancellationToken) {
        let connections = TaskTracker::new();
        let abandon = CancellationToken::new();
        let places = Arc::new(Semaphore::new(limits.connections_max));
        while let Some((stream, place)) = self.accept(&places, &shutdown).await {
            let connection = Connection {
                shutdown: shutdown.clone(),
                abandon: abandon.clone(),
            };
            let router = router.clone();
            connections.spawn(async move {
                connection.serve(stream, router).await;
                drop(place);
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
        shutdown: &CancellationToken,
    ) -> Option<(TcpStream, OwnedSemaphorePermit)> {
        let next = async {
            let place = Arc::clone(places)
                .acquire_owned()
                .await
                .expect("the semaphore is never closed");
            loop {
                match self.socket.accept().await {
                    Ok((stream, _)) => return (stream, place),
                    Err(error) => {
                        warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => None,
            accepted = next => Some(accepted),
        }
    }
}

/// What ends a connection from this side.
struct Connection {
    /// The request in hand is the last one.
    shutdown: CancellationToken,
    /// The connection is dropped as it is.
    abandon: CancellationToken,
}

impl Connection {
    async fn serve(self, stream: TcpStream, router: Router) {
        // Answers are written whole: waiting for more to send would only delay them.
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%error, "cannot switch TCP_NODELAY on");
        }
        let service = TowerToHyperService::new(router);
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(SILENCE_MAX)
            .serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        let mut last = false;
        let result = loop {
            tokio::select! {
                result = connection.as_mut() => break result,
                () = self.shutdown.cancelled(), if !last => {
                    connection.as_mut().graceful_shutdown();
                    last = true;
                }
                () = self.abandon.cancelled() => break Ok(()),
            }
        };
        if let Err(error) = result {
            debug!(%error, "a connection ended badly");
        }
    }
}
