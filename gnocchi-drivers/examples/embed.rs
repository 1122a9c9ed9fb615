//! A program that keeps its own metrics: one directory, no server.
//!
//! ```text
//! cargo run --release -p gnocchi-drivers --example embed [DIRECTORY]
//! ```
//!
//! It stores a day of made-up temperatures and prints the hourly mean and 95th percentile. Run it twice: the second run finds
//! what the first one stored.

use std::error::Error;

use carbonara::{Series, Timespan};
use gnocchi_core::error::IndexerError;
use gnocchi_core::model::{ArchivePolicy, Definition, Measures, MetricId, NewMetric};
use gnocchi_core::query::MeasuresQuery;
use gnocchi_drivers::embedded;

const POLICY: &str = "temperatures";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "embedded-metrics".to_owned());
    let store = embedded::open(directory).await?;

    // Minutes for a week and hours for a year, with the two methods that are looked at.
    let minutes = Definition::new(Some(Timespan::from_second(60)?), Some(7 * 24 * 60), None)?;
    let hours = Definition::new(Some(Timespan::from_second(3600)?), Some(365 * 24), None)?;
    let methods = vec!["mean".parse()?, "95pct".parse()?];
    let policy = ArchivePolicy::new(POLICY, 1, vec![minutes, hours], methods.clone())?;
    match store.create_archive_policy(&policy).await {
        Ok(()) | Err(gnocchi_core::Error::Indexer(IndexerError::ArchivePolicyExists { .. })) => {}
        Err(error) => return Err(error.into()),
    }
    let id = MetricId::from_u128(0x7e3a);
    let metric = if let Ok(metric) = store.metric(id).await {
        metric
    } else {
        let new = NewMetric::new(
            None,
            POLICY,
            Some("outside".to_owned()),
            Some("°C".to_owned()),
            None,
        )?;
        store
            .create_metrics(vec![NewMetric { id, ..new }])
            .await?
            .remove(0)
    };

    // A point every ten seconds of one day. Appending the same points again changes nothing.
    let start_second = 1_767_225_600_i64;
    let (stamps, values) = (0..8640_i32)
        .map(|index| {
            let second = start_second + i64::from(index) * 10;
            let part_of_day = f64::from(index) / 8640.0;
            (
                second * 1_000_000_000,
                10.0 - 6.0 * (part_of_day * std::f64::consts::TAU).cos(),
            )
        })
        .unzip();
    let appended = store
        .append(vec![Measures {
            metric: id,
            series: Series::from_points(stamps, values)?,
        }])
        .await?;
    store.process().await?;
    eprintln!("{} points are stored", appended.accepted);

    let mut columns = Vec::new();
    for method in methods {
        let query = MeasuresQuery {
            method,
            granularity: Some(hours.granularity()),
            start: None,
            stop: None,
            resample: None,
        };
        columns.push(store.measures(&metric, &query).await?.remove(0).series);
    }
    for (mean, high) in columns[0].iter().zip(columns[1].iter()) {
        eprintln!(
            "{:>12} s  mean {:5.2}  95% below {:5.2}",
            mean.timestamp.as_second(),
            mean.value,
            high.value
        );
    }
    Ok(())
}
