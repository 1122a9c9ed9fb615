use std::cell::Cell;
use std::num::NonZeroUsize;

use super::*;
use crate::kernel::{CellStatistic, across, rolling};

/// Counts what it is told, and ends an evaluation after so many cells.
struct Counter {
    left: Cell<usize>,
    held: Cell<usize>,
}

impl Meter for Counter {
    fn spend(&self, cells: usize) -> Result<(), Interrupted> {
        let left = self.left.get().checked_sub(cells);
        self.left.set(left.ok_or(Interrupted)?);
        Ok(())
    }

    fn hold(&self, bytes: usize) -> Result<(), Interrupted> {
        self.held.set(self.held.get() + bytes);
        Ok(())
    }
}

#[test]
fn a_meter_counts_every_operation_and_ends_any() {
    let texts = [
        "(abs $a)",
        "(+ $a $b)",
        "(+ 1 $a)",
        "(- $a 1)",
        "(clip $a 0 9)",
        "(rateofchange $a)",
        "(rateofchangesec $a)",
        "(aggregate median $a $b)",
        "(rolling median 2 $a)",
        "(resample mean 120 $a)",
    ];
    for text in texts {
        let expression: Expression = spell(text).parse().expect("an expression");
        let run = |cells: usize| {
            let meter = Counter {
                left: Cell::new(cells),
                held: Cell::new(0),
            };
            let references = expression.references().into_iter().enumerate();
            let columns = references.map(|(reference, listed)| InputColumn {
                reference,
                series: if listed.name == "b" { b() } else { a() },
            });
            let input = Input {
                granularity: Timespan::from_second(60).expect("positive"),
                columns: columns.collect(),
                alignment: Alignment::Fill(Fill::DropMissing),
                time_zone: &TimeZone::UTC,
            };
            let result = evaluate_metered(&expression, input, &meter);
            (
                result.map(|_| ()),
                cells - meter.left.get(),
                meter.held.get(),
            )
        };
        let (result, spent, held) = run(1000);
        assert_eq!(result, Ok(()), "{text}");
        assert!(spent > 6, "{text}: only the grid is counted");
        assert!(held >= 2 * 6 * 8, "{text}: {held}");
        assert_eq!(run(spent).0, Ok(()), "{text}");
        assert_eq!(run(spent - 1).0, Err(EvaluateError::Interrupted), "{text}");
    }
}

#[test]
fn long_columns_are_rolled_and_aggregated_in_pieces_to_the_same_bits() {
    let rows = 600_000_u32;
    let value = |row: u32| f64::from(row.wrapping_mul(2_654_435_761) % 1009) - 0.1;
    let values: Vec<f64> = (0..rows).map(value).collect();
    let long = minutes(&values);
    for (method, name) in [
        (CellStatistic::Median, "median"),
        (CellStatistic::Std, "std"),
    ] {
        let window = NonZeroUsize::new(100).expect("not zero");
        let whole = rolling(&values, window, method);
        let text = format!("(rolling {name} 100 $a)");
        let outcome = run(&text, &[long.clone(), b()]);
        assert_eq!(bits(&outcome.columns[0].values), bits(&whole), "{name}");
        let whole = across(&[&values, &values], method);
        let text = format!("(aggregate {name} $a $a)");
        let outcome = run(&text, &[long.clone(), b()]);
        assert_eq!(bits(&outcome.columns[0].values), bits(&whole), "{name}");
    }
}
