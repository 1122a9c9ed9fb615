//! The unit that timestamps count.

use carbonara::{TimeError, Timestamp};
use gnocchi_core::text::epoch::{EpochUnit, WrongUnit};

/// The unit that timestamps count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// Nanoseconds.
    #[default]
    Nanosecond,
    /// Microseconds.
    Microsecond,
    /// Milliseconds.
    Millisecond,
    /// Seconds.
    Second,
    /// Minutes.
    Minute,
    /// Hours.
    Hour,
}

impl Precision {
    /// What may be sent, for people.
    pub(in crate::ingest::influxdb) const NAMES: &str = "n, ns, u, us, ms, s, m, h";

    /// Finds a unit by a name that clients of any version use.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "" | "n" | "ns" | "nanosecond" => Some(Self::Nanosecond),
            "u" | "us" | "µ" | "µs" | "microsecond" => Some(Self::Microsecond),
            "ms" | "millisecond" => Some(Self::Millisecond),
            "s" | "second" => Some(Self::Second),
            "m" => Some(Self::Minute),
            "h" => Some(Self::Hour),
            _ => None,
        }
    }

    /// Returns what is wrong with a number of units that was probably meant in another unit.
    pub(in crate::ingest::influxdb) fn wrong_unit(self, units: i64) -> Option<WrongUnit> {
        let unit = match self {
            Self::Nanosecond => EpochUnit::Nanosecond,
            Self::Microsecond => EpochUnit::Microsecond,
            Self::Millisecond => EpochUnit::Millisecond,
            Self::Second => EpochUnit::Second,
            // These numbers are too small to be mistaken.
            Self::Minute | Self::Hour => return None,
        };
        #[expect(
            clippy::cast_precision_loss,
            reason = "only the order of magnitude counts"
        )]
        WrongUnit::of(units as f64, unit)
    }

    pub(in crate::ingest::influxdb) fn timestamp(self, units: i64) -> Result<Timestamp, TimeError> {
        let nanoseconds = match self {
            Self::Nanosecond => 1,
            Self::Microsecond => 1_000,
            Self::Millisecond => 1_000_000,
            Self::Second => 1_000_000_000,
            Self::Minute => 60_000_000_000,
            Self::Hour => 3_600_000_000_000,
        };
        match units.checked_mul(nanoseconds) {
            Some(nanosecond) => Timestamp::from_nanosecond(nanosecond),
            None if units < 0 => Err(TimeError::BeforeEpoch),
            None => Err(TimeError::OutOfRange),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_count_units() {
        let check = |name: &str, units: i64, expected: Result<i64, TimeError>| {
            let precision = Precision::from_name(name).unwrap();
            let timestamp = precision.timestamp(units);
            assert_eq!(timestamp.map(Timestamp::as_nanosecond), expected, "{name}");
        };
        check("", 7, Ok(7));
        check("ns", 7, Ok(7));
        check("nanosecond", 7, Ok(7));
        check("u", 7, Ok(7_000));
        check("µs", 7, Ok(7_000));
        check("microsecond", 7, Ok(7_000));
        check("ms", 7, Ok(7_000_000));
        check("millisecond", 7, Ok(7_000_000));
        check("s", 7, Ok(7_000_000_000));
        check("second", 7, Ok(7_000_000_000));
        check("m", 7, Ok(420_000_000_000));
        check("h", 1, Ok(3_600_000_000_000));
        check("ns", -1, Err(TimeError::BeforeEpoch));
        check("s", i64::MIN, Err(TimeError::BeforeEpoch));
        check("s", i64::MAX, Err(TimeError::OutOfRange));
        assert_eq!(Precision::from_name("d"), None);
    }
}
