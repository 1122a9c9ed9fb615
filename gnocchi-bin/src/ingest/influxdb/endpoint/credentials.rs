//! Callers in the ways of this protocol, translated to basic authentication.
//!
//! Clients of version 1 put user and password into the query (`u`, `p`), those of version 2 into a
//! token: `Authorization: Token user:password`.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::api::request::query::Query;
use crate::api::response::error::ApiError;

/// How senders say who they are, in the words of their protocol.
const WAYS: &str = "senders for InfluxDB 1 send u=USER&p=PASSWORD or basic authentication, senders for InfluxDB 2 the header Authorization: Token USER:PASSWORD";

/// The scheme of version 2.
const SCHEME: &str = "Token";

/// Puts a header for basic authentication into a request that says in another way who calls.
pub(super) async fn translate(mut request: Request, next: Next) -> Response {
    let query = request.uri().query().unwrap_or_default();
    match credentials(request.headers(), &Query::parse(query)) {
        Ok(Some(credentials)) => {
            let mut value =
                HeaderValue::try_from(format!("Basic {}", STANDARD.encode(credentials)))
                    .expect("base64 is ASCII without control characters");
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        Ok(None) => {}
        Err(error) => return error.into_response(),
    }
    let mut response = next.run(request).await;
    if response.status() == StatusCode::UNAUTHORIZED
        && response
            .headers()
            .get(WWW_AUTHENTICATE)
            .is_some_and(is_basic)
        && let Some(error) = response.extensions_mut().get_mut::<ApiError>()
    {
        *error = error.clone().explained(WAYS);
    }
    response
}

fn is_basic(challenge: &HeaderValue) -> bool {
    challenge.as_bytes().starts_with(b"Basic")
}

/// Returns user and password with a colon between them. A header goes before the query.
fn credentials(headers: &HeaderMap, query: &Query) -> Result<Option<String>, ApiError> {
    if let Some(header) = headers.get(AUTHORIZATION) {
        // Names and passwords may have any characters.
        let header = std::str::from_utf8(header.as_bytes());
        let token = header.ok().and_then(|header| {
            let (scheme, token) = header.split_once(' ')?;
            scheme.eq_ignore_ascii_case(SCHEME).then(|| token.trim())
        });
        return Ok(token.map(ToOwned::to_owned));
    }
    let user = query.single("u")?;
    let password = query.single("p")?.unwrap_or_default();
    Ok(user.map(|user| format!("{user}:{password}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_go_before_the_query() {
        let check = |header: Option<&str>, query: &str, expected: Option<&str>| {
            let header = header.map(|value| HeaderValue::from_bytes(value.as_bytes()).unwrap());
            let header = header.map(|value| (AUTHORIZATION, value));
            let headers = HeaderMap::from_iter(header.clone());
            let found = credentials(&headers, &Query::parse(query)).unwrap();
            assert_eq!(found.as_deref(), expected, "{header:?} {query}");
        };
        check(None, "db=x&u=me&p=a%3Ab", Some("me:a:b"));
        check(None, "u=me", Some("me:"));
        check(None, "p=secret", None);
        check(Some("Token me:secret"), "u=other&p=x", Some("me:secret"));
        check(Some("token me:"), "", Some("me:"));
        check(Some("Token jürgen:größe"), "", Some("jürgen:größe"));
        // Without a colon it names no user; authentication refuses it.
        check(Some("Token secret"), "", Some("secret"));
        check(Some("Basic bWU6"), "u=other&p=x", None);
        assert!(credentials(&HeaderMap::new(), &Query::parse("u=a&u=b")).is_err());
    }
}
