//! Conditional requests: which state of a resource a client has seen, and what it wants to happen if there is another one.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use gnocchi_core::model::Resource;
use http::header::{
    AsHeaderName, ETAG, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE,
    LAST_MODIFIED,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use jiff::fmt::rfc2822;
use sha1::{Digest, Sha1};

use crate::api::response::error::{ApiError, ApiResult};
use crate::api::response::render;

/// The state of a resource, as clients can name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version {
    /// Without quotes.
    tag: String,
    /// When the revision began, in whole seconds.
    modified_second: i64,
}

impl Version {
    pub(crate) fn of(resource: &Resource) -> Self {
        let begun = resource.revision_start;
        let mut hash = Sha1::new();
        hash.update(resource.id.to_string());
        hash.update(render::iso_microseconds(begun));
        let tag = hash.finalize().iter().fold(String::new(), |mut tag, byte| {
            tag.push(digit(byte >> 4));
            tag.push(digit(byte & 15));
            tag
        });
        Self {
            tag,
            modified_second: begun.as_second(),
        }
    }

    /// Adds `ETag` and `Last-Modified`.
    pub(crate) fn mark(&self, mut response: Response) -> Response {
        let headers = response.headers_mut();
        if let Ok(tag) = HeaderValue::try_from(format!("\"{}\"", self.tag)) {
            headers.insert(ETAG, tag);
        }
        if let Some(date) = http_date(self.modified_second) {
            headers.insert(LAST_MODIFIED, date);
        }
        response
    }
}

fn digit(number: u8) -> char {
    char::from_digit(u32::from(number), 16).unwrap_or('0')
}

fn http_date(second: i64) -> Option<HeaderValue> {
    let timestamp = jiff::Timestamp::from_second(second).ok()?;
    let text = rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&timestamp)
        .ok()?;
    HeaderValue::try_from(text).ok()
}

/// One entity tag that a client names.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Tag {
    text: String,
    /// Such a tag says that two states are equivalent, not that they are the same.
    is_weak: bool,
}

/// Which states a client names.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Tags {
    Any,
    These(Vec<Tag>),
}

impl Tags {
    /// Reads a list of tags, with or without quotes.
    fn parse(list: &str) -> Self {
        if list.trim() == "*" {
            return Self::Any;
        }
        let tags = list.split(',').map(str::trim).filter(|tag| !tag.is_empty());
        let tag = |tag: &str| {
            let strong = tag.strip_prefix("W/").or_else(|| tag.strip_prefix("w/"));
            Tag {
                text: strong.unwrap_or(tag).trim_matches('"').to_owned(),
                is_weak: strong.is_some(),
            }
        };
        Self::These(tags.map(tag).collect())
    }

    fn name(&self, version: &Version, fits: impl Fn(&Tag) -> bool) -> bool {
        match self {
            Self::Any => true,
            Self::These(tags) => tags.iter().any(|tag| tag.text == version.tag && fits(tag)),
        }
    }

    fn name_strongly(&self, version: &Version) -> bool {
        self.name(version, |tag| !tag.is_weak)
    }

    fn name_weakly(&self, version: &Version) -> bool {
        self.name(version, |_| true)
    }
}

/// The conditions of a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Conditions {
    if_match: Option<Tags>,
    if_none_match: Option<Tags>,
    if_modified_since: Option<i64>,
    if_unmodified_since: Option<i64>,
    reads: bool,
}

/// What becomes of a request whose conditions hold, or of one that reads what the client has already.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It goes on.
    GoOn,
    /// This is the answer.
    Answer(Response),
}

impl Conditions {
    /// Checks the conditions against the state that there is.
    ///
    /// # Errors
    /// 412 when a condition does not hold.
    pub(crate) fn check(&self, version: &Version) -> ApiResult<Verdict> {
        let failed = || Err(ApiError::empty(StatusCode::PRECONDITION_FAILED));
        let changed_since = |second: i64| second < version.modified_second;
        match (&self.if_match, self.if_unmodified_since) {
            (Some(tags), _) if !tags.name_strongly(version) => return failed(),
            (None, Some(second)) if changed_since(second) => return failed(),
            _ => {}
        }
        let is_known = match (&self.if_none_match, self.if_modified_since) {
            (Some(tags), _) => tags.name_weakly(version),
            (None, Some(second)) => self.reads && !changed_since(second),
            (None, None) => false,
        };
        match (is_known, self.reads) {
            (false, _) => Ok(Verdict::GoOn),
            (true, true) => {
                let answer = StatusCode::NOT_MODIFIED.into_response();
                Ok(Verdict::Answer(version.mark(answer)))
            }
            (true, false) => failed(),
        }
    }

    fn new(method: &Method, headers: &HeaderMap) -> Self {
        let tags = |name| list(headers, name).map(|list| Tags::parse(&list));
        let date = |name| {
            let text = list(headers, name)?;
            let parsed = rfc2822::DateTimeParser::new().parse_timestamp(text);
            parsed.ok().map(jiff::Timestamp::as_second)
        };
        Self {
            if_match: tags(IF_MATCH),
            if_none_match: tags(IF_NONE_MATCH),
            if_modified_since: date(IF_MODIFIED_SINCE),
            if_unmodified_since: date(IF_UNMODIFIED_SINCE),
            reads: matches!(*method, Method::GET | Method::HEAD),
        }
    }
}

/// Returns a header, of which several lines make one list.
fn list(headers: &HeaderMap, name: impl AsHeaderName) -> Option<String> {
    let lines: Vec<&str> = headers
        .get_all(name)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .collect();
    (!lines.is_empty()).then(|| lines.join(","))
}

impl<S: Sync> FromRequestParts<S> for Conditions {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::new(&parts.method, &parts.headers))
    }
}

#[cfg(test)]
#[path = "conditions_tests.rs"]
mod tests;
