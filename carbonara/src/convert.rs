//! Conversions between our times and those of `std` and `jiff`.
//!
//! Every conversion into a [`Timestamp`] or a [`Timespan`] is checked, because both have a smaller range than the types that they come
//! from. Every conversion out of them is exact.

use std::convert::Infallible;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::series::{Point, Series};
use crate::time::{TimeError, Timespan, Timestamp};

/// For conversions that cannot fail, so that a function can take `impl TryInto<Timespan>` and be given a [`Timespan`].
impl From<Infallible> for TimeError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl TryFrom<SystemTime> for Timestamp {
    type Error = TimeError;

    fn try_from(time: SystemTime) -> Result<Self, TimeError> {
        let since_epoch = time
            .duration_since(UNIX_EPOCH)
            .map_err(|_| TimeError::BeforeEpoch)?;
        let nanosecond =
            i64::try_from(since_epoch.as_nanos()).map_err(|_| TimeError::OutOfRange)?;
        Self::from_nanosecond(nanosecond)
    }
}

impl From<Timestamp> for SystemTime {
    fn from(timestamp: Timestamp) -> Self {
        UNIX_EPOCH + Duration::from_nanos(timestamp.as_nanosecond().unsigned_abs())
    }
}

impl TryFrom<jiff::Timestamp> for Timestamp {
    type Error = TimeError;

    fn try_from(timestamp: jiff::Timestamp) -> Result<Self, TimeError> {
        let nanosecond = timestamp.as_nanosecond();
        if nanosecond < 0 {
            return Err(TimeError::BeforeEpoch);
        }
        Self::from_nanosecond(i64::try_from(nanosecond).map_err(|_| TimeError::OutOfRange)?)
    }
}

impl TryFrom<&jiff::Zoned> for Timestamp {
    type Error = TimeError;

    fn try_from(zoned: &jiff::Zoned) -> Result<Self, TimeError> {
        zoned.timestamp().try_into()
    }
}

impl From<Timestamp> for jiff::Timestamp {
    fn from(timestamp: Timestamp) -> Self {
        Self::from_nanosecond(i128::from(timestamp.as_nanosecond()))
            .expect("the year 2262 is within the range of jiff, which ends in the year 9999")
    }
}

impl TryFrom<Duration> for Timespan {
    type Error = TimeError;

    fn try_from(duration: Duration) -> Result<Self, TimeError> {
        let nanosecond = i64::try_from(duration.as_nanos()).map_err(|_| TimeError::OutOfRange)?;
        Self::from_nanosecond(nanosecond)
    }
}

impl From<Timespan> for Duration {
    fn from(timespan: Timespan) -> Self {
        Self::from_nanos(timespan.as_nanosecond().unsigned_abs())
    }
}

impl TryFrom<jiff::SignedDuration> for Timespan {
    type Error = TimeError;

    fn try_from(duration: jiff::SignedDuration) -> Result<Self, TimeError> {
        let nanosecond = duration.as_nanos();
        if nanosecond < 1 {
            return Err(TimeError::NotPositive);
        }
        Self::from_nanosecond(i64::try_from(nanosecond).map_err(|_| TimeError::OutOfRange)?)
    }
}

impl From<Timespan> for jiff::SignedDuration {
    fn from(timespan: Timespan) -> Self {
        Self::from_nanos(timespan.as_nanosecond())
    }
}

impl From<(Timestamp, f64)> for Point {
    fn from((timestamp, value): (Timestamp, f64)) -> Self {
        Self { timestamp, value }
    }
}

/// Collects points in any order; at an equal timestamp the last one wins.
impl FromIterator<Point> for Series {
    fn from_iter<I: IntoIterator<Item = Point>>(points: I) -> Self {
        let (timestamps_ns, values) = points
            .into_iter()
            .map(|point| (point.timestamp.as_nanosecond(), point.value))
            .unzip();
        Self::from_points(timestamps_ns, values)
            .expect("a `Timestamp` is not before the epoch, and each point has one value")
    }
}

/// Collects points in any order; at an equal timestamp the last one wins.
///
/// # Examples
/// ```
/// use carbonara::{Series, Timestamp};
///
/// let points = [(20, 1.0), (10, 2.0), (20, 3.0)];
/// let series = points
///     .into_iter()
///     .map(|(second, value)| Ok((Timestamp::from_second(second)?, value)))
///     .collect::<Result<Series, carbonara::TimeError>>()?;
/// assert_eq!(series.values(), [2.0, 3.0]);
/// # Ok::<(), carbonara::TimeError>(())
/// ```
impl FromIterator<(Timestamp, f64)> for Series {
    fn from_iter<I: IntoIterator<Item = (Timestamp, f64)>>(points: I) -> Self {
        points.into_iter().map(Point::from).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timestamp(nanosecond: i64) -> Timestamp {
        Timestamp::from_nanosecond(nanosecond).expect("not before the epoch")
    }

    #[test]
    fn timestamps_convert_exactly_both_ways() {
        for nanosecond in [0, 1, 1_500_000_000_123_456_789, i64::MAX] {
            let own = timestamp(nanosecond);
            assert_eq!(Timestamp::try_from(SystemTime::from(own)), Ok(own));
            assert_eq!(Timestamp::try_from(jiff::Timestamp::from(own)), Ok(own));
            let zoned = jiff::Timestamp::from(own).to_zoned(jiff::tz::TimeZone::UTC);
            assert_eq!(Timestamp::try_from(&zoned), Ok(own));
        }
    }

    #[test]
    fn timestamps_out_of_range_are_refused() {
        let before = UNIX_EPOCH - Duration::from_nanos(1);
        let after = UNIX_EPOCH + Duration::from_nanos(i64::MAX.unsigned_abs() + 1);
        assert_eq!(Timestamp::try_from(before), Err(TimeError::BeforeEpoch));
        assert_eq!(Timestamp::try_from(after), Err(TimeError::OutOfRange));
        let far = Timestamp::try_from(jiff::Timestamp::MAX);
        assert_eq!(far, Err(TimeError::OutOfRange));
        let early = Timestamp::try_from(jiff::Timestamp::MIN);
        assert_eq!(early, Err(TimeError::BeforeEpoch));
    }

    #[test]
    fn durations_convert_exactly_both_ways() {
        for nanosecond in [1, 60_000_000_000, i64::MAX] {
            let own = Timespan::from_nanosecond(nanosecond).expect("positive");
            assert_eq!(Timespan::try_from(Duration::from(own)), Ok(own));
            assert_eq!(Timespan::try_from(jiff::SignedDuration::from(own)), Ok(own));
        }
    }

    #[test]
    fn durations_out_of_range_are_refused() {
        let check = |duration: Duration, expected| {
            assert_eq!(Timespan::try_from(duration), Err(expected), "{duration:?}");
        };
        check(Duration::ZERO, TimeError::NotPositive);
        check(Duration::MAX, TimeError::OutOfRange);
        let check = |duration: jiff::SignedDuration, expected| {
            assert_eq!(Timespan::try_from(duration), Err(expected), "{duration:?}");
        };
        check(jiff::SignedDuration::ZERO, TimeError::NotPositive);
        check(jiff::SignedDuration::MIN, TimeError::NotPositive);
        check(jiff::SignedDuration::MAX, TimeError::OutOfRange);
    }

    #[test]
    fn points_are_collected_in_any_order() {
        let points = [(20, 1.0), (10, 2.0), (20, 3.0)];
        let points = points.map(|(nanosecond, value)| (timestamp(nanosecond), value));
        let series: Series = points.into_iter().collect();
        let expected = Series::from_points(vec![10, 20], vec![2.0, 3.0]);
        assert_eq!(Ok(&series), expected.as_ref());
        let again: Series = series.iter().collect();
        assert_eq!(again, series);
        assert!(Series::from_iter(<[Point; 0]>::default()).is_empty());
    }
}
