//! The calls that an import makes.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use carbonara::{Timespan, Timestamp};
use http::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use http::{Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use thiserror::Error;

use super::arguments::ServerArgs;
use super::batch::Batch;
use super::credentials::{Credentials, SecretError};
use super::report::Taken;
use super::timestamp::shown as shown_timestamp;
use crate::api::timespan;
use crate::api::timestamp::parse_iso;
use crate::cli::Failure;
use crate::outgoing::{self, OutgoingError, TlsSettings, Verification};

/// How long one request may take; a server that folds while it responds needs seconds at most.
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
    #[error(
        "{endpoint} is not the address of a server: it reads like http://127.0.0.1:8041 or https://metrics.example.org"
    )]
    Endpoint {
        /// The address.
        endpoint: String,
    },
    /// A secret that the user has named cannot be used.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// Certificates that the user has named cannot be used.
    #[error(transparent)]
    Tls(#[from] OutgoingError),
    /// The server cannot be reached, or did not respond.
    #[error("cannot talk to {endpoint}; {}", unreachable_hint(source))]
    Unreachable {
        /// The address.
        endpoint: String,
        /// Why.
        source: reqwest::Error,
    },
    /// The server sends its callers elsewhere.
    #[error("{endpoint} redirects to {location}; name the right address with --endpoint")]
    Redirected {
        /// The address.
        endpoint: String,
        /// Where to.
        location: String,
    },
    /// The server refused the call.
    #[error("the server responded {}: {reason}{}", status.as_u16(), hint(*status, reason))]
    Refused {
        /// The status.
        status: StatusCode,
        /// Its explanation.
        reason: String,
    },
    /// The response makes no sense.
    #[error("the response of the server cannot be understood; is it older than this program?")]
    Response {
        /// Why.
        source: serde_json::Error,
    },
}

impl ClientError {
    /// Returns whether every further call would end the same way.
    pub(super) fn is_fatal(&self) -> bool {
        match self {
            Self::Endpoint { .. }
            | Self::Secret(_)
            | Self::Tls(_)
            | Self::Unreachable { .. }
            | Self::Redirected { .. }
            | Self::Response { .. } => true,
            Self::Refused { status, .. } => {
                matches!(*status, StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND)
            }
        }
    }

    /// Returns whether something in the body was wrong, which need not be wrong in a part of it.
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

/// Says what can be done about a refusal, if that is known.
fn hint(status: StatusCode, reason: &str) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST if reason.starts_with("Unknown ") => {
            " (--create creates what is missing)"
        }
        StatusCode::BAD_REQUEST if reason.contains("no archive policy rule found") => {
            " (--policy names the archive policy of new metrics)"
        }
        StatusCode::UNAUTHORIZED => {
            " (see --user, --password-file and --token-file, or GNOCCHI_PASSWORD and GNOCCHI_TOKEN)"
        }
        _ => "",
    }
}

/// Says what may be wrong with a server that cannot be reached.
fn unreachable_hint(error: &reqwest::Error) -> &'static str {
    match tls_error(error) {
        Some(rustls::Error::InvalidCertificate(_)) => {
            "its certificate is not trusted; --cacert names a file of certificates to trust"
        }
        Some(_) => "does it speak https, or only http?",
        None => "is a server running there? (gnocchi serve)",
    }
}

/// Finds the error of TLS among the causes of another one.
fn tls_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // What an error of the system wraps is not among its causes.
        let wrapped = error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        cause = match wrapped {
            Some(wrapped) => Some(wrapped as &(dyn StdError + 'static)),
            None => error.source(),
        };
    }
    None
}

/// The wire form of the report on one metric.
#[derive(Debug, Deserialize)]
struct MetricReport {
    accepted: usize,
    #[serde(default)]
    rejected: BTreeMap<String, usize>,
}

/// What decides which points a metric takes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct MetricWindow {
    /// The beginning of the newest bucket of the coarsest granularity.
    pub(super) newest_block: Timestamp,
    /// The coarsest granularity.
    pub(super) granularity: Timespan,
    /// The name of its archive policy.
    pub(super) policy: String,
    /// How many buckets of the coarsest granularity older than the newest one are taken.
    pub(super) back_window: u64,
}

/// The wire form of a metric, as far as it is read.
#[derive(Debug, Deserialize)]
struct MetricView {
    archive_policy: PolicyView,
}

#[derive(Debug, Deserialize)]
struct PolicyView {
    name: String,
    back_window: u64,
    definition: Vec<LevelView>,
    aggregation_methods: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct LevelView {
    granularity: String,
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
    credentials: Credentials,
    target: Target,
    /// Whether the server has responded before: then it is worth while to wait for it.
    reached: AtomicBool,
}

impl Client {
    /// Prepares the connection without opening it.
    pub(super) fn new(
        arguments: &ServerArgs,
        credentials: Credentials,
        target: Target,
    ) -> Result<Self, ClientError> {
        let endpoint = arguments.endpoint.trim_end_matches('/').to_owned();
        let is_address = reqwest::Url::parse(&endpoint).is_ok_and(|url| {
            matches!(url.scheme(), "http" | "https") && url.has_host() && url.username().is_empty()
        });
        if !is_address {
            return Err(ClientError::Endpoint { endpoint });
        }
        let verification = if arguments.insecure {
            Verification::Skipped
        } else {
            Verification::Checked
        };
        let tls = TlsSettings {
            verification,
            ca_file: arguments.cacert.clone(),
            client_certificate: None,
        };
        let http = outgoing::confidential_client().timeout(REQUEST_TIMEOUT);
        let http = outgoing::with_tls(http, &tls)?.build();
        Ok(Self {
            http: http.map_err(OutgoingError::from)?,
            endpoint,
            credentials,
            target,
            reached: AtomicBool::new(false),
        })
    }

    /// Returns where the points go.
    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// Makes sure that the server responds, and that the resource exists, if it may be created.
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
    pub(super) async fn send(&self, batch: &Batch) -> Result<Taken, ClientError> {
        let path = format!(
            "/v1/batch/resources/metrics/measures?create_metrics={}&report=true",
            self.target.create
        );
        let body = batch.body(&self.target.resource, self.target.policy.as_deref());
        let answer = self.call(&Method::POST, &path, body).await?;
        let reports: BTreeMap<String, MetricReport> =
            serde_json::from_slice(&answer).map_err(|source| ClientError::Response { source })?;
        let mut taken = Taken::default();
        for report in reports.into_values() {
            taken.accepted += report.accepted;
            for (reason, points) in report
                .rejected
                .into_iter()
                .filter(|(_, points)| *points > 0)
            {
                *taken.rejected.entry(reason).or_default() += points;
            }
        }
        Ok(taken)
    }

    /// Returns what the archive policy of a metric takes, and the newest point that the metric has at or after a timestamp; `None`
    /// when the server does not say it.
    pub(super) async fn window(&self, metric: &str, after_ns: i64) -> Option<MetricWindow> {
        let escape = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let path = format!(
            "/v1/resource/generic/{}/metric/{}",
            escape(&self.target.resource),
            escape(metric)
        );
        let shown = self.call(&Method::GET, &path, String::new()).await.ok()?;
        let MetricView {
            archive_policy: policy,
        } = serde_json::from_slice(&shown).ok()?;
        let granularities = policy.definition.iter();
        let granularity = granularities
            .filter_map(|level| timespan::parse(&level.granularity).ok())
            .max()?;
        let seconds = granularity.as_second_f64();
        let (method, start) = (
            policy.aggregation_methods.first()?,
            shown_timestamp(after_ns),
        );
        let path = format!(
            "{path}/measures?granularity={seconds}&aggregation={}&start={}",
            escape(method),
            escape(&start)
        );
        let read = self.call(&Method::GET, &path, String::new()).await.ok()?;
        let rows: Vec<(String, f64, f64)> = serde_json::from_slice(&read).ok()?;
        let (newest, ..) = rows.last()?;
        Some(MetricWindow {
            newest_block: parse_iso(newest.as_bytes()).ok()?,
            granularity,
            policy: policy.name,
            back_window: policy.back_window,
        })
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
                // Where no server ever responded, there is none to wait for.
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
            .request(method, format!("{}{path}", self.endpoint));
        let request = self
            .credentials
            .apply(request)
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json")
            .body(body);
        let response = request.send().await.map_err(unreachable)?;
        self.reached.store(true, Ordering::Relaxed);
        let status = response.status();
        let location = response.headers().get(LOCATION);
        if status.is_redirection()
            && let Some(location) = location.and_then(|location| location.to_str().ok())
        {
            return Err(ClientError::Redirected {
                endpoint: self.endpoint.clone(),
                location: location.to_owned(),
            });
        }
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
            "the server responded 400: Unknown metrics: a/b (--create creates what is missing)"
        );
        assert_eq!(
            refused(StatusCode::FORBIDDEN, "no"),
            "the server responded 403: no"
        );
    }

    #[test]
    fn addresses_are_http_or_https() {
        let target = Target {
            resource: "r".into(),
            policy: None,
            create: false,
        };
        let check = |endpoint: &str, good: bool| {
            let arguments = ServerArgs {
                endpoint: endpoint.into(),
                user: "u".into(),
                password_file: None,
                token_file: None,
                token: None,
                cacert: None,
                insecure: false,
            };
            let credentials = Credentials::Token("t".into());
            let client = Client::new(&arguments, credentials, target.clone());
            assert_eq!(client.is_ok(), good, "{endpoint}");
        };
        check("http://h:1/", true);
        check("https://h", true);
        check("https://h/metric", true);
        check("h:8041", false);
        check("ftp://h", false);
        check("http://", false);
        check("http://bob:secret@h", false);
    }
}
