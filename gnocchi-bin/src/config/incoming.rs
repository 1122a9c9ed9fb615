//! `[incoming]`: measures on their way in.

use carbonara::Timespan;
use gnocchi_core::driver::{SACKS_MAX, SackCount};

use super::backend;
use super::error::ConfigError;
use super::option::{OptionSpec, SectionSpec};
use super::reader::{Reader, defaulted};

/// The options of this section.
pub(super) static SECTION: SectionSpec = SectionSpec::new(
    "incoming",
    &[
        OptionSpec::new("driver", "back-end for pending measures; default: that of [storage]"),
        OptionSpec::new("max_future", "seconds that a measure may be ahead of the clock; default: any"),
        OptionSpec::new("max_pending_bytes", "how much may wait to be processed before clients get 503").or("256M"),
        OptionSpec::new("sacks", "shares of the work in a new data directory").or("128"),
    ],
)
.with_shared(&backend::OPTIONS);

/// Settings of `[incoming]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// How far a measure may be ahead of the clock; `None` takes any.
    pub max_future: Option<Timespan>,
    /// How much may wait to be processed, in bytes.
    pub max_pending_bytes: usize,
    /// The number of sacks of a new data directory; an existing one keeps its own.
    pub sacks: SackCount,
}

impl Incoming {
    pub(super) fn read(reader: &Reader) -> Result<Self, ConfigError> {
        let section = reader.section(&SECTION);
        backend::check_driver(section, "incoming")?;
        let sacks = section.integer("sacks", 1..=SACKS_MAX).map(defaulted)?;
        Ok(Self {
            max_future: section.with("max_future", seconds)?,
            max_pending_bytes: section.bytes("max_pending_bytes", 1..=usize::MAX).map(defaulted)?,
            sacks: SackCount::new(sacks).expect("the range of the option begins at one"),
        })
    }
}

/// Reads a positive number of seconds, with up to nine decimals.
fn seconds(text: &str) -> Result<Timespan, String> {
    let problem = || "must be a positive number of seconds".to_owned();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 9 || whole.is_empty() {
        return Err(problem());
    }
    let whole_ns = whole.parse::<i64>().ok().and_then(|seconds| seconds.checked_mul(1_000_000_000)).ok_or_else(problem)?;
    let fraction_ns: i64 = format!("{fraction:0<9}").parse().map_err(|_| problem())?;
    let nanoseconds = whole_ns.checked_add(fraction_ns).ok_or_else(problem)?;
    Timespan::from_nanosecond(nanoseconds).map_err(|_| problem())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_have_decimals() {
        let check = |text: &str, expected: Option<i64>| {
            assert_eq!(seconds(text).ok().map(Timespan::as_nanosecond), expected, "{text}");
        };
        check("60", Some(60_000_000_000));
        check("0.5", Some(500_000_000));
        check("1.000000001", Some(1_000_000_001));
        check("9223372036", Some(9_223_372_036_000_000_000));
        for text in ["0", "-1", "1e3", "+1", "nan", ".5", "1.0000000001", "9223372037", "1 hour"] {
            check(text, None);
        }
    }
}
