//! Callers by the user name of basic authentication.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gnocchi_core::policy::Caller;
use http::HeaderMap;
use http::header::AUTHORIZATION;

/// Reads who calls; `None` when the request doesn't say, or not in a way that can be read.
pub(super) fn caller(headers: &HeaderMap) -> Option<Caller> {
    let header = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, credentials) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = STANDARD.decode(credentials.trim()).ok()?;
    let decoded = std::str::from_utf8(&decoded).ok()?;
    let (name, _password) = decoded.split_once(':')?;
    Some(Caller::named(name))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn names_are_read() {
        let check = |header: &'static str, expected: Option<&str>| {
            let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static(header))]);
            let name = caller(&headers).map(|caller| caller.creator.unwrap());
            assert_eq!(name.as_deref(), expected, "{header}");
        };
        check("basic Zm9vYmFyOg==", Some("foobar"));
        check("Basic YWRtaW46c2VjcmV0OnM=", Some("admin"));
        check("BASIC Og==", Some(""));
        check("", None);
        check("basic", None);
        check("basic !!!", None);
        check("basic Zm9vYmFy", None);
        check("Bearer Zm9vYmFyOg==", None);
        check("basic /////w==", None);
        assert_eq!(caller(&HeaderMap::new()), None);
    }

    #[test]
    fn only_admin_has_a_role() {
        assert!(Caller::named("admin").has_role("admin"));
        assert!(!Caller::named("foobar").has_role("admin"));
    }
}
