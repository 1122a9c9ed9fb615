//! What can be asked of this receiver, for the description of the API.

use utoipa::openapi::path::HttpMethod;

use crate::api::v1::operations::{Operation, get, operation, post};

const USER: (&str, &str) = ("u", "the user name, if there is no Authorization header");
const PASSWORD: (&str, &str) = ("p", "the password of the user");
const IGNORED_DB: (&str, &str) = ("db", "ignored: no supported statement needs it");
const IGNORED_EPOCH: (&str, &str) = ("epoch", "ignored: no result has a timestamp");
const IGNORED_CHUNKED: (&str, &str) = ("chunked", "ignored: results are short");
const LINE: &str = "cpu,host=web-1,core=0 user=43.1 1767225600000000000";

/// Every operation.
pub(in crate::ingest::influxdb) const OPERATIONS: &[Operation] = &[
    operation(
        HttpMethod::Get,
        "/v1/influxdb/ping",
        204,
        &[],
        "Returns an empty response, as a health check for clients of InfluxDB",
    )
    .open(),
    operation(
        HttpMethod::Get,
        "/ping",
        204,
        &[],
        "The same as `/v1/influxdb/ping`, for clients that drop the path of the configured URL",
    )
    .open(),
    get(
        "/v1/influxdb/health",
        &[503],
        "Returns whether the server is ready for requests, as InfluxDB 2 does",
    )
    .open()
    .schemas("", "InfluxHealth"),
    get(
        "/v1/influxdb/query",
        &[400, 501],
        "Lists resource types, for the statement `show databases`",
    )
    .query(&[("q", "the statement"), USER, PASSWORD, IGNORED_DB, IGNORED_EPOCH, IGNORED_CHUNKED])
    .schemas("", "InfluxResults"),
    post(
        "/v1/influxdb/query",
        200,
        &[204, 400, 413, 501],
        "Creates a resource type (`create database NAME`), or lists resource types (`show databases`)",
    )
    .query(&[
        ("q", "the statement; may be in a form in the body instead"),
        USER,
        PASSWORD,
        IGNORED_DB,
        IGNORED_EPOCH,
        IGNORED_CHUNKED,
    ])
    .body("q=create database shop")
    .content_type("application/x-www-form-urlencoded")
    .schemas("InfluxQuery", "InfluxResults"),
    post(
        "/v1/influxdb/write",
        204,
        &[400, 404, 409, 413, 507],
        "Stores measures in the line protocol of InfluxDB; missing resources and metrics are created",
    )
    .query(&[
        ("db", "the resource type; `influxdb` by default"),
        (
            "precision",
            "the unit of timestamps: n, u, ms, s, m or h; n by default",
        ),
        ("epoch", "the same as `precision`, which takes precedence"),
        USER,
        PASSWORD,
        ("rp", "ignored: archive policies define the retention"),
        ("consistency", "ignored: accepted points are always on the disk"),
    ])
    .body(LINE)
    .content_type("text/plain")
    .schemas("LineProtocol", ""),
    post(
        "/v1/influxdb/api/v2/write",
        204,
        &[400, 404, 409, 413, 507],
        "Stores measures in the line protocol, with the parameters of InfluxDB 2",
    )
    .query(&[
        ("bucket", "the resource type; `influxdb` by default"),
        ("precision", "the unit of timestamps: ns, us, ms or s; ns by default"),
        USER,
        PASSWORD,
        ("org", "ignored: the credentials identify the caller"),
        ("orgID", "ignored: the credentials identify the caller"),
    ])
    .body(LINE)
    .content_type("text/plain")
    .schemas("LineProtocol", ""),
];
