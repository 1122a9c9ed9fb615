use jiff::tz::TimeZone;

use super::*;
use crate::align::{AlignError, Alignment, Fill, Keep, Overlap, RangeEnd};
use crate::{Granularity, Series, Timespan};

#[path = "meter_tests.rs"]
mod metered;

const GAP: f64 = f64::NAN;
const MINUTE_NS: i64 = 60_000_000_000;

fn minutes(values: &[f64]) -> Series {
    let timestamps_ns = (0..).step_by(60_000_000_000).take(values.len()).collect();
    Series::from_points(timestamps_ns, values.to_vec()).expect("valid points")
}

fn a() -> Series {
    minutes(&[1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
}

fn b() -> Series {
    minutes(&[10.0, 7.0, 5.0, 30.0, 2.0, 9.0])
}

/// Evaluates over series of a minute: `$a` is the first, `$b` the second.
fn evaluate_with(
    text: &str,
    series: &[Series],
    alignment: Alignment,
) -> Result<Outcome, EvaluateError> {
    let expression: Expression = spell(text).parse().expect("an expression");
    let mut columns = Vec::new();
    for (reference, listed) in expression.references().into_iter().enumerate() {
        let place = usize::from(listed.name == "b");
        let series = series[place].clone();
        columns.push(InputColumn { reference, series });
    }
    let input = Input {
        granularity: Timespan::from_second(60).expect("positive"),
        columns,
        alignment,
        time_zone: &TimeZone::UTC,
    };
    evaluate(&expression, input)
}

fn run(text: &str, series: &[Series]) -> Outcome {
    let alignment = Alignment::Fill(Fill::DropMissing);
    evaluate_with(text, series, alignment).expect("a result")
}

fn error(text: &str) -> EvaluateError {
    let alignment = Alignment::Fill(Fill::DropMissing);
    evaluate_with(text, &[a(), b()], alignment).expect_err("no result")
}

fn bits(values: &[f64]) -> Vec<u64> {
    let canonical = |value: &f64| if value.is_nan() { GAP } else { *value };
    values.iter().map(|v| canonical(v).to_bits()).collect()
}

/// Checks the only column of a result over `a` and `b`, whose rows are the last ones.
#[track_caller]
fn check(text: &str, shape: Shape, expected: &[f64]) {
    let outcome = run(text, &[a(), b()]);
    assert_eq!(outcome.shape, shape, "{text}");
    assert_eq!(outcome.columns.len(), 1, "{text}");
    assert_eq!(
        bits(&outcome.columns[0].values),
        bits(expected),
        "{text}: {outcome:?}"
    );
    let first = 6 - expected.len();
    let expected_ns: Vec<i64> = (first..6)
        .map(|row| i64::try_from(row).expect("few") * MINUTE_NS)
        .collect();
    assert_eq!(outcome.timestamps_ns, expected_ns, "{text}");
}

/// Writes out `$a`, `$b` and `$all`.
fn spell(text: &str) -> String {
    text.replace("$all", "(metric (a mean) (b mean))")
        .replace("$a", "(metric a mean)")
        .replace("$b", "(metric b mean)")
}

#[track_caller]
fn check_one(text: &str, expected: &[f64]) {
    check(text, Shape::PerSeries, expected);
}

#[track_caller]
fn check_combined(text: &str, expected: &[f64]) {
    check(text, Shape::Aggregated, expected);
}

#[test]
fn metrics_are_columns_in_the_order_given() {
    let outcome = run("(metric (a mean) (b mean))", &[a(), b()]);
    assert_eq!(outcome.shape, Shape::PerSeries);
    assert_eq!(
        outcome.granularity,
        Granularity::Span(Timespan::from_second(60).expect("positive"))
    );
    let origins: Vec<Origin> = outcome.columns.iter().map(|column| column.origin).collect();
    assert_eq!(origins, [Origin::Input(0), Origin::Input(1)]);
    assert_eq!(outcome.columns[0].values, a().values());
    assert_eq!(outcome.columns[1].values, b().values());
}

#[test]
fn a_plain_metric_is_not_copied() {
    let series = a();
    let place = series.values().as_ptr();
    let expression: Expression = "(metric a mean)".parse().expect("an expression");
    let input = Input {
        granularity: Timespan::from_second(60).expect("positive"),
        columns: vec![InputColumn {
            reference: 0,
            series,
        }],
        alignment: Alignment::Fill(Fill::Null),
        time_zone: &TimeZone::UTC,
    };
    let outcome = evaluate(&expression, input).expect("a result");
    assert_eq!(outcome.columns[0].values.as_ptr(), place);
}

#[test]
fn functions_of_one_number() {
    check_one("(neg $a)", &[-1.0, -2.0, -4.0, -8.0, -16.0, -32.0]);
    check_one("(+ $a (abs -3))", &[4.0, 5.0, 7.0, 11.0, 19.0, 35.0]);
    check_combined("(floor (/ $b $a))", &[10.0, 3.0, 1.0, 3.0, 0.0, 0.0]);
}

#[test]
fn numbers_go_with_every_cell() {
    check_one("(- $a 1)", &[0.0, 1.0, 3.0, 7.0, 15.0, 31.0]);
    check_one("(- 1 $a)", &[0.0, -1.0, -3.0, -7.0, -15.0, -31.0]);
    check_one("(== $a (+ 1 3))", &[0.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
    check_one("(% (neg $a) 3)", &[2.0, 1.0, 2.0, 1.0, 2.0, 1.0]);
    check_one("(% $a -3)", &[-2.0, -1.0, -2.0, -1.0, -2.0, -1.0]);
}

#[test]
fn series_go_row_by_row() {
    check_combined("(- $a $b)", &[-9.0, -5.0, -1.0, -22.0, 14.0, 23.0]);
    check_combined("(max $a $b)", &[10.0, 7.0, 5.0, 30.0, 16.0, 32.0]);
    check_combined("(- $a $a)", &[0.0; 6]);
    check_combined("(- (neg $a) $a)", &[-2.0, -4.0, -8.0, -16.0, -32.0, -64.0]);
    check_combined("(- $a (neg $a))", &[2.0, 4.0, 8.0, 16.0, 32.0, 64.0]);
}

#[test]
fn clipping() {
    check_one("(clip $a 3)", &[3.0, 3.0, 4.0, 8.0, 16.0, 32.0]);
    check_one("(clip $a 3 10)", &[3.0, 3.0, 4.0, 8.0, 10.0, 10.0]);
    check_one("(clip $a 10 3)", &[3.0; 6]);
    check_one("(clip_max $a 3)", &[1.0, 2.0, 3.0, 3.0, 3.0, 3.0]);
    check_one("(clip 3 $a)", &[3.0, 3.0, 4.0, 8.0, 16.0, 32.0]);
    check_combined("(clip $a $b)", &[10.0, 7.0, 5.0, 30.0, 16.0, 32.0]);
    check_combined("(clip $a $b (* $b 2))", &[10.0, 7.0, 5.0, 30.0, 4.0, 18.0]);
}

#[test]
fn changes_between_rows() {
    check_one("(rateofchange $a)", &[1.0, 2.0, 4.0, 8.0, 16.0]);
    let per_second = [GAP, 1.0, 2.0, 4.0, 8.0, 16.0].map(|change| change / 60.0);
    check_one("(rateofchangesec $a)", &per_second);
}

#[test]
fn across_columns() {
    check_combined("(aggregate mean $all)", &[5.5, 4.5, 4.5, 19.0, 9.0, 20.5]);
    check_combined("(aggregate std $all)", &[4.5, 2.5, 0.5, 11.0, 7.0, 11.5]);
    check_combined("(aggregate count $all)", &[2.0; 6]);
    check_combined("(aggregate rate:sum $all)", &[-2.0, 0.0, 29.0, -20.0, 23.0]);
    check_combined(
        "(aggregate rate:var $all)",
        &[-14.0, -6.0, 120.75, -72.0, 83.25],
    );
    check_combined("(rolling max 5 (aggregate min $all))", &[8.0, 9.0]);
}

#[test]
fn windows_of_rows() {
    check_one("(rolling mean 2 $b)", &[8.5, 6.0, 17.5, 16.0, 5.5]);
    check_one("(rolling median 4 $b)", &[8.5, 6.0, 7.0]);
    check_one("(rolling rate:max 3 $b)", &[20.0, 0.0, 0.0]);
    check_one("(rolling rate:min 3 $b)", &[0.0, -3.0, 0.0]);
    check_one("(rolling sum 6 $a)", &[63.0]);
    let found = error("(rolling mean 7 $a)");
    assert_eq!(found, EvaluateError::WindowTooLong { window: 7, rows: 6 });
    assert_eq!(
        found.to_string(),
        "rolling window '7' is greater than serie length '6'"
    );
}

/// Checks a resampling of `$a` by the bucket of each result in minutes.
#[track_caller]
fn check_resample(text: &str, expected: &[(i64, f64)]) {
    let outcome = run(text, &[a(), b()]);
    let starts: Vec<i64> = outcome
        .timestamps_ns
        .iter()
        .map(|at| at / MINUTE_NS)
        .collect();
    let found: Vec<(i64, f64)> = starts
        .into_iter()
        .zip(outcome.columns[0].values.clone())
        .collect();
    assert_eq!(found, expected, "{text}");
}

#[test]
fn buckets_of_rows() {
    check_resample("(resample mean 120 $a)", &[(0, 1.5), (2, 6.0), (4, 24.0)]);
    check_resample(
        "(resample rate:mean 120 $a)",
        &[(0, 1.0), (2, 3.0), (4, 12.0)],
    );
    check_resample("(resample count 240 $a)", &[(0, 4.0), (4, 2.0)]);
    check_resample("(resample last 240 $a)", &[(0, 8.0), (4, 32.0)]);
    // Of differences 1, 2, 4 and 8, 16; a group of a single one has no deviation.
    check_resample("(resample rate:var 240 $a)", &[(0, 7.0 / 3.0), (4, 32.0)]);
    check_resample("(resample std 300 $a)", &[(0, 37.2_f64.sqrt())]);
    check_resample("(resample sum Y $a)", &[(0, 63.0)]);
    let span = |outcome: Outcome| outcome.granularity.to_string();
    assert_eq!(span(run("(resample mean 120 $a)", &[a(), b()])), "120.0");
    assert_eq!(span(run("(resample mean M $a)", &[a(), b()])), "M");
}

#[test]
fn a_calendar_hangs_in_a_time_zone() {
    let expression: Expression = "(resample sum Y (metric a mean))"
        .parse()
        .expect("an expression");
    let paris = TimeZone::get("Europe/Paris").expect("a zone of the bundled database");
    // New year of 1971 in Paris, and one second before.
    let new_year_ns = 31_532_400_000_000_000;
    let series = Series::from_points(
        vec![new_year_ns - 1_000_000_000, new_year_ns],
        vec![1.0, 2.0],
    );
    let input = Input {
        granularity: Timespan::from_second(1).expect("positive"),
        columns: vec![InputColumn {
            reference: 0,
            series: series.expect("valid points"),
        }],
        alignment: Alignment::Fill(Fill::DropMissing),
        time_zone: &paris,
    };
    let outcome = evaluate(&expression, input).expect("a result");
    assert_eq!(outcome.timestamps_ns, [0, new_year_ns]);
    assert_eq!(outcome.columns[0].values, [1.0, 2.0]);
}

#[test]
fn operands_must_have_the_same_rows() {
    for text in [
        "(- (rateofchange $a) $a)",
        "(- (resample mean 120 $a) $a)",
        "(- (resample mean 60 $a) (resample mean 120 $a))",
        "(clip $a (rolling mean 2 $a))",
        "(clip $a 1 (rolling mean 2 $a))",
        "(clip (resample mean 120 $a) 3 $b)",
    ] {
        assert!(
            matches!(error(text), EvaluateError::RowsDiffer { .. }),
            "{text}"
        );
    }
    // Rows and granularity are what counts, not how they came about.
    let outcome = run(
        "(- (resample mean 120 $a) (resample max 120 $b))",
        &[a(), b()],
    );
    assert_eq!(outcome.columns[0].values, [-8.5, -24.0, 15.0]);
    let shown = error("(- (resample mean 120 $a) $a)").to_string();
    assert_eq!(
        shown,
        "cannot compute timeseries with different granularity 120.0 <> 60.0"
    );
}

#[test]
fn several_columns_keep_their_series() {
    // The first cells of the columns of `a` and `b` are 1 and 10.
    for (text, first_cells) in [
        ("(- $all $all)", [0.0, 0.0]),
        ("(- $all $a)", [0.0, 9.0]),
        ("(- $a $all)", [0.0, -9.0]),
        ("(- $all (aggregate max $all))", [-9.0, 0.0]),
        ("(- (aggregate max $all) $all)", [9.0, 0.0]),
        ("(clip $all 0 $a)", [1.0, 1.0]),
    ] {
        let outcome = run(text, &[a(), b()]);
        assert_eq!(outcome.shape, Shape::PerSeries, "{text}");
        let origins: Vec<Origin> = outcome.columns.iter().map(|column| column.origin).collect();
        assert_eq!(origins, [Origin::Input(0), Origin::Input(1)], "{text}");
        let found: Vec<f64> = outcome
            .columns
            .iter()
            .map(|column| column.values[0])
            .collect();
        assert_eq!(found, first_cells, "{text}");
    }
}

#[test]
fn columns_that_cannot_be_paired() {
    let expression: Expression = "(+ (metric a mean) (metric b mean))"
        .parse()
        .expect("an expression");
    let run = |left: usize, right: usize| {
        let column = |reference| InputColumn {
            reference,
            series: a(),
        };
        let mut columns = vec![column(0); left];
        columns.extend(vec![column(1); right]);
        let input = Input {
            granularity: Timespan::from_second(60).expect("positive"),
            columns,
            alignment: Alignment::Fill(Fill::Null),
            time_zone: &TimeZone::UTC,
        };
        evaluate(&expression, input)
    };
    let found = run(2, 3).expect_err("two and three");
    assert_eq!(found, EvaluateError::ColumnsDiffer { left: 2, right: 3 });
    let outcome = run(1, 3).expect("one and three");
    let origins: Vec<Origin> = outcome.columns.iter().map(|column| column.origin).collect();
    assert_eq!(
        origins,
        [Origin::Input(1), Origin::Input(2), Origin::Input(3)]
    );
    let outcome = run(0, 3).expect("none and three");
    assert_eq!(
        (outcome.shape, outcome.columns.len()),
        (Shape::Aggregated, 0)
    );
}

#[test]
fn what_no_series_stands_for_leaves_the_others() {
    let check = |text: &str, expected: &[f64]| {
        let expression: Expression = spell(text).parse().expect("an expression");
        let input = Input {
            granularity: Timespan::from_second(60).expect("positive"),
            columns: vec![InputColumn {
                reference: 0,
                series: minutes(&[1.0, 2.0]),
            }],
            alignment: Alignment::Fill(Fill::Null),
            time_zone: &TimeZone::UTC,
        };
        let outcome = evaluate(&expression, input).expect("a result");
        assert_eq!(outcome.shape, Shape::Aggregated, "{text}");
        assert_eq!(
            bits(&outcome.columns[0].values),
            bits(expected),
            "{text}: {outcome:?}"
        );
    };
    check("(aggregate sum $all)", &[1.0, 2.0]);
    check("(+ (aggregate sum $a) (aggregate sum $b))", &[1.0, 2.0]);
    check("(+ (aggregate max $a) (aggregate count $b))", &[1.0, 2.0]);
    check("(+ (aggregate max $a) (aggregate mean $b))", &[GAP, GAP]);
    check("(max (aggregate max $a) (aggregate max $b))", &[1.0, 2.0]);
    check("(aggregate sum $a (* 2 $b))", &[1.0, 2.0]);
    check(
        "(- (aggregate rate:sum $a) (aggregate rate:sum $b))",
        &[1.0],
    );
}

#[test]
fn several_operands_of_an_aggregate_count_together() {
    check_combined("(aggregate mean $a $b)", &[5.5, 4.5, 4.5, 19.0, 9.0, 20.5]);
    check_combined("(aggregate count $a $b $a)", &[2.0; 6]);
    check_combined("(aggregate count $a (abs $b) $a)", &[3.0; 6]);
    check_combined(
        "(aggregate sum (* 2 $a) (aggregate max $all))",
        &[12.0, 11.0, 13.0, 46.0, 48.0, 96.0],
    );
    assert_eq!(
        error("(aggregate sum (abs $a) 2)"),
        EvaluateError::NotASeries
    );
    assert!(matches!(
        error("(aggregate sum $a (rateofchange $b))"),
        EvaluateError::RowsDiffer { .. }
    ));
}

#[test]
fn nothing_gives_nothing() {
    let none = Series::new();
    let nothing = [none.clone(), none];
    for text in [
        "$all",
        "(aggregate sum $all)",
        "(rateofchange $a)",
        "(resample mean 60 $a)",
        "(rateofchangesec $a)",
    ] {
        let outcome = run(text, &nothing);
        assert!(outcome.timestamps_ns.is_empty(), "{text}");
        assert!(
            outcome
                .columns
                .iter()
                .all(|column| column.values.is_empty()),
            "{text}"
        );
    }
}

#[test]
fn a_number_has_no_rows() {
    assert_eq!(error("(+ 1 2)"), EvaluateError::NotASeries);
    assert_eq!(
        error("(+ (aggregate mean 2) $a)"),
        EvaluateError::NotASeries
    );
    assert_eq!(
        error("(+ (rolling mean 2 2) $a)"),
        EvaluateError::NotASeries
    );
}

#[test]
fn what_is_shown_depends_on_the_fill_mode() {
    let gaps = || [minutes(&[1.0, 2.0]), minutes(&[0.0])];
    let shown = |fill| {
        let outcome = evaluate_with("(/ $a $b)", &gaps(), Alignment::Fill(fill)).expect("a result");
        outcome.points(0).count()
    };
    assert_eq!(shown(Fill::DropMissing), 0);
    assert_eq!(shown(Fill::Null), 2);
    assert_eq!(shown(Fill::Number(1.0)), 2);
    let compared = run("(== $a $b)", &gaps());
    let values: Vec<f64> = compared.points(0).map(|point| point.value).collect();
    assert_eq!(values, [0.0, 0.0]);
    assert_eq!(compared.points(9).count(), 0);
    assert_eq!(compared.keep, Keep::Finite);
}

#[test]
fn spans_follow_the_clocks_of_a_time_zone() {
    let brussels = TimeZone::get("Europe/Brussels").expect("a zone of the bundled database");
    let run = |text: &str, granularity_second: i64, zone: &TimeZone| {
        let granularity = Timespan::from_second(granularity_second).expect("positive");
        // From midnight in Brussels on, 29 March 2025; clocks went forward a day later.
        let timestamps_ns: Vec<i64> = (0..48 * 3600 / granularity_second)
            .map(|row| (1_743_202_800 + row * granularity_second) * 1_000_000_000)
            .collect();
        let values = vec![1.0; timestamps_ns.len()];
        let expression: Expression = text.parse().expect("an expression");
        let input = Input {
            granularity,
            columns: vec![InputColumn {
                reference: 0,
                series: Series::from_points(timestamps_ns, values).expect("valid points"),
            }],
            alignment: Alignment::Fill(Fill::DropMissing),
            time_zone: zone,
        };
        evaluate(&expression, input)
    };
    let values = |text: &str| {
        run(text, 3600, &brussels).expect("a result").columns[0]
            .values
            .clone()
    };
    assert_eq!(
        values("(resample sum 86400 (metric a mean))"),
        [24.0, 23.0, 1.0]
    );
    assert_eq!(
        values("(resample sum 21600 (metric a mean))"),
        [6.0, 6.0, 6.0, 6.0, 5.0, 6.0, 6.0, 6.0, 1.0]
    );
    assert_eq!(
        values("(resample sum D (resample sum 21600 (metric a mean)))"),
        [24.0, 23.0, 1.0]
    );
    let outcome = run("(resample sum 86400 (metric a mean))", 3600, &brussels).expect("a result");
    assert_eq!(outcome.granularity.to_string(), "86400.0");
    assert_eq!(outcome.timestamps_ns[0], 1_743_202_800_000_000_000);

    let refused = |text: &str, second| run(text, second, &brussels).expect_err("no result");
    assert!(matches!(
        refused("(resample sum 25200 (metric a mean))", 3600),
        EvaluateError::NotLocal(_)
    ));
    assert!(matches!(
        refused(
            "(resample sum D (resample sum 43200 (metric a mean)))",
            21600
        ),
        EvaluateError::DividedRow(_)
    ));
    assert!(run("(resample sum 25200 (metric a mean))", 3600, &TimeZone::UTC).is_ok());
}

#[test]
fn too_little_overlap() {
    let overlap = Alignment::Overlap(Overlap {
        needed_percent: 100.0,
        start: RangeEnd::Given,
        stop: RangeEnd::Given,
    });
    let series = [minutes(&[1.0, 2.0, 3.0]), minutes(&[1.0, 2.0])];
    let found = evaluate_with("(+ $a $b)", &series, overlap).expect_err("two of three rows");
    assert_eq!(
        found,
        EvaluateError::Align(AlignError::TooLittleOverlap {
            needed_percent: 100.0,
            found_percent: 200.0 / 3.0,
        })
    );
}
