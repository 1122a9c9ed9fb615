//! The precision of the timestamps of resources.

use carbonara::{Timespan, Timestamp};

pub(super) const MICROSECOND: Timespan = match Timespan::from_nanosecond(1000) {
    Ok(microsecond) => microsecond,
    Err(_) => unreachable!(),
};

/// Truncates a timestamp to whole microseconds, the precision of resources.
#[must_use]
pub fn whole_microseconds(timestamp: Timestamp) -> Timestamp {
    timestamp.floor(MICROSECOND)
}
