//! Quick start: one metric, written and read.
//!
//! ```text
//! cargo run -p gnocchi-drivers --example quick_start [DIRECTORY]
//! ```
//!
//! Run it several times: each run appends a measure and prints the minutes of the last hour.

#![expect(clippy::print_stdout, reason = "an example shows its results")]

use gnocchi_drivers::prelude::*;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args().nth(1);
    let path = directory.unwrap_or_else(|| "metrics".to_owned());
    let store = Store::builder(path).open().await?;
    store
        .ensure_policy(
            Policy::named("agent")
                .keep(SECOND, days(1))
                .keep(MINUTE, days(30))
                .keep(HOUR, days(365))
                .methods(["mean", "max", "95pct", "count"])
                .back_window(1),
        )
        .await?;
    let cpu = store.metric("host", "cpu").policy("agent").ensure().await?;

    let report = store.append([(&cpu, Timestamp::now(), 0.4)]).await?;
    println!("{report}");
    let rows = store
        .read([&cpu])
        .methods(["mean", "95pct", "count"])
        .every(MINUTE)
        .last(HOUR)
        .await?;
    for row in &rows {
        println!("{row}");
    }
    store.close().await?;
    Ok(())
}
