//! Limits and layout numbers, each with the reason for its value.

/// Buckets in one block.
///
/// An hour of one-second buckets or 2.5 days of one-minute buckets: large enough for columns to
/// compress well, small enough to be read, merged and rewritten as one piece. Offsets inside a block
/// fit in sixteen bits.
pub const POINTS_PER_BLOCK: i64 = 3600;

/// Nanoseconds in a second.
pub const NANOSECONDS_PER_SECOND: i64 = 1_000_000_000;

/// Nanoseconds in a millisecond.
pub const NANOSECONDS_PER_MILLISECOND: i64 = 1_000_000;

/// Most blocks of the coarsest granularity in one stored block of raw points, when that granularity is short.
///
/// A plan of 1 s keeps a raw window of seconds: without a limit, one stored block would hold thousands of windows
/// and nothing of it could be dropped for an hour.
pub const RAW_BLOCK_WINDOWS_MAX: i64 = 60;

/// Longest span of one stored block of raw points, unless the coarsest granularity itself is longer.
pub const RAW_BLOCK_SPAN_MAX_NS: i64 = 3600 * NANOSECONDS_PER_SECOND;

/// Most levels of one aggregation plan.
///
/// Policies have one to five levels; the limit keeps the cost of one measure bounded.
pub const LEVELS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_in_a_block_fit_in_sixteen_bits() {
        assert!(u16::try_from(POINTS_PER_BLOCK - 1).is_ok());
    }

    #[test]
    fn units_agree() {
        assert_eq!(NANOSECONDS_PER_MILLISECOND * 1000, NANOSECONDS_PER_SECOND);
        assert_eq!(RAW_BLOCK_SPAN_MAX_NS / NANOSECONDS_PER_SECOND, 3600);
    }
}
