//! From a request to a caller.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use gnocchi_core::policy::Caller;
use http::header::WWW_AUTHENTICATE;
use http::request::Parts;
use http::{HeaderValue, StatusCode};

use super::basic::Basic;
use super::identity_headers;
use super::keystone::Keystone;
use super::remote_user::RemoteUserHeader;
use crate::api::request::storable;
use crate::api::response::error::{ApiError, ApiResult};
use crate::api::state::ApiState;

/// The longest name of a creator, in characters.
const CREATOR_CHARACTERS_MAX: usize = 255;

/// How callers are told apart, ready to work.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Authenticator {
    /// By the user name of the `Authorization` header.
    Basic(Basic),
    /// By the name that a proxy or an embedding program found out.
    RemoteUser(RemoteUserHeader),
    /// By a token of Keystone.
    Keystone(Keystone),
    /// By the identity headers of a proxy that has validated a token.
    IdentityHeaders,
}

impl Default for Authenticator {
    /// Believes names without passwords.
    fn default() -> Self {
        Self::Basic(Basic::default())
    }
}

/// A request whose caller is not known, and how they can authenticate.
#[derive(Debug)]
pub(crate) struct Refusal {
    error: ApiError,
    challenge: Option<HeaderValue>,
    attempt: Attempt,
}

/// Whether a refused request tried to log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Attempt {
    /// It has no credentials, or they could not be checked.
    None,
    /// Its credentials are wrong or unreadable.
    Failed {
        /// The user that they name, if they name one.
        user: Option<String>,
    },
}

impl Refusal {
    /// Makes a refusal for a caller that is not known; the text says what is missing, the challenge how to send it.
    pub(super) fn unauthorized(challenge: Option<HeaderValue>, text: impl Into<String>) -> Self {
        Self {
            error: ApiError::text(StatusCode::UNAUTHORIZED, text),
            challenge,
            attempt: Attempt::None,
        }
    }

    /// Refuses a caller whose name cannot be used.
    pub(super) fn bad_request(error: ApiError) -> Self {
        Self {
            error,
            challenge: None,
            attempt: Attempt::None,
        }
    }

    /// Refuses wrong or unreadable credentials, which may name a user; the text says what is wrong with them.
    pub(super) fn failed(
        challenge: Option<HeaderValue>,
        user: Option<String>,
        text: impl Into<String>,
    ) -> Self {
        Self {
            attempt: Attempt::Failed { user },
            ..Self::unauthorized(challenge, text)
        }
    }

    /// Refuses a request whose credentials cannot be checked now.
    pub(super) fn busy(text: &str) -> Self {
        Self {
            error: ApiError::busy(text),
            challenge: None,
            attempt: Attempt::None,
        }
    }

    /// Refuses a request because of a defect of the server.
    pub(super) fn defect(text: &str) -> Self {
        Self {
            error: ApiError::text(StatusCode::INTERNAL_SERVER_ERROR, text),
            challenge: None,
            attempt: Attempt::None,
        }
    }

    /// Returns whether the request tried to log in.
    pub(super) fn attempt(&self) -> &Attempt {
        &self.attempt
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = self.error.into_response();
        if let Some(challenge) = self.challenge {
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

impl Authenticator {
    /// Finds out who calls.
    async fn caller(&self, parts: &Parts, state: &ApiState) -> Result<Caller, Refusal> {
        let (logins, proxies) = (state.logins(), &state.settings().trusted_proxies);
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let address = peer.map(|peer| peer.0.ip().to_canonical());
        let outcome = match self {
            Self::Basic(basic) => {
                let client = || logins.client(parts).unwrap_or_default();
                basic.caller(&parts.headers, client).await
            }
            Self::RemoteUser(header) => header.caller(parts, proxies),
            Self::Keystone(keystone) => keystone.caller(&parts.headers).await,
            Self::IdentityHeaders => identity_headers::caller(parts, proxies),
        };
        logins.note(parts, &outcome);
        let mut caller = outcome?;
        check_creator(&caller).map_err(Refusal::bad_request)?;
        caller.address = address;
        Ok(caller)
    }

    /// Returns whether every request must be authenticated. In the other modes, documents that are the same for every caller are
    /// public.
    fn guards_everything(&self) -> bool {
        match self {
            Self::Basic(_) | Self::RemoteUser(_) => false,
            Self::Keystone(_) | Self::IdentityHeaders => true,
        }
    }
}

/// Checks the name under which everything is stored that a caller creates.
fn check_creator(caller: &Caller) -> ApiResult<()> {
    let creator = caller.creator.as_deref().unwrap_or_default();
    storable::check("the name of the caller", creator)?;
    if creator.chars().count() > CREATOR_CHARACTERS_MAX {
        return Err(ApiError::bad_request(format!(
            "The name of the caller has more than {CREATOR_CHARACTERS_MAX} characters"
        )));
    }
    Ok(())
}

/// A caller who has been authenticated.
#[derive(Debug, Clone)]
pub(crate) struct Authenticated(pub Caller);

impl FromRequestParts<ApiState> for Authenticated {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Refusal> {
        // The guard may have authenticated the caller already.
        if let Some(known) = parts.extensions.get::<Self>() {
            return Ok(known.clone());
        }
        let caller = state.authenticator().caller(parts, state).await;
        caller.map(Self)
    }
}

/// Authenticates every request to version 1 where the mode of authentication demands it.
pub(crate) async fn guard(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    if !state.authenticator().guards_everything() {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    match state.authenticator().caller(&parts, &state).await {
        Ok(caller) => {
            parts.extensions.insert(Authenticated(caller));
            next.run(Request::from_parts(parts, body)).await
        }
        Err(refusal) => refusal.into_response(),
    }
}
