//! What bodies look like: the components of the description, and which operation has which.

use serde_json::Value;
use utoipa::openapi::Ref;
use utoipa::openapi::path::HttpMethod;

use super::operations::Operation;

/// Every component by name.
const COMPONENTS: &str = include_str!("openapi_schemas.json");

/// The component of every failure.
pub(super) const ERROR: &str = "Error";

/// The component of a body that senders may announce as bytes of no named type.
pub(super) const BYTES: &str = "Bytes";

/// The component of the response to measures when a report is asked for.
#[cfg(test)]
const REPORT: &str = "MeasuresReport";

/// What an operation takes and answers with on success; empty where there is no body or one of no certain form.
struct Bodies {
    method: HttpMethod,
    path: &'static str,
    takes: &'static str,
    answers: &'static str,
}

const fn bodies(
    method: HttpMethod,
    path: &'static str,
    takes: &'static str,
    answers: &'static str,
) -> Bodies {
    Bodies {
        method,
        path,
        takes,
        answers,
    }
}

use HttpMethod::{Delete, Get, Patch, Post};

const BODIES: &[Bodies] = &[
    bodies(Get, "/", "", "Versions"),
    bodies(Get, "/v1/", "", "Links"),
    bodies(Get, "/v1/openapi.json", "", "OpenApiDocument"),
    bodies(Get, "/v1/capabilities", "", "Capabilities"),
    bodies(Get, "/v1/status", "", "Status"),
    bodies(Get, "/v1/archive_policy", "", "ArchivePolicies"),
    bodies(
        Post,
        "/v1/archive_policy",
        "ArchivePolicyCreation",
        "ArchivePolicy",
    ),
    bodies(Get, "/v1/archive_policy/{name}", "", "ArchivePolicy"),
    bodies(
        Patch,
        "/v1/archive_policy/{name}",
        "ArchivePolicyChange",
        "ArchivePolicy",
    ),
    bodies(Get, "/v1/archive_policy_rule", "", "ArchivePolicyRules"),
    bodies(
        Post,
        "/v1/archive_policy_rule",
        "ArchivePolicyRule",
        "ArchivePolicyRule",
    ),
    bodies(
        Get,
        "/v1/archive_policy_rule/{name}",
        "",
        "ArchivePolicyRule",
    ),
    bodies(
        Patch,
        "/v1/archive_policy_rule/{name}",
        "ArchivePolicyRuleChange",
        "ArchivePolicyRule",
    ),
    bodies(Get, "/v1/metric", "", "ListedMetrics"),
    bodies(Post, "/v1/metric", "MetricCreation", "CreatedMetric"),
    bodies(Get, "/v1/metric/{id}", "", "Metric"),
    bodies(Get, "/v1/metric/{id}/measures", "", "Aggregates"),
    bodies(Post, "/v1/metric/{id}/measures", "Measures", ""),
    bodies(Post, "/v1/batch/metrics/measures", "MeasuresByMetric", ""),
    bodies(
        Post,
        "/v1/batch/resources/metrics/measures",
        "MeasuresByResource",
        "",
    ),
    bodies(
        Post,
        "/v1/aggregates",
        "AggregatesRequest",
        "AggregatesResponse",
    ),
    bodies(Get, "/v1/aggregation/metric", "", "AggregationResponse"),
    bodies(
        Post,
        "/v1/aggregation/metric",
        "MetricIds",
        "AggregationResponse",
    ),
    bodies(
        Post,
        "/v1/aggregation/resource/{type}/metric/{name}",
        "ResourceFilter",
        "AggregationResponse",
    ),
    bodies(Post, "/v1/search/metric", "ValueFilter", "MeasuresFound"),
    bodies(Get, "/v1/resource_type", "", "ResourceTypes"),
    bodies(
        Post,
        "/v1/resource_type",
        "ResourceTypeCreation",
        "ResourceType",
    ),
    bodies(Get, "/v1/resource_type/{name}", "", "ResourceType"),
    bodies(
        Patch,
        "/v1/resource_type/{name}",
        "ResourceTypePatch",
        "ResourceType",
    ),
    bodies(Get, "/v1/resource", "", "ResourceLinks"),
    bodies(Get, "/v1/resource/{type}", "", "Resources"),
    bodies(Post, "/v1/resource/{type}", "ResourceCreation", "Resource"),
    bodies(Delete, "/v1/resource/{type}", "ResourceFilter", "Deleted"),
    bodies(
        Post,
        "/v1/search/resource/{type}",
        "ResourceFilter",
        "Resources",
    ),
    bodies(Get, "/v1/resource/{type}/{id}", "", "Resource"),
    bodies(
        Patch,
        "/v1/resource/{type}/{id}",
        "ResourceChange",
        "Resource",
    ),
    bodies(Get, "/v1/resource/{type}/{id}/history", "", "Resources"),
    bodies(Get, "/v1/resource/{type}/{id}/metric", "", "ListedMetrics"),
    bodies(
        Post,
        "/v1/resource/{type}/{id}/metric",
        "MetricsByName",
        "ListedMetrics",
    ),
    bodies(Get, "/v1/resource/{type}/{id}/metric/{name}", "", "Metric"),
    bodies(
        Get,
        "/v1/resource/{type}/{id}/metric/{name}/measures",
        "",
        "Aggregates",
    ),
    bodies(
        Post,
        "/v1/resource/{type}/{id}/metric/{name}/measures",
        "Measures",
        "",
    ),
];

/// Which body of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyOf {
    Request,
    Success,
}

/// Returns the component that describes a body, if there is one.
pub(super) fn component(operation: &Operation, body: BodyOf) -> Option<Ref> {
    let mut table = BODIES.iter();
    let known = table.find(|one| one.method == operation.method && one.path == operation.path);
    let (takes, answers) = known.map_or(operation.schemas, |one| (one.takes, one.answers));
    let name = match body {
        BodyOf::Request => takes,
        BodyOf::Success => answers,
    };
    (!name.is_empty()).then(|| Ref::from_schema_name(name))
}

/// Returns every component.
pub(super) fn components() -> Value {
    serde_json::from_str(COMPONENTS).expect("a test reads the components")
}

#[cfg(test)]
mod tests {
    use super::super::operations::OPERATIONS;
    use super::*;

    /// The names in the table, and those of the operations themselves.
    fn named() -> impl Iterator<Item = &'static str> {
        let bodies = BODIES
            .iter()
            .flat_map(|bodies| [bodies.takes, bodies.answers]);
        let operations = OPERATIONS.iter();
        bodies.chain(operations.flat_map(|operation| [operation.schemas.0, operation.schemas.1]))
    }

    #[test]
    fn every_name_that_is_used_is_a_component() {
        let components = components();
        let referred = COMPONENTS.split("#/components/schemas/").skip(1);
        let referred = referred.filter_map(|rest| rest.split('"').next());
        let used = named();
        for name in referred
            .chain(used)
            .chain([ERROR, BYTES, REPORT])
            .filter(|name| !name.is_empty())
        {
            assert!(components.get(name).is_some(), "{name}");
        }
    }

    #[test]
    fn every_component_is_used() {
        let referred = COMPONENTS.split("#/components/schemas/").skip(1);
        let referred = referred.filter_map(|rest| rest.split('"').next());
        let used: Vec<&str> = named()
            .chain(referred)
            .chain([ERROR, BYTES, REPORT])
            .collect();
        for name in components().as_object().unwrap().keys() {
            assert!(used.contains(&name.as_str()), "{name}");
        }
    }

    #[test]
    fn every_line_is_about_an_operation() {
        for bodies in BODIES {
            let mut operations = OPERATIONS.iter();
            let known = operations.any(|operation| {
                operation.method == bodies.method && operation.path == bodies.path
            });
            assert!(known, "{}", bodies.path);
        }
    }
}
