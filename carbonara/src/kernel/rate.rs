//! Differences between neighbours.

/// Returns the difference of each value to the one before it in time.
///
/// `previous` is the value before the first; without it the result has one element fewer than `values`. A difference
/// belongs to the timestamp of the later value.
#[must_use]
pub fn differences(values: &[f64], previous: Option<f64>) -> Vec<f64> {
    let mut differences = Vec::with_capacity(values.len());
    if let (Some(previous), Some(first)) = (previous, values.first()) {
        differences.push(first - previous);
    }
    differences.extend(values.windows(2).map(|pair| pair[1] - pair[0]));
    differences
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_needs_a_previous_value() {
        let check = |values: &[f64], previous, expected: &[f64]| {
            assert_eq!(differences(values, previous), expected);
        };
        check(&[], None, &[]);
        check(&[], Some(1.0), &[]);
        check(&[5.0], None, &[]);
        check(&[5.0], Some(1.0), &[4.0]);
        check(&[5.0, 7.0, 4.0], None, &[2.0, -3.0]);
        check(&[5.0, 7.0, 4.0], Some(0.0), &[5.0, 2.0, -3.0]);
    }
}
