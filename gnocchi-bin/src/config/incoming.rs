//! `[incoming]`: measures on their way in.

use std::num::NonZeroU16;

use carbonara::Timespan;

use super::backend;
use super::error::ConfigError;
use super::option::{OptionSpec, SectionSpec};
use super::reader::{Reader, defaulted};
use crate::api::timespan;

/// The options of this section.
pub(super) static SECTION: SectionSpec = SectionSpec::new(
    "incoming",
    &[
        OptionSpec::new(
            "driver",
            "back-end for pending measures; default: that of [storage]",
        ),
        OptionSpec::new(
            "max_future",
            "how far a measure may be ahead of the clock, in seconds or like 1 hour; none or off: any",
        )
        .or("none"),
        OptionSpec::new(
            "max_pending_bytes",
            "how much may wait to be processed before clients get 503",
        )
        .or("256M"),
        OptionSpec::new("sacks", "shares of the work in a new data directory").or("32"),
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
    pub sacks: NonZeroU16,
}

impl Incoming {
    pub(super) fn read(reader: &Reader) -> Result<Self, ConfigError> {
        let section = reader.section(&SECTION);
        backend::check_driver(section, "incoming")?;
        Ok(Self {
            max_future: section.with("max_future", max_future).map(defaulted)?,
            max_pending_bytes: section
                .bytes("max_pending_bytes", 1..=usize::MAX)
                .map(defaulted)?,
            sacks: section
                .integer("sacks", NonZeroU16::MIN..=NonZeroU16::MAX)
                .map(defaulted)?,
        })
    }
}

/// Reads how far ahead a measure may be; `None` when that is not limited.
fn max_future(text: &str) -> Result<Option<Timespan>, String> {
    match text.to_lowercase().as_str() {
        "none" | "off" => Ok(None),
        _ => timespan::parse(text).map(Some).map_err(|_| {
            "must be a duration above zero, in seconds (3600) or like 1 hour, or none".to_owned()
        }),
    }
}
