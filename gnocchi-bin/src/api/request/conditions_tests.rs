use std::collections::BTreeMap;

use carbonara::Timestamp;
use http::HeaderName;

use crate::api::request::conditions::*;

const TAG: &str = "fc13ecf19d6de078eafd8bdd07c2d5a7694d3e0d";

/// When the revision of the vector began, and a second before and after.
const SAME: &str = "Sat, 21 Nov 2026 21:58:36 GMT";
const BEFORE: &str = "Sat, 21 Nov 2026 21:58:35 GMT";
const AFTER: &str = "Sat, 21 Nov 2026 21:58:37 GMT";

fn resource() -> Resource {
    let timestamp: jiff::Timestamp = "2026-11-21T21:58:36.357634Z".parse().unwrap();
    let nanosecond = i64::try_from(timestamp.as_nanosecond()).unwrap();
    let begun = Timestamp::from_nanosecond(nanosecond).unwrap();
    Resource {
        id: "f93450f2-d8a5-4d67-9985-02511241e7d1".parse().unwrap(),
        resource_type: "generic".to_owned(),
        creator: None,
        original_resource_id: String::new(),
        started_at: begun,
        ended_at: None,
        revision_start: begun,
        revision_end: None,
        revision: None,
        user_id: None,
        project_id: None,
        attributes: BTreeMap::new(),
        metrics: BTreeMap::new(),
    }
}

fn conditions(method: &Method, headers: &[(HeaderName, &str)]) -> Conditions {
    let headers = headers
        .iter()
        .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()));
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(name, value);
    }
    Conditions::new(method, &map)
}

fn outcome(method: &Method, headers: &[(HeaderName, &str)]) -> u16 {
    match conditions(method, headers).check(&Version::of(&resource())) {
        Ok(Verdict::GoOn) => 200,
        Ok(Verdict::Answer(response)) => response.status().as_u16(),
        Err(error) => error.status.as_u16(),
    }
}

/// Checks one request that reads and one that changes.
#[track_caller]
fn check(headers: &[(HeaderName, &str)], reading: u16, changing: u16) {
    assert_eq!(outcome(&Method::GET, headers), reading, "GET {headers:?}");
    assert_eq!(outcome(&Method::HEAD, headers), reading, "HEAD {headers:?}");
    assert_eq!(
        outcome(&Method::PATCH, headers),
        changing,
        "PATCH {headers:?}"
    );
    assert_eq!(
        outcome(&Method::DELETE, headers),
        changing,
        "DELETE {headers:?}"
    );
}

#[test]
fn tags_are_those_of_existing_deployments() {
    let marked = Version::of(&resource()).mark(StatusCode::OK.into_response());
    assert_eq!(marked.headers()[ETAG], format!("\"{TAG}\""));
    assert_eq!(marked.headers()[LAST_MODIFIED], SAME);
}

#[test]
fn no_condition() {
    check(&[], 200, 200);
}

#[test]
fn the_state_must_be_a_certain_one() {
    let quoted = format!("\"{TAG}\"");
    let check = |value: &str, status: u16| check(&[(IF_MATCH, value)], status, status);
    check(&quoted, 200);
    check(TAG, 200);
    check("*", 200);
    check(&format!("\"x\", {quoted}"), 200);
    check(&format!("W/{quoted}"), 412);
    check("\"x\"", 412);
    check("", 412);
}

#[test]
fn the_state_must_not_be_a_certain_one() {
    let quoted = format!("\"{TAG}\"");
    let check =
        |value: &str, reading, changing| check(&[(IF_NONE_MATCH, value)], reading, changing);
    check(&quoted, 304, 412);
    check(TAG, 304, 412);
    check("*", 304, 412);
    check(&format!("W/{quoted}"), 304, 412);
    check(&format!("\"x\",{quoted}"), 304, 412);
    check("\"x\"", 200, 200);
}

#[test]
fn times() {
    let since = |date: &'static str| [(IF_MODIFIED_SINCE, date)];
    check(&since(BEFORE), 200, 200);
    check(&since(SAME), 304, 200);
    check(&since(AFTER), 304, 200);
    check(&since("yesterday"), 200, 200);
    let not_since = |date: &'static str| [(IF_UNMODIFIED_SINCE, date)];
    check(&not_since(BEFORE), 412, 412);
    check(&not_since(SAME), 200, 200);
    check(&not_since(AFTER), 200, 200);
    check(&not_since("yesterday"), 200, 200);
}

#[test]
fn tags_count_before_times() {
    check(&[(IF_MATCH, TAG), (IF_UNMODIFIED_SINCE, BEFORE)], 200, 200);
    check(&[(IF_MATCH, "x"), (IF_UNMODIFIED_SINCE, AFTER)], 412, 412);
    check(
        &[(IF_NONE_MATCH, "x"), (IF_MODIFIED_SINCE, AFTER)],
        200,
        200,
    );
    check(
        &[(IF_NONE_MATCH, TAG), (IF_MODIFIED_SINCE, BEFORE)],
        304,
        412,
    );
    check(&[(IF_MATCH, "x"), (IF_NONE_MATCH, TAG)], 412, 412);
    check(&[(IF_MATCH, TAG), (IF_NONE_MATCH, TAG)], 304, 412);
}

#[test]
fn several_lines_are_one_list() {
    check(&[(IF_MATCH, "x"), (IF_MATCH, TAG)], 200, 200);
}
