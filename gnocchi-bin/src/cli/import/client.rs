//! The calls that an import makes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Method, StatusCode};
use serde::Deserialize;
use thiserror::Error;

use super::batch::Batch;
use crate::cli::Failure;
use crate::outgoing;

/// How long one request may take; a server that folds while it answers needs seconds at most.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(1);

/// How often a request is sent again after the server was busy or out of reach. Points of a request that did arrive are
/// replaced by the same points, so that repeating one is safe.
const RETRIES_MAX: u32 = 7;

/// The pause before the first repetition; each further one is twice as long.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// Where the points go.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// The resource, as the user calls it.
    pub(super) resource: String,
    /// The archive policy of metrics that are created.
    pub(super) policy: Option<String>,
    /// Whether what is missing is created.
    pub(super) create: bool,
}

/// Why a call had no success.
#[derive(Debug, Error)]
pub(super) enum ClientError {
    /// The address cannot be used.
    #[error("{endpoint} is not the address of a server: it reads like http://127.0.0.1:8041")]
    Endpoint {
        /// The address.
        endpoint: String,
    },
    /// The server cannot be reached, or did not answer.
    #[error("cannot talk to {endpoint}; is a server running there? (gnocchi serve)")]
    Unreachable {
        /// The address.
        endpoint: String,
        /// Why.
        source: reqwest::Error,
    },
    /// The server refused the call.
    #[error("the server answers {}: {reason}{}", status.as_u16(), hint(*status, reason))]
    Refused {
        /// The status.
        status: StatusCode,
        /// Its explanation.
        reason: String,
    },
    /// The answer makes no sense.
    #[error("the server's answer cannot be understood; is it older than this program?")]
    Answer {
        /// Why.
        source: serde_json::Error,
    },
}

impl ClientError {
    /// Tells whether every further call would end the same way.
    pub(super) fn is_fatal(&self) -> bool {
        match self {
            Self::Endpoint { .. } | Self::Unreachable { .. } | Self::Answer { .. } => true,
            Self::Refused { status, .. } => {
                matches!(*status, StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND)
            }
        }
    }

    /// Tells whether something in the body was wrong, which need not be wrong in a part of it.
    pub(super) fn is_about_content(&self) -> bool {
        matches!(
            self,
            Self::Refused {
                status: StatusCode::BAD_REQUEST,
                ..
            }
        )
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::Tool(Box::new(error))
    }
}

fn hint(status: StatusCode, reason: &str) -> &'static str {
    if status == StatusCode::BAD_REQUEST && reason.starts_with("Unknown ") {
        " (--create creates what is missing)"
    } else {
        ""
    }
}

/// What the server did with the points of one request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Reply {
    /// Points taken.
    pub(super) accepted: usize,
    /// Points not taken, by reason.
    pub(super) rejected: BTreeMap<String, usize>,
}

/// The wire form of the report on one metric.
#[derive(Debug, Deserialize)]
struct MetricReport {
    accepted: usize,
    #[serde(default)]
    rejected: BTreeMap<String, usize>,
}

/// The wire form of an error.
#[derive(Debug, Deserialize)]
struct ErrorBody {
    title: String,
    description: serde_json::Value,
}

/// A connection to one server, as one user, for one target.
pub(super) struct Client {
    http: reqwest::Client,
    endpoint: String,
    user: String,
    password: String,
    target: Target,
    /// Whether the server has answered before: then it is worth while to wait for it.
    reached: AtomicBool,
}

impl Client {
    /// Prepares the connection without opening it.
    pub(super) fn new(
        endpoint: &str,
        user: String,
        password: String,
        target: Target,
    ) -> Result<Self, ClientError> {
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        if !endpoint.starts_with("http://") {
            return Err(ClientError::Endpoint { endpoint });
        }
        let http = outgoing::client().timeout(REQUEST_TIMEOUT).build();
        let http = http.map_err(|source| ClientError::Unreachable {
            endpoint: endpoint.clone(),
            source,
        })?;
        Ok(Self {
            http,
            endpoint,
            user,
            password,
            target,
            reached: AtomicBool::new(false),
        })
    }

    /// Makes sure that the server answers, and that the resource exists, if it may be created.
    pub(super) async fn prepare(&self) -> Result<(), ClientError> {
        if !self.target.create {
            return self
                .call(&Method::GET, "/v1/capabilities", String::new())
                .await
                .map(|_| ());
        }
        let body = serde_json::json!({ "id": self.target.resource }).to_string();
        match self.call(&Method::POST, "/v1/resource/generic", body).await {
            Ok(_)
            | Err(ClientError::Refused {
                status: StatusCode::CONFLICT,
                ..
            }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Sends one batch.
    pub(super) async fn send(&self, batch: &Batch) -> Result<Reply, ClientError> {
        let path = format!(
            "/v1/batch/resources/metrics/measures?create_metrics={}&report=true",
            self.target.create
        );
        let body = batch.body(&self.target.resource, self.target.policy.as_deref());
        let answer = self.call(&Method::POST, &path, body).await?;
        let reports: BTreeMap<String, MetricReport> =
            serde_json::from_slice(&answer).map_err(|source| ClientError::Answer { source })?;
        let mut reply = Reply::default();
        for report in reports.into_values() {
            reply.accepted += report.accepted;
            for (reason, points) in report
                .rejected
                .into_iter()
                .filter(|(_, points)| *points > 0)
            {
                *reply.rejected.entry(reason).or_default() += points;
            }
        }
        Ok(reply)
    }

    async fn call(
        &self,
        method: &Method,
        path: &str,
        body: String,
    ) -> Result<bytes::Bytes, ClientError> {
        let body = bytes::Bytes::from(body);
        let mut retries = 0;
        loop {
            let result = self.call_once(method.clone(), path, body.clone()).await;
            let busy = match &result {
                // Where no server ever answered, there is none to wait for.
                Err(ClientError::Unreachable { source, .. }) => {
                    self.reached.load(Ordering::Relaxed) || !source.is_connect()
                }
                Err(ClientError::Refused { status, .. }) => {
                    matches!(
                        *status,
                        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS
                    )
                }
                _ => false,
            };
            if !busy || retries == RETRIES_MAX {
                return result;
            }
            tokio::time::sleep(RETRY_PAUSE * 2_u32.pow(retries)).await;
            retries += 1;
        }
    }

    async fn call_once(
        &self,
        method: Method,
        path: &str,
        body: bytes::Bytes,
    ) -> Result<bytes::Bytes, ClientError> {
        let unreachable = |source: reqwest::Error| ClientError::Unreachable {
            endpoint: self.endpoint.clone(),
            source: source.without_url(),
        };
        let request = self
            .http
            .request(method, format!("{}{path}", self.endpoint))
            .basic_auth(&self.user, Some(&self.password));
        let request = request
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json")
            .body(body);
        let response = request.send().await.map_err(unreachable)?;
        self.reached.store(true, Ordering::Relaxed);
        let status = response.status();
        let answer = response.bytes().await.map_err(unreachable)?;
        if status.is_success() {
            Ok(answer)
        } else {
            Err(ClientError::Refused {
                status,
                reason: reason(status, &answer),
            })
        }
    }
}

/// Returns the explanation in an error body.
fn reason(status: StatusCode, answer: &[u8]) -> String {
    match serde_json::from_slice::<ErrorBody>(answer) {
        Ok(ErrorBody {
            description: serde_json::Value::String(text),
            ..
        }) if !text.is_empty() => text,
        Ok(ErrorBody { title, description }) if description.is_null() || description == "" => title,
        Ok(ErrorBody { description, .. }) => description.to_string(),
        Err(_) => status
            .canonical_reason()
            .unwrap_or("no explanation")
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn explanations_are_found() {
        let check = |body: &str, expected: &str| {
            assert_eq!(reason(StatusCode::BAD_REQUEST, body.as_bytes()), expected);
        };
        check(
            r#"{"code": 400, "title": "Bad Request", "description": "Unknown metrics: a/b"}"#,
            "Unknown metrics: a/b",
        );
        check(
            r#"{"code": 400, "title": "Bad Request", "description": {"cause": "x"}}"#,
            r#"{"cause":"x"}"#,
        );
        check(
            r#"{"code": 403, "title": "Forbidden", "description": ""}"#,
            "Forbidden",
        );
        check("<html>", "Bad Request");
    }

    #[test]
    fn unknown_things_get_a_hint() {
        let refused = |status, reason: &str| {
            ClientError::Refused {
                status,
                reason: reason.into(),
            }
            .to_string()
        };
        let unknown = refused(StatusCode::BAD_REQUEST, "Unknown metrics: a/b");
        assert_eq!(
            unknown,
            "the server answers 400: Unknown metrics: a/b (--create creates what is missing)"
        );
        assert_eq!(
            refused(StatusCode::FORBIDDEN, "no"),
            "the server answers 403: no"
        );
    }

    #[test]
    fn only_plain_http_addresses_are_taken() {
        let target = Target {
            resource: "r".into(),
            policy: None,
            create: false,
        };
        let check = |endpoint: &str, good: bool| {
            let client = Client::new(endpoint, "u".into(), String::new(), target.clone());
            assert_eq!(client.is_ok(), good, "{endpoint}");
        };
        check("http://h:1/", true);
        check("https://h", false);
        check("h:8041", false);
    }
}
