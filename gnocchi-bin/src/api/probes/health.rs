//! Whether this server should get requests, as load balancers ask.
//!
//! `/healthcheck` is about readiness: 503 when a file says so, and while the store accepts no writes. `/healthcheck/live` is about
//! the process: an orchestrator that restarts an unresponsive server must not do so because of a full disk.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use axum::extract::{ConnectInfo, Request, State};
use axum::response::{IntoResponse, Response};
use gnocchi_core::Gnocchi;
use gnocchi_core::error::{BackendError, BackendErrorKind};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::{Value, json};

use crate::api::response::accept::{ErrorFormat, error_format};
use crate::api::response::error::ApiError;
use crate::api::response::error_body::escaped;
use crate::api::response::render;
use crate::api::settings::HealthcheckSettings;
use crate::api::state::ApiState;
use crate::causes::with_causes;

/// Headers that say that a proxy passed the request on.
const PROXY_HEADERS: [&str; 4] = [
    "forwarded",
    "forwarded-for",
    "x-forwarded",
    "x-forwarded-for",
];

/// Why the server should get no requests.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    check: &'static str,
    reason: &'static str,
    details: String,
}

/// `/healthcheck` and everything below it, with whatever method.
pub(in crate::api) async fn health(State(state): State<ApiState>, request: Request) -> Response {
    let settings = &state.settings().healthcheck;
    // Files and disks are not examined for clients that get no response.
    if !is_open_to(settings, peer_of(&request), request.headers()) {
        return ApiError::no_such_address().into_response();
    }
    respond(settings, &findings(&state).await, &request)
}

async fn findings(state: &ApiState) -> Vec<Finding> {
    let mut findings = examine(&state.settings().healthcheck).await;
    findings.extend(examine_store(state.gnocchi()).await);
    findings
}

/// `/healthcheck/live`, with whatever method: the process responds.
pub(in crate::api) async fn live(State(state): State<ApiState>, request: Request) -> Response {
    let settings = &state.settings().healthcheck;
    if !is_open_to(settings, peer_of(&request), request.headers()) {
        return ApiError::no_such_address().into_response();
    }
    respond(settings, &[], &request)
}

/// Returns the address of the other end of the connection.
fn peer_of(request: &Request) -> Option<IpAddr> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    peer.map(|info| info.0.ip())
}

fn respond(settings: &HealthcheckSettings, findings: &[Finding], request: &Request) -> Response {
    let status = match (findings.is_empty(), request.method() == Method::HEAD) {
        (true, true) => StatusCode::NO_CONTENT,
        (true, false) => StatusCode::OK,
        (false, _) => StatusCode::SERVICE_UNAVAILABLE,
    };
    let (body, content_type) = body(settings, findings, request.headers());
    if status == StatusCode::NO_CONTENT {
        return status.into_response();
    }
    let content_type = HeaderValue::from_static(content_type);
    (status, [(CONTENT_TYPE, content_type)], body).into_response()
}

/// Returns why the server should get no requests; empty when it should.
pub(crate) async fn reasons(state: &ApiState) -> Vec<&'static str> {
    let findings = findings(state).await;
    findings.iter().map(|finding| finding.reason).collect()
}

/// Returns whether a client may see the state; for others there is no such endpoint.
fn is_open_to(settings: &HealthcheckSettings, peer: Option<IpAddr>, headers: &HeaderMap) -> bool {
    let ranges = &settings.allowed_source_ranges;
    let is_allowed = |peer: IpAddr| ranges.iter().any(|range| range.holds(peer));
    if !ranges.is_empty() && !peer.is_some_and(is_allowed) {
        return false;
    }
    let is_proxied = PROXY_HEADERS.iter().any(|name| headers.contains_key(*name));
    !(settings.ignores_proxied_requests && is_proxied)
}

async fn examine(settings: &HealthcheckSettings) -> Vec<Finding> {
    let mut findings = Vec::new();
    for path in &settings.disabled_by {
        if exists(path).await {
            findings.push(Finding {
                check: "disable_by_file",
                reason: "DISABLED BY FILE",
                details: format!("the file {} exists", path.display()),
            });
        }
    }
    for path in &settings.enabled_by {
        if !exists(path).await {
            findings.push(Finding {
                check: "enable_by_files",
                reason: "FILE PATH MISSING",
                details: format!("the file {} does not exist", path.display()),
            });
        }
    }
    findings
}

/// Asks the store whether it accepts writes.
async fn examine_store(gnocchi: &Gnocchi) -> Option<Finding> {
    let error = gnocchi.accepts_writes().await.err()?;
    Some(Finding {
        check: "store",
        reason: match error.backend().map(BackendError::kind) {
            Some(BackendErrorKind::Full) => "disk full",
            Some(BackendErrorKind::ReadOnly) => "read-only file system",
            _ => "the store accepts no writes",
        },
        details: with_causes(&error),
    })
}

/// A file that cannot be looked at is as good as none.
async fn exists(path: &Path) -> bool {
    tokio::fs::try_exists(path).await.unwrap_or(false)
}

/// Writes the findings in the format that the client prefers, plain text if it says nothing.
fn body(
    settings: &HealthcheckSettings,
    findings: &[Finding],
    headers: &HeaderMap,
) -> (Vec<u8>, &'static str) {
    // Load balancers that take anything expect a line.
    let accept = headers.get(ACCEPT).filter(|accept| *accept != "*/*");
    let line = |finding: &Finding| {
        if settings.detailed {
            format!(
                "{}: {} ({})",
                finding.check, finding.reason, finding.details
            )
        } else {
            finding.reason.to_owned()
        }
    };
    let lines = || findings.iter().map(line);
    match accept.map(|accept| error_format(Some(accept))) {
        Some(ErrorFormat::Json) => {
            let reasons: Vec<Value> = if settings.detailed {
                findings.iter().map(detailed).collect()
            } else {
                lines().map(Value::from).collect()
            };
            let document = json!({"detailed": settings.detailed, "reasons": reasons});
            (render::to_bytes(&document), "application/json")
        }
        Some(ErrorFormat::Html) => {
            let mut items = String::new();
            for line in lines() {
                items.push_str("  <p>");
                items.push_str(&escaped(&line));
                items.push_str("</p>\n");
            }
            let page = format!(
                "<!DOCTYPE html>\n<html>\n <head>\n  <title>Healthcheck Status</title>\n </head>\n <body>\n{items} </body>\n</html>\n"
            );
            (page.into_bytes(), "text/html; charset=UTF-8")
        }
        _ => {
            let lines: Vec<String> = lines().collect();
            (lines.join("\n").into_bytes(), "text/plain; charset=UTF-8")
        }
    }
}

fn detailed(finding: &Finding) -> Value {
    json!({"class": finding.check, "reason": finding.reason, "details": finding.details})
}

#[cfg(test)]
mod tests {
    use crate::api::probes::health::*;

    fn headers(name: &'static str, value: &'static str) -> HeaderMap {
        let value = HeaderValue::from_static(value);
        HeaderMap::from_iter([(http::HeaderName::from_static(name), value)])
    }

    #[test]
    fn only_some_may_ask() {
        let settings = HealthcheckSettings {
            allowed_source_ranges: vec!["10.0.0.0/8".parse().unwrap()],
            ignores_proxied_requests: true,
            ..HealthcheckSettings::default()
        };
        let none = HeaderMap::new();
        let from = |address: &str| is_open_to(&settings, Some(address.parse().unwrap()), &none);
        assert!(from("10.1.2.3"));
        assert!(from("::ffff:10.1.2.3"));
        assert!(!from("11.1.2.3"));
        assert!(!is_open_to(&settings, None, &none));
        let peer = Some("10.1.2.3".parse().unwrap());
        assert!(!is_open_to(
            &settings,
            peer,
            &headers("x-forwarded-for", "1.2.3.4")
        ));
        assert!(is_open_to(
            &HealthcheckSettings::default(),
            None,
            &headers("forwarded", "for=x")
        ));
    }

    #[tokio::test]
    async fn files_switch_it_on_and_off() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("flag");
        let mut settings = HealthcheckSettings {
            disabled_by: vec![file.clone()],
            ..HealthcheckSettings::default()
        };
        assert_eq!(examine(&settings).await, []);
        std::fs::write(&file, "").unwrap();
        assert_eq!(examine(&settings).await[0].reason, "DISABLED BY FILE");
        settings.disabled_by.clear();
        settings.enabled_by = vec![file.clone(), directory.path().join("other")];
        let findings = examine(&settings).await;
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].reason, "FILE PATH MISSING");
    }

    #[test]
    fn one_finding_in_three_formats() {
        let finding = Finding {
            check: "disable_by_file",
            reason: "DISABLED BY FILE",
            details: "the file <x> exists".to_owned(),
        };
        let write = |detailed, accept: &'static str| {
            let settings = HealthcheckSettings {
                detailed,
                ..HealthcheckSettings::default()
            };
            let findings = std::slice::from_ref(&finding);
            let (body, _) = body(&settings, findings, &headers("accept", accept));
            String::from_utf8(body).unwrap()
        };
        assert_eq!(write(false, "*/*"), "DISABLED BY FILE");
        assert_eq!(
            write(true, "text/plain"),
            "disable_by_file: DISABLED BY FILE (the file <x> exists)"
        );
        assert_eq!(
            write(false, "application/json"),
            r#"{"detailed": false, "reasons": ["DISABLED BY FILE"]}"#
        );
        assert!(write(true, "application/json").contains(r#""class": "disable_by_file""#));
        assert!(write(true, "text/html").contains("the file &lt;x&gt; exists"));
    }
}
