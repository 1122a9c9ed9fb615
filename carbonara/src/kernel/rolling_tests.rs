use super::*;

const GAP: f64 = f64::NAN;

fn run(values: &[f64], window: usize, name: &str) -> Vec<f64> {
    let window = NonZeroUsize::new(window).expect("not zero");
    rolling(values, window, name.parse().expect("a statistic"))
}

fn bits(values: &[f64]) -> Vec<u64> {
    let canonical = |value: &f64| if value.is_nan() { GAP } else { *value };
    values.iter().map(|v| canonical(v).to_bits()).collect()
}

#[track_caller]
fn check(values: &[f64], window: usize, name: &str, expected: &[f64]) {
    let found = run(values, window, name);
    assert_eq!(bits(&found), bits(expected), "{name}: {found:?}");
}

#[test]
fn each_statistic_ignores_missing_values() {
    let values = [1.0, GAP, 4.0, 7.0, GAP, GAP, GAP];
    check(&values, 3, "mean", &[2.5, 5.5, 5.5, 7.0, GAP]);
    check(&values, 3, "median", &[2.5, 5.5, 5.5, 7.0, GAP]);
    check(&values, 3, "std", &[1.5, 1.5, 1.5, 0.0, GAP]);
    check(&values, 3, "var", &[2.25, 2.25, 2.25, 0.0, GAP]);
    check(&values, 3, "min", &[1.0, 4.0, 4.0, 7.0, GAP]);
    check(&values, 3, "max", &[4.0, 7.0, 7.0, 7.0, GAP]);
    check(&values, 3, "sum", &[5.0, 11.0, 11.0, 7.0, 0.0]);
    check(&values, 3, "count", &[2.0, 2.0, 2.0, 1.0, 0.0]);
}

#[test]
fn the_window_must_fit() {
    check(&[1.0, 2.0], 3, "mean", &[]);
    check(&[1.0, 2.0], 2, "mean", &[1.5]);
    check(&[1.0, 2.0], 1, "sum", &[1.0, 2.0]);
    check(&[], 1, "median", &[]);
}

#[test]
fn what_left_the_window_leaves_no_trace() {
    let values = [1e300, 1.0, 2.0, f64::INFINITY, -f64::INFINITY, 3.0, 5.0];
    let inf = f64::INFINITY;
    check(&values, 2, "sum", &[1e300, 3.0, inf, GAP, -inf, 8.0]);
    check(&values, 2, "var", &[inf, 0.25, GAP, GAP, GAP, 1.0]);
    let mut long = vec![1e300, f64::INFINITY];
    long.extend([0.5; 200]);
    for window in [ORDERED_WINDOW_MAX, ORDERED_WINDOW_MAX + 1, 100] {
        let sums = run(&long, window, "sum");
        let expected = f64::from(u32::try_from(window).expect("small")) / 2.0;
        assert_eq!(sums[2].to_bits(), expected.to_bits());
    }
}

#[test]
fn far_from_zero_deviations_stay_exact() {
    let values = [1e15 + 1.0, 1e15 + 3.0, 1e15 + 1.0];
    check(&values, 2, "var", &[1.0, 1.0]);
    check(&[0.1; 5], 4, "std", &[0.0, 0.0]);
}

#[test]
fn short_windows_sum_in_the_order_of_time() {
    check(&[1e16, 1.0, -1e16, 1.0], 4, "sum", &[1.0]);
    check(&[-0.0, -0.0], 2, "sum", &[0.0]);
}

#[test]
fn a_result_depends_on_its_window_alone() {
    let values: Vec<f64> = (0..700_u32)
        .map(|row| f64::from(row * 7919 % 1009).sin())
        .collect();
    for window in [1, 2, 63, 64, 65, 100, 255, 256, 257, 700] {
        for name in ["mean", "median", "std", "min", "max", "sum", "var", "count"] {
            let whole = run(&values, window, name);
            for row in [0, 1, whole.len() / 2, whole.len() - 1] {
                if let Some(found) = whole.get(row) {
                    let alone = run(&values[row..row + window], window, name);
                    assert_eq!(bits(&alone), bits(&[*found]), "{name} of {window} at {row}");
                }
            }
        }
    }
}

#[test]
fn zeros_keep_their_sign_in_extremes() {
    check(&[-0.0, 0.0, -0.0], 2, "min", &[-0.0, 0.0]);
    check(&[-0.0, 0.0, -0.0], 2, "max", &[-0.0, 0.0]);
}

#[test]
fn medians_of_repeated_values() {
    check(
        &[2.0, 2.0, 2.0, 5.0, 5.0, 1.0],
        3,
        "median",
        &[2.0, 2.0, 5.0, 5.0],
    );
    check(&[2.0, 2.0, 5.0, 5.0], 4, "median", &[3.5]);
}
