//! Background processing: who folds measures into aggregates, and how to end it well.
//!
//! ```text
//! cargo run -p gnocchi-drivers --example background_processing
//! ```
//!
//! A store folds in a task of its own. This program takes that over, to fold when it has nothing better to do, then hands it to a task
//! that it can stop.

#![expect(clippy::print_stdout, reason = "an example shows its results")]

use gnocchi_drivers::gnocchi_core::Shutdown;
use gnocchi_drivers::gnocchi_core::driver::BacklogDetails;
use gnocchi_drivers::prelude::*;
use gnocchi_drivers::store::Processing;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args().nth(1);
    let path = directory.unwrap_or_else(|| "metrics".to_owned());
    let store = Store::builder(path)
        .processing(Processing::Manual)
        .open()
        .await?;
    let metric = store
        .metric("host", "requests")
        .policy("medium")
        .ensure()
        .await?;
    let gnocchi = store.gnocchi()?;

    let now = Timestamp::now();
    let points = (0..1000_i64).filter_map(|index| {
        let timestamp = Timestamp::from_nanosecond(now.as_nanosecond() - index * 1_000_000).ok()?;
        Some((&metric, timestamp, 1.0))
    });
    println!("{}", store.append(points).await?);
    let pending = gnocchi.backlog(BacklogDetails::Summary).await?;
    println!("{} points are pending; reads include them:", pending.points);
    println!(
        "{} rows",
        store
            .read([&metric])
            .methods(["count"])
            .every(MINUTE)
            .await?
            .len()
    );

    // By hand: returns when nothing is pending.
    store.process().await?;
    let pending = gnocchi.backlog(BacklogDetails::Summary).await?;
    println!("{} points are pending after processing", pending.points);

    // In a task: folds measures as they arrive, until the shutdown begins.
    let shutdown = Shutdown::new();
    let processing = tokio::spawn({
        let shutdown = shutdown.clone();
        async move { gnocchi.run(shutdown).await }
    });
    println!(
        "{}",
        store.append([(&metric, Timestamp::now(), 1.0)]).await?
    );
    shutdown.begin();
    processing.await??;
    store.close().await?;
    println!("stopped");
    Ok(())
}
