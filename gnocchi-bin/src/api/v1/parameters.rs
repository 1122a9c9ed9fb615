//! Names of query parameters: which ones an operation has, and which known one a misspelt name was meant to be.
//!
//! A name that resembles no parameter is ignored, because clients send more than the server knows. A misspelt one must not be:
//! `agregation=max` would silently return the mean.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use gnocchi_core::text::nearest::nearest;
use http::Method;
use utoipa::openapi::path::HttpMethod;

use super::operations::OPERATIONS;

/// The parameter with which every operation that reads measures is asked for a range of time.
const START: &str = "start";

/// Names that other systems have for parameters of operations that read measures. Ignored, each would silently return something else
/// than what was asked for.
const SYNONYMS: [(&str, &str); 13] = [
    ("from", START),
    ("begin", START),
    ("since", START),
    ("to", "stop"),
    ("end", "stop"),
    ("until", "stop"),
    ("tz", "timezone"),
    ("method", "aggregation"),
    ("agg", "aggregation"),
    ("aggr", "aggregation"),
    ("aggreg", "aggregation"),
    ("aggregate", "aggregation"),
    ("function", "aggregation"),
];

/// The query parameters of one operation: names and meanings.
pub(in crate::api) type Parameters = &'static [(&'static str, &'static str)];

/// The parameters of each operation, and the names of all of them.
struct Known {
    operations: HashMap<(&'static str, Method), Parameters>,
    names: BTreeSet<&'static str>,
}

static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let operations = OPERATIONS.iter();
    let parameters = OPERATIONS.iter().flat_map(|operation| operation.query);
    Known {
        operations: operations
            .map(|operation| ((operation.path, method(&operation.method)), operation.query))
            .collect(),
        names: parameters.map(|(name, _)| *name).collect(),
    }
});

/// Returns the query parameters of the operation behind a route; `None` when the route is not described.
pub(in crate::api) fn of_operation(route: &str, method: &Method) -> Option<Parameters> {
    let operations: &HashMap<(&str, Method), Parameters> = &KNOWN.operations;
    operations.get(&(path_of(route)?, method.clone())).copied()
}

/// Returns the methods that the path behind a route is described with, sorted.
pub(in crate::api) fn methods_of(route: &str) -> Vec<&'static str> {
    let path = path_of(route);
    let mut methods: Vec<&str> = OPERATIONS
        .iter()
        .filter(|operation| Some(operation.path) == path)
        .map(|operation| name(&operation.method))
        .collect();
    methods.sort_unstable();
    methods
}

/// Returns the path of a route. The program that mounts the API may have put its own prefix before it.
fn path_of(route: &str) -> Option<&str> {
    let path = &route[route.rfind("/v1/")?..];
    Some(path.strip_suffix('/').unwrap_or(path))
}

/// Returns the parameter that a name was probably meant to be. Names that other operations have are not misspelt, only out of place.
pub(in crate::api) fn meant(name: &str, parameters: Parameters) -> Option<&'static str> {
    if KNOWN.names.contains(name) {
        return None;
    }
    let is_known = |wanted: &str| parameters.iter().any(|(known, _)| *known == wanted);
    let mut synonyms = SYNONYMS.iter().filter(|(synonym, _)| *synonym == name);
    // Only where times are asked for are these words of other systems what they seem.
    if let Some((_, meant)) = synonyms.find(|(_, meant)| is_known(meant))
        && is_known(START)
    {
        return Some(meant);
    }
    nearest(name, parameters.iter().map(|(known, _)| *known))
}

fn method(method: &HttpMethod) -> Method {
    Method::from_bytes(name(method).as_bytes()).expect("the name of a method is one")
}

fn name(method: &HttpMethod) -> &'static str {
    match method {
        HttpMethod::Get => "GET",
        HttpMethod::Post => "POST",
        HttpMethod::Put => "PUT",
        HttpMethod::Delete => "DELETE",
        HttpMethod::Options => "OPTIONS",
        HttpMethod::Head => "HEAD",
        HttpMethod::Patch => "PATCH",
        HttpMethod::Trace => "TRACE",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_found_by_their_routes() {
        let has = |route: &str, method: &Method, name: &str| {
            let parameters = of_operation(route, method)?;
            Some(parameters.iter().any(|(known, _)| *known == name))
        };
        let measures = "/v1/metric/{id}/measures";
        assert_eq!(has(measures, &Method::GET, "granularity"), Some(true));
        assert_eq!(has(measures, &Method::POST, "granularity"), Some(false));
        assert_eq!(has(measures, &Method::POST, "report"), Some(true));
        assert_eq!(has(measures, &Method::PATCH, "report"), None);
        assert_eq!(has("/v1/metric/", &Method::GET, "limit"), Some(true));
        assert_eq!(has("/tsdb/v1/metric", &Method::GET, "limit"), Some(true));
        assert_eq!(has("/nowhere", &Method::GET, "limit"), None);
        assert_eq!(methods_of("/v1/metric"), ["GET", "POST"]);
        assert_eq!(methods_of("/tsdb/v1/metric/"), ["GET", "POST"]);
        assert_eq!(methods_of("/nowhere"), [""; 0]);
    }

    #[test]
    fn every_name_of_every_operation_is_let_through_everywhere() {
        for operation in OPERATIONS.iter() {
            for (name, _) in OPERATIONS.iter().flat_map(|other| other.query) {
                assert_eq!(meant(name, operation.query), None, "{}", operation.path);
            }
        }
    }

    /// What clients of other systems and known clients of this one send beside the parameters that are described.
    #[test]
    fn what_clients_send_is_let_through() {
        for name in [
            "rp",
            "u",
            "p",
            "consistency",
            "chunked",
            "chunk_size",
            "pretty",
            "org",
            "bucket",
            "orgID",
            "_",
            "_t",
            "cacheBuster",
            "step",
            "time",
            "query",
            "match[]",
            "api_key",
            "token",
            "format",
            "fields",
            "offset",
            "page",
            "all_projects",
            "project",
            "service",
            "scope_id",
            "resource_id",
            "resource_type",
            "interval",
            "callback",
            "name_like",
        ] {
            for operation in OPERATIONS.iter() {
                let meant = meant(name, operation.query);
                assert_eq!(meant, None, "{name} of {}", operation.path);
            }
        }
    }

    #[test]
    fn misspelt_names_are_found() {
        let check = |route: &str, method: &Method, name: &str, expected: &str| {
            let parameters = of_operation(route, method).unwrap();
            assert_eq!(meant(name, parameters), Some(expected), "{name}");
        };
        let measures = "/v1/metric/{id}/measures";
        check(measures, &Method::GET, "agregation", "aggregation");
        check(measures, &Method::GET, "Granularity", "granularity");
        check(measures, &Method::GET, "strat", "start");
        check(measures, &Method::POST, "reports", "report");
        check(
            "/v1/search/metric",
            &Method::POST,
            "metric_ids",
            "metric_id",
        );
        check("/v1/aggregates", &Method::POST, "group_by", "groupby");
        check(
            "/v1/batch/resources/metrics/measures",
            &Method::POST,
            "create_metric",
            "create_metrics",
        );
        check("/v1/influxdb/write", &Method::POST, "precison", "precision");
        for (name, expected) in SYNONYMS {
            check(measures, &Method::GET, name, expected);
        }
        check("/v1/aggregates", &Method::POST, "tz", "timezone");
        let metrics = of_operation("/v1/metric", &Method::GET).unwrap();
        let write = of_operation("/v1/influxdb/write", &Method::POST).unwrap();
        for (name, _) in SYNONYMS {
            assert_eq!(meant(name, metrics), None, "{name}");
            assert_eq!(meant(name, write), None, "{name}");
        }
    }
}
