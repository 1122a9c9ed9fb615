//! Counts since the beginning of 1970, and the unit in which one was probably meant.
//!
//! Seconds, milliseconds, microseconds and nanoseconds of our time differ by a factor of a thousand, so the size of a count
//! shows its unit: a count that names a year between 1973 and 2200 in one unit is far outside these years in every other one.

use std::fmt;

use carbonara::constants::NANOSECONDS_PER_SECOND;
use jiff::Timestamp;

/// The first of the years that are taken for real, in seconds since the epoch: March 1973.
const PROBABLE_FROM_SECOND: f64 = 1e8;

/// The end of the years that are taken for real, in seconds since the epoch: the year 2200.
const PROBABLE_TO_SECOND: f64 = 7_258_118_400.0;

/// What a count since the beginning of 1970 counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EpochUnit {
    /// Seconds.
    Second,
    /// Milliseconds.
    Millisecond,
    /// Microseconds.
    Microsecond,
    /// Nanoseconds.
    Nanosecond,
}

impl EpochUnit {
    /// Every unit, the longest first.
    pub const ALL: [Self; 4] = [
        Self::Second,
        Self::Millisecond,
        Self::Microsecond,
        Self::Nanosecond,
    ];

    /// Returns the length of the unit in nanoseconds.
    #[must_use]
    pub const fn nanoseconds(self) -> i64 {
        match self {
            Self::Second => NANOSECONDS_PER_SECOND,
            Self::Millisecond => 1_000_000,
            Self::Microsecond => 1_000,
            Self::Nanosecond => 1,
        }
    }

    /// Returns the unit in which a count names a time between 1973 and 2200, if there is one.
    #[must_use]
    pub fn probable(count: f64) -> Option<Self> {
        Self::ALL.into_iter().find(|unit| unit.is_probable(count))
    }

    fn is_probable(self, count: f64) -> bool {
        (PROBABLE_FROM_SECOND..PROBABLE_TO_SECOND).contains(&self.second(count))
    }

    /// Returns the seconds since the epoch that a count of this unit means.
    fn second(self, count: f64) -> f64 {
        #[expect(
            clippy::cast_precision_loss,
            reason = "powers of ten up to 10^9 are exact"
        )]
        let per_second = (NANOSECONDS_PER_SECOND / self.nanoseconds()) as f64;
        count / per_second
    }
}

/// The name of the unit, in the plural.
impl fmt::Display for EpochUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Second => "seconds",
            Self::Millisecond => "milliseconds",
            Self::Microsecond => "microseconds",
            Self::Nanosecond => "nanoseconds",
        })
    }
}

/// A count since 1970 that was probably meant in another unit than the one it was taken in.
///
/// It displays as a clause that follows the count: `looks like milliseconds since 1970 (2024-05-01T00:00:00Z), but seconds are
/// expected`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrongUnit {
    /// The unit in which the count was taken.
    pub taken: EpochUnit,
    /// The unit in which it was probably meant.
    pub meant: EpochUnit,
    /// What it then means.
    timestamp: Timestamp,
}

impl WrongUnit {
    /// Returns what is wrong with a count taken in a unit; `None` when the unit is right, or no other one is obviously better.
    ///
    /// Small counts, such as the timestamps of tests in the first minutes of 1970, are obviously nothing else.
    #[must_use]
    pub fn of(count: f64, taken: EpochUnit) -> Option<Self> {
        // Most counts are what they should be, and one of them is looked at for each point.
        if taken.is_probable(count) {
            return None;
        }
        let meant = EpochUnit::probable(count)?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "probable seconds are small, and their fraction is not shown"
        )]
        let timestamp = Timestamp::from_second(meant.second(count) as i64).ok()?;
        Some(Self {
            taken,
            meant,
            timestamp,
        })
    }
}

impl fmt::Display for WrongUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            taken,
            meant,
            timestamp,
        } = self;
        write!(
            f,
            "looks like {meant} since 1970 ({timestamp}), but {taken} are expected"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_a_count_shows_its_unit() {
        let check = |count: f64, expected: Option<EpochUnit>| {
            assert_eq!(EpochUnit::probable(count), expected, "{count}");
        };
        check(1_714_521_600.0, Some(EpochUnit::Second));
        check(1_714_521_600_000.0, Some(EpochUnit::Millisecond));
        check(1_714_521_600_000_000.0, Some(EpochUnit::Microsecond));
        check(1_714_521_600_000_000_000.0, Some(EpochUnit::Nanosecond));
        check(1e8, Some(EpochUnit::Second));
        check(7_258_118_400.0, None);
        check(1e11, Some(EpochUnit::Millisecond));
        for count in [
            0.0,
            1.0,
            42.0,
            -1_714_521_600.0,
            1e30,
            f64::NAN,
            f64::INFINITY,
        ] {
            check(count, None);
        }
    }

    #[test]
    fn no_count_is_probable_in_two_units() {
        for unit in EpochUnit::ALL {
            for second in [PROBABLE_FROM_SECOND, 1.7e9, PROBABLE_TO_SECOND - 1.0] {
                let count = second * (1e9 / f64::from(i32::try_from(unit.nanoseconds()).unwrap()));
                let probable = EpochUnit::ALL.into_iter().filter(|other| {
                    (PROBABLE_FROM_SECOND..PROBABLE_TO_SECOND).contains(&other.second(count))
                });
                assert_eq!(probable.collect::<Vec<_>>(), [unit], "{count}");
            }
        }
    }

    #[test]
    fn a_wrong_unit_is_explained() {
        let check = |count: f64, taken: EpochUnit, expected: Option<&str>| {
            let found = WrongUnit::of(count, taken).map(|wrong| wrong.to_string());
            assert_eq!(found.as_deref(), expected, "{count} {taken}");
        };
        check(
            1_714_521_600_000.0,
            EpochUnit::Second,
            Some(
                "looks like milliseconds since 1970 (2024-05-01T00:00:00Z), but seconds are expected",
            ),
        );
        check(
            1_714_521_600.0,
            EpochUnit::Nanosecond,
            Some(
                "looks like seconds since 1970 (2024-05-01T00:00:00Z), but nanoseconds are expected",
            ),
        );
        check(1_714_521_600.0, EpochUnit::Second, None);
        check(60.0, EpochUnit::Nanosecond, None);
        check(f64::NAN, EpochUnit::Second, None);
    }
}
