//! The operations of the API: the table from which the OpenAPI document is made.

use std::sync::LazyLock;

use utoipa::openapi::path::HttpMethod;

use crate::ingest::RECEIVERS;

/// One method of one path.
pub(crate) struct Operation {
    pub(crate) path: &'static str,
    pub(crate) method: HttpMethod,
    pub(crate) summary: &'static str,
    /// The status of success.
    pub(crate) success: u16,
    /// The statuses of failures beyond those that follow from what the operation is; see `openapi`.
    pub(crate) failures: &'static [u16],
    /// Names of query parameters and what they mean.
    pub(crate) query: &'static [(&'static str, &'static str)],
    /// An example of the body; empty when there is no body.
    pub(crate) body: &'static str,
    /// The content type of the body.
    pub(crate) content_type: &'static str,
    /// The component that describes the body, and that of a success; empty where the table of bodies has them, or where there is none.
    pub(crate) schemas: (&'static str, &'static str),
    /// Whether it is open to callers without credentials: no access rule is checked, and no data is read or changed.
    pub(crate) is_open: bool,
}

pub(crate) const fn operation(
    method: HttpMethod,
    path: &'static str,
    success: u16,
    failures: &'static [u16],
    summary: &'static str,
) -> Operation {
    Operation {
        path,
        method,
        summary,
        success,
        failures,
        query: &[],
        body: "",
        content_type: "application/json",
        schemas: ("", ""),
        is_open: false,
    }
}

pub(crate) const fn get(
    path: &'static str,
    failures: &'static [u16],
    summary: &'static str,
) -> Operation {
    operation(HttpMethod::Get, path, 200, failures, summary)
}

pub(crate) const fn post(
    path: &'static str,
    success: u16,
    failures: &'static [u16],
    summary: &'static str,
) -> Operation {
    operation(HttpMethod::Post, path, success, failures, summary)
}

const fn patch(path: &'static str, failures: &'static [u16], summary: &'static str) -> Operation {
    operation(HttpMethod::Patch, path, 200, failures, summary)
}

const fn delete(path: &'static str, failures: &'static [u16], summary: &'static str) -> Operation {
    operation(HttpMethod::Delete, path, 204, failures, summary)
}

impl Operation {
    /// Returns whether it has a query parameter.
    pub(super) fn takes(&self, parameter: &str) -> bool {
        self.query.iter().any(|(name, _)| *name == parameter)
    }

    pub(crate) const fn query(mut self, query: &'static [(&'static str, &'static str)]) -> Self {
        self.query = query;
        self
    }

    pub(crate) const fn content_type(mut self, content_type: &'static str) -> Self {
        self.content_type = content_type;
        self
    }

    pub(crate) const fn body(mut self, example: &'static str) -> Self {
        self.body = example;
        self
    }

    /// Names the components that describe its body and its success.
    pub(crate) const fn schemas(mut self, takes: &'static str, answers: &'static str) -> Self {
        self.schemas = (takes, answers);
        self
    }

    /// Marks the operation as open to callers without credentials.
    pub(crate) const fn open(mut self) -> Self {
        self.is_open = true;
        self
    }
}

const MEASURES_QUERY: &[(&str, &str)] = &[
    (
        "start",
        "the start of the time range, rounded down to each granularity",
    ),
    ("stop", "the end of the time range, exclusive"),
    ("aggregation", "the aggregation method; `mean` by default"),
    (
        "granularity",
        "a granularity of the archive policy; all by default",
    ),
    RESAMPLE,
    TIME_ZONE,
    (
        "refresh",
        "ignored: every response includes all measures acknowledged before the request",
    ),
];
const RESAMPLE: (&str, &str) = (
    "resample",
    "a time span, or a calendar unit (Y, H for half-years, Q, M, W or D), by which aggregates are grouped further",
);
const TIME_ZONE: (&str, &str) = (
    "timezone",
    "the time zone for resampling, such as `Europe/Paris`; UTC by default",
);
const START: (&str, &str) = (
    "start",
    "the start of the time range, rounded down to each granularity",
);
const STOP: (&str, &str) = ("stop", "the end of the time range, exclusive");
const FILL: (&str, &str) = (
    "fill",
    "how missing points are filled: a number, `null`, `dropna`, `ffill`, `bfill`, `full_ffill` or `full_bfill`",
);
const NEEDED_OVERLAP: (&str, &str) = (
    "needed_overlap",
    "the percentage of timestamps at which every series must have a point",
);
const GROUP_BY: (&str, &str) = (
    "groupby",
    "a property by which resources are grouped; may be repeated",
);
const AGGREGATES_QUERY: &[(&str, &str)] = &[
    START,
    STOP,
    (
        "granularity",
        "a granularity; by default, all that the metrics have in common",
    ),
    FILL,
    NEEDED_OVERLAP,
    TIME_ZONE,
    GROUP_BY,
    (
        "use_history",
        "whether measures count towards the group to which their resource belonged at the time",
    ),
    (
        "details",
        "whether the response includes the metrics or resources",
    ),
];
const AGGREGATION_QUERY: &[(&str, &str)] = &[
    ("metric", "the id of a metric; may be repeated"),
    START,
    STOP,
    (
        "aggregation",
        "the aggregation method of each metric; `mean` by default",
    ),
    (
        "reaggregation",
        "the method applied across metrics; the aggregation method by default",
    ),
    (
        "granularity",
        "a granularity; by default, all that the metrics have in common",
    ),
    FILL,
    NEEDED_OVERLAP,
    RESAMPLE,
    TIME_ZONE,
    (
        "filter",
        "the filter for resources as text, if there is no body",
    ),
    GROUP_BY,
    (
        "refresh",
        "ignored: every response includes all measures acknowledged before the request",
    ),
];
const AGGREGATES: &str = r#"{"operations": "(aggregate mean (metric cpu.* mean))", "resource_type": "generic", "search": "project_id = 'shop'"}"#;
const METRIC_IDS: &str = r#"["f93450f2-d8a5-4d67-9985-02511241e7d1"]"#;
const REPORT: (&str, &str) = (
    "report",
    "whether the response reports the accepted and rejected points of each metric",
);
const DETAILS: (&str, &str) = (
    "details",
    "whether resources listed through the type `generic` include the attributes of their own type",
);
const ATTRS: (&str, &str) = (
    "attrs",
    "a property to return, instead of all; may be repeated",
);
const LIMIT: (&str, &str) = ("limit", "the maximum number of items in the page");
const MARKER: (&str, &str) = (
    "marker",
    "the last item of the previous page: its id, or `id@revision` with history",
);
const SORT: (&str, &str) = (
    "sort",
    "a property and a direction, such as `name:asc`; may be repeated",
);
const MEASURES: &str = r#"[{"timestamp": "2026-01-01T00:00:00", "value": 43.1}]"#;
const POLICY: &str = r#"{"name": "low", "definition": [{"granularity": "5 minutes", "timespan": "30 days"}], "back_window": 0, "aggregation_methods": ["mean", "95pct"]}"#;
const POLICY_CHANGE: &str =
    r#"{"definition": [{"granularity": "5 minutes", "timespan": "60 days"}]}"#;
const RULE: &str = r#"{"name": "disks", "metric_pattern": "disk.*", "archive_policy_name": "low"}"#;
const METRIC: &str =
    r#"{"archive_policy_name": "low", "name": "cpu", "unit": "%", "resource_id": "web-1"}"#;
const METRICS: &str = r#"{"cpu": {"archive_policy_name": "low"}}"#;
const RESOURCE: &str =
    r#"{"id": "web-1", "project_id": "shop", "metrics": {"cpu": {"archive_policy_name": "low"}}}"#;
const RESOURCE_TYPE: &str = r#"{"name": "instance", "attributes": {"host": {"type": "string", "required": true, "max_length": 255}}}"#;
const RESOURCE_TYPE_CHANGE: &str = r#"[{"op": "add", "path": "/attributes/flavor", "value": {"type": "string", "required": true, "options": {"fill": "small"}}}]"#;
const BATCH: &str = r#"{"f93450f2-d8a5-4d67-9985-02511241e7d1": [{"timestamp": "2026-01-01T00:00:00", "value": 43.1}]}"#;
const NAMED_BATCH: &str =
    r#"{"web-1": {"cpu": [{"timestamp": "2026-01-01T00:00:00", "value": 43.1}]}}"#;

/// Every operation: those of the API, and those of the receivers.
pub(super) static OPERATIONS: LazyLock<Vec<&Operation>> = LazyLock::new(|| {
    let of_receivers = RECEIVERS.iter().flat_map(|receiver| receiver.operations);
    OF_API.iter().chain(of_receivers).collect()
});

/// Every operation of version 1.
const OF_API: &[Operation] = &[
    get("/", &[], "Lists the versions of the API"),
    get("/v1/", &[], "Lists links to the collections of the API"),
    get("/v1/openapi.json", &[], "Returns this document"),
    get("/v1/capabilities", &[], "Lists the aggregation methods"),
    get(
        "/v1/status",
        &[400],
        "Returns the number of pending measures, and the processors",
    )
    .query(&[(
        "details",
        "whether each metric with pending measures is listed; true by default",
    )]),
    get("/v1/archive_policy", &[], "Lists archive policies"),
    post(
        "/v1/archive_policy",
        201,
        &[400, 409],
        "Creates an archive policy",
    )
    .body(POLICY),
    get(
        "/v1/archive_policy/{name}",
        &[404],
        "Returns an archive policy",
    ),
    patch(
        "/v1/archive_policy/{name}",
        &[400, 404],
        "Changes the timespans or the back window of an archive policy",
    )
    .body(POLICY_CHANGE),
    delete(
        "/v1/archive_policy/{name}",
        &[400, 404],
        "Deletes an archive policy that no metric and no rule uses",
    ),
    get(
        "/v1/archive_policy_rule",
        &[],
        "Lists archive policy rules, in the order in which they are evaluated",
    ),
    post(
        "/v1/archive_policy_rule",
        201,
        &[400, 409],
        "Creates an archive policy rule",
    )
    .body(RULE),
    get(
        "/v1/archive_policy_rule/{name}",
        &[404],
        "Returns an archive policy rule",
    ),
    patch(
        "/v1/archive_policy_rule/{name}",
        &[400, 404],
        "Renames an archive policy rule",
    )
    .body(r#"{"name": "new"}"#),
    delete(
        "/v1/archive_policy_rule/{name}",
        &[404],
        "Deletes an archive policy rule",
    ),
    get("/v1/metric", &[400], "Lists metrics").query(&[
        ("id", "only the metric with this id"),
        ("name", "only metrics with this name"),
        ("unit", "only metrics with this unit"),
        ("creator", "only metrics of this creator"),
        (
            "archive_policy_name",
            "only metrics with this archive policy",
        ),
        ("status", "`active` (the default) or `delete`"),
        ("user_id", "only metrics created by this user"),
        ("project_id", "only metrics created in this project"),
        LIMIT,
        MARKER,
        SORT,
    ]),
    post("/v1/metric", 201, &[400], "Creates a metric").body(METRIC),
    get("/v1/metric/{id}", &[404], "Returns a metric"),
    delete("/v1/metric/{id}", &[404], "Deletes a metric"),
    get(
        "/v1/metric/{id}/measures",
        &[400, 404],
        "Returns aggregates of a metric",
    )
    .query(MEASURES_QUERY),
    post(
        "/v1/metric/{id}/measures",
        202,
        &[400, 404, 413, 507],
        "Stores measures of a metric",
    )
    .query(&[REPORT])
    .body(MEASURES),
    post(
        "/v1/batch/metrics/measures",
        202,
        &[400, 413, 507],
        "Stores measures of many metrics",
    )
    .query(&[REPORT])
    .body(BATCH),
    post(
        "/v1/batch/resources/metrics/measures",
        202,
        &[400, 413, 507],
        "Stores measures of many metrics, named by resource and name",
    )
    .query(&[
        ("create_metrics", "whether missing metrics are created"),
        REPORT,
    ])
    .body(NAMED_BATCH),
    post(
        "/v1/aggregates",
        200,
        &[400, 404],
        "Evaluates an expression across metrics, named by id or by resource",
    )
    .query(AGGREGATES_QUERY)
    .body(AGGREGATES),
    get(
        "/v1/aggregation/metric",
        &[400, 404],
        "Computes one aggregate across metrics (deprecated)",
    )
    .query(AGGREGATION_QUERY),
    post(
        "/v1/aggregation/metric",
        200,
        &[400, 404],
        "Computes one aggregate across metrics (deprecated)",
    )
    .query(AGGREGATION_QUERY)
    .body(METRIC_IDS),
    post(
        "/v1/aggregation/resource/{type}/metric/{name}",
        200,
        &[400, 404],
        "Computes one aggregate across the metrics of this name on many resources (deprecated)",
    )
    .query(AGGREGATION_QUERY)
    .body(r#"{"=": {"project_id": "shop"}}"#),
    post(
        "/v1/search/metric",
        200,
        &[400],
        "Returns the aggregates of metrics whose values satisfy a condition",
    )
    .query(&[
        ("metric_id", "a metric to search; may be repeated"),
        START,
        STOP,
        ("aggregation", "the aggregation method; `mean` by default"),
        (
            "granularity",
            "a granularity; may be repeated; all by default",
        ),
    ])
    .body(r#"{"and": [{">=": 50}, {"=": [{"%": 2}, 0]}]}"#),
    get("/v1/resource_type", &[], "Lists resource types"),
    post(
        "/v1/resource_type",
        201,
        &[400, 409],
        "Creates a resource type",
    )
    .body(RESOURCE_TYPE),
    get(
        "/v1/resource_type/{name}",
        &[404],
        "Returns a resource type",
    ),
    patch(
        "/v1/resource_type/{name}",
        &[400, 404, 409],
        "Adds, changes and removes attributes of a resource type, and of all its resources",
    )
    .body(RESOURCE_TYPE_CHANGE)
    .content_type("application/json-patch+json"),
    delete(
        "/v1/resource_type/{name}",
        &[400, 404],
        "Deletes a resource type that no resource uses",
    ),
    get(
        "/v1/resource",
        &[],
        "Lists links to the resources of each type",
    ),
    get("/v1/resource/{type}", &[400, 404], "Lists resources").query(&[
        DETAILS,
        ("history", "whether past revisions are included"),
        ATTRS,
        LIMIT,
        MARKER,
        SORT,
    ]),
    post(
        "/v1/resource/{type}",
        201,
        &[400, 404, 409],
        "Creates a resource",
    )
    .body(RESOURCE),
    operation(
        HttpMethod::Delete,
        "/v1/resource/{type}",
        200,
        &[400, 404],
        "Deletes all resources that match a filter, with their history and metrics",
    )
    .query(&[FILTER])
    .body(RESOURCE_FILTER),
    post(
        "/v1/search/resource/{type}",
        200,
        &[400, 404],
        "Lists resources that match a filter",
    )
    .query(&[
        FILTER,
        DETAILS,
        ("history", "whether past revisions are included"),
        ATTRS,
        LIMIT,
        MARKER,
        SORT,
    ])
    .body(RESOURCE_FILTER),
    get(
        "/v1/resource/{type}/{id}",
        &[304, 404, 412],
        "Returns a resource",
    ),
    patch(
        "/v1/resource/{type}/{id}",
        &[400, 404, 412],
        "Changes a resource; `metrics` replaces all of its metrics",
    )
    .body(RESOURCE_CHANGE),
    delete(
        "/v1/resource/{type}/{id}",
        &[404, 412],
        "Deletes a resource with its history and metrics",
    ),
    get(
        "/v1/resource/{type}/{id}/history",
        &[400, 404],
        "Lists the revisions of a resource",
    )
    .query(&[DETAILS, ATTRS, LIMIT, MARKER, SORT]),
    get(
        "/v1/resource/{type}/{id}/metric",
        &[404],
        "Lists the metrics of a resource",
    ),
    post(
        "/v1/resource/{type}/{id}/metric",
        200,
        &[400, 404, 409],
        "Adds metrics to a resource",
    )
    .body(METRICS),
    get(
        "/v1/resource/{type}/{id}/metric/{name}",
        &[404],
        "Returns a metric of a resource",
    ),
    delete(
        "/v1/resource/{type}/{id}/metric/{name}",
        &[404],
        "Deletes a metric of a resource",
    ),
    get(
        "/v1/resource/{type}/{id}/metric/{name}/measures",
        &[400, 404],
        "Returns aggregates of a metric of a resource",
    )
    .query(MEASURES_QUERY),
    post(
        "/v1/resource/{type}/{id}/metric/{name}/measures",
        202,
        &[400, 404, 413, 507],
        "Stores measures of a metric of a resource",
    )
    .query(&[REPORT])
    .body(MEASURES),
];

const FILTER: (&str, &str) = (
    "filter",
    "the filter as text, for example `host like \"web-%\" and cpu > 4`; ignored if there is a body",
);
const RESOURCE_FILTER: &str = r#"{"and": [{"like": {"host": "web-%"}}, {">": {"cpu": 4}}]}"#;
const RESOURCE_CHANGE: &str = r#"{"ended_at": "2026-01-01T00:00:00"}"#;
