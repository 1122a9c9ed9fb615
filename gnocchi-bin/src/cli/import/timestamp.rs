//! Timestamps as CSV files have them.

use std::borrow::Cow;
use std::sync::Arc;

use carbonara::Timestamp;
use carbonara::constants::NANOSECONDS_PER_SECOND;
use clap::ValueEnum;
use gnocchi_core::text::epoch::{self, WrongUnit};
use jiff::civil::Date;
use jiff::fmt::strtime::{self, BrokenDownTime};
use jiff::tz::TimeZone;

use crate::api::timestamp::{IsoReader, TimestampError};

const BEFORE_EPOCH: &str = "is before 1970";
const OUT_OF_RANGE: &str = "is after the year 2262";

/// Names of UTC that follow a timestamp.
const UTC: [&str; 4] = ["UTC", "GMT", "Z", "z"];

/// What a plain number counts, since the beginning of 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum EpochUnit {
    /// Seconds.
    #[default]
    #[value(name = "s")]
    Seconds,
    /// Milliseconds.
    #[value(name = "ms")]
    Milliseconds,
    /// Microseconds.
    #[value(name = "us")]
    Microseconds,
    /// Nanoseconds.
    #[value(name = "ns")]
    Nanoseconds,
}

impl EpochUnit {
    fn of(unit: epoch::EpochUnit) -> Self {
        match unit {
            epoch::EpochUnit::Second => Self::Seconds,
            epoch::EpochUnit::Millisecond => Self::Milliseconds,
            epoch::EpochUnit::Microsecond => Self::Microseconds,
            epoch::EpochUnit::Nanosecond => Self::Nanoseconds,
        }
    }

    fn unit(self) -> epoch::EpochUnit {
        match self {
            Self::Seconds => epoch::EpochUnit::Second,
            Self::Milliseconds => epoch::EpochUnit::Millisecond,
            Self::Microseconds => epoch::EpochUnit::Microsecond,
            Self::Nanoseconds => epoch::EpochUnit::Nanosecond,
        }
    }

    /// Returns the name of the unit on the command line.
    fn symbol(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::Milliseconds => "ms",
            Self::Microseconds => "us",
            Self::Nanoseconds => "ns",
        }
    }

    /// Returns the power of ten that one unit has in nanoseconds.
    fn digits(self) -> usize {
        match self {
            Self::Seconds => 9,
            Self::Milliseconds => 6,
            Self::Microseconds => 3,
            Self::Nanoseconds => 0,
        }
    }
}

/// How the timestamps of a file are written.
#[derive(Debug, Clone, Default)]
pub(super) struct TimestampForm {
    /// What a plain number counts.
    pub(super) unit: EpochUnit,
    /// The form of all timestamps, in the conversions of `strftime`.
    pub(super) format: Option<Arc<str>>,
}

/// Reads timestamps: ISO 8601 and its relatives, numbers of units since 1970, or one form that the user has told.
#[derive(Debug, Clone, Default)]
pub(super) struct TimestampReader {
    form: TimestampForm,
    iso: IsoReader,
}

impl TimestampReader {
    pub(super) fn new(form: TimestampForm) -> Self {
        Self {
            form,
            iso: IsoReader::default(),
        }
    }

    /// Returns whether a text is a timestamp, though perhaps in another unit or out of range.
    pub(super) fn recognises(&self, text: &str) -> bool {
        match &self.form.format {
            None if is_numeric(text) => true,
            _ => self.clone().read(text).is_ok(),
        }
    }

    /// Reads a timestamp.
    ///
    /// # Errors
    /// What is wrong with it, to be read after its text.
    pub(super) fn read(&mut self, text: &str) -> Result<Timestamp, String> {
        if let Some(format) = &self.form.format {
            return formatted(text, format);
        }
        if is_numeric(text) {
            return counted(text, self.form.unit);
        }
        match self.iso.read(text.as_bytes()) {
            Ok(timestamp) => Ok(timestamp),
            Err(TimestampError::BeforeEpoch) => Err(BEFORE_EPOCH.into()),
            Err(TimestampError::AfterRange) => Err(OUT_OF_RANGE.into()),
            Err(TimestampError::Unparsable) => self.relative_of_iso(text),
        }
    }

    /// Reads what databases and programs write that is nearly ISO 8601: with a space before the offset, `UTC` or `GMT` at the end,
    /// slashes in the date, or a comma before the fraction.
    fn relative_of_iso(&mut self, text: &str) -> Result<Timestamp, String> {
        let (body, is_utc) = match UTC.iter().find_map(|name| text.strip_suffix(name)) {
            Some(body) => (body.trim_end(), true),
            None => (text, false),
        };
        let mut plain = String::with_capacity(body.len() + 1);
        for (at, character) in body.char_indices() {
            match character {
                '/' if at < 8 => plain.push('-'),
                't' if at == 10 => plain.push('T'),
                ',' => plain.push('.'),
                // The space before an offset; the one before the time stays.
                ' ' if at > 10 => {}
                other => plain.push(other),
            }
        }
        let has_offset = plain.len() > 10 && plain[10..].contains(['+', '-']);
        if is_utc && !has_offset && plain.len() > 10 {
            plain.push('Z');
        }
        match self.iso.read(plain.as_bytes()) {
            Ok(timestamp) => Ok(timestamp),
            Err(TimestampError::BeforeEpoch) => Err(BEFORE_EPOCH.into()),
            Err(TimestampError::AfterRange) => Err(OUT_OF_RANGE.into()),
            Err(TimestampError::Unparsable) => Err(match likely_format(text) {
                Some(format) => format!(
                    "may have its day or its month first; say which, for example with --timestamp-format '{format}'"
                ),
                None => format!(
                    "is neither ISO 8601 (2024-05-01 12:00:00) nor a number of {}; other forms are described with --timestamp-format",
                    self.form.unit.unit()
                ),
            }),
        }
    }
}

/// Returns the conversions of `strftime` for dates with the year at their end, as in `01.05.2024 12:00` or `5/1/2024`: the day first,
/// unless the second number can only be one.
fn likely_format(text: &str) -> Option<String> {
    let (date, time) = match text.split_once([' ', 'T']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let separator = ['.', '/', '-']
        .into_iter()
        .find(|separator| date.contains(*separator))?;
    let parts: Vec<u16> = date
        .split(separator)
        .map(|part| part.parse().ok())
        .collect::<Option<_>>()?;
    let year = date.rsplit(separator).next()?;
    let (first, second) = match (parts.as_slice(), year.len()) {
        ([1..=12, 13..=31, _], 4) => ("%m", "%d"),
        ([1..=31, 1..=12, _], 4) => ("%d", "%m"),
        _ => return None,
    };
    let time = match time.map(|time| time.matches(':').count()) {
        None => "",
        Some(1) => " %H:%M",
        Some(2) => " %H:%M:%S",
        Some(_) => return None,
    };
    Some(format!("{first}{separator}{second}{separator}%Y{time}"))
}

/// Returns whether a text looks like a number and not like a date.
fn is_numeric(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    !unsigned.is_empty()
        && unsigned
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b',' | b'e' | b'E' | b'+'))
        && unsigned.bytes().any(|byte| byte.is_ascii_digit())
        && unsigned.bytes().filter(|byte| *byte == b'.').count() < 2
}

/// Reads a number of units since 1970 with decimals, exactly.
fn counted(text: &str, unit: EpochUnit) -> Result<Timestamp, String> {
    let plain: Cow<'_, str> = if text.contains(',') {
        text.replacen(',', ".", 1).into()
    } else {
        text.into()
    };
    let unsigned = plain.strip_prefix(['-', '+']).unwrap_or(&plain);
    if unsigned.contains(['e', 'E', '+']) {
        return Err("is a rounded number, as spreadsheets show long ones; export the column as text or as dates".into());
    }
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    if let Some(date) = compact_date(whole) {
        return Err(format!(
            "looks like the date {date}, and plain numbers count {} since 1970; see --timestamp-format",
            unit.unit()
        ));
    }
    let count: f64 = plain.parse().map_err(|_| "is not a number".to_owned())?;
    if let Some(wrong) = WrongUnit::of(count, unit.unit()) {
        let symbol = EpochUnit::of(wrong.meant).symbol();
        return Err(format!("{wrong}; see --epoch-unit {symbol}"));
    }
    let digits = unit.digits();
    let fraction = &fraction[..fraction.len().min(digits)];
    let nanoseconds: i64 = format!("{whole}{fraction:0<digits$}")
        .parse()
        .map_err(|_| OUT_OF_RANGE)?;
    if count < 0.0 && nanoseconds > 0 {
        return Err(BEFORE_EPOCH.into());
    }
    Timestamp::from_nanosecond(nanoseconds).map_err(|_| OUT_OF_RANGE.into())
}

/// Returns the date that a number spells, as in 20240501 or 20240501123000, from 1970 to 2199.
fn compact_date(digits: &str) -> Option<Date> {
    if !matches!(digits.len(), 8 | 12 | 14) {
        return None;
    }
    let part = |from: usize, to: usize| digits.get(from..to)?.parse::<i8>().ok();
    let year: i16 = digits.get(..4)?.parse().ok()?;
    let date = Date::new(year, part(4, 6)?, part(6, 8)?).ok()?;
    (1970..2200).contains(&year).then_some(date)
}

/// Reads a timestamp in the form that the user has told; without an offset it is in UTC.
fn formatted(text: &str, format: &str) -> Result<Timestamp, String> {
    let parsed = strtime::parse(format, text)
        .map_err(|error| format!("does not have the form of --timestamp-format: {error}"))?;
    let timestamp = parsed.to_timestamp().or_else(|_| in_utc(&parsed));
    let timestamp = timestamp.map_err(|error| format!("is not a timestamp: {error}"))?;
    let nanosecond = i64::try_from(timestamp.as_nanosecond()).map_err(|_| {
        if timestamp < jiff::Timestamp::UNIX_EPOCH {
            BEFORE_EPOCH
        } else {
            OUT_OF_RANGE
        }
    })?;
    Timestamp::from_nanosecond(nanosecond).map_err(|_| BEFORE_EPOCH.into())
}

fn in_utc(parsed: &BrokenDownTime) -> Result<jiff::Timestamp, jiff::Error> {
    let local = match parsed.to_datetime() {
        Ok(local) => local,
        // A date alone means its beginning.
        Err(_) => parsed.to_date()?.at(0, 0, 0, 0),
    };
    Ok(local.to_zoned(TimeZone::UTC)?.timestamp())
}

/// Writes a timestamp as it is shown to people.
pub(super) fn shown(nanoseconds: i64) -> String {
    jiff::Timestamp::from_second(nanoseconds.div_euclid(NANOSECONDS_PER_SECOND)).map_or_else(
        |_| nanoseconds.to_string(),
        |timestamp| timestamp.to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: EpochUnit = EpochUnit::Seconds;

    fn read(text: &str, unit: EpochUnit) -> Result<i64, String> {
        let form = TimestampForm { unit, format: None };
        let timestamp = TimestampReader::new(form).read(text)?;
        Ok(timestamp.as_nanosecond())
    }

    fn check(text: &str, unit: EpochUnit, expected: i64) {
        assert_eq!(read(text, unit), Ok(expected), "{text}");
    }

    #[test]
    fn iso_8601_and_its_relatives() {
        let half_past_two = 1_425_652_437_000_000_000;
        for text in [
            "2015-03-06 14:33:57",
            "2015-03-06T14:33:57Z",
            "2015-03-06 14:33:57Z",
            "2015-03-06t14:33:57z",
            "2015-03-06 14:33:57 UTC",
            "2015-03-06 14:33:57 GMT",
            "2015-03-06 14:33:57 Z",
            "2015-03-06 14:33:57+00",
            "2015-03-06 15:33:57+01",
            "2015-03-06 16:33:57 +02:00",
            "2015-03-06 16:33:57 +0200",
            "2015-03-06 16:33:57 +02",
            "2015-03-06 09:03:57 -0530",
            "2015-03-06T09:03:57-05:30",
            "2015-03-06 16:33:57 +0200 UTC",
            "2015/03/06 14:33:57",
            "2015/03/06 16:33:57 +0200",
        ] {
            check(text, SECOND, half_past_two);
        }
        for text in [
            "2015-03-06 14:33:57.5",
            "2015-03-06 14:33:57,5",
            "2015-03-06 14:33:57.500 UTC",
            "2015-03-06 15:33:57.5+01",
            "2015-03-06 16:33:57.500000 +02:00",
        ] {
            check(text, SECOND, half_past_two + 500_000_000);
        }
        check("2015-03-06", SECOND, 1_425_600_000_000_000_000);
        check("2015/03/06", SECOND, 1_425_600_000_000_000_000);
        check("2015-03-06 14:33", SECOND, 1_425_652_380_000_000_000);
        check("2015-03-06 14:33 UTC", SECOND, 1_425_652_380_000_000_000);
    }

    #[test]
    fn numbers_count_units() {
        check("1425652437", SECOND, 1_425_652_437_000_000_000);
        check("1425652437.123456789", SECOND, 1_425_652_437_123_456_789);
        check("1425652437,5", SECOND, 1_425_652_437_500_000_000);
        check("1425652437.1234567891", SECOND, 1_425_652_437_123_456_789);
        check("0", SECOND, 0);
        check("10", SECOND, 10_000_000_000);
        let (ms, us, ns) = (
            EpochUnit::Milliseconds,
            EpochUnit::Microseconds,
            EpochUnit::Nanoseconds,
        );
        check("1425652437123", ms, 1_425_652_437_123_000_000);
        check("1425652437123.5", ms, 1_425_652_437_123_500_000);
        check("1425652437123456", us, 1_425_652_437_123_456_000);
        check("1425652437123456789", ns, 1_425_652_437_123_456_789);
    }

    #[test]
    fn other_texts_are_refused_with_a_reason() {
        let check = |text: &str, unit: EpochUnit, expected: &str| {
            let problem = read(text, unit).unwrap_err();
            assert!(problem.contains(expected), "{text}: {problem}");
        };
        for text in [
            "yesterday",
            "2015-13-01",
            "1.2.3",
            "12:00:00",
            "2015-03-06 14:33:57 CET",
            "UTC",
            "-",
            "é/é/é",
        ] {
            check(text, SECOND, "is neither ISO 8601");
        }
        for (text, format) in [
            ("01.05.2024 00:00:00", "'%d.%m.%Y %H:%M:%S'"),
            ("1.5.2024", "'%d.%m.%Y'"),
            ("05/31/2024 12:30", "'%m/%d/%Y %H:%M'"),
            ("05/01/2024", "'%d/%m/%Y'"),
            ("31-12-2024", "'%d-%m-%Y'"),
        ] {
            check(text, SECOND, &format!("--timestamp-format {format}"));
        }
        check("9999-01-01 12:00:00", SECOND, OUT_OF_RANGE);
        check("9999-01-01 12:00:00 UTC", SECOND, OUT_OF_RANGE);
        check("-1", SECOND, BEFORE_EPOCH);
        check("1969-12-31T23:59:59", SECOND, BEFORE_EPOCH);
        check("1969-12-31 23:59:59 UTC", SECOND, BEFORE_EPOCH);
        check("99999999999999999999999", SECOND, OUT_OF_RANGE);
        check("1.71452E+12", SECOND, "rounded");
        check("20240501", SECOND, "looks like the date 2024-05-01");
        check("20240501123000", SECOND, "looks like the date 2024-05-01");
        check(
            "1425652437123",
            SECOND,
            "looks like milliseconds since 1970 (2015-03-06T14:33:57Z), but seconds are expected; see --epoch-unit ms",
        );
        check("1425652437123456", SECOND, "see --epoch-unit us");
        check("1425652437123456789", SECOND, "see --epoch-unit ns");
        check("1425652437", EpochUnit::Milliseconds, "see --epoch-unit s");
        check("1425652437", EpochUnit::Nanoseconds, "see --epoch-unit s");
        check(
            "1425652437123",
            EpochUnit::Nanoseconds,
            "see --epoch-unit ms",
        );
    }

    #[test]
    fn a_form_can_be_told() {
        let read = |format: &str, text: &str| {
            let form = TimestampForm {
                format: Some(format.into()),
                ..TimestampForm::default()
            };
            let timestamp = TimestampReader::new(form).read(text)?;
            Ok::<_, String>(timestamp.as_nanosecond() / NANOSECONDS_PER_SECOND)
        };
        let form = "%d.%m.%Y %H:%M:%S";
        assert_eq!(read(form, "06.03.2015 14:33:57"), Ok(1_425_652_437));
        assert_eq!(read("%d.%m.%Y", "06.03.2015"), Ok(1_425_600_000));
        let zoned = "%Y%m%dT%H%M%S%z";
        assert_eq!(read(zoned, "20150306T163357+0200"), Ok(1_425_652_437));
        let problem = read(form, "2015-03-06").unwrap_err();
        assert!(
            problem.starts_with("does not have the form of --timestamp-format"),
            "{problem}"
        );
        assert_eq!(read(form, "06.03.1915 14:33:57"), Err(BEFORE_EPOCH.into()));
        assert_eq!(read(form, "06.03.2315 14:33:57"), Err(OUT_OF_RANGE.into()));
    }

    #[test]
    fn timestamps_are_shown_to_people() {
        assert_eq!(shown(1_425_652_437_900_000_000), "2015-03-06T14:33:57Z");
    }
}
