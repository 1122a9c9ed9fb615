//! What can be asked of this receiver, for the description of the API.

use utoipa::openapi::path::HttpMethod;

use crate::api::v1::operations::{Operation, get, operation, post};

const USER: (&str, &str) = ("u", "the name of the user, without an Authorization header");
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
        "Returns an empty response, which clients of InfluxDB use as a health check",
    )
    .open(),
    operation(
        HttpMethod::Get,
        "/ping",
        204,
        &[],
        "The same, for clients that drop the path of the configured URL",
    )
    .open(),
    get(
        "/v1/influxdb/health",
        &[503],
        "Returns whether this server should get requests, as InfluxDB 2 does",
    )
    .open()
    .schemas("", "InfluxHealth"),
    get(
        "/v1/influxdb/query",
        &[400, 501],
        "Lists the resource types: `show databases`",
    )
    .query(&[("q", "the statement"), USER, PASSWORD, IGNORED_DB, IGNORED_EPOCH, IGNORED_CHUNKED])
    .schemas("", "InfluxResults"),
    post(
        "/v1/influxdb/query",
        200,
        &[204, 400, 413, 501],
        "Creates a resource type, `create database NAME`, or lists them, `show databases`",
    )
    .query(&[
        ("q", "the statement; a form in the body may hold it as well"),
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
        "Stores measures in the line protocol of InfluxDB; resources and metrics that are missing are created",
    )
    .query(&[
        ("db", "the resource type; `influxdb` by default"),
        (
            "precision",
            "the unit of timestamps: n, u, ms, s, m or h; n by default",
        ),
        ("epoch", "the same, if there is no `precision`"),
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
        "Stores measures in the line protocol, as InfluxDB 2 does",
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
