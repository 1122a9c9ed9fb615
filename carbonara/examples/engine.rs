//! The engine alone: points to aggregates to bytes and back, without a store.
//!
//! ```text
//! cargo run --release -p gnocchi-carbonara --example engine
//! ```

#![expect(clippy::print_stdout, reason = "an example shows its results")]

use carbonara::codec::{Encoding, frame};
use carbonara::{AggregationMethod, AggregationPlan, Level, Series, Timespan, Timestamp, Window};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let methods: [AggregationMethod; 3] = ["mean".parse()?, "max".parse()?, "95pct".parse()?];
    let levels = [
        (Timespan::MINUTE, Timespan::DAY),
        (Timespan::HOUR, Timespan::DAY),
    ];
    let levels = levels.map(|(granularity, kept)| Level {
        granularity,
        timespan: Some(kept),
    });
    let plan = AggregationPlan::new(levels.to_vec(), &methods, 1)?;

    // Six hours of seconds; then one hour again, late, with other values.
    let mut window = Window::empty(&plan);
    let six_hours = wave(0..6 * 3600, 1.0)?;
    let late = wave(5 * 3600..6 * 3600, 2.0)?;
    for batch in [&six_hours, &late] {
        let folded = window.fold(&plan, &[batch])?;
        let rows: Vec<usize> = folded.frames.iter().map(carbonara::Frame::len).collect();
        println!(
            "{} points change {rows:?} rows of minutes and hours",
            batch.len()
        );
        for aggregates in &folded.frames {
            let bytes = frame::encode(aggregates, Encoding::Sealed);
            let (decoded, _) = frame::decode(&bytes)?;
            let (rows, granularity) = (decoded.len(), decoded.granularity());
            println!("  {rows} rows every {granularity} s: {} bytes", bytes.len());
        }
        let hours = &folded.frames[folded.frames.len() - 1];
        for method in methods {
            let series = hours.series(method).ok_or("the plan has no such method")?;
            if let Some(last) = series.last() {
                println!(
                    "  {method:>5} of the hour at {}: {:.3}",
                    last.timestamp, last.value
                );
            }
        }
    }
    Ok(())
}

/// Makes up a value per second.
fn wave(seconds: std::ops::Range<i32>, amplitude: f64) -> Result<Series, carbonara::TimeError> {
    let point = |second: i32| {
        let timestamp = Timestamp::from_second(second.into())?;
        Ok((timestamp, amplitude * (f64::from(second) / 600.0).sin()))
    };
    seconds.map(point).collect()
}
