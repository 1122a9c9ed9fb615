//! Properties of aligning series and evaluating expressions, against plain versions of the same.

mod expression_oracle;

use std::num::NonZeroUsize;

use carbonara::align::{Alignment, Fill, Overlap, RangeEnd, align};
use carbonara::expression::{
    BinaryFunction, CellMethod, EvaluateError, Expression, Grammar, Input, InputColumn, Item,
    Origin, Outcome, RateUnit, Reference, ResampleMethod, Shape, UnaryFunction, evaluate,
};
use carbonara::kernel::CellStatistic;
use carbonara::{Granularity, Series, Timespan};
use expression_oracle::{self as oracle, Points, Rows, Value};
use jiff::tz::TimeZone;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

const SECOND_NS: i64 = 1_000_000_000;

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => -1e3..1e3,
        4 => (-5..5_i32).prop_map(f64::from),
        2 => 1e9..1e9 + 1.0,
        1 => select(vec![0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e100]),
    ]
}

/// Points every minute with gaps, some of them half a minute off.
fn points() -> impl Strategy<Value = Points> {
    (
        0..4_i64,
        vec(option::weighted(0.8, value()), 0..90),
        prop::bool::weighted(0.2),
    )
        .prop_map(|(start, values, is_off)| {
            let offset = if is_off { 30 } else { 0 };
            let slots = (start..).map(|slot| (slot * 60 + offset) * SECOND_NS);
            slots
                .zip(values)
                .filter_map(|(at, value)| Some((at, value?)))
                .collect()
        })
}

/// Series with points at the same moments, or each with its own.
fn many_points() -> impl Strategy<Value = Vec<Points>> {
    let alike = vec(vec(value(), 30), 1..5).prop_map(|columns| {
        let moments = |values: Vec<f64>| {
            (0..)
                .step_by(60)
                .map(|second: i64| second * SECOND_NS)
                .zip(values)
                .collect()
        };
        columns.into_iter().map(moments).collect()
    });
    prop_oneof![1 => alike, 2 => vec(points(), 1..5)]
}

fn alignment() -> impl Strategy<Value = Alignment> {
    let end = || select(vec![RangeEnd::Given, RangeEnd::Open]);
    let overlap = (select(vec![-1.0, 0.0, 30.0, 80.0, 100.0]), end(), end());
    prop_oneof![
        3 => select(vec![
            Fill::Null, Fill::DropMissing, Fill::Forward, Fill::Backward, Fill::FullForward, Fill::FullBackward,
        ]).prop_map(Alignment::Fill),
        1 => value().prop_map(|number| Alignment::Fill(Fill::Number(number))),
        1 => overlap.prop_map(|(needed_percent, start, stop)| {
            Alignment::Overlap(Overlap { needed_percent, start, stop })
        }),
    ]
}

fn reference(index: usize) -> Reference {
    Reference::new(
        ["a", "b", "c", "d"][index],
        ["mean", "max", "what?", "rate:sum"][index],
    )
}

fn metric() -> impl Strategy<Value = Expression> {
    subsequence(vec![0, 1, 2, 3], 1..=4)
        .prop_shuffle()
        .prop_map(|indexes| Expression::Metric(indexes.into_iter().map(reference).collect()))
}

/// Cell methods whose results are the same to the bit; deviations of windows are not.
fn method(is_exact: bool) -> impl Strategy<Value = CellMethod> {
    let statistics = CellStatistic::all().filter(move |statistic| {
        !is_exact || !matches!(statistic, CellStatistic::Std | CellStatistic::Var)
    });
    (any::<bool>(), select(statistics.collect::<Vec<_>>()))
        .prop_map(|(of_rate, statistic)| CellMethod { of_rate, statistic })
}

fn resample_method() -> impl Strategy<Value = ResampleMethod> {
    select(vec![
        "mean",
        "median",
        "min",
        "max",
        "sum",
        "count",
        "last",
        "first",
        "1pct",
        "95pct",
        "rate:mean",
        "rate:median",
        "rate:min",
        "rate:max",
        "rate:sum",
        "rate:count",
    ])
    .prop_map(|name| name.parse().expect("a method"))
}

fn span() -> impl Strategy<Value = Granularity> {
    select(vec![60, 90, 120, 3600])
        .prop_map(|second| Granularity::Span(Timespan::from_second(second).expect("positive")))
}

fn window() -> impl Strategy<Value = NonZeroUsize> {
    prop_oneof![4 => 1..6_usize, 1 => 1..90_usize]
        .prop_map(|rows| NonZeroUsize::new(rows).expect("not zero"))
}

/// Several operands; references alone are read as one list.
fn several(operand: impl Strategy<Value = Expression>) -> impl Strategy<Value = Expression> {
    let is_metric = |operand: &Expression| matches!(operand, Expression::Metric(_));
    vec(operand, 2..4)
        .prop_filter("one list of references", move |operands| {
            !operands.iter().all(is_metric)
        })
        .prop_map(Expression::Columns)
}

fn expression() -> impl Strategy<Value = Expression> {
    let leaf = prop_oneof![4 => metric(), 1 => value().prop_map(Expression::Number)];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let of = || inner.clone().prop_map(Box::new);
        let unary = select(UnaryFunction::all().collect::<Vec<_>>());
        let binary = select(BinaryFunction::all().collect::<Vec<_>>());
        prop_oneof![
            2 => (unary, of()).prop_map(|(function, of)| Expression::Unary(function, of)),
            4 => (binary, of(), of())
                .prop_map(|(function, left, right)| Expression::Binary(function, left, right)),
            1 => (of(), of(), option::of(of()))
                .prop_map(|(of, lowest, highest)| Expression::Clip { of, lowest, highest }),
            1 => (select(vec![RateUnit::Row, RateUnit::Second]), of())
                .prop_map(|(unit, of)| Expression::RateOfChange(unit, of)),
            2 => (method(false), of()).prop_map(|(method, of)| Expression::Aggregate(method, of)),
            1 => (method(false), several(inner.clone()))
                .prop_map(|(method, of)| Expression::Aggregate(method, Box::new(of))),
            1 => (method(true), window(), of())
                .prop_map(|(method, window, of)| Expression::Rolling { method, window, of }),
            1 => (resample_method(), span(), of())
                .prop_map(|(method, to, of)| Expression::Resample { method, to, of }),
        ]
    })
}

fn series(points: &Points) -> Series {
    let (timestamps_ns, values) = points.iter().unzip();
    Series::from_points(timestamps_ns, values).expect("not before the epoch")
}

fn minute() -> Timespan {
    Timespan::from_second(60).expect("positive")
}

/// Evaluates over `points`: series i has reference i, or that of an earlier one when the expression has not so many.
fn run(
    expression: &Expression,
    points: &[Points],
    alignment: Alignment,
) -> (Result<Outcome, EvaluateError>, Result<Value, EvaluateError>) {
    let references: Vec<Reference> = expression.references().into_iter().cloned().collect();
    let mut columns = Vec::new();
    let mut of_columns = Vec::new();
    let points = if references.is_empty() { &[] } else { points };
    for (index, points) in points.iter().enumerate() {
        let reference = index % references.len();
        columns.push(InputColumn {
            reference,
            series: series(points),
        });
        of_columns.push(references[reference].clone());
    }
    let input = Input {
        granularity: minute(),
        columns,
        alignment,
        time_zone: &TimeZone::UTC,
    };
    let plain = oracle::align(points, alignment)
        .map_err(EvaluateError::Align)
        .and_then(|rows| oracle::evaluate(expression, minute(), &rows, &of_columns));
    (evaluate(expression, input), plain)
}

fn canonical(value: f64) -> u64 {
    if value.is_nan() {
        f64::NAN.to_bits()
    } else {
        value.to_bits()
    }
}

/// Returns the rows of columns.
fn rows(timestamps_ns: &[i64], columns: &[&[f64]]) -> Rows {
    let row = |row: usize| columns.iter().map(|column| column[row]).collect();
    timestamps_ns
        .iter()
        .enumerate()
        .map(|(index, at)| (*at, row(index)))
        .collect()
}

fn row_bits(rows: &Rows) -> Vec<(i64, Vec<u64>)> {
    rows.iter()
        .map(|(at, cells)| (*at, cells.iter().copied().map(canonical).collect()))
        .collect()
}

fn outcome_rows(outcome: &Outcome) -> Rows {
    let columns: Vec<&[f64]> = outcome
        .columns
        .iter()
        .map(|column| column.values.as_slice())
        .collect();
    rows(&outcome.timestamps_ns, &columns)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn grids_equal_the_plain_version(points in many_points(), alignment in alignment()) {
        let found = align(points.iter().map(series).collect(), alignment);
        let plain = oracle::align(&points, alignment);
        match (found, plain) {
            (Ok(grid), Ok(plain)) => {
                let columns: Vec<&[f64]> = grid.columns().iter().map(Vec::as_slice).collect();
                prop_assert_eq!(columns.len(), points.len());
                prop_assert_eq!(row_bits(&rows(grid.timestamps_ns(), &columns)), row_bits(&plain));
            }
            (found, plain) => prop_assert_eq!(found.err(), plain.err()),
        }
    }

    #[test]
    fn expressions_equal_the_plain_version(
        expression in expression(),
        points in many_points(),
        alignment in alignment(),
    ) {
        match run(&expression, &points, alignment) {
            (Ok(outcome), Ok(Value::Table(plain))) => {
                prop_assert_eq!(row_bits(&outcome_rows(&outcome)), row_bits(&plain.rows));
                prop_assert_eq!(outcome.granularity, plain.granularity);
                let is_aggregated = plain.combined && plain.sources.len() < 2;
                prop_assert_eq!(outcome.shape == Shape::Aggregated, is_aggregated);
                let origins: Vec<Origin> = outcome.columns.iter().map(|column| column.origin).collect();
                let expected = plain.sources.iter().map(|source| match outcome.shape {
                    Shape::PerSeries => Origin::Input(*source),
                    Shape::Aggregated => Origin::Aggregated,
                });
                prop_assert_eq!(origins, expected.collect::<Vec<_>>());
            }
            (found, Ok(Value::Number(_))) => prop_assert_eq!(found.err(), Some(EvaluateError::NotASeries)),
            (found, plain) => prop_assert_eq!(found.err(), plain.err()),
        }
    }

    #[test]
    fn deviations_are_close_to_the_plain_version(
        statistic in select(vec![CellStatistic::Std, CellStatistic::Var]),
        window in window(),
        points in many_points(),
    ) {
        let expression = Expression::Rolling {
            method: CellMethod { of_rate: false, statistic },
            window,
            of: Box::new(Expression::Metric(vec![reference(0)])),
        };
        check_close(&expression, &points)?;
    }

    #[test]
    fn resampled_variances_are_close_to_the_plain_version(
        method in select(vec!["var", "std", "rate:var", "rate:std"]),
        to in span(),
        points in many_points(),
    ) {
        let expression = Expression::Resample {
            method: method.parse().expect("a method"),
            to,
            of: Box::new(Expression::Metric(vec![reference(0)])),
        };
        check_close(&expression, &points)?;
    }

    #[test]
    fn what_is_printed_reads_back(expression in expression()) {
        let text = expression.to_string();
        let read: Result<Expression, _> = text.parse();
        match expression {
            // A number alone is no list.
            Expression::Number(_) => prop_assert!(read.is_err()),
            // Not equality: that of NaN is never given.
            expression => prop_assert_eq!(format!("{:?}", read.expect(&text)), format!("{expression:?}")),
        }
    }

    #[test]
    fn lists_and_texts_give_the_same(expression in expression()) {
        let text = expression.to_string();
        if let Ok(item) = Item::parse(&text) {
            prop_assert_eq!(item.to_string(), text.clone());
            let of_item = Grammar::default().expression(&item);
            prop_assert_eq!(format!("{:?}", of_item), format!("{:?}", text.parse::<Expression>()));
        }
    }

    #[test]
    fn any_text_is_read_or_refused(words in vec(select(vec![
        "(", ")", "(", ")", " ", "metric", " a", " mean", " 2", "+", "clip", "resample", "rolling", "≠", "\n", "rate:var",
    ]), 0..60)) {
        let text = words.concat();
        match text.parse::<Expression>() {
            Ok(expression) => prop_assert!(expression.to_string().parse::<Expression>().is_ok()),
            Err(error) => {
                let place = error.place.expect("a place in the text");
                prop_assert!(text.is_char_boundary(place.offset));
            }
        }
    }
}

/// Compares deviations, which may differ by a billionth, and by what the plain version loses: its mean is rounded like the values, so
/// the squares of their distances from it are off by the square of that. What is not finite only has to be so in both.
fn check_close(expression: &Expression, points: &[Points]) -> Result<(), TestCaseError> {
    let (found, plain) = run(expression, points, Alignment::Fill(Fill::Null));
    let (outcome, plain) = match (found, plain) {
        (Ok(outcome), Ok(Value::Table(plain))) => (outcome, plain),
        (found, plain) => {
            prop_assert_eq!(found.err(), plain.err());
            return Ok(());
        }
    };
    let found = outcome_rows(&outcome);
    prop_assert_eq!(
        found.keys().collect::<Vec<_>>(),
        plain.rows.keys().collect::<Vec<_>>()
    );
    let values = points.iter().flat_map(|points| points.values());
    let values = values.filter(|value| value.is_finite());
    let largest = values.fold(0.0_f64, |largest, value| largest.max(value.abs()));
    let lost = (16.0 * f64::EPSILON * largest).powi(2);
    for (found, plain) in found.values().flatten().zip(plain.rows.values().flatten()) {
        let is_close = if plain.is_finite() {
            let distance = (found - plain).abs();
            // A deviation is the root of what is off.
            distance <= 1e-9 * plain.abs() + 1e-12
                || distance * (found + plain).abs() <= lost
                || distance <= lost
        } else {
            !found.is_finite()
        };
        prop_assert!(is_close, "{found:?} is not {plain:?}");
    }
    Ok(())
}
