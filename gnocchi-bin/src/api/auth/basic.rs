//! Callers by the user name of basic authentication, with or without passwords that count.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gnocchi_core::policy::Caller;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};

use super::authenticator::Refusal;
use super::passwords::{Passwords, Verdict};

/// How a client can authenticate.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"gnocchi\"");

/// Names, and passwords where a file has them.
#[derive(Debug, Clone, Default)]
pub struct Basic {
    passwords: Option<Arc<Passwords>>,
}

impl Basic {
    /// Lets only those names pass that come with the right password.
    #[must_use]
    pub fn with_passwords(passwords: Arc<Passwords>) -> Self {
        Self {
            passwords: Some(passwords),
        }
    }

    /// Reads who calls, and checks their password if passwords count; `client` returns the address that they call from.
    pub(super) async fn caller(
        &self,
        headers: &HeaderMap,
        client: impl FnOnce() -> String + Send,
    ) -> Result<Caller, Refusal> {
        let needed = match self.passwords {
            None => "Send a user name in an Authorization header of the scheme Basic",
            Some(_) => {
                "Send a user name and its password in an Authorization header of the scheme Basic"
            }
        };
        if !headers.contains_key(AUTHORIZATION) {
            return Err(Refusal::unauthorized(Some(CHALLENGE), needed));
        }
        let failed = |user, text: &str| Refusal::failed(Some(CHALLENGE), user, text);
        let (name, password) = credentials(headers).ok_or_else(|| failed(None, needed))?;
        let verdict = match &self.passwords {
            None => Verdict::Right,
            Some(passwords) => passwords.verify(client, &name, &password).await,
        };
        match verdict {
            Verdict::Right => Ok(Caller::named(name)),
            Verdict::Wrong => Err(failed(Some(name), "The user name or the password is wrong")),
            Verdict::Busy => Err(Refusal::busy(
                "Too many passwords are being checked: try again later",
            )),
            Verdict::Failed => Err(Refusal::defect(
                "The check of the password failed because of a defect of the server; the log has more",
            )),
        }
    }
}

/// Reads name and password; `None` when the request has none, or not in a way that can be read.
fn credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let header = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, credentials) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = STANDARD.decode(credentials.trim()).ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (name, password) = decoded.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_passwords_are_read() {
        let check = |header: &'static str, expected: Option<(&str, &str)>| {
            let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static(header))]);
            let found = credentials(&headers);
            let found = found
                .as_ref()
                .map(|(name, word)| (name.as_str(), word.as_str()));
            assert_eq!(found, expected, "{header}");
        };
        check("basic Zm9vYmFyOg==", Some(("foobar", "")));
        check("Basic YWRtaW46c2VjcmV0OnM=", Some(("admin", "secret:s")));
        check("BASIC Og==", Some(("", "")));
        check("", None);
        check("basic", None);
        check("basic !!!", None);
        check("basic Zm9vYmFy", None);
        check("Bearer Zm9vYmFyOg==", None);
        check("basic /////w==", None);
        assert_eq!(credentials(&HeaderMap::new()), None);
    }

    #[tokio::test]
    async fn only_passwords_that_fit_count() {
        let file = "jd:$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
        let basic = Basic::with_passwords(Arc::new(Passwords::parse(file).unwrap()));
        let call = async |text: &str| {
            let value = format!("Basic {}", STANDARD.encode(text));
            let value = HeaderValue::try_from(value).unwrap();
            let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
            let caller = basic.caller(&headers, || "client".to_owned()).await.ok()?;
            caller.creator
        };
        assert_eq!(call("jd:U*U").await.as_deref(), Some("jd"));
        assert_eq!(call("jd:U").await, None);
        assert_eq!(call("jd:").await, None);
        assert_eq!(call("admin:U*U").await, None);
    }
}
