//! The data model: validated plain data, without wire formats and without storage.
//!
//! Every type is valid by construction. Adapters convert their wire types by hand, so that a change of a protocol does not reach the
//! domain.

mod archive_policy;
mod archive_policy_rule;
mod creator;
mod glob;
mod id;
mod measures;
mod metric;
mod metric_assignment;
mod microseconds;
mod number_limit;
mod page;
mod rejection;
mod resource;
mod resource_address;
mod resource_type;
mod resource_type_change;
mod seen_resource;
mod text;

pub use archive_policy::{
    ARCHIVE_POLICY_NAME_CHARACTERS_MAX, ArchivePolicy, ArchivePolicyError, Definition,
    MethodSelection, default_aggregation_methods,
};
pub use archive_policy_rule::{ArchivePolicyRule, match_rule};
pub use creator::{creator_of, parts_of_creator};
pub(crate) use creator::{escaped_user, stored_parts_of_creator};
pub use glob::Glob;
pub use id::{MetricId, ORIGINAL_ID_CHARACTERS_MAX, ResourceId, ResourceIdError};
pub use measures::Measures;
pub use metric::{
    METRIC_NAME_CHARACTERS_MAX, Metric, MetricError, MetricStatus, NewMetric, UNIT_CHARACTERS_MAX,
};
pub use metric_assignment::MetricAssignment;
pub use microseconds::whole_microseconds;
pub use number_limit::NumberLimit;
pub use page::{
    METRIC_SORT_KEYS, NullOrder, Page, RESOURCE_SORT_KEYS, REVISION_SORT_KEYS, SortDirection,
    SortKey,
};
pub use rejection::{RejectReason, Rejection};
pub use resource::{
    CURRENT_REVISION, Change, NewResource, Resource, ResourceMetric, ResourceUpdate,
    next_revision_start,
};
pub use resource_address::ResourceAddress;
pub use resource_type::{
    Attribute, AttributeError, AttributeKind, AttributeValue, GENERIC, ResourceType,
};
pub use resource_type_change::{ResourceTypeChange, ResourceTypeChangeError};
pub use seen_resource::SeenResource;
pub use text::is_storable;
