//! Query parameters.

use axum::extract::{FromRequestParts, MatchedPath};
use carbonara::{Timespan, Timestamp};
use http::request::Parts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::api::response::error::ApiError;
use crate::api::response::explanation;
use crate::api::timespan;
use crate::api::timestamp;
use crate::api::v1::parameters::{self, Parameters};

/// What is escaped in a query: everything but letters, digits and `_.-~`.
const FORM: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'_')
    .remove(b'.')
    .remove(b'-')
    .remove(b'~');

/// The words that mean no and yes.
const BOOLEANS: [(&str, bool); 12] = [
    ("0", false),
    ("1", true),
    ("f", false),
    ("false", false),
    ("n", false),
    ("no", false),
    ("off", false),
    ("on", true),
    ("t", true),
    ("true", true),
    ("y", true),
    ("yes", true),
];

/// The parameters of a request, in order, decoded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Query {
    parameters: Vec<(String, String)>,
    /// What the operation is described to have, where that is known.
    known: Option<Parameters>,
}

impl Query {
    /// Decodes a query string. Bytes that are no UTF-8 are replaced.
    #[must_use]
    pub(crate) fn parse(text: &str) -> Self {
        let parameters = form_urlencoded::parse(text.as_bytes());
        Self {
            parameters: parameters.into_owned().collect(),
            known: None,
        }
    }

    /// Takes the parameters of an operation, none of which may have the misspelt name of another one. Unknown names that resemble
    /// none are ignored.
    fn of_operation(self, known: Parameters) -> Result<Self, ApiError> {
        for (name, _) in &self.parameters {
            if let Some(meant) = parameters::meant(name, known) {
                let reason = format!("unknown parameter; did you mean '{meant}'?");
                let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
                let names = match names.as_slice() {
                    [name] => format!("the only parameter is {name}"),
                    names => format!("known parameters: {}", names.join(", ")),
                };
                return Err(ApiError::argument(name, reason).explained(names));
            }
        }
        Ok(Self {
            known: Some(known),
            ..self
        })
    }

    /// Makes sure that what a handler reads is described; misspelt names could not be found otherwise.
    fn assert_described(&self, name: &str) {
        debug_assert!(
            self.known
                .is_none_or(|known| known.iter().any(|(described, _)| *described == name)),
            "the query parameter {name} is read but not described in v1/operations.rs"
        );
    }

    /// Encodes the parameters, sorted by name; those of one name keep their order.
    #[must_use]
    pub(crate) fn encode_sorted(&self) -> String {
        let mut parameters: Vec<&(String, String)> = self.parameters.iter().collect();
        parameters.sort_by_key(|(name, _)| name);
        let encode = |text: &str| {
            utf8_percent_encode(text, FORM)
                .to_string()
                .replace("%20", "+")
        };
        let pairs: Vec<String> = parameters
            .into_iter()
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect();
        pairs.join("&")
    }

    /// Replaces all values of a parameter.
    pub(crate) fn set(&mut self, name: &str, values: impl IntoIterator<Item = String>) {
        self.parameters.retain(|(own, _)| own != name);
        self.parameters
            .extend(values.into_iter().map(|value| (name.to_owned(), value)));
    }

    /// Iterates over the names of all parameters, known or not.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.parameters.iter().map(|(name, _)| name.as_str())
    }

    /// Iterates over the values of a parameter.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.assert_described(name);
        self.parameters
            .iter()
            .filter(move |(own, _)| own == name)
            .map(|(_, value)| value.as_str())
    }

    /// Returns the value of a parameter that may stand once.
    ///
    /// # Errors
    /// A bad request when it occurs twice.
    pub(crate) fn single(&self, name: &str) -> Result<Option<&str>, ApiError> {
        self.assert_described(name);
        let mut values = self
            .parameters
            .iter()
            .filter(|(own, _)| own == name)
            .map(|(_, value)| value.as_str());
        let first = values.next();
        match values.next() {
            None => Ok(first),
            Some(_) => Err(ApiError::argument(name, "must be given only once")),
        }
    }

    /// Returns a parameter that is a timestamp; `now` is what relative forms count from.
    ///
    /// # Errors
    /// A bad request when it cannot be parsed.
    pub(crate) fn timestamp(
        &self,
        name: &str,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, ApiError> {
        let Some(text) = self.single(name)? else {
            return Ok(None);
        };
        timestamp::parse(text, now).map(Some).map_err(|error| {
            ApiError::argument(name, "Must be a datetime or a timestamp")
                .explained(explanation::timestamp(text, error))
        })
    }

    /// Returns a parameter that is a duration.
    ///
    /// # Errors
    /// A bad request when it cannot be parsed, or is not positive.
    pub(crate) fn timespan(&self, name: &str) -> Result<Option<Timespan>, ApiError> {
        let text = self.single(name)?;
        text.map(|text| timespan_of(name, text)).transpose()
    }

    /// Returns a parameter that means yes or no.
    ///
    /// # Errors
    /// A bad request for any other word.
    pub(crate) fn flag(&self, name: &str, default: bool) -> Result<bool, ApiError> {
        let Some(word) = self.single(name)? else {
            return Ok(default);
        };
        let meaning = BOOLEANS
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(word.trim()))
            .map(|(_, meaning)| *meaning);
        meaning.ok_or_else(|| {
            let known: Vec<String> = BOOLEANS.iter().map(|(known, _)| format!("'{known}'")).collect();
            let known = known.join(", ");
            ApiError::bad_request(format!("Unable to parse `{name}': Unrecognized value '{word}', acceptable values are: {known}"))
        })
    }
}

/// Reads the duration that a parameter has.
///
/// # Errors
/// A bad request when it cannot be parsed, or is not positive.
pub(crate) fn timespan_of(name: &str, text: &str) -> Result<Timespan, ApiError> {
    timespan::parse(text).map_err(|error| {
        ApiError::argument(name, error.to_string()).explained(explanation::timespan(text, error))
    })
}

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let text = parts.uri.query().unwrap_or_default();
        // Without parameters nothing is misspelt; tests check then, too, that what is read is described.
        if text.is_empty() && !cfg!(debug_assertions) {
            return Ok(Self::default());
        }
        let query = Self::parse(text);
        let route = parts.extensions.get::<MatchedPath>();
        let known = route.and_then(|route| parameters::of_operation(route.as_str(), &parts.method));
        match known {
            Some(known) => query.of_operation(known),
            None => Ok(query),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::api::request::query::*;
    use crate::api::response::error::Detail;

    #[test]
    fn decoding_and_encoding() {
        let query = Query::parse("b=1&a=x%20y+z&a=%E2%98%83&flag&&=&marker=u%40-1");
        assert_eq!(query.all("a").collect::<Vec<_>>(), ["x y z", "☃"]);
        assert_eq!(query.single("b").unwrap(), Some("1"));
        assert_eq!(query.single("flag").unwrap(), Some(""));
        assert_eq!(query.single("missing").unwrap(), None);
        assert!(query.single("a").is_err());
        assert_eq!(
            query.encode_sorted(),
            "=&a=x+y+z&a=%E2%98%83&b=1&flag=&marker=u%40-1"
        );
    }

    #[test]
    fn parameters_are_replaced() {
        let mut query = Query::parse("sort=a&limit=3&sort=b");
        query.set("sort", ["id:asc".to_owned(), "x:desc".to_owned()]);
        query.set("limit", ["7".to_owned()]);
        assert_eq!(query.encode_sorted(), "limit=7&sort=id%3Aasc&sort=x%3Adesc");
    }

    #[test]
    fn yes_and_no() {
        let flag = |text: &str| Query::parse(text).flag("details", true);
        assert_eq!(flag(""), Ok(true));
        assert_eq!(flag("details=False"), Ok(false));
        assert_eq!(flag("details=ON"), Ok(true));
        let Err(error) = flag("details=awesome") else {
            panic!("accepted")
        };
        let expected = "Unable to parse `details': Unrecognized value 'awesome', acceptable values are: \
                        '0', '1', 'f', 'false', 'n', 'no', 'off', 'on', 't', 'true', 'y', 'yes'";
        assert_eq!(error.detail, Detail::Text(expected.to_owned()));
    }
}
