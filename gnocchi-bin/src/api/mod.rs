//! The HTTP API.
//!
//! [`router`] makes a complete [`Router`] that can be mounted under any prefix. It reads no file, binds no port and starts no
//! task. A handler extracts, asks whether the caller may, calls the store, and renders; rules of the domain live in
//! `gnocchi-core`.
//!
//! | file | concern |
//! |---|---|
//! | `v1/` | one file for each kind of thing: its wire form and its handlers |
//! | `edge` | what surrounds every request: CORS, bodies of errors, panics, durations |
//! | `error`, `error_body`, `accept` | which status an error has, and in which format its body is written |
//! | `schema` | checks of bodies, with the messages that clients know |
//! | `filter/` | filters of resources, as JSON and as text |
//! | `measures/` | measures from bytes to columns |
//! | `render/` | JSON and times as clients expect them |
//! | `address`, `query`, `body`, `page` | the parts of a request |
//! | `body_memory` | how much memory the bodies of all requests may take |
//! | `aside` | work that takes too long to do it where other requests wait |

mod accept;
mod address;
mod aside;
mod auth;
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
pub mod schema;
pub mod settings;
mod state;
mod v1;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use http::StatusCode;

pub use gnocchi_core::text::{timespan, timestamp};
pub use settings::{ApiSettings, AuthMode, CorsSettings};
pub use state::ApiState;

use error::ApiError;

/// Makes the whole API: the versions document at `/`, the API at `/v1`, `/healthcheck` and `/metrics`. It needs a runtime with timers.
pub fn router(state: ApiState) -> Router {
    let routes = v1::routes()
        .route_layer(from_fn(edge::json_only))
        .merge(v1::open_routes())
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
