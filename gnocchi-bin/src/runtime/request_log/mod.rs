//! Logs of requests: every one in an access log, slow ones in the log of the program.
//!
//! | file | concern |
//! |---|---|
//! | `exchange` | what is known of a request and its response, and when it is at its end |
//! | `mask` | secrets in addresses are never logged |
//! | `line` | the formats of a line |
//! | `writer` | the thread that writes, and the bounded queue in front of it |
//!
//! Without these options nothing of this stands between the listener and the router.

mod exchange;
mod line;
mod mask;
mod writer;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use gnocchi_core::clock::Clock;
use tracing::warn;

use super::signal::Hangups;
use crate::api::TrustedProxies;
use crate::api::auth::CallerName;
use crate::config::RequestLogs;
use exchange::{Counted, Exchange};
use gnocchi_core::log_limit::LogLimit;
use line::Entry;
use writer::{Queue, Writer};

/// How many slow requests are logged at once, and how long it then takes until one more is.
const SLOW_AT_ONCE: u32 = 20;
const SLOW_INTERVAL: Duration = Duration::from_millis(500);

/// The logs of requests that the configuration asks for.
#[derive(Debug)]
pub(super) struct RequestLog {
    recorder: Arc<Recorder>,
    writer: Option<Writer>,
}

/// What the end of a request is reported to.
#[derive(Debug)]
struct Recorder {
    clock: Arc<dyn Clock>,
    /// Proxies that may name the addresses of clients.
    proxies: Option<TrustedProxies>,
    access: Option<Queue>,
    slow: Option<Duration>,
    slow_limit: LogLimit,
}

impl RequestLog {
    /// Opens the logs; `None` when there are none. The access log is opened anew at each hangup.
    pub(super) fn open(
        settings: &RequestLogs,
        proxies: Option<TrustedProxies>,
        clock: Arc<dyn Clock>,
        hangups: Hangups,
    ) -> io::Result<Option<Self>> {
        if *settings == RequestLogs::default() {
            return Ok(None);
        }
        let writer = match &settings.access {
            Some(access) => Some(Writer::start(access, hangups)?),
            None => None,
        };
        let recorder = Arc::new(Recorder {
            clock,
            proxies,
            access: writer.as_ref().map(Writer::queue),
            slow: settings.slow,
            slow_limit: LogLimit::new(SLOW_AT_ONCE, SLOW_INTERVAL),
        });
        Ok(Some(Self { recorder, writer }))
    }

    /// Surrounds a router, so that its requests are logged.
    pub(super) fn around(&self, router: Router) -> Router {
        router.layer(from_fn_with_state(Arc::clone(&self.recorder), observe))
    }

    /// Writes what is in the queue.
    pub(super) async fn close(self) {
        if let Some(writer) = self.writer {
            writer.close().await;
        }
    }
}

/// Follows a request to the end of its response.
async fn observe(
    State(recorder): State<Arc<Recorder>>,
    mut request: Request,
    next: Next,
) -> Response {
    let caller = CallerName::default();
    request.extensions_mut().insert(caller.clone());
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map(|peer| peer.0.ip());
    let mut exchange = Exchange::begin(recorder, &request, peer, caller);
    let response = next.run(request).await;
    exchange.answered(&response);
    response.map(|body| Body::new(Counted::new(body, exchange)))
}

impl Recorder {
    /// Logs a request that is at its end.
    fn record(&self, entry: Entry) {
        if self
            .slow
            .is_some_and(|threshold| entry.duration > threshold)
            && let Some(held_back) = self.slow_limit.pass()
        {
            warn!(
                method = entry.method,
                target = entry.target,
                status = entry.status,
                seconds = entry.duration.as_secs_f64(),
                bytes = entry.bytes,
                client = entry.client,
                user = entry.user,
                id = entry.request_id,
                held_back,
                "a request was slow"
            );
        }
        if let Some(queue) = &self.access {
            queue.push(entry);
        }
    }
}
