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
    // The program that mounts the API may have put its own prefix before the path.
    let path = &route[route.rfind("/v1/")?..];
    let path = path.strip_suffix('/').unwrap_or(path);
    let operations: &HashMap<(&str, Method), Parameters> = &KNOWN.operations;
    operations.get(&(path, method.clone())).copied()
}

/// Returns the parameter that a name was probably meant to be. Names that other operations have are not misspelt, only out of place.
pub(in crate::api) fn meant(name: &str, parameters: Parameters) -> Option<&'static str> {
    if KNOWN.names.contains(name) {
        return None;
    }
    nearest(name, parameters.iter().map(|(known, _)| *known))
}

fn method(method: &HttpMethod) -> Method {
    match method {
        HttpMethod::Get => Method::GET,
        HttpMethod::Post => Method::POST,
        HttpMethod::Put => Method::PUT,
        HttpMethod::Delete => Method::DELETE,
        HttpMethod::Options => Method::OPTIONS,
        HttpMethod::Head => Method::HEAD,
        HttpMethod::Patch => Method::PATCH,
        HttpMethod::Trace => Method::TRACE,
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
    }

    #[test]
    fn every_name_of_every_operation_is_let_through_everywhere() {
        for operation in OPERATIONS {
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
            "from",
            "to",
            "end",
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
            for operation in OPERATIONS {
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
    }
}
