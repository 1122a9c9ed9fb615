use super::*;

fn quantile(values: &[f64], wanted: Quantile) -> f64 {
    let mut result = [0.0];
    quantiles(values, &[wanted], &mut RankScratch::new(), &mut result);
    result[0]
}

fn percentile(values: &[f64], percent: u8) -> f64 {
    let percentile = Percentile::new(percent).expect("in range");
    quantile(values, Quantile::Percentile(percentile))
}

#[test]
fn keys_keep_the_order_of_values() {
    let ascending = [
        f64::NEG_INFINITY,
        -1e300,
        -1.0,
        -f64::MIN_POSITIVE,
        -0.0,
        0.0,
        f64::MIN_POSITIVE,
        1.0,
        1e300,
        f64::INFINITY,
        f64::NAN,
    ];
    for pair in ascending.windows(2) {
        assert!(key_of(pair[0]) < key_of(pair[1]), "{pair:?}");
    }
    for value in &ascending[..10] {
        assert_eq!(value_of(key_of(*value)).to_bits(), value.to_bits());
    }
    assert!(value_of(key_of(-f64::NAN)).is_nan());
    assert_eq!(key_of(-f64::NAN), key_of(f64::NAN));
}

#[test]
#[expect(clippy::float_cmp, reason = "the results are exact")]
fn known_results() {
    assert_eq!(percentile(&[0.0, 1.0, 4.0], 95), 3.7);
    assert_eq!(percentile(&[7.0], 1), 7.0);
    assert_eq!(quantile(&[3.0, 1.0], Quantile::Median), 2.0);
    assert_eq!(quantile(&[3.0, 1.0, 2.0], Quantile::Median), 2.0);
    // 101 values: percentile p is exactly value p.
    let values: Vec<f64> = (0..=100).rev().map(f64::from).collect();
    for percent in 1..=99 {
        assert_eq!(percentile(&values, percent), f64::from(percent));
    }
}

#[test]
#[expect(clippy::float_cmp, reason = "the results are exact")]
fn nan_and_infinities() {
    let (nan, inf) = (f64::NAN, f64::INFINITY);
    assert!(quantile(&[], Quantile::Median).is_nan());
    assert_eq!(quantile(&[nan, 1.0, 2.0], Quantile::Median), 2.0);
    assert!(quantile(&[nan, 1.0], Quantile::Median).is_nan());
    assert!(percentile(&[1.0, nan], 1).is_nan());
    assert_eq!(percentile(&[inf, inf], 50), inf);
    assert_eq!(percentile(&[-inf, -inf, 3.0], 25), -inf);
    assert_eq!(quantile(&[inf, inf], Quantile::Median), inf);
    assert!(quantile(&[-inf, inf], Quantile::Median).is_nan());
}

#[test]
fn all_at_once_equals_one_by_one_equals_sorting() {
    let mut wanted = vec![Quantile::Median];
    wanted.extend(
        (1..=99)
            .filter_map(Percentile::new)
            .map(Quantile::Percentile),
    );
    let mut scratch = RankScratch::new();
    let mut state = 1_u64;
    for length in (1..200).chain([500, 3600]) {
        let values: Vec<f64> = (0..length)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                // Few distinct values, so that equal ones are frequent.
                f64::from(u16::try_from(state >> 56).expect("eight bits")) - 100.0
            })
            .collect();
        let mut together = vec![0.0; wanted.len()];
        quantiles(&values, &wanted, &mut scratch, &mut together);
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        for (quantile_wanted, found) in wanted.iter().zip(&together) {
            let place = quantile_wanted.place(values.len());
            let high = sorted[(place.low + 1).min(sorted.len() - 1)];
            let expected = if place.numerator == 0 {
                sorted[place.low]
            } else {
                quantile_wanted.between(place, sorted[place.low], high)
            };
            assert_eq!(found.to_bits(), expected.to_bits());
            assert_eq!(
                quantile(&values, *quantile_wanted).to_bits(),
                found.to_bits()
            );
        }
    }
}
