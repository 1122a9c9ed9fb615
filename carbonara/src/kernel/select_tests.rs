use super::*;
use crate::kernel::levels::levels;
use crate::kernel::{Quantile, RankScratch, quantiles};

fn check(values: &[f64], ranks: &[usize]) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let expected: Vec<u64> = ranks.iter().map(|rank| sorted[*rank].to_bits()).collect();
    let mut scratch = SelectScratch::default();
    for level in levels() {
        let mut selected = vec![7.0];
        assert!(select(level, values, ranks, &mut scratch, &mut selected));
        let found: Vec<u64> = selected.iter().map(|value| value.to_bits()).collect();
        assert_eq!(found, expected, "{level:?}, {} values", values.len());
    }
}

/// Values among `distinct` different ones.
fn random(length: usize, distinct: u64) -> Vec<f64> {
    let mut state = length as u64;
    (0..length)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            f64::from(u32::try_from((state >> 33) % distinct).expect("31 bits")) - 50.0
        })
        .collect()
}

#[test]
fn ranks_are_those_of_a_sort() {
    let (inf, length) = (f64::INFINITY, 1..200_usize);
    for length in length.chain([256, 300, 1000, 3600]) {
        let few = [0, length / 2, length * 19 / 20, length - 1];
        let mut few = few.to_vec();
        few.dedup();
        let all: Vec<usize> = (0..length).collect();
        for distinct in [1, 2, 5, 100, 1 << 31] {
            let mut values = random(length, distinct);
            check(&values, &few);
            if length < 300 {
                check(&values, &all);
            }
            values[0] = inf;
            values[length / 2] = -inf;
            check(&values, &few);
        }
        check(&vec![inf; length], &few);
        check(&vec![-inf; length], &few);
    }
}

#[test]
fn sorted_values() {
    let up: Vec<f64> = (0..5000).map(f64::from).collect();
    let down: Vec<f64> = up.iter().rev().copied().collect();
    let pipes: Vec<f64> = up.iter().map(|value| (value - 2500.0).abs()).collect();
    for values in [up, down, pipes] {
        check(&values, &[0, 1, 2499, 2500, 4750, 4999]);
    }
}

#[test]
fn values_that_need_care_are_refused() {
    for odd in [f64::NAN, -f64::NAN, -0.0] {
        for length in [1, 3, 4, 60, 61, 300, 303] {
            for at in [0, length / 2, length - 1] {
                let mut values = random(length, 1000);
                values[at] = odd;
                for level in levels() {
                    let mut scratch = SelectScratch::default();
                    let refused = !select(level, &values, &[0], &mut scratch, &mut Vec::new());
                    assert!(refused, "{odd} at {at} of {length}, {level:?}");
                }
            }
        }
    }
}

#[test]
fn ill_disposed_values_are_refused() {
    // The places where pivots are looked for always hold the smallest values that are left.
    let mut values: Vec<f64> = (10_000..14_000).map(f64::from).collect();
    let mut left: Vec<usize> = (0..values.len()).collect();
    let mut smallest = 0.0;
    for _ in 0..=DIVISIONS_MAX {
        for part in 0..9 {
            let place = left[part * (left.len() / 9)];
            if values[place] >= 10_000.0 {
                values[place] = smallest;
                smallest += 1.0;
            }
        }
        let part: Vec<f64> = left.iter().map(|place| values[*place]).collect();
        let pivot = pivot_of(&part);
        left.retain(|place| values[*place] >= pivot);
    }
    for level in levels() {
        let mut scratch = SelectScratch::default();
        let refused = !select(level, &values, &[2000], &mut scratch, &mut Vec::new());
        assert!(refused, "{level:?}");
    }
    // Refused, not lost.
    let mut median = [0.0];
    let wanted = [Quantile::Median];
    quantiles(&values, &wanted, &mut RankScratch::new(), &mut median);
    values.sort_by(f64::total_cmp);
    assert_eq!(
        median[0].to_bits(),
        f64::midpoint(values[1999], values[2000]).to_bits()
    );
}
