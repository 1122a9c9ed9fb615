//! `[archive_policy]`: the defaults of archive policies.

use carbonara::AggregationMethod;

use super::error::ConfigError;
use super::option::{OptionSpec, SectionSpec};
use super::reader::Reader;

/// The options of this section.
pub(super) static SECTION: SectionSpec = SectionSpec::new(
    "archive_policy",
    "Defaults of archive policies.",
    &[OptionSpec::new(
        "default_aggregation_methods",
        "aggregation methods of an archive policy that names none",
    )
    .list("aggregation methods")
    .or("mean,min,max,sum,std,count")],
);

/// Settings of `[archive_policy]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivePolicyDefaults {
    /// The methods of a policy that names none; at least one.
    pub default_aggregation_methods: Vec<AggregationMethod>,
}

impl ArchivePolicyDefaults {
    pub(super) fn read(reader: &Reader) -> Result<Self, ConfigError> {
        let section = reader.section(&SECTION);
        let parse = |item: &str| {
            item.parse()
                .map_err(|_| "is not an aggregation method".to_owned())
        };
        let methods = section.list_of("default_aggregation_methods", parse)?;
        if methods.is_empty() {
            return Err(section.refuse(
                "default_aggregation_methods",
                "must name at least one method",
            ));
        }
        Ok(Self {
            default_aggregation_methods: methods,
        })
    }
}
