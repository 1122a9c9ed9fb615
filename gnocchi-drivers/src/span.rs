//! Durations for archive policies and queries: [`MINUTE`], [`days`]`(30)`.
//!
//! Whatever takes a duration takes a [`Timespan`], a [`Duration`] of `std` and a `jiff::SignedDuration` alike.
//!
//! # Examples
//! ```
//! use gnocchi_drivers::Policy;
//! use gnocchi_drivers::span::{HOUR, MINUTE, days};
//!
//! let policy = Policy::named("agent").keep(MINUTE, days(30)).keep(HOUR, days(365));
//! ```

use std::time::Duration;

use carbonara::Timespan;

/// One second.
pub const SECOND: Timespan = Timespan::SECOND;

/// One minute.
pub const MINUTE: Timespan = Timespan::MINUTE;

/// One hour.
pub const HOUR: Timespan = Timespan::HOUR;

/// One day of 24 hours.
pub const DAY: Timespan = Timespan::DAY;

/// Returns that many seconds.
#[must_use]
pub const fn seconds(count: u32) -> Duration {
    Duration::from_secs(count as u64)
}

/// Returns that many minutes.
#[must_use]
pub const fn minutes(count: u32) -> Duration {
    Duration::from_secs(count as u64 * 60)
}

/// Returns that many hours.
#[must_use]
pub const fn hours(count: u32) -> Duration {
    Duration::from_secs(count as u64 * 3600)
}

/// Returns that many days of 24 hours.
#[must_use]
pub const fn days(count: u32) -> Duration {
    Duration::from_secs(count as u64 * 86_400)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_constants_agree() {
        let check = |duration: Duration, span: Timespan| {
            assert_eq!(Timespan::try_from(duration), Ok(span));
        };
        check(seconds(1), SECOND);
        check(minutes(1), MINUTE);
        check(hours(1), HOUR);
        check(days(1), DAY);
        assert_eq!(days(u32::MAX).as_secs(), 86_400 * u64::from(u32::MAX));
    }
}
