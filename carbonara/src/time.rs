//! Timestamps and durations: signed 64-bit nanoseconds that cannot be out of range.

use std::fmt;

use crate::constants::{NANOSECONDS_PER_MILLISECOND, NANOSECONDS_PER_SECOND};

/// A point in time: nanoseconds since 1970-01-01T00:00:00Z, never before it and at most [`Timestamp::MAX`] (year 2262).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A duration in nanoseconds, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timespan(i64);

/// Why a number is not a timestamp or a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeError {
    /// The timestamp lies before the epoch.
    BeforeEpoch,
    /// The duration is zero or negative.
    NotPositive,
    /// The number does not fit in 63 bits of nanoseconds.
    OutOfRange,
}

impl Timestamp {
    /// The earliest timestamp that can be represented.
    pub const EPOCH: Self = Self(0);

    /// The latest timestamp that can be represented.
    pub const MAX: Self = Self(i64::MAX);

    /// Makes a timestamp from whole seconds since the epoch.
    ///
    /// # Errors
    /// [`TimeError::BeforeEpoch`] for a negative number, [`TimeError::OutOfRange`] beyond [`Timestamp::MAX`].
    pub const fn from_second(second: i64) -> Result<Self, TimeError> {
        match second.checked_mul(NANOSECONDS_PER_SECOND) {
            Some(nanosecond) => Self::from_nanosecond(nanosecond),
            None if second < 0 => Err(TimeError::BeforeEpoch),
            None => Err(TimeError::OutOfRange),
        }
    }

    /// Makes a timestamp from whole milliseconds since the epoch.
    ///
    /// # Errors
    /// [`TimeError::BeforeEpoch`] for a negative number, [`TimeError::OutOfRange`] beyond [`Timestamp::MAX`].
    pub const fn from_millisecond(millisecond: i64) -> Result<Self, TimeError> {
        match millisecond.checked_mul(NANOSECONDS_PER_MILLISECOND) {
            Some(nanosecond) => Self::from_nanosecond(nanosecond),
            None if millisecond < 0 => Err(TimeError::BeforeEpoch),
            None => Err(TimeError::OutOfRange),
        }
    }

    /// Makes a timestamp from nanoseconds since the epoch.
    ///
    /// # Errors
    /// [`TimeError::BeforeEpoch`] for a negative number.
    pub const fn from_nanosecond(nanosecond: i64) -> Result<Self, TimeError> {
        if nanosecond < 0 {
            Err(TimeError::BeforeEpoch)
        } else {
            Ok(Self(nanosecond))
        }
    }

    /// Wraps a number that the caller knows to be at or after the epoch.
    pub(crate) const fn from_valid_ns(nanosecond: i64) -> Self {
        debug_assert!(nanosecond >= 0, "a timestamp before the epoch");
        Self(nanosecond)
    }

    /// Returns the nanoseconds since the epoch.
    #[must_use]
    pub const fn as_nanosecond(self) -> i64 {
        self.0
    }

    /// Returns the whole seconds since the epoch, rounded down.
    #[must_use]
    pub const fn as_second(self) -> i64 {
        self.0 / NANOSECONDS_PER_SECOND
    }

    /// Returns the start of the bucket of length `granularity`, counted from the epoch, that holds this timestamp.
    #[must_use]
    pub const fn floor(self, granularity: Timespan) -> Self {
        Self(self.0 - self.0 % granularity.0)
    }

    /// Returns the number of the bucket of length `granularity`, counted from the epoch, that holds this timestamp.
    #[must_use]
    pub const fn bucket(self, granularity: Timespan) -> i64 {
        self.0 / granularity.0
    }

    /// Returns the timestamp `span` later, or `None` beyond [`Timestamp::MAX`].
    #[must_use]
    pub const fn checked_add(self, span: Timespan) -> Option<Self> {
        match self.0.checked_add(span.0) {
            Some(nanosecond) => Some(Self(nanosecond)),
            None => None,
        }
    }

    /// Returns the timestamp `span` earlier, or [`Timestamp::EPOCH`] when that would lie before it.
    #[must_use]
    pub const fn saturating_sub(self, span: Timespan) -> Self {
        if self.0 < span.0 {
            Self::EPOCH
        } else {
            Self(self.0 - span.0)
        }
    }

    /// Returns the nanoseconds from `earlier` to this timestamp, negative when `earlier` is in fact later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> i64 {
        // Both lie in 0..=i64::MAX, so the difference always fits.
        self.0 - earlier.0
    }
}

/// Seconds since the epoch, then a point and nine digits when there is a fraction.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fraction = self.0 % NANOSECONDS_PER_SECOND;
        if fraction == 0 {
            write!(f, "{}", self.as_second())
        } else {
            write!(f, "{}.{fraction:09}", self.as_second())
        }
    }
}

impl Timespan {
    /// One second.
    pub const SECOND: Self = Self(NANOSECONDS_PER_SECOND);

    /// One minute.
    pub const MINUTE: Self = Self(60 * NANOSECONDS_PER_SECOND);

    /// One hour.
    pub const HOUR: Self = Self(3600 * NANOSECONDS_PER_SECOND);

    /// One day of 24 hours.
    pub const DAY: Self = Self(24 * 3600 * NANOSECONDS_PER_SECOND);

    /// Makes a duration from whole seconds.
    ///
    /// # Errors
    /// [`TimeError::NotPositive`] for zero and below, [`TimeError::OutOfRange`] beyond `i64::MAX` nanoseconds.
    pub const fn from_second(second: i64) -> Result<Self, TimeError> {
        match second.checked_mul(NANOSECONDS_PER_SECOND) {
            Some(nanosecond) => Self::from_nanosecond(nanosecond),
            None if second < 0 => Err(TimeError::NotPositive),
            None => Err(TimeError::OutOfRange),
        }
    }

    /// Makes a duration from nanoseconds.
    ///
    /// # Errors
    /// [`TimeError::NotPositive`] for zero and below.
    pub const fn from_nanosecond(nanosecond: i64) -> Result<Self, TimeError> {
        if nanosecond < 1 {
            Err(TimeError::NotPositive)
        } else {
            Ok(Self(nanosecond))
        }
    }

    /// Returns the duration in nanoseconds.
    #[must_use]
    pub const fn as_nanosecond(self) -> i64 {
        self.0
    }

    /// Returns the duration in seconds, rounded to the nearest double.
    #[must_use]
    pub fn as_second_f64(self) -> f64 {
        // Splitting keeps whole seconds exact beyond 2^53 nanoseconds (104 days).
        #[expect(
            clippy::cast_precision_loss,
            reason = "whole seconds stay below 2^34 and the fraction below 2^30"
        )]
        let (seconds, fraction) = (
            (self.0 / NANOSECONDS_PER_SECOND) as f64,
            (self.0 % NANOSECONDS_PER_SECOND) as f64,
        );
        seconds + fraction / 1e9
    }

    /// Returns this duration `factor` times, or `None` when the factor is below one or the result does not fit.
    #[must_use]
    pub const fn checked_mul(self, factor: i64) -> Option<Self> {
        match self.0.checked_mul(factor) {
            Some(nanosecond) if nanosecond > 0 => Some(Self(nanosecond)),
            _ => None,
        }
    }

    /// Returns whether this duration is a whole number of times `other`.
    #[must_use]
    pub const fn is_multiple_of(self, other: Self) -> bool {
        self.0 % other.0 == 0
    }
}

/// Seconds as the shortest decimal number that reads back as the same double: `60.0`, `0.5`.
impl fmt::Display for Timespan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.as_second_f64(), f)
    }
}

impl fmt::Display for TimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BeforeEpoch => "timestamp lies before the epoch",
            Self::NotPositive => "timespan is not positive",
            Self::OutOfRange => "time does not fit in 63 bits of nanoseconds",
        })
    }
}

impl std::error::Error for TimeError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(nanosecond: i64) -> Timestamp {
        Timestamp::from_nanosecond(nanosecond).expect("not before the epoch")
    }

    fn span(nanosecond: i64) -> Timespan {
        Timespan::from_nanosecond(nanosecond).expect("positive")
    }

    #[test]
    fn units_are_converted_and_checked() {
        assert_eq!(Timestamp::from_second(2), Ok(moment(2_000_000_000)));
        assert_eq!(Timestamp::from_millisecond(2), Ok(moment(2_000_000)));
        assert_eq!(Timestamp::from_second(-1), Err(TimeError::BeforeEpoch));
        assert_eq!(
            Timestamp::from_second(i64::MIN),
            Err(TimeError::BeforeEpoch)
        );
        assert_eq!(Timestamp::from_second(i64::MAX), Err(TimeError::OutOfRange));
        assert_eq!(
            Timestamp::from_millisecond(i64::MIN),
            Err(TimeError::BeforeEpoch)
        );
        assert_eq!(
            Timestamp::from_millisecond(i64::MAX),
            Err(TimeError::OutOfRange)
        );
        assert_eq!(Timestamp::from_nanosecond(-1), Err(TimeError::BeforeEpoch));
        assert_eq!(Timespan::from_second(0), Err(TimeError::NotPositive));
        assert_eq!(Timespan::from_second(i64::MIN), Err(TimeError::NotPositive));
        assert_eq!(Timespan::from_second(i64::MAX), Err(TimeError::OutOfRange));
        assert_eq!(Timespan::from_nanosecond(-5), Err(TimeError::NotPositive));
    }

    #[test]
    fn floor_is_exact_for_any_granularity() {
        // 10 s in 3 points: not representable as a double number of seconds.
        let granularity = span(3_333_333_333);
        let at = moment(1_425_652_437_123_456_789);
        let bucket = at.bucket(granularity);
        assert_eq!(
            at.floor(granularity).as_nanosecond(),
            bucket * granularity.as_nanosecond()
        );
        assert!(at.since(at.floor(granularity)) < granularity.as_nanosecond());
        assert_eq!(Timestamp::MAX.floor(span(1)), Timestamp::MAX);
        assert_eq!(Timestamp::MAX.floor(span(i64::MAX)), Timestamp::MAX);
        assert_eq!(moment(5).floor(span(i64::MAX)), Timestamp::EPOCH);
    }

    #[test]
    fn arithmetic_stops_at_the_ends() {
        assert_eq!(moment(5).saturating_sub(span(7)), Timestamp::EPOCH);
        assert_eq!(moment(7).saturating_sub(span(5)), moment(2));
        assert_eq!(Timestamp::MAX.checked_add(span(1)), None);
        assert_eq!(moment(1).checked_add(span(2)), Some(moment(3)));
        assert_eq!(Timestamp::EPOCH.since(Timestamp::MAX), -i64::MAX);
        assert_eq!(span(2).checked_mul(3), Some(span(6)));
        assert_eq!(span(2).checked_mul(0), None);
        assert_eq!(span(2).checked_mul(-1), None);
        assert_eq!(span(2).checked_mul(i64::MAX), None);
    }

    #[test]
    fn text() {
        assert_eq!(moment(1_500_000_000).to_string(), "1.500000000");
        assert_eq!(moment(3_000_000_000).to_string(), "3");
        assert_eq!(span(60_000_000_000).to_string(), "60.0");
        assert_eq!(span(500_000_000).to_string(), "0.5");
    }
}
