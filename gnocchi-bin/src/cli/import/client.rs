//! The calls that an import makes.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use http::{Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use thiserror::Error;
use tokio::sync::OnceCell;

use super::advice::TOO_LATE;
use super::arguments::ServerArgs;
use super::batch::Batch;
use super::credentials::{Credentials, SecretError};
use super::refusal::{hint, reason};
use super::report::Taken;
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
    /// The server refuses to create the resource.
    #[error("cannot create the resource {resource:?}: {source}")]
    Resource {
        /// The resource, as the user calls it.
        resource: String,
        /// Why.
        source: Box<Self>,
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
            | Self::Resource { .. }
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

/// A connection to one server, as one user, for one target.
pub(super) struct Client {
    http: reqwest::Client,
    endpoint: String,
    credentials: Credentials,
    target: Target,
    /// Whether the server has responded before: then it is worth while to wait for it.
    reached: AtomicBool,
    /// What the resource has, once it is known to exist.
    found: OnceCell<Found>,
}

/// What the resource had before the first points were sent.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Its metrics whose archive policy is not the one that was named, with theirs.
    pub(super) of_other_policies: BTreeMap<String, String>,
}

/// The wire form of a metric in a listing, as far as it is read.
#[derive(Debug, Deserialize)]
struct ListedMetric {
    name: Option<String>,
    archive_policy: ListedPolicy,
}

#[derive(Debug, Deserialize)]
struct ListedPolicy {
    name: String,
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
            found: OnceCell::new(),
        })
    }

    /// Returns where the points go.
    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// Makes sure that the server responds, and that the archive policy exists if one is named. Nothing is created yet: there may be
    /// nothing to send.
    ///
    /// # Errors
    /// [`ClientError`] when the server cannot be reached, or knows no such policy.
    pub(super) async fn prepare(&self) -> Result<(), ClientError> {
        self.call(&Method::GET, "/v1/capabilities", String::new())
            .await?;
        if let Some(policy) = &self.target.policy {
            let path = format!("/v1/archive_policy/{}", escaped(policy));
            self.call(&Method::GET, &path, String::new()).await?;
        }
        Ok(())
    }

    /// Makes sure that the resource exists, if it may be created; what it had before is found out once.
    ///
    /// # Errors
    /// [`ClientError`] when the resource cannot be created.
    pub(super) async fn find_resource(&self) -> Result<&Found, ClientError> {
        self.found
            .get_or_try_init(|| async {
                if !self.target.create || self.create_resource().await? {
                    return Ok(Found::default());
                }
                let of_other_policies = match &self.target.policy {
                    Some(policy) => self.metrics_of_other_policies(policy).await,
                    None => BTreeMap::new(),
                };
                Ok(Found { of_other_policies })
            })
            .await
    }

    /// Creates the resource; returns whether it did not exist.
    async fn create_resource(&self) -> Result<bool, ClientError> {
        let body = serde_json::json!({ "id": self.target.resource }).to_string();
        match self.call(&Method::POST, "/v1/resource/generic", body).await {
            Ok(_) => Ok(true),
            Err(ClientError::Refused {
                status: StatusCode::CONFLICT,
                ..
            }) => Ok(false),
            Err(source) => Err(ClientError::Resource {
                resource: self.target.resource.clone(),
                source: Box::new(source),
            }),
        }
    }

    /// Returns the metrics of the resource with another archive policy; none if they cannot be listed, since they only make a remark.
    async fn metrics_of_other_policies(&self, policy: &str) -> BTreeMap<String, String> {
        let path = format!(
            "/v1/resource/generic/{}/metric",
            escaped(&self.target.resource)
        );
        let listed = self.call(&Method::GET, &path, String::new()).await;
        let metrics: Vec<ListedMetric> = listed
            .ok()
            .and_then(|body| serde_json::from_slice(&body).ok())
            .unwrap_or_default();
        metrics
            .into_iter()
            .filter(|metric| metric.archive_policy.name != policy)
            .filter_map(|metric| Some((metric.name?, metric.archive_policy.name)))
            .collect()
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
        for (metric, report) in reports {
            taken.accepted += report.accepted;
            if report
                .rejected
                .get(TOO_LATE)
                .is_some_and(|points| *points > 0)
            {
                taken.late_metrics.push(metric);
            }
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

    pub(super) async fn call(
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

/// Escapes a text as a part of a path.
pub(super) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

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
