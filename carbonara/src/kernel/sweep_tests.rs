use super::*;
use crate::kernel::extrema;
use crate::kernel::levels::levels;

/// Bits that are equal for all NaN: which one comes out of an addition is not specified.
fn bits(value: f64) -> u64 {
    if value.is_nan() { f64::NAN } else { value }.to_bits()
}

fn moment_bits(moments: &Moments) -> [u64; 3] {
    [
        moments.sum(),
        moments.squared_deviations(2),
        moments.squared_deviations(1 << 40),
    ]
    .map(bits)
}

/// Values of any size and sign; `odd` are strewn among them.
fn values_with(odd: &[f64]) -> Vec<f64> {
    let mut state = 1_u64;
    (0..1500)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let random = u32::try_from(state >> 40).expect("24 bits");
            match odd.get(usize::try_from(random % 97).expect("small")) {
                Some(odd) => *odd,
                None => {
                    f64::from(random).sin()
                        * 10_f64.powi(i32::try_from(random % 13).expect("small") - 6)
                }
            }
        })
        .collect()
}

/// Segments of lengths from none to a few registers, and for each the groups that begin there.
fn cut(values: &[f64]) -> (Vec<Segment>, Vec<u8>) {
    let (mut segments, mut entered) = (Vec::new(), Vec::new());
    let mut from = 0;
    while from < values.len() {
        let index = segments.len();
        let to = (from + index * 7 % 41).min(values.len());
        segments.push(Segment { from, to });
        let starts = [1, 3, 5, 20].map(|every| index % every == 0);
        entered.push(
            starts
                .iter()
                .rev()
                .fold(0, |bits, starts| bits << 1 | u8::from(*starts)),
        );
        from = to;
    }
    (segments, entered)
}

fn check(values: &[f64]) {
    let (segments, entered) = cut(values);
    for level in levels() {
        for depth in [Depth::Sums, Depth::Deviations] {
            let mut sweep = Sweep::new();
            let mut extremes = Vec::new();
            // In two goes: the second continues the first.
            let half = segments.len() / 2;
            let mut groups: [Option<Moments>; LANES] = [None; LANES];
            let mut empty = [false; LANES];
            for part in [0..half, half..segments.len()] {
                extremes.clear();
                sweep.advance_at(
                    level,
                    values,
                    &segments[part.clone()],
                    &entered[part.clone()],
                    depth,
                    Some(&mut extremes),
                );
                for (done, index) in part.enumerate() {
                    let segment = &values[segments[index].from..segments[index].to];
                    for (lane, group) in groups.iter_mut().enumerate() {
                        empty[lane] |= entered[index] >> lane & 1 == 1;
                        if let (true, Some(first)) = (empty[lane], segment.first()) {
                            *group = Some(Moments::starting_with(*first));
                            empty[lane] = false;
                        }
                        let Some(group) = group else { continue };
                        group.extend(segment);
                        let found = sweep.after(done + 1).group(lane);
                        assert_eq!(bits(found.sum()), bits(group.sum()), "{level:?}");
                        if depth == Depth::Deviations {
                            assert_eq!(moment_bits(&found), moment_bits(group), "{level:?}");
                        }
                    }
                    let expected = extrema(segment).unwrap_or(Extrema::EMPTY);
                    assert_eq!(bits(extremes[done].min), bits(expected.min), "{segment:?}");
                    assert_eq!(bits(extremes[done].max), bits(expected.max), "{segment:?}");
                }
            }
        }
    }
}

#[test]
fn every_instruction_set_gives_the_bits_of_the_plain_version() {
    let (nan, inf) = (f64::NAN, f64::INFINITY);
    check(&values_with(&[]));
    check(&values_with(&[-0.0, 0.0, -0.0]));
    check(&values_with(&[nan]));
    check(&values_with(&[inf]));
    check(&values_with(&[-inf, inf, -0.0]));
    check(&values_with(&[
        nan,
        inf,
        -inf,
        0.0,
        -0.0,
        f64::MIN_POSITIVE / 3.0,
        f64::MAX,
        f64::MIN,
    ]));
    // Only zeros of both signs.
    let zeros: Vec<f64> = values_with(&[]).iter().map(|value| 0.0 * value).collect();
    check(&zeros);
}

#[test]
fn a_resumed_group_continues() {
    let values = values_with(&[]);
    let mut before = Moments::starting_with(3.0);
    before.extend(&[3.0, 5.0]);
    let mut sweep = Sweep::new();
    sweep.resume(0, Some(before));
    sweep.resume(1, None);
    let segments = [Segment { from: 0, to: 10 }];
    sweep.advance(&values, &segments, &[0], Depth::Deviations, None);
    before.extend(&values[..10]);
    let mut fresh = Moments::starting_with(values[0]);
    fresh.extend(&values[..10]);
    assert_eq!(moment_bits(&sweep.after(1).group(0)), moment_bits(&before));
    assert_eq!(moment_bits(&sweep.after(1).group(1)), moment_bits(&fresh));
}
