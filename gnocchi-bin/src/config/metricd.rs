//! `[metricd]`: processing in the background.

use std::thread;
use std::time::Duration;

use super::error::ConfigError;
use super::option::{OptionSpec, SECONDS_MAX, SectionSpec, UNLIMITED};
use super::reader::{Reader, defaulted};

/// The options of this section.
pub(super) static SECTION: SectionSpec = SectionSpec::new(
    "metricd",
    "Processing in the background.",
    &[
        OptionSpec::new(
            "workers",
            "number of sacks that are processed at the same time",
        )
        .integer(1, WORKERS_MAX)
        .otherwise("the number of processors"),
        OptionSpec::new(
            "metric_processing_delay",
            "seconds between full scans for pending measures; new measures are processed \
             immediately regardless",
        )
        .seconds(0)
        .or("60")
        .formerly("storage", "metric_processing_delay"),
        OptionSpec::new(
            "metric_reporting_delay",
            "seconds between reports of the backlog in the log; 0 or -1 disables them",
        )
        .integer(-1, SECONDS_MAX as i128)
        .or("120")
        .formerly("storage", "metric_reporting_delay"),
        OptionSpec::new(
            "metric_cleanup_delay",
            "seconds between runs of the janitor",
        )
        .seconds(0)
        .or("300")
        .formerly("storage", "metric_cleanup_delay"),
        OptionSpec::new(
            "cleanup_batch_size",
            "maximum number of deleted metrics that the janitor removes in one run",
        )
        .integer(1, UNLIMITED)
        .or("10000"),
        OptionSpec::new("greedy", "wake on new measures").accepted(),
        OptionSpec::new("processing_replicas", "owners of one sack").accepted(),
        OptionSpec::new(
            "metric_inactive_after",
            "seconds after which a silent metric ends its resource",
        )
        .accepted(),
        OptionSpec::new(
            "resource_cleanup_after",
            "seconds after which an ended resource is deleted",
        )
        .accepted(),
    ],
);

/// The most workers that may be asked for.
const WORKERS_MAX: i128 = 1024;

/// Settings of `[metricd]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metricd {
    /// How many sacks are processed at the same time.
    pub workers: usize,
    /// How often all sacks are looked at.
    pub processing_delay: Duration,
    /// How often the backlog is reported; `None` never.
    pub reporting_delay: Option<Duration>,
    /// How often the janitor comes.
    pub cleanup_delay: Duration,
    /// How many deleted metrics the janitor expunges at a time.
    pub cleanup_batch_size: usize,
}

impl Metricd {
    pub(super) fn read(reader: &Reader) -> Result<Self, ConfigError> {
        let section = reader.section(&SECTION);
        let processors = || thread::available_parallelism().map_or(1, usize::from);
        let reporting_seconds: i64 = section.integer("metric_reporting_delay").map(defaulted)?;
        Ok(Self {
            workers: section.integer("workers")?.unwrap_or_else(processors),
            processing_delay: section.seconds("metric_processing_delay")?,
            reporting_delay: u64::try_from(reporting_seconds)
                .ok()
                .filter(|seconds| *seconds > 0)
                .map(Duration::from_secs),
            cleanup_delay: section.seconds("metric_cleanup_delay")?,
            cleanup_batch_size: section.integer("cleanup_batch_size").map(defaulted)?,
        })
    }
}
