//! Who may do what to one resource and its metric: the table that holds in process and with a real Keystone.

use serde_json::{Value, json};

/// The resource and its metric are made by `u1` of project `p1`; the resource belongs to project `p2`. `listed`, `found` and
/// `counted` say whether the thing is in a listing, everything else is a status.
///
/// | column | request |
/// |---|---|
/// | show, metrics, change, delete | the resource and the list of its metrics |
/// | listed, found | listing and searching resources |
/// | read, send | measures of the metric |
/// | counted | listing metrics |
/// | values, legacy, by-id | searching measures, the older and the newer aggregates across metrics |
const TABLE: &str = "
caller   show metrics listed found read send change counted values legacy by-id delete
u1       200  200     yes    yes   200  202  200    yes     200    200    200   204
u3       200  200     yes    yes   200  202  200    yes     200    200    200   204
u2       200  200     yes    yes   200  403  403    yes     403    403    200   403
u4       404  404     no     no    403  403  403    no      403    403    403   403
service  404  404     no     yes   200  202  200    no      403    200    200   403
admin    200  200     yes    yes   200  202  200    yes     200    200    200   204
";

/// What a cell of the table says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    Status(u16),
    /// The listing answers, with the thing in it.
    Inside,
    /// The listing answers, without it.
    Outside,
}

/// A caller of the table: his name, project and role.
pub(crate) const CALLERS: [(&str, &str, &str); 6] = [
    ("u1", "p1", "member"),
    ("u3", "p1", "member"),
    ("u2", "p2", "member"),
    ("u4", "p4", "member"),
    ("service", "p5", "service"),
    ("admin", "p6", "admin"),
];

/// A request and what it must lead to.
pub(crate) struct Cell {
    pub(crate) caller: &'static str,
    pub(crate) column: &'static str,
    pub(crate) expected: Expected,
}

/// Returns the cells row by row.
pub(crate) fn cells() -> Vec<Cell> {
    let mut lines = TABLE
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    let columns = lines.next().unwrap();
    let expected = |text: &str| match text {
        "yes" => Expected::Inside,
        "no" => Expected::Outside,
        status => Expected::Status(status.parse().unwrap()),
    };
    let row = |row: Vec<&'static str>| {
        let pairs: Vec<_> = columns.iter().zip(&row).skip(1).collect();
        assert_eq!(columns.len(), row.len());
        let cell = |(column, text): (&&'static str, &&'static str)| Cell {
            caller: row[0],
            column,
            expected: expected(text),
        };
        pairs.into_iter().map(cell).collect::<Vec<_>>()
    };
    lines.flat_map(row).collect()
}

/// The body that makes the resource and its metric, for the id of the project `p2`.
pub(crate) fn resource(id: &str, owner_project: &str) -> Value {
    let metrics = json!({"cpu": {"archive_policy_name": "second"}});
    json!({"id": id, "project_id": owner_project, "metrics": metrics})
}

/// Returns method, path and body of a column.
pub(crate) fn request(column: &str, resource: &str, metric: &str) -> (&'static str, String, Value) {
    let of_resource = |below: &str| format!("/v1/resource/generic/{resource}{below}");
    let measures = format!("/v1/metric/{metric}/measures");
    match column {
        "show" => ("GET", of_resource(""), Value::Null),
        "metrics" => ("GET", of_resource("/metric"), Value::Null),
        "listed" => ("GET", "/v1/resource/generic".to_owned(), Value::Null),
        "found" => (
            "POST",
            "/v1/search/resource/generic".to_owned(),
            json!({"=": {"id": resource}}),
        ),
        "read" => ("GET", measures, Value::Null),
        "send" => (
            "POST",
            measures,
            json!([{"timestamp": "2015-06-06T14:00:00", "value": 1}]),
        ),
        "change" => ("PATCH", of_resource(""), json!({"user_id": "u9"})),
        "counted" => ("GET", "/v1/metric".to_owned(), Value::Null),
        "values" => (
            "POST",
            format!("/v1/search/metric?metric_id={metric}"),
            json!({"=": 1}),
        ),
        "legacy" => (
            "GET",
            format!("/v1/aggregation/metric?metric={metric}"),
            Value::Null,
        ),
        "by-id" => (
            "POST",
            "/v1/aggregates".to_owned(),
            json!({"operations": ["metric", [metric, "mean"]]}),
        ),
        "delete" => ("DELETE", of_resource(""), Value::Null),
        other => panic!("there is no column {other}"),
    }
}

/// Checks an answer.
pub(crate) fn check(cell: &Cell, thing: &str, status: u16, body: &str) {
    let (caller, column) = (cell.caller, cell.column);
    match cell.expected {
        Expected::Status(expected) => {
            assert_eq!(status, expected, "{column} as {caller}: {body}");
        }
        Expected::Inside | Expected::Outside => {
            assert_eq!(status, 200, "{column} as {caller}: {body}");
            let is_inside = body.contains(thing);
            let expected = cell.expected == Expected::Inside;
            assert_eq!(is_inside, expected, "{column} as {caller}: {body}");
        }
    }
}
