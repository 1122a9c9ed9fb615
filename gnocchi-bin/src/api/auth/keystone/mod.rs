//! Callers by the tokens of Keystone, an identity service.
//!
//! | file | concern |
//! |---|---|
//! | `token` | tokens, identities, and the contract of validators |
//! | `client`, `wire` | the requests to Keystone |
//! | `service` | validating with the token of a service user, which is renewed in time |
//! | `cache` | the validation of a token is kept for a while; many requests with one token make one validation |
//! | `settings` | plain data |

mod cache;
mod client;
mod service;
mod settings;
mod token;
mod wire;

use std::sync::Arc;

use gnocchi_core::clock::Clock;
use gnocchi_core::policy::Caller;
use http::{HeaderMap, HeaderValue};

pub use cache::CachedTokens;
pub use service::KeystoneService;
pub use settings::{
    CatalogEntry, Domain, KeystoneSettings, Named, Scope, Secret, ServiceRoles, ServiceUser,
};
pub use token::{Expired, Identity, TokenError, TokenValidator};

use super::authenticator::Refusal;
use crate::outgoing::OutgoingError;

const TOKEN: &str = "x-auth-token";
const SERVICE_TOKEN: &str = "x-service-token";

/// Believes tokens. What a request says of its user beside them counts for nothing.
#[derive(Debug, Clone)]
pub struct Keystone {
    validator: Arc<dyn TokenValidator>,
    challenge: Option<HeaderValue>,
    service_token_roles: Arc<[String]>,
    service_roles: ServiceRoles,
}

impl Keystone {
    /// Makes one that asks the Keystone of the settings. Reads files of certificates, connects to nothing.
    ///
    /// # Errors
    /// [`OutgoingError`] when such a file cannot be read or understood.
    pub fn connect(
        settings: &KeystoneSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OutgoingError> {
        let service = KeystoneService::new(settings.clone(), Arc::clone(&clock))?;
        let service: Arc<dyn TokenValidator> = Arc::new(service);
        let validator = match settings.cache {
            Some(lifetime) => Arc::new(CachedTokens::new(service, lifetime, clock)),
            None => service,
        };
        Ok(Self::with_validator(settings, validator))
    }

    /// Creates one that asks another service.
    #[must_use]
    pub fn with_validator(settings: &KeystoneSettings, validator: Arc<dyn TokenValidator>) -> Self {
        let challenge = format!("Keystone uri=\"{}\"", settings.www_authenticate_uri);
        Self {
            validator,
            challenge: HeaderValue::try_from(challenge).ok(),
            service_token_roles: settings.service_token_roles.clone().into(),
            service_roles: settings.service_roles,
        }
    }

    /// Finds out who calls.
    pub(super) async fn caller(&self, headers: &HeaderMap) -> Result<Caller, Refusal> {
        let token = text(headers, TOKEN).ok_or_else(|| {
            let needed = "Send a token of the identity service in an X-Auth-Token header";
            Refusal::unauthorized(self.challenge.clone(), needed)
        })?;
        let expired = match text(headers, SERVICE_TOKEN) {
            Some(service) => self.service(service).await?,
            None => Expired::Refused,
        };
        let identity = self.validator.validate(token, expired).await;
        let invalid = "The token in X-Auth-Token is not valid, or has expired";
        let identity = identity.map_err(|error| self.answer(error, invalid))?;
        Ok(identity.caller())
    }

    /// Checks the token of the service that passes a user's token on.
    async fn service(&self, token: &str) -> Result<Expired, Refusal> {
        let identity = self.validator.validate(token, Expired::Refused).await;
        let invalid = "The token in X-Service-Token is not valid, or has expired";
        let identity = identity.map_err(|error| self.answer(error, invalid))?;
        if identity.has_any_role(&self.service_token_roles) {
            return Ok(Expired::Accepted);
        }
        match self.service_roles {
            ServiceRoles::Required => Err(self.refuse(
                "The token in X-Service-Token has no role that lets services pass tokens on",
            )),
            ServiceRoles::Optional => Ok(Expired::Refused),
        }
    }

    fn answer(&self, error: TokenError, invalid: &str) -> Refusal {
        match error {
            TokenError::Invalid => self.refuse(invalid),
            TokenError::Unavailable => {
                Refusal::busy("The identity service does not respond: try again later")
            }
        }
    }

    fn refuse(&self, text: &str) -> Refusal {
        Refusal::failed(self.challenge.clone(), None, text)
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let value = headers.get(name)?.to_str().ok()?.trim();
    Some(value).filter(|value| !value.is_empty())
}

#[cfg(test)]
#[path = "keystone_tests.rs"]
mod tests;
