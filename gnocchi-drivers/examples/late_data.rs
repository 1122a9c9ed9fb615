//! Late data: what the back window accepts, and what is refused beyond it.
//!
//! ```text
//! cargo run -p gnocchi-drivers --example late_data
//! ```

#![expect(clippy::print_stdout, reason = "an example shows its results")]

use gnocchi_drivers::prelude::*;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = Store::in_memory().await?;
    // Minutes are kept for a day. Measures may be two hours late: two buckets of the coarsest granularity.
    let policy = Policy::named("late")
        .keep(MINUTE, days(1))
        .keep(HOUR, days(30))
        .methods(["mean", "count"])
        .back_window(2);
    store.ensure_policy(policy).await?;
    let metric = store
        .metric("buoy", "temperature")
        .policy("late")
        .ensure()
        .await?;

    let noon = Timestamp::from_second(1_767_268_800)?;
    let before = |span| noon.saturating_sub(span);
    let report = store.append([(&metric, noon, 15.0)]).await?;
    println!("at noon:            {report}");

    // A series that was held back while there was no connection, in any order.
    let late: Series = [
        (before(MINUTE), 13.0),
        (before(HOUR), 11.0),
        (before(MINUTE), 14.0),
    ]
    .into_iter()
    .collect();
    let report = store.append([(&metric, late)]).await?;
    println!("up to an hour late: {report}");

    let report = store
        .append([(&metric, before(DAY), 9.0), (&metric, noon, 16.0)])
        .await?;
    println!("a day late:         {report}");
    for refusal in &report.refused {
        println!(
            "  refused {} of {}: {}",
            refusal.points, refusal.metric, refusal.reason
        );
    }

    // The value that arrived last counts, and aggregates are as if all had arrived in order.
    for row in &store
        .read([&metric])
        .every(MINUTE)
        .range(before(DAY)..)
        .await?
    {
        println!("{row}");
    }
    store.close().await?;
    Ok(())
}
