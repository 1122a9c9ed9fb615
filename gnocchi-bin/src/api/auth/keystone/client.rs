//! The requests to Keystone, one function each.

use std::fmt;
use std::time::Duration;

use reqwest::{Client as Http, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use thiserror::Error;
use tokio::time::sleep;

use super::settings::{KeystoneSettings, Secret};
use super::token::{Expired, Identity};
use super::wire::{TokenDocument, password_request};
use crate::outgoing::{self, OutgoingError};

/// How long one request may take, connection included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// The pause before a request is sent again; it doubles each time.
const PAUSE: Duration = Duration::from_millis(100);

/// The longest answer that is read, in bytes. The catalog of a large cloud takes some ten thousand.
const ANSWER_BYTES_MAX: usize = 1 << 20;

const AUTH_TOKEN: &str = "X-Auth-Token";
const SUBJECT_TOKEN: &str = "X-Subject-Token";

/// A request that has no usable answer.
#[derive(Debug, Error)]
pub(super) enum ClientError {
    /// There is no connection, or no answer in time.
    #[error("the request failed")]
    Request(#[from] reqwest::Error),
    /// The answer is not one that Keystone gives.
    #[error("status {status}")]
    Status { status: StatusCode },
    /// The answer cannot be read.
    #[error("the response cannot be read")]
    Body,
}

impl ClientError {
    /// Returns whether the next request will fail as well, whatever its token: there is no connection, or Keystone itself says
    /// that it is out of service. Anything else may be the fault of one token, and must not lock other users out.
    pub(super) fn is_outage(&self) -> bool {
        match self {
            Self::Request(error) => error.is_connect(),
            Self::Status { status } => *status == StatusCode::SERVICE_UNAVAILABLE,
            Self::Body => false,
        }
    }
}

/// A token of the service user.
#[derive(Debug)]
pub(super) struct Login {
    pub(super) token: Secret,
    pub(super) document: TokenDocument,
}

/// What Keystone says of a token.
#[derive(Debug)]
pub(super) enum Answer {
    /// It is valid.
    Known(Identity),
    /// It is invalid.
    Unknown,
    /// The token of the service user does not count any more.
    LoginExpired,
}

/// Sends requests to Keystone.
pub(super) struct Client {
    http: Http,
    /// Holds the password of the service user.
    login: Value,
    auth_url: String,
    retries_max: u32,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("auth_url", &self.auth_url)
            .field("retries_max", &self.retries_max)
            .finish_non_exhaustive()
    }
}

impl Client {
    pub(super) fn new(settings: &KeystoneSettings) -> Result<Self, OutgoingError> {
        let builder = outgoing::confidential_client()
            .connect_timeout(settings.connect_timeout)
            .timeout(REQUEST_TIMEOUT);
        Ok(Self {
            http: outgoing::with_tls(builder, &settings.tls)?.build()?,
            login: password_request(&settings.service_user),
            auth_url: versioned(&settings.auth_url),
            retries_max: settings.retries_max,
        })
    }

    /// Asks for a token of the service user.
    pub(super) async fn log_in(&self) -> Result<Login, ClientError> {
        let address = format!("{}/auth/tokens", self.auth_url);
        let response = self.send(self.http.post(address).json(&self.login)).await?;
        if !response.status().is_success() {
            return Err(ClientError::Status {
                status: response.status(),
            });
        }
        let token = response.headers().get(SUBJECT_TOKEN);
        let token = token.and_then(|token| token.to_str().ok());
        let token = Secret(token.ok_or(ClientError::Body)?.to_owned());
        let document = read(response).await?;
        Ok(Login { token, document })
    }

    /// Asks whom a token stands for, at the address from the catalog if there is one.
    pub(super) async fn look_up(
        &self,
        endpoint: Option<&str>,
        login: &Secret,
        token: &str,
        expired: Expired,
    ) -> Result<Answer, ClientError> {
        let base = endpoint.map_or_else(|| self.auth_url.clone(), versioned);
        let mut address = format!("{base}/auth/tokens?nocatalog");
        if expired == Expired::Accepted {
            address.push_str("&allow_expired=1");
        }
        let request = self
            .http
            .get(address)
            .header(AUTH_TOKEN, &login.0)
            .header(SUBJECT_TOKEN, token);
        let response = self.send(request).await?;
        match response.status() {
            StatusCode::OK => {
                let document: TokenDocument = read(response).await?;
                let identity = document.identity().ok_or(ClientError::Body)?;
                Ok(Answer::Known(identity))
            }
            StatusCode::NOT_FOUND => Ok(Answer::Unknown),
            StatusCode::UNAUTHORIZED => Ok(Answer::LoginExpired),
            status => Err(ClientError::Status { status }),
        }
    }

    /// Sends a request, again when it fails in a way that may pass.
    async fn send(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let mut pause = PAUSE;
        for _ in 0..self.retries_max {
            let Some(copy) = request.try_clone() else {
                break;
            };
            match copy.send().await {
                Ok(response) if !response.status().is_server_error() => return Ok(response),
                Ok(_) | Err(_) => sleep(pause).await,
            }
            pause *= 2;
        }
        Ok(request.send().await?)
    }
}

async fn read(response: Response) -> Result<TokenDocument, ClientError> {
    let body = outgoing::body(response, ANSWER_BYTES_MAX).await?;
    let document = body.and_then(|body| serde_json::from_slice(&body).ok());
    document.ok_or(ClientError::Body)
}

/// Adds the version to an address that has none, or another one.
fn versioned(address: &str) -> String {
    let address = address.trim_end_matches('/');
    let base = ["/v3", "/v2.0"]
        .iter()
        .find_map(|version| address.strip_suffix(version))
        .unwrap_or(address);
    format!("{base}/v3")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_get_the_version() {
        let check = |address: &str, expected: &str| assert_eq!(versioned(address), expected);
        check("http://h:5000", "http://h:5000/v3");
        check("http://h:5000/", "http://h:5000/v3");
        check("http://h:5000/v3", "http://h:5000/v3");
        check("http://h:5000/v3/", "http://h:5000/v3");
        check("http://h/identity/v2.0", "http://h/identity/v3");
        check("http://h/identity", "http://h/identity/v3");
    }
}
