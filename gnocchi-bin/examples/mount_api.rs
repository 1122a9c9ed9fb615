//! Mounting the API: a program that keeps its own metrics and serves them under a prefix of its own HTTP server.
//!
//! ```text
//! cargo run -p gnocchi-server --example mount_api [ADDRESS]
//! curl -u admin: http://127.0.0.1:8080/metrics-api/v1/metric
//! ```

#![expect(clippy::print_stdout, reason = "an example shows its results")]

use axum::Router;
use axum::routing::get;
use gnocchi_drivers::prelude::*;
use gnocchi_server::api::{self, ApiSettings, ApiState};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1);
    let address = address.unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let store = Store::in_memory().await?;
    let metric = store
        .metric("host", "starts")
        .policy("medium")
        .ensure()
        .await?;
    println!(
        "{}",
        store.append([(&metric, Timestamp::now(), 1.0)]).await?
    );

    // The API and the program use the same store. Any password is accepted: see `ApiState::with_access` for others.
    let state = ApiState::new(store.gnocchi()?, ApiSettings::default(), None);
    let program = Router::new()
        .route(
            "/",
            get(async || "a program with an API of metrics below /metrics-api\n"),
        )
        .nest_service("/metrics-api", api::router(state));

    let listener = TcpListener::bind(address).await?;
    println!(
        "serving on http://{}/metrics-api/v1/metric until Ctrl-C",
        listener.local_addr()?
    );
    axum::serve(listener, program)
        .with_graceful_shutdown(interrupted())
        .await?;
    store.close().await?;
    println!("stopped");
    Ok(())
}

async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        // Without the signal, the program runs until it is killed.
        std::future::pending::<()>().await;
    }
}
