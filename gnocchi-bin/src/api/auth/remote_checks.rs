//! Rules that another service decides: the question by HTTP.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use gnocchi_core::policy::{Caller, RemoteCheck};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

use crate::causes::with_causes;
use crate::outgoing::{self, OutgoingError, TlsSettings};
use gnocchi_core::access::RemoteChecker;

/// The only answer that allows something.
const ALLOWED: &str = "True";

/// The longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 1024;

/// How a question is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RemoteContentType {
    /// As a form whose fields hold JSON.
    #[default]
    Form,
    /// As one JSON object.
    Json,
}

/// Settings of questions to other services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpChecksSettings {
    /// How a question is written.
    pub content_type: RemoteContentType,
    /// How services are reached by TLS.
    pub tls: TlsSettings,
    /// How long an answer may take.
    pub timeout: Duration,
}

impl Default for HttpChecksSettings {
    fn default() -> Self {
        Self {
            content_type: RemoteContentType::Form,
            tls: TlsSettings::default(),
            timeout: Duration::from_mins(1),
        }
    }
}

/// Asks services by HTTP: a service that answers `True` allows, everything else denies.
pub struct HttpChecks {
    http: Client,
    content_type: RemoteContentType,
}

impl fmt::Debug for HttpChecks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpChecks")
            .field("content_type", &self.content_type)
            .finish_non_exhaustive()
    }
}

impl HttpChecks {
    /// Makes one. Reads files of certificates, connects to nothing.
    ///
    /// # Errors
    /// [`OutgoingError`] when such a file cannot be read or understood.
    pub fn new(settings: &HttpChecksSettings) -> Result<Self, OutgoingError> {
        let builder = outgoing::confidential_client().timeout(settings.timeout);
        Ok(Self {
            http: outgoing::with_tls(builder, &settings.tls)?.build()?,
            content_type: settings.content_type,
        })
    }

    fn question(&self, check: &RemoteCheck) -> RequestBuilder {
        let request = self.http.post(&check.url);
        let credentials = credentials(&check.caller);
        match self.content_type {
            RemoteContentType::Json => request.json(&json!({
                "rule": check.rule,
                "target": check.target,
                "credentials": credentials,
            })),
            RemoteContentType::Form => request.form(&[
                ("rule", json!(check.rule).to_string()),
                ("target", json!(check.target).to_string()),
                ("credentials", credentials.to_string()),
            ]),
        }
    }

    async fn ask(&self, check: &RemoteCheck) -> Result<bool, reqwest::Error> {
        let response = self.question(check).send().await?.error_for_status()?;
        let answer = outgoing::body(response, ANSWER_BYTES_MAX).await?;
        let answer = answer.unwrap_or_default();
        Ok(unquoted(answer.trim_ascii()) == ALLOWED.as_bytes())
    }
}

/// Takes the quotes off a text: answers may be JSON.
fn unquoted(answer: &[u8]) -> &[u8] {
    let inner = answer.strip_prefix(b"\"");
    inner
        .and_then(|inner| inner.strip_suffix(b"\""))
        .unwrap_or(answer)
}

#[async_trait]
impl RemoteChecker for HttpChecks {
    async fn allows(&self, check: &RemoteCheck) -> bool {
        self.ask(check).await.unwrap_or_else(|error| {
            let error = with_causes(&error);
            tracing::error!(
                rule = check.rule,
                url = check.url,
                error,
                "cannot ask about a rule: denied"
            );
            false
        })
    }
}

fn credentials(caller: &Caller) -> Value {
    json!({
        "user": caller.creator,
        "user_id": caller.user_id,
        "project_id": caller.project_id,
        "domain_id": caller.domain_id,
        "roles": caller.roles,
        "system": caller.system,
    })
}

#[cfg(test)]
#[path = "remote_checks_tests.rs"]
mod tests;
