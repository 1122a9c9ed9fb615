//! Names of requests, by which what clients saw and what the log says can be matched.

use http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

/// Where a client or a proxy may have put a name, and where the answer has it. The first one that is usable counts.
static HEADERS: [HeaderName; 2] = [
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("x-openstack-request-id"),
];

/// The longest name that is taken over, in bytes: it goes into every line of the log.
const LENGTH_MAX: usize = 128;

/// The name of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RequestId(HeaderValue);

impl RequestId {
    /// Takes over the name that the request has, or makes one.
    pub(super) fn of(request: &HeaderMap) -> Self {
        let mut given = HEADERS.iter().filter_map(|header| request.get(header));
        let usable = given.find(|value| is_usable(value));
        usable.map_or_else(Self::random, |value| Self(value.clone()))
    }

    fn random() -> Self {
        let text = format!("req-{}", Uuid::new_v4());
        Self(HeaderValue::try_from(text).expect("letters, digits and hyphens are a header"))
    }

    /// Returns the name for the log.
    pub(super) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// Tells the client.
    pub(super) fn mark(self, response: &mut HeaderMap) {
        for header in &HEADERS {
            response.insert(header.clone(), self.0.clone());
        }
    }
}

/// A name must not be able to look like something else in a log.
fn is_usable(value: &HeaderValue) -> bool {
    let harmless = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:/+=@".contains(byte);
    !value.is_empty() && value.len() <= LENGTH_MAX && value.as_bytes().iter().all(harmless)
}

#[cfg(test)]
mod tests {
    use super::*;

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
