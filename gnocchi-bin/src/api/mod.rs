//! The HTTP API.
//!
//! [`router`] returns a complete [`Router`] that can be mounted under any prefix. It reads no file (it only checks whether the files
//! configured for `/healthcheck` exist), binds no port and starts no task. A handler parses the request, checks the access rules, calls the
//! store, and renders the response; domain rules are in `gnocchi-core`.
//!
//! # Examples
//!
//! A program that serves the API under `/tsdb`, with a store in memory. With `nest_service`, the path `/tsdb/` works as well; URLs in
//! responses begin with the prefix.
//!
//! ```
//! use axum::Router;
//! use gnocchi_core::{Gnocchi, Settings, memory};
//! use gnocchi_server::api::{self, ApiSettings, ApiState};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let gnocchi = Gnocchi::new(memory::drivers(), Settings::default());
//! let state = ApiState::new(gnocchi, ApiSettings::default(), None);
//! let program: Router = Router::new().nest_service("/tsdb", api::router(state));
//!
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let address = listener.local_addr()?;
//! let serving = axum::serve(listener, program);
//! # let asking = async {
//! #     use tokio::io::{AsyncReadExt, AsyncWriteExt};
//! #     let mut stream = tokio::net::TcpStream::connect(address).await?;
//! #     stream.write_all(b"GET /tsdb/ HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").await?;
//! #     let mut response = String::new();
//! #     stream.read_to_string(&mut response).await?;
//! #     std::io::Result::Ok(response)
//! # };
//! # tokio::select! {
//! #     ended = serving.into_future() => ended?,
//! #     response = asking => assert!(response?.contains("http://h/tsdb/v1/")),
//! # }
//! # Ok(())
//! # }
//! ```
//!
//! # Files
//!
//! | folder or file | concern |
//! |---|---|
//! | `routes`, `state`, `settings` | the router with the list of its paths, and the state that every handler receives |
//! | `middleware/` | what is done for every request: ids, CORS, error bodies, panics, durations |
//! | `probes/` | `/healthcheck` and `/metrics` |
//! | `auth/` | authentication and access rules |
//! | `request/` | the parts of a request, and their validation |
//! | `response/` | errors, rendering and formats |
//! | `measures/` | measures from bytes to columns |
//! | `v1/` | one file for each resource of the API: its wire types and handlers |
//! | `attempts` | repeats changes that conflict with concurrent ones |
//! | `aside` | moves longer work off the threads of the asynchronous runtime |

pub(crate) mod aside;
mod attempts;
pub mod auth;
pub mod measures;
pub(crate) mod middleware;
pub(crate) mod probes;
pub mod request;
pub mod response;
pub(crate) mod routes;
pub mod settings;
pub(crate) mod state;
pub(crate) mod v1;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use http::StatusCode;

pub use gnocchi_core::text::{timespan, timestamp};
pub use middleware::address::OverTls;
pub use middleware::address_range::{AddressRange, AddressRangeError};
pub use middleware::trusted_proxies::TrustedProxies;
pub use probes::{Collector, ProcessMetrics};
pub use settings::{ApiSettings, CorsSettings, HealthcheckSettings};
pub use state::ApiState;

use crate::api::response::error::ApiError;
use crate::ingest;
use routes::Routes;

/// What is said where no path leads.
const NO_SUCH_PATH: &str = "this server has no such path; GET /v1/ lists the collections, and /v1/openapi.json describes every path";

/// Makes the whole API: the versions document at `/`, the API at `/v1`, `/healthcheck` and `/metrics`. It needs a runtime with timers.
pub fn router(state: ApiState) -> Router {
    let routes = v1::routes()
        .into_router()
        .route_layer(from_fn(middleware::edge::json_only))
        .merge(v1::open_routes().into_router())
        .merge(ingest::routes().into_router())
        .layer(from_fn_with_state(state.clone(), auth::guard))
        .merge(v1::root_routes().into_router())
        .merge(probes::routes())
        .fallback(async || ApiError::no_such_address().explained(NO_SUCH_PATH))
        .method_not_allowed_fallback(async || ApiError::empty(StatusCode::METHOD_NOT_ALLOWED))
        .layer(from_fn_with_state(state.clone(), middleware::edge::edge))
        .with_state(state);
    // The router adds `Allow` outside of its own layers.
    let routes = Router::new()
        .fallback_service(routes)
        .layer(from_fn(middleware::edge::tell_allowed))
        .layer(from_fn(middleware::edge::merge_slashes));
    middleware::compression::compressed(routes)
}

/// Returns the description of version 1 for machines, an OpenAPI document in JSON.
#[must_use]
pub fn openapi() -> &'static [u8] {
    v1::openapi_document()
}

/// Returns the path of every route that users can call, with names in braces as in `/v1/metric/{id}`. What monitoring asks
/// (`/healthcheck`, `/metrics`) is not listed, nor is the twin of a path that ends with a slash.
#[must_use]
pub fn paths() -> Vec<&'static str> {
    let parts = [
        v1::routes(),
        v1::open_routes(),
        v1::root_routes(),
        ingest::routes(),
    ];
    parts.into_iter().flat_map(Routes::into_paths).collect()
}
