//! Which client is behind the proxies.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;

/// Returns the client that the proxies in front of the server have seen: each adds the address of its own client at the end of
/// a list, so it is the last one that is no proxy, or the first one when all are. The caller must have checked that the request
/// itself comes from a proxy.
pub(crate) fn forwarded_for(
    headers: &HeaderMap,
    is_proxy: impl Fn(IpAddr) -> bool,
) -> Option<&str> {
    let forwarded = elements(headers, "forwarded").filter_map(|element| {
        let parameters = element.split(';').filter_map(|pair| pair.split_once('='));
        let mut named = parameters.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
        named
            .next()
            .map(|(_, value)| value.trim().trim_matches('"'))
    });
    let is_proxy = |text: &str| address(text).is_some_and(&is_proxy);
    last(forwarded, is_proxy).or_else(|| last(elements(headers, "x-forwarded-for"), is_proxy))
}

/// Returns the last one that is no proxy, else the first one.
fn last<'a>(
    clients: impl Iterator<Item = &'a str>,
    is_proxy: impl Fn(&str) -> bool,
) -> Option<&'a str> {
    let mut first = None;
    let mut found = None;
    for client in clients {
        first = first.or(Some(client));
        if !is_proxy(client) {
            found = Some(client);
        }
    }
    found.or(first)
}

/// Reads an address with or without a port, in brackets or not.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let with_port = || text.parse().map(|address: SocketAddr| address.ip());
    bare.parse().or_else(|_| with_port()).ok()
}

/// Returns the elements of a list that stands in one header or in several.
fn elements<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> {
    let lists = headers.get_all(name).into_iter();
    lists
        .filter_map(|list| list.to_str().ok())
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .filter(|element| !element.is_empty())
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use crate::api::middleware::client::*;

    #[test]
    fn clients_behind_proxies() {
        let is_proxy = |address: IpAddr| address.to_string().starts_with("10.");
        let check = |headers: &[(&'static str, &str)], expected: Option<&str>| {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                let name = HeaderName::from_static(name);
                map.append(name, HeaderValue::from_str(value).unwrap());
            }
            assert_eq!(forwarded_for(&map, is_proxy), expected, "{headers:?}");
        };
        check(&[], None);
        check(&[("x-forwarded-for", "")], None);
        check(&[("x-forwarded-for", "192.0.2.1")], Some("192.0.2.1"));
        check(
            &[("x-forwarded-for", "192.0.2.1, 10.0.0.2")],
            Some("192.0.2.1"),
        );
        // What the client has sent itself stands before what its proxy has added.
        let made_up = ("x-forwarded-for", "127.0.0.1, 192.0.2.9");
        check(&[made_up], Some("192.0.2.9"));
        check(
            &[made_up, ("x-forwarded-for", "192.0.2.1:4711, 10.0.0.2:80")],
            Some("192.0.2.1:4711"),
        );
        check(
            &[("x-forwarded-for", "10.0.0.1, 10.0.0.2")],
            Some("10.0.0.1"),
        );
        check(
            &[
                (
                    "forwarded",
                    "for=made-up, proto=https;For=\"[2001:db8::1]\";by=x, for=10.0.0.1",
                ),
                ("x-forwarded-for", "192.0.2.1"),
            ],
            Some("[2001:db8::1]"),
        );
    }
}
