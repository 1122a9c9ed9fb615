//! Names of requests, by which what clients saw and what the log says can be matched.

use http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

/// Where a client or a proxy may have put a name, and where the response has it.
static HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Where services of OpenStack put it. The response has it only when the request had it: gnocchiclient shows what it finds there in
/// every error, and programs compare those.
static OPENSTACK_HEADER: HeaderName = HeaderName::from_static("x-openstack-request-id");

/// The longest name that is taken over, in bytes: it goes into every line of the log.
const LENGTH_MAX: usize = 128;

/// The name of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::api) struct RequestId {
    name: HeaderValue,
    /// Whether the request had the other header.
    for_openstack: bool,
}

impl RequestId {
    /// Takes over the first usable name that the request has, or makes one.
    pub(in crate::api) fn of(request: &HeaderMap) -> Self {
        let headers = [&HEADER, &OPENSTACK_HEADER];
        let mut given = headers.iter().filter_map(|header| request.get(*header));
        let usable = given.find(|value| is_usable(value));
        Self {
            name: usable.cloned().unwrap_or_else(random),
            for_openstack: request.contains_key(&OPENSTACK_HEADER),
        }
    }

    /// Returns the name for the log.
    pub(in crate::api) fn as_str(&self) -> &str {
        self.name.to_str().unwrap_or_default()
    }

    /// Adds it to the response.
    pub(in crate::api) fn mark(self, response: &mut HeaderMap) {
        if self.for_openstack {
            response.insert(OPENSTACK_HEADER.clone(), self.name.clone());
        }
        response.insert(HEADER.clone(), self.name);
    }
}

fn random() -> HeaderValue {
    let text = format!("req-{}", Uuid::new_v4());
    HeaderValue::try_from(text).expect("letters, digits and hyphens are a header")
}

/// A name must not be able to look like something else in a log.
fn is_usable(value: &HeaderValue) -> bool {
    let harmless = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:/+=@".contains(byte);
    !value.is_empty() && value.len() <= LENGTH_MAX && value.as_bytes().iter().all(harmless)
}

#[cfg(test)]
mod tests {
    use crate::api::middleware::request_id::*;

    fn named(headers: &[(&'static str, &str)]) -> String {
        let headers = headers.iter().map(|(name, value)| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_str(value).unwrap())
        });
        RequestId::of(&headers.collect()).as_str().to_owned()
    }

    #[test]
    fn usable_names_are_taken_over() {
        let (short, long) = ("x-request-id", "x-openstack-request-id");
        assert_eq!(named(&[(short, "a-1")]), "a-1");
        assert_eq!(named(&[(long, "req-1")]), "req-1");
        assert_eq!(named(&[(long, "req-1"), (short, "a-1")]), "a-1");
        assert_eq!(named(&[(long, "req-1"), (short, "a b")]), "req-1");
    }

    #[test]
    fn services_of_openstack_get_their_header_back() {
        for header in ["x-request-id", "x-openstack-request-id"] {
            let request = HeaderMap::from_iter([(header.parse().unwrap(), "a-1".parse().unwrap())]);
            let mut response = HeaderMap::new();
            RequestId::of(&request).mark(&mut response);
            assert_eq!(response[&HEADER], "a-1");
            let has_both = response.contains_key(&OPENSTACK_HEADER);
            assert_eq!(has_both, header != "x-request-id");
        }
    }

    #[test]
    fn others_get_a_new_one() {
        let long = "x".repeat(LENGTH_MAX + 1);
        for given in ["", "a b", "a\"b", "é", "a\tb", &long] {
            let name = named(&[("x-request-id", given)]);
            assert!(name.starts_with("req-"), "{given:?}: {name}");
            assert!(Uuid::try_parse(&name["req-".len()..]).is_ok());
        }
        assert_ne!(named(&[]), named(&[]));
    }
}
