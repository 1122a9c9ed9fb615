//! Names of operations, by which generated clients call them, and the groups that they are listed in.

use utoipa::openapi::Tag;
use utoipa::openapi::path::HttpMethod;
use utoipa::openapi::tag::TagBuilder;

use crate::ingest::{RECEIVERS, receiver_of};

/// The group of the documents that lead to everything else.
const ROOT: &str = "root";

/// Groups and what is in them, in the order in which people meet them. The name of most is the segment of the path behind the version.
const TAGS: &[(&str, &str)] = &[
    (ROOT, "Links to the rest of the API, and its description"),
    ("capabilities", "Supported aggregation methods"),
    ("status", "Pending measures and processors"),
    (
        "archive_policy",
        "Which aggregates are stored, and for how long",
    ),
    (
        "archive_policy_rule",
        "Rules that choose the archive policy of a metric by its name",
    ),
    ("metric", "Metrics and their aggregates"),
    ("batch", "Measures of many metrics in one request"),
    ("resource_type", "Resource types and their attributes"),
    ("resource", "Resources, their history and their metrics"),
    ("search", "Search for resources and for values"),
    ("aggregates", "Expressions across metrics"),
    (
        "aggregation",
        "Aggregates across metrics; deprecated in favour of `aggregates`",
    ),
];

/// Operations whose name does not follow from their path.
const NAMES: &[(&str, &str)] = &[
    ("/", "versions"),
    // `/v1/resource/{type}`, the resources of a type, has the name that the types themselves would have.
    ("/v1/resource_type", "v1_resource_types"),
];

/// Returns every group: those of the API, and one of each receiver.
pub(super) fn tags() -> Vec<Tag> {
    let of_receivers = RECEIVERS.iter();
    let of_receivers = of_receivers.map(|receiver| (receiver.name, receiver.description));
    let tag = |(name, description): (&'static str, &'static str)| {
        let tag = TagBuilder::new().name(name);
        tag.description(Some(description)).build()
    };
    TAGS.iter().copied().chain(of_receivers).map(tag).collect()
}

/// Returns the group of a path.
pub(super) fn tag(path: &'static str) -> &'static str {
    if let Some(receiver) = receiver_of(path) {
        return receiver.name;
    }
    let segment = path.split('/').nth(2).unwrap_or_default();
    let mut names = TAGS.iter().map(|(name, _)| *name);
    names.find(|name| *name == segment).unwrap_or(ROOT)
}

/// Returns the name of an operation: its method and the words of its path.
pub(super) fn operation_id(method: &HttpMethod, path: &str) -> String {
    let method = match method {
        HttpMethod::Get => "get",
        HttpMethod::Post => "post",
        HttpMethod::Patch => "patch",
        HttpMethod::Delete => "delete",
        HttpMethod::Put => "put",
        HttpMethod::Head => "head",
        HttpMethod::Options => "options",
        HttpMethod::Trace => "trace",
    };
    if let Some((_, name)) = NAMES.iter().find(|(known, _)| *known == path) {
        return format!("{method}_{name}");
    }
    let words = path.split(|character: char| !character.is_ascii_alphanumeric());
    let words = words.filter(|word| !word.is_empty());
    let words: Vec<&str> = std::iter::once(method).chain(words).collect();
    words.join("_")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::operations::OPERATIONS;
    use super::*;

    #[test]
    fn names_follow_from_paths() {
        let check = |method, path, expected: &str| {
            assert_eq!(operation_id(&method, path), expected);
        };
        check(HttpMethod::Get, "/", "get_versions");
        check(HttpMethod::Get, "/v1/", "get_v1");
        check(HttpMethod::Get, "/v1/openapi.json", "get_v1_openapi_json");
        check(
            HttpMethod::Post,
            "/v1/metric/{id}/measures",
            "post_v1_metric_id_measures",
        );
        check(
            HttpMethod::Post,
            "/v1/resource/{type}",
            "post_v1_resource_type",
        );
        check(
            HttpMethod::Post,
            "/v1/resource_type",
            "post_v1_resource_types",
        );
        check(HttpMethod::Post, "/api/v1/write", "post_api_v1_write");
    }

    #[test]
    fn no_two_operations_share_a_name() {
        let mut seen = HashSet::new();
        for operation in OPERATIONS.iter() {
            let name = operation_id(&operation.method, operation.path);
            assert!(seen.insert(name.clone()), "{name} occurs twice");
        }
    }

    #[test]
    fn every_group_has_an_operation() {
        let used: HashSet<&str> = OPERATIONS
            .iter()
            .map(|operation| tag(operation.path))
            .collect();
        for (name, _) in TAGS {
            assert!(used.contains(name), "{name}");
        }
        let of_root = OPERATIONS.iter().filter(|own| tag(own.path) == ROOT);
        assert_eq!(of_root.count(), 3, "a path has no group of its own");
    }
}
