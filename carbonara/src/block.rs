//! Blocks: where frames are filed, when they are folded into one, and when that one is sealed.

use crate::codec::{Encoding, frame};
use crate::constants::POINTS_PER_BLOCK;
use crate::frame::{Frame, FrameError};
use crate::time::{Timespan, Timestamp};

/// Frames that an open block may gather before it is folded into one.
///
/// A reader merges all of them, so this bounds the cost of reading. Folding rewrites at most 3600
/// rows of some 40 bytes. A block that grows by one row at a time is folded 3600 / 128 = 28 times,
/// on average at half its size: 2 MB written for 3600 rows, 560 bytes for each. Half the limit
/// doubles that; twice the limit makes the merge of a hot block the larger cost.
pub const OPEN_BLOCK_FRAMES_MAX: usize = 128;

/// Names a block of one metric: a granularity and the block's place in time.
///
/// Ordered by granularity, then by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockKey {
    /// Length of a bucket.
    pub granularity: Timespan,
    /// Bucket number divided by [`POINTS_PER_BLOCK`].
    pub number: i64,
}

impl BlockKey {
    /// Returns the block that holds the bucket of a moment.
    #[must_use]
    pub const fn at(timestamp: Timestamp, granularity: Timespan) -> Self {
        Self {
            granularity,
            number: timestamp.bucket(granularity) / POINTS_PER_BLOCK,
        }
    }

    /// Returns the number of the first bucket.
    #[must_use]
    pub const fn first_bucket(self) -> i64 {
        self.number.saturating_mul(POINTS_PER_BLOCK)
    }

    /// Returns the number of the first bucket behind the block.
    #[must_use]
    pub const fn end_bucket(self) -> i64 {
        self.first_bucket().saturating_add(POINTS_PER_BLOCK)
    }

    /// Returns whether nothing at or after `open_from` falls into the block: it will not change any more.
    ///
    /// With `open_from` at the start of the back window the block can be sealed; with it at the
    /// start of what the policy keeps, the block can be deleted.
    #[must_use]
    pub const fn is_passed(self, open_from: Timestamp) -> bool {
        open_from.bucket(self.granularity) >= self.end_bucket()
    }
}

/// Merges the frames of a block, oldest first, into one: for each bucket the last row wins.
///
/// # Errors
/// As [`Frame::merge`].
pub fn fold(frames: &[Frame]) -> Result<Frame, FrameError> {
    Frame::merge(&frames.iter().collect::<Vec<_>>())
}

/// Merges the frames of a block, oldest first, and encodes the result for good.
///
/// # Errors
/// As [`Frame::merge`].
pub fn seal(frames: &[Frame]) -> Result<Vec<u8>, FrameError> {
    Ok(frame::encode(&fold(frames)?, Encoding::Sealed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method::{AggregationMethod, ComponentSet, Statistic};

    fn minute() -> Timespan {
        Timespan::from_second(60).unwrap()
    }

    fn frame_of(buckets: Vec<i64>, value: f64) -> Frame {
        let components = ComponentSet::for_methods(&[AggregationMethod::of_values(Statistic::Max)]);
        let columns = vec![vec![value; buckets.len()]];
        Frame::new(minute(), components, buckets, columns).unwrap()
    }

    #[test]
    fn a_block_spans_its_buckets() {
        let check = |second: i64, number: i64| {
            let key = BlockKey::at(Timestamp::from_second(second).unwrap(), minute());
            assert_eq!(
                key,
                BlockKey {
                    granularity: minute(),
                    number
                }
            );
            assert!((key.first_bucket()..key.end_bucket()).contains(&(second / 60)));
        };
        check(0, 0);
        check(60 * 3_600 - 1, 0);
        check(60 * 3_600, 1);
        check(1_700_000_000, 7_870);
        let last = BlockKey::at(Timestamp::MAX, Timespan::from_nanosecond(1).unwrap());
        assert_eq!(last.end_bucket(), i64::MAX);
    }

    #[test]
    fn a_block_is_passed_when_its_last_bucket_is() {
        let key = BlockKey {
            granularity: minute(),
            number: 2,
        };
        let check = |second: i64, expected: bool| {
            assert_eq!(
                key.is_passed(Timestamp::from_second(second).unwrap()),
                expected
            );
        };
        check(0, false);
        check(3 * 3_600 * 60 - 1, false);
        check(3 * 3_600 * 60, true);
    }

    #[test]
    fn sealing_keeps_the_last_row_of_each_bucket() {
        let frames = [
            frame_of((0..3_000).collect(), 1.0),
            frame_of(vec![5, 3_599], 2.0),
            frame_of(vec![5], 3.0),
        ];
        let (sealed, _) = frame::decode(&seal(&frames).unwrap()).unwrap();
        assert_eq!(sealed, fold(&frames).unwrap());
        let maxima = &sealed.columns()[0];
        assert_eq!(
            (sealed.len(), maxima[4], maxima[5], maxima[3_000]),
            (3_001, 1.0, 3.0, 2.0)
        );
    }

    #[test]
    fn nothing_cannot_be_folded() {
        assert_eq!(fold(&[]), Err(FrameError::NothingToMerge));
        assert_eq!(seal(&[]), Err(FrameError::NothingToMerge));
    }
}
