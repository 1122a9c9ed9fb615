//! `[indexer]`: where archive policies, metrics and resources are kept.

use super::error::ConfigError;
use super::option::{OptionSpec, SectionSpec};
use super::reader::Reader;

/// The options of this section.
pub(super) static SECTION: SectionSpec = SectionSpec::new(
    "indexer",
    "The database of archive policies, metrics and resources.",
    &[OptionSpec::new(
        "url",
        "uRL of the database of the indexer; this build supports none",
    )
    .otherwise("a SQLite file in the data directory")
    .secret()],
);

/// Refuses databases that this build does not have.
pub(super) fn check(reader: &Reader) -> Result<(), ConfigError> {
    let section = reader.section(&SECTION);
    let Some(url) = section.text("url")? else {
        return Ok(());
    };
    let scheme = url
        .split_once("://")
        .map_or("an address without scheme", |(scheme, _)| scheme);
    let supported = "leaving the option out, for a SQLite file in the data directory";
    Err(section.not_built("url", &format!("an indexer on {scheme}"), supported))
}
