//! What the clocks of a time zone show, and when they are changed.

use std::ops::Range;

use jiff::civil::Date;
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::constants::NANOSECONDS_PER_SECOND;
use crate::time::Timestamp;

/// A time between two changes of the clocks.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_field_names, reason = "units stand in the names")]
pub(super) struct Period {
    /// The change before, in nanoseconds since the epoch; `i128::MIN` when there is none.
    pub(super) from_ns: i128,
    /// The change after; `i128::MAX` when there is none.
    pub(super) until_ns: i128,
    /// How far the clocks are ahead of UTC.
    pub(super) offset_ns: i128,
}

/// The clocks of a time zone, and the period that was asked for last: who goes through a series asks for the same one most of the time.
#[derive(Debug)]
pub(crate) struct Clock<'a> {
    zone: &'a TimeZone,
    last: Option<Period>,
}

impl<'a> Clock<'a> {
    pub(crate) const fn new(zone: &'a TimeZone) -> Self {
        Self { zone, last: None }
    }

    /// Returns the period that holds a point in time.
    pub(super) fn period(&mut self, at_ns: i128) -> Period {
        match self.last {
            Some(last) if (last.from_ns..last.until_ns).contains(&at_ns) => last,
            _ => *self.last.insert(period(self.zone, at_ns)),
        }
    }

    /// Returns what the calendar shows.
    pub(super) fn date(&self, at: Timestamp) -> Date {
        self.zone
            .to_datetime(to_jiff(at.as_nanosecond().into()))
            .date()
    }

    /// Returns when a day starts; `None` outside of the times that can be represented.
    pub(super) fn start_of_day(&self, date: Date) -> Option<i128> {
        let midnight = date.at(0, 0, 0, 0);
        let ambiguous = self.zone.to_ambiguous_timestamp(midnight);
        match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { offset }
            // The first of both times.
            | AmbiguousOffset::Fold { before: offset, .. } => {
                Some(offset.to_timestamp(midnight).ok()?.as_nanosecond())
            }
            // No clock shows midnight: the day starts at the change.
            AmbiguousOffset::Gap { before, .. } => {
                let behind = before.to_timestamp(midnight).ok()?.as_nanosecond();
                Some(period(self.zone, behind).from_ns)
            }
        }
    }
}

/// Returns a bucket as timestamps: the epoch instead of what is before, [`Timestamp::MAX`] instead of what is after.
pub(super) fn bucket(bucket_ns: Range<i128>) -> Range<Timestamp> {
    let timestamp =
        |at_ns: i128| i64::try_from(at_ns.max(0)).map_or(Timestamp::MAX, Timestamp::from_valid_ns);
    timestamp(bucket_ns.start)..timestamp(bucket_ns.end)
}

fn to_jiff(at_ns: i128) -> jiff::Timestamp {
    // Every 64-bit number of nanoseconds lies in jiff's range of ten thousand years.
    jiff::Timestamp::from_nanosecond(at_ns).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

fn period(zone: &TimeZone, at_ns: i128) -> Period {
    let at = to_jiff(at_ns);
    let change =
        |transition: jiff::tz::TimeZoneTransition<'_>| transition.timestamp().as_nanosecond();
    // A change belongs to the period that it begins.
    let before = to_jiff(at_ns.saturating_add(1));
    let seconds = i128::from(zone.to_offset(at).seconds());
    Period {
        from_ns: zone.preceding(before).next().map_or(i128::MIN, change),
        until_ns: zone.following(at).next().map_or(i128::MAX, change),
        offset_ns: seconds * i128::from(NANOSECONDS_PER_SECOND),
    }
}
