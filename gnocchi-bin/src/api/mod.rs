//! The HTTP API.
//!
//! [`router`] makes a complete [`Router`] that can be mounted under any prefix. It reads no file, binds no port and starts no
//! task. A handler extracts, asks whether the caller may, calls the store, and renders; rules of the domain live in
//! `gnocchi-core`.
//!
//! | file | concern |
//! |---|---|
//! | `v1/` | one file for each kind of thing: its wire form and its handlers |
//! | `auth/` | who calls, and what he may |
//! | `edge` | what surrounds every request: CORS, bodies of errors, panics, durations |
//! | `error`, `error_body`, `accept` | which status an error has, and in which format its body is written |
//! | `schema` | checks of bodies, with the messages that clients know |
//! | `filter/` | filters of resources, as JSON and as text |
//! | `measures/` | measures from bytes to columns |
//! | `render/` | JSON and times as clients expect them |
//! | `routes` | the router and the list of what is in it |
//! | `address`, `query`, `body`, `page` | the parts of a request |
//! | `body_memory` | how much memory the bodies of all requests may take |
//! | `aside` | work that takes too long to do it where other requests wait |

mod accept;
mod address;
mod aside;
pub mod auth;
mod body;
mod body_memory;
mod cors;
mod edge;
pub mod error;
mod error_body;
mod filter;
pub mod measures;
mod page;
mod probes;
mod python;
mod query;
pub mod render;
mod routes;
pub mod schema;
pub mod settings;
mod state;
mod v1;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use http::StatusCode;

pub use gnocchi_core::text::{timespan, timestamp};
pub use settings::{ApiSettings, CorsSettings};
pub use state::ApiState;

use error::ApiError;
use routes::Routes;

/// Makes the whole API: the versions document at `/`, the API at `/v1`, `/healthcheck` and `/metrics`. It needs a runtime with timers.
pub fn router(state: ApiState) -> Router {
    let routes = v1::routes()
        .into_router()
        .route_layer(from_fn(edge::json_only))
        .merge(v1::open_routes().into_router())
        .layer(from_fn_with_state(state.clone(), auth::guard))
        .merge(v1::root_routes().into_router())
        .route_layer(from_fn(edge::no_head))
        .merge(probes::routes())
        .fallback(async || ApiError::no_such_address())
        .method_not_allowed_fallback(async || ApiError::empty(StatusCode::METHOD_NOT_ALLOWED))
        .layer(from_fn_with_state(state.clone(), edge::edge))
        .with_state(state);
    // The router adds `Allow` outside of its own layers.
    Router::new()
        .fallback_service(routes)
        .layer(from_fn(edge::tell_allowed))
}

/// Returns the path of every route that users can call, with names in braces as in `/v1/metric/{id}`. What monitoring asks
/// (`/healthcheck`, `/metrics`) is not listed, nor is the twin of a path that ends with a slash.
#[must_use]
pub fn paths() -> Vec<&'static str> {
    let parts = [v1::routes(), v1::open_routes(), v1::root_routes()];
    parts.into_iter().flat_map(Routes::into_paths).collect()
}
