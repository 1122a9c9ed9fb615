//! Metrics.

use std::sync::Arc;

use thiserror::Error;

use super::{ArchivePolicy, MetricId, ResourceId, is_storable};

/// The longest name of a metric, in characters.
pub const METRIC_NAME_CHARACTERS_MAX: usize = 255;

/// The longest unit of a metric, in characters.
pub const UNIT_CHARACTERS_MAX: usize = 31;

/// Whether a metric can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MetricStatus {
    /// It takes and serves measures.
    Active,
    /// It was deleted; its data waits for the janitor.
    Deleted,
}

/// One metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// Its identifier.
    pub id: MetricId,
    /// Who made it; `None` when that is not known.
    pub creator: Option<String>,
    /// Its name, unique among the metrics of one resource.
    pub name: Option<String>,
    /// The unit of its values, for people.
    pub unit: Option<String>,
    /// The resource that it belongs to.
    pub resource_id: Option<ResourceId>,
    /// How its measures are aggregated and for how long they are kept.
    pub archive_policy: Arc<ArchivePolicy>,
    /// Whether it can be used.
    pub status: MetricStatus,
}

/// A metric to be created.
///
/// Build it with [`NewMetric::new`], which checks the lengths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMetric {
    /// Its identifier.
    pub id: MetricId,
    /// Who makes it. A metric of a resource gets the creator of that resource instead.
    pub creator: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Its unit.
    pub unit: Option<String>,
    /// The resource that it belongs to; such a metric has a name.
    pub resource_id: Option<ResourceId>,
    /// The name of an existing archive policy.
    pub archive_policy_name: String,
}

/// A metric that cannot be created as described.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MetricError {
    /// The name holds a slash and could not be addressed by URL.
    #[error("'/' is not supported in metric name")]
    SlashInName,
    /// The name is empty and could not be addressed by URL.
    #[error("a metric name must not be empty")]
    NameEmpty,
    /// The name or the unit holds U+0000.
    #[error("U+0000 is not supported in metric name or unit")]
    Nul,
    /// The name is longer than 255 characters.
    #[error("metric name is longer than {METRIC_NAME_CHARACTERS_MAX} characters")]
    NameTooLong,
    /// The unit is longer than 31 characters.
    #[error("metric unit is longer than {UNIT_CHARACTERS_MAX} characters")]
    UnitTooLong,
    /// A metric of a resource has no name.
    #[error("name cannot be null if resource_id is not null")]
    NameMissing,
}

impl NewMetric {
    /// Describes a metric with a new random identifier.
    ///
    /// # Errors
    /// [`MetricError`] when the name or the unit cannot be used, or a metric of a resource has no name.
    pub fn new(
        creator: Option<String>,
        archive_policy_name: impl Into<String>,
        name: Option<String>,
        unit: Option<String>,
        resource_id: Option<ResourceId>,
    ) -> Result<Self, MetricError> {
        if ![&name, &unit]
            .into_iter()
            .flatten()
            .all(|text| is_storable(text))
        {
            return Err(MetricError::Nul);
        }
        if let Some(name) = &name {
            if name.is_empty() {
                return Err(MetricError::NameEmpty);
            }
            if name.contains('/') {
                return Err(MetricError::SlashInName);
            }
            if name.chars().count() > METRIC_NAME_CHARACTERS_MAX {
                return Err(MetricError::NameTooLong);
            }
        } else if resource_id.is_some() {
            return Err(MetricError::NameMissing);
        }
        if unit
            .as_ref()
            .is_some_and(|unit| unit.chars().count() > UNIT_CHARACTERS_MAX)
        {
            return Err(MetricError::UnitTooLong);
        }
        Ok(Self {
            id: MetricId::random(),
            creator,
            name,
            unit,
            resource_id,
            archive_policy_name: archive_policy_name.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        name: Option<&str>,
        unit: Option<&str>,
        resource: bool,
        expected: &Result<(), MetricError>,
    ) {
        let resource = resource.then(ResourceId::random);
        let made = NewMetric::new(
            None,
            "low",
            name.map(Into::into),
            unit.map(Into::into),
            resource,
        );
        assert_eq!(&made.map(|_| ()), expected, "{name:?} {unit:?}");
    }

    #[test]
    fn names_and_units_are_checked() {
        check(None, None, false, &Ok(()));
        check(Some("cpu"), Some("%"), true, &Ok(()));
        check(Some("a/b"), None, false, &Err(MetricError::SlashInName));
        check(Some(""), None, false, &Err(MetricError::NameEmpty));
        check(Some(""), None, true, &Err(MetricError::NameEmpty));
        check(Some("a\0b"), None, true, &Err(MetricError::Nul));
        check(None, Some("\0"), false, &Err(MetricError::Nul));
        check(Some(&"é".repeat(255)), None, false, &Ok(()));
        check(
            Some(&"é".repeat(256)),
            None,
            false,
            &Err(MetricError::NameTooLong),
        );
        check(
            None,
            Some(&"u".repeat(32)),
            false,
            &Err(MetricError::UnitTooLong),
        );
        check(None, None, true, &Err(MetricError::NameMissing));
    }
}
