//! `[incoming]`: measures on their way in.

use std::num::NonZeroU16;

use carbonara::Timespan;

use gnocchi_drivers::embedded;

use super::backend;
use super::error::ConfigError;
use super::option::{OptionSpec, SectionSpec};
use super::reader::{Reader, defaulted};
use crate::api::timespan;

/// The options that the embedded back-end declares.
static OF_EMBEDDED: [OptionSpec; embedded::INCOMING_OPTIONS.len()] =
    OptionSpec::declared(&embedded::INCOMING_OPTIONS);

/// The options of this section.
pub(super) static SECTION: SectionSpec = SectionSpec::new(
    "incoming",
    "Measures that are not processed yet.",
    &[
        OptionSpec::new("driver", "back-end for pending measures")
            .one_of(&[backend::EMBEDDED])
            .otherwise("that of `[storage]`"),
        OptionSpec::new(
            "max_future",
            "measures further ahead of the clock are rejected, because a single one would \
             move the back window past all real measures. Points more than an hour ahead are \
             always counted and logged",
        )
        .form("a duration in seconds (3600) or like 1 hour, or none")
        .or("none"),
    ],
)
.with_driver(&OF_EMBEDDED)
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
            max_pending_bytes: section.bytes("max_pending_bytes").map(defaulted)?,
            sacks: section
                .integer("sacks")?
                .and_then(NonZeroU16::new)
                .map_or_else(|| Err(section.misfit("sacks")), Ok)?,
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
