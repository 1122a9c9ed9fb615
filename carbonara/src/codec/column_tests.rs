use super::*;

fn round_trip(values: &[f64], content: Content, encoding: Encoding) -> Vec<u8> {
    let mut out = Vec::new();
    put_column(&mut out, values, content, encoding);
    let mut reader = Reader::new(&out);
    let after = take_column(&mut reader, values.len(), &mut Scratch::default());
    let bits = |values: &[f64]| {
        values
            .iter()
            .map(|value| value.to_bits())
            .collect::<Vec<_>>()
    };
    assert_eq!(after.map(|after| bits(&after)), Ok(bits(values)));
    assert_eq!(reader.remaining(), 0);
    out
}

fn tag_and_length(out: &[u8]) -> (u8, usize) {
    (out[0], out.len())
}

#[test]
fn fresh_counts_take_their_width() {
    let check = |values: &[f64], expected: (u8, usize)| {
        let out = round_trip(values, Content::Counts, Encoding::Fresh);
        assert_eq!(tag_and_length(&out), expected, "{values:?}");
    };
    check(&[60.0], (REPEATED_INTEGER, 2));
    check(&[60.0; 50], (REPEATED_INTEGER, 2));
    check(&[3_600.0], (REPEATED_INTEGER, 3));
    check(&[59.0, 60.0], (INTEGERS, 4));
    check(&[0.0, 256.0], (INTEGERS, 6));
    check(&[0.0, 65_536.0], (INTEGERS, 10));
    check(&[0.0, 9_007_199_254_740_992.0], (INTEGERS, 18));
    check(&[], (INTEGERS, 2));
}

#[test]
fn counts_that_are_none_stay_exact() {
    for odd in [
        -1.0,
        -0.0,
        0.5,
        f64::NAN,
        f64::INFINITY,
        9_007_199_254_740_994.0,
        1e300,
    ] {
        let out = round_trip(&[1.0, odd], Content::Counts, Encoding::Fresh);
        assert_eq!(tag_and_length(&out), (PLAIN, 17), "{odd}");
        round_trip(&[1.0, odd], Content::Counts, Encoding::Sealed);
    }
}

#[test]
fn fresh_values_are_plain_unless_all_are_one() {
    let check = |values: &[f64], expected: (u8, usize)| {
        let out = round_trip(values, Content::Values, Encoding::Fresh);
        assert_eq!(tag_and_length(&out), expected, "{values:?}");
        assert!(fresh_bytes(values, Content::Values) >= out.len());
    };
    check(&[7.0; 10], (REPEATED, 9));
    check(&[f64::NAN; 10], (REPEATED, 9));
    check(&[7.0, 7.0, 7.5], (PLAIN, 25));
    check(&[0.0, -0.0], (PLAIN, 17));
    check(&[], (PLAIN, 1));
}

#[test]
fn columns_are_passed_over_as_they_are_read() {
    let noise: Vec<f64> = (0_u32..500)
        .map(|n| f64::from(n * n % 1_009) / 7.0)
        .collect();
    let counts: Vec<f64> = (0_u32..500).map(|n| f64::from(n * n % 1_009)).collect();
    for values in [&noise[..], &counts, &counts[..3], &[3.0; 9], &[0.5; 9], &[]] {
        for content in [Content::Values, Content::Counts] {
            for encoding in [Encoding::Fresh, Encoding::Sealed] {
                let mut out = Vec::new();
                put_column(&mut out, values, content, encoding);
                out.push(0xee);
                let mut reader = Reader::new(&out);
                assert_eq!(skip_column(&mut reader, values.len()), Ok(()));
                assert_eq!(reader.remaining(), 1, "tag {}", out[0]);
            }
        }
    }
    for unknown in [&[9_u8][..], &[INTEGERS, 3, 0, 0, 0]] {
        assert_eq!(
            skip_column(&mut Reader::new(unknown), 1),
            Err(Corruption::Layout)
        );
    }
}

#[test]
fn sealed_columns_take_the_shortest_form() {
    let check = |values: &[f64], tag: u8, longest: usize| {
        let out = round_trip(values, Content::Values, Encoding::Sealed);
        assert_eq!(out[0], tag);
        assert!(out.len() <= longest, "{}", out.len());
    };
    check(&vec![0.25; 3_600], REPEATED, 9);
    check(&vec![-0.0; 3_600], REPEATED, 9);
    check(&vec![-5.0; 3_600], REPEATED, 9);
    check(&vec![12.0; 3_600], REPEATED_INTEGER, 2);
    check(&[0.1, 0.7], PLAIN, 17);
    let decimals: Vec<f64> = (0..3_600)
        .map(|n| f64::from(n * n % 1_009) / 100.0)
        .collect();
    check(&decimals, COMPRESSED, 3_600 * 2);
}

#[test]
fn integers_are_compressed_as_integers_when_that_is_shorter() {
    // A few levels far apart: the exponents of floats would have to be coded too.
    let values: Vec<f64> = (0_i32..3_600).map(|n| f64::from(n * 7 % 32 - 16)).collect();
    let out = round_trip(&values, Content::Values, Encoding::Sealed);
    assert!(out[0] == COMPRESSED_INTEGERS || out[0] == COMPRESSED);
    assert!(out.len() < 3_600);
}

#[test]
fn contradictions_are_refused() {
    let check = |body: &[u8], count: usize, expected: Corruption| {
        let result = take_column(&mut Reader::new(body), count, &mut Scratch::default());
        assert_eq!(result, Err(expected), "{body:?}");
    };
    check(&[], 1, Corruption::Layout);
    check(&[99], 1, Corruption::Layout);
    check(&[PLAIN, 0, 0], 1, Corruption::Layout);
    check(&[INTEGERS, 3, 1, 1, 1], 1, Corruption::Layout);
    check(&[COMPRESSED, 9, 1], 1, Corruption::Limit);
    check(&[COMPRESSED, 1, 1], 1, Corruption::Column);
    check(&[COMPRESSED, 0], 1, Corruption::Column);
    // 2^53 + 1 is no float.
    check(
        &[REPEATED_INTEGER, 129, 128, 128, 128, 128, 128, 128, 16],
        1,
        Corruption::Limit,
    );
    let mut wide = vec![INTEGERS, 8];
    wide.extend_from_slice(&u64::MAX.to_le_bytes());
    check(&wide, 1, Corruption::Limit);
}
