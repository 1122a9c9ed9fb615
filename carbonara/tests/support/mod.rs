//! What the tests of the codecs share: equality to the bit.

use carbonara::{Frame, Series};

/// Bit patterns of the values: equal exactly where the values are the same, NaN and -0.0 included.
fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Fails unless both series have the same points, to the bit.
pub(crate) fn assert_same_series(left: &Series, right: &Series) {
    assert_eq!(left.timestamps_ns(), right.timestamps_ns());
    assert_eq!(bits(left.values()), bits(right.values()));
}

/// Fails unless both frames have the same rows, to the bit.
pub(crate) fn assert_same_frame(left: &Frame, right: &Frame) {
    assert_eq!(left.granularity(), right.granularity());
    assert_eq!(left.components(), right.components());
    assert_eq!(left.buckets(), right.buckets());
    let columns = |frame: &Frame| frame.columns().iter().map(|c| bits(c)).collect::<Vec<_>>();
    assert_eq!(columns(left), columns(right));
}
