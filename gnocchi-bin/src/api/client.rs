//! Which client is behind the proxies.

use http::HeaderMap;
use http::header::AsHeaderName;

/// Returns the client that the first proxy on the way has seen, as it says. Whoever asks must trust the proxies.
pub(crate) fn forwarded_for(headers: &HeaderMap) -> Option<&str> {
    let text = |name: &str| first_of(headers, name);
    let forwarded = text("forwarded").and_then(|element| {
        let parameters = element.split(';').filter_map(|pair| pair.split_once('='));
        let mut named = parameters.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
        named
            .next()
            .map(|(_, value)| value.trim().trim_matches('"'))
    });
    forwarded.or_else(|| text("x-forwarded-for"))
}

/// Returns the first element of a list in a header.
fn first_of(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    let list = headers.get(name)?.to_str().ok()?;
    let first = list.split(',').next()?.trim();
    Some(first).filter(|first| !first.is_empty())
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn clients_behind_proxies() {
        let check = |headers: &[(&'static str, &str)], expected: Option<&str>| {
            let headers = headers.iter().map(|(name, value)| {
                let name = HeaderName::from_static(name);
                (name, HeaderValue::from_str(value).unwrap())
            });
            assert_eq!(forwarded_for(&headers.collect()), expected);
        };
        check(&[], None);
        check(
            &[("x-forwarded-for", "10.0.0.1, 10.0.0.2")],
            Some("10.0.0.1"),
        );
        check(&[("x-forwarded-for", "")], None);
        check(
            &[
                ("forwarded", "proto=https;For=\"[2001:db8::1]\";by=x, for=y"),
                ("x-forwarded-for", "10.0.0.1"),
            ],
            Some("[2001:db8::1]"),
        );
    }
}
