//! Pages of a listing.

use crate::error::IndexerError;

/// The properties that metrics are sorted by.
pub const METRIC_SORT_KEYS: [&str; 7] = [
    "id",
    "name",
    "unit",
    "creator",
    "archive_policy_name",
    "resource_id",
    "status",
];

/// The properties that resources of every type are sorted by; the attributes of their type come on top.
pub const RESOURCE_SORT_KEYS: [&str; 9] = [
    "id",
    "type",
    "creator",
    "original_resource_id",
    "started_at",
    "ended_at",
    "revision_start",
    "user_id",
    "project_id",
];

/// The further properties that revisions of resources are sorted by.
pub const REVISION_SORT_KEYS: [&str; 2] = ["revision", "revision_end"];

/// Where null values stand in an ordered listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NullOrder {
    /// Before every value.
    First,
    /// After every value.
    Last,
}

/// The direction of one sort key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SortDirection {
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}

impl SortDirection {
    /// Returns where nulls stand when the caller doesn't say: last when ascending, first when descending.
    #[must_use]
    pub fn default_nulls(self) -> NullOrder {
        match self {
            Self::Ascending => NullOrder::Last,
            Self::Descending => NullOrder::First,
        }
    }
}

/// One key of an ordering.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SortKey {
    /// The name of the property.
    pub key: String,
    /// Its direction.
    pub direction: SortDirection,
    /// Where its nulls stand.
    pub nulls: NullOrder,
}

impl SortKey {
    /// Makes an ascending key, nulls last.
    #[must_use]
    pub fn ascending(key: impl Into<String>) -> Self {
        let direction = SortDirection::Ascending;
        Self {
            key: key.into(),
            direction,
            nulls: direction.default_nulls(),
        }
    }
}

/// Which part of a listing is wanted.
///
/// The order is total: the indexer appends the unique keys of the listed type to `sort` where they are absent, so that
/// following markers visits every item exactly once, also over nullable keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The largest number of items.
    pub limit: usize,
    /// The identifier of the last item of the page before, which is left out; `None` starts at the beginning.
    pub marker: Option<String>,
    /// The ordering; empty means the default of the listed type.
    pub sort: Vec<SortKey>,
}

impl Page {
    /// Asks for the first `limit` items in the default order.
    #[must_use]
    pub fn first(limit: usize) -> Self {
        Self {
            limit,
            marker: None,
            sort: Vec::new(),
        }
    }

    /// Returns the ordering, or the default one of the listed type when it is empty, made total by unique keys.
    #[must_use]
    pub fn total_order(&self, default: &[&str], unique: &[&str]) -> Vec<SortKey> {
        let mut order = self.sort.clone();
        if order.is_empty() {
            order.extend(default.iter().map(|key| SortKey::ascending(*key)));
        }
        for key in unique {
            if order.iter().all(|sort| sort.key != *key) {
                order.push(SortKey::ascending(*key));
            }
        }
        order
    }

    /// Returns the error for a marker that marks no item of the listing.
    #[must_use]
    pub fn invalid_marker(&self) -> IndexerError {
        IndexerError::InvalidMarker {
            marker: self.marker.clone().unwrap_or_default(),
        }
    }
}
