//! Many metrics: an agent that appends 200 metrics every second.
//!
//! ```text
//! cargo run --release -p gnocchi-drivers --example many_metrics [DIRECTORY] [SECONDS]
//! ```

#![expect(clippy::print_stdout, reason = "an example shows its results")]

use std::time::Duration;

use gnocchi_drivers::prelude::*;
use tokio::time::{Instant, MissedTickBehavior, interval};

const METRICS: usize = 200;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().unwrap_or_else(|| "metrics".to_owned());
    let seconds: usize = arguments.next().map_or(Ok(5), |text| text.parse())?;
    let store = Store::builder(path).open().await?;
    let policy = Policy::named("sensors")
        .keep(SECOND, days(1))
        .keep(MINUTE, days(30));
    store.ensure_policy(policy.methods(["mean", "max"])).await?;

    // All metrics are found or created together.
    let names = (0..METRICS).map(|index| ("host", format!("sensor-{index:03}")));
    let metrics = store.metrics(names).policy("sensors").ensure().await?;

    let mut ticks = interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    for _ in 0..seconds {
        ticks.tick().await;
        let (now, started) = (Timestamp::now(), Instant::now());
        // One call for all metrics: it waits for the disk once.
        let points = metrics
            .iter()
            .zip(0_u32..)
            .map(|(metric, index)| (metric, now, measure(now, index)));
        let report = store.append(points).await?;
        println!("{report} in {:?}", started.elapsed());
    }

    let rows = store
        .read(&metrics)
        .methods(["mean", "max"])
        .every(SECOND)
        .last(MINUTE)
        .await?;
    println!("{} rows of the last minute; the first metric:", rows.len());
    for row in &rows.metrics()[0] {
        println!("{row}");
    }
    store.close().await?;
    Ok(())
}

/// Makes up the value of a sensor, which swings once a minute.
fn measure(now: Timestamp, index: u32) -> f64 {
    let minute = now.since(now.floor(MINUTE));
    let part = Timespan::from_nanosecond(minute).map_or(0.0, |part| part.as_second_f64() / 60.0);
    f64::from(index) + (part * std::f64::consts::TAU).sin()
}
