//! What a caller can ask for, and the rule that decides unless an operator says otherwise.

/// Rules that others refer to: names and texts.
pub const BASE_RULES: [(&str, &str); 6] = [
    ("context_is_admin", "role:admin"),
    (
        "admin_or_creator",
        "role:admin or user:%(creator)s or project_id:%(created_by_project_id)s",
    ),
    ("admin_or_service", "role:admin or role:service"),
    (
        "creator",
        "user:%(creator)s or project_id:%(created_by_project_id)s",
    ),
    ("resource_owner", "project_id:%(project_id)s"),
    ("metric_owner", "project_id:%(resource.project_id)s"),
];

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $rule:expr;)*) => {
        /// Something that a caller can ask for. Each has a rule of the same name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Action {
            $($(#[$doc])* $variant,)*
        }

        impl Action {
            /// Every action.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns the name of its rule.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// Returns the text of its rule unless an operator says otherwise. An empty one allows every caller.
            #[must_use]
            pub const fn default_rule(self) -> &'static str {
                match self {
                    $(Self::$variant => $rule,)*
                }
            }
        }
    };
}

const EVERYBODY: &str = "";
const ADMIN: &str = "role:admin";
const ADMIN_OR_SERVICE: &str = "rule:admin_or_service";
const ADMIN_OR_CREATOR: &str = "rule:admin_or_creator";
const SERVICE_OR_CREATOR: &str = "rule:admin_or_service or rule:creator";

actions! {
    /// See what waits to be processed.
    GetStatus = "get status", ADMIN;
    /// Create a resource.
    CreateResource = "create resource", EVERYBODY;
    /// See a resource.
    GetResource = "get resource", "rule:admin_or_creator or rule:resource_owner";
    /// Change a resource.
    UpdateResource = "update resource", SERVICE_OR_CREATOR;
    /// Delete a resource.
    DeleteResource = "delete resource", ADMIN_OR_CREATOR;
    /// Delete resources by a filter.
    DeleteResources = "delete resources", ADMIN_OR_CREATOR;
    /// List resources.
    ListResource = "list resource", "rule:admin_or_creator or rule:resource_owner";
    /// Search resources.
    SearchResource = "search resource", "rule:admin_or_service or rule:creator or rule:resource_owner";
    /// Create a resource type.
    CreateResourceType = "create resource type", ADMIN_OR_SERVICE;
    /// See a resource type.
    GetResourceType = "get resource type", EVERYBODY;
    /// Change a resource type.
    UpdateResourceType = "update resource type", ADMIN_OR_SERVICE;
    /// Delete a resource type.
    DeleteResourceType = "delete resource type", ADMIN;
    /// List resource types.
    ListResourceType = "list resource type", EVERYBODY;
    /// Create an archive policy.
    CreateArchivePolicy = "create archive policy", ADMIN_OR_SERVICE;
    /// See an archive policy.
    GetArchivePolicy = "get archive policy", EVERYBODY;
    /// Change an archive policy.
    UpdateArchivePolicy = "update archive policy", ADMIN;
    /// Delete an archive policy.
    DeleteArchivePolicy = "delete archive policy", ADMIN;
    /// List archive policies.
    ListArchivePolicy = "list archive policy", EVERYBODY;
    /// Create an archive policy rule.
    CreateArchivePolicyRule = "create archive policy rule", ADMIN;
    /// See an archive policy rule.
    GetArchivePolicyRule = "get archive policy rule", EVERYBODY;
    /// Change an archive policy rule.
    UpdateArchivePolicyRule = "update archive policy rule", ADMIN;
    /// Delete an archive policy rule.
    DeleteArchivePolicyRule = "delete archive policy rule", ADMIN;
    /// List archive policy rules.
    ListArchivePolicyRule = "list archive policy rule", EVERYBODY;
    /// Create a metric.
    CreateMetric = "create metric", EVERYBODY;
    /// See a metric.
    GetMetric = "get metric", "rule:admin_or_service or rule:creator or rule:metric_owner";
    /// Delete a metric.
    DeleteMetric = "delete metric", ADMIN_OR_CREATOR;
    /// List metrics.
    ListMetric = "list metric", "rule:admin_or_creator or rule:metric_owner";
    /// Search metrics.
    SearchMetric = "search metric", "rule:admin_or_creator or rule:metric_owner";
    /// Send measures.
    PostMeasures = "post measures", SERVICE_OR_CREATOR;
    /// Read measures.
    GetMeasures = "get measures", "rule:admin_or_service or rule:creator or rule:metric_owner";
}
