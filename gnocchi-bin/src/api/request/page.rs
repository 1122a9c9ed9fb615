//! Pages of listings: parameters and the link to the next page.

use axum::extract::FromRequestParts;
use gnocchi_core::model::{NullOrder, Page, SortDirection, SortKey};
use http::HeaderValue;
use http::request::Parts;
use serde_json::json;

use crate::api::middleware::address::BaseUrl;
use crate::api::request::query::Query;
use crate::api::request::schema::shown_text;
use crate::api::response::error::ApiError;
use crate::api::settings::ApiSettings;
use crate::api::state::ApiState;

/// The largest number of keys that a listing is sorted by: more than any thing has attributes of its own, and far less than
/// what a database refuses.
const SORT_KEYS_MAX: usize = 16;

const DIRECTIONS: &str = "asc-nullsfirst, asc-nullslast, desc-nullsfirst, desc-nullslast";

/// The page that a request asks for, and what the link to the next one needs.
#[derive(Debug, Clone)]
pub(crate) struct PageRequest {
    /// The page.
    pub page: Page,
    sort: Vec<String>,
}

/// What a listing needs to know of its request.
#[derive(Debug, Clone)]
pub(crate) struct Listing {
    /// The parameters.
    pub query: Query,
    /// Where the API is.
    pub base: BaseUrl,
    /// The path of the listing, as in the request.
    pub path: String,
}

impl FromRequestParts<ApiState> for Listing {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        let query = Query::from_request_parts(parts, state).await?;
        let Ok(base) = BaseUrl::from_request_parts(parts, state).await;
        Ok(Self {
            query,
            base,
            path: parts.uri.path().to_owned(),
        })
    }
}

impl PageRequest {
    /// Reads `limit`, `marker` and `sort`; `default_sort` is what a listing without `sort` is ordered by.
    ///
    /// # Errors
    /// A bad request when one of them cannot be used.
    pub(crate) fn from_query(
        query: &Query,
        settings: &ApiSettings,
        default_sort: &[&str],
    ) -> Result<Self, ApiError> {
        let limit = match query.single("limit")? {
            None => settings.max_limit,
            Some(text) => limit(text)?.min(settings.max_limit),
        };
        let mut sort: Vec<String> = query.all("sort").map(ToOwned::to_owned).collect();
        if sort.is_empty() {
            sort = default_sort.iter().map(|key| (*key).to_owned()).collect();
        }
        let mut keys: Vec<SortKey> = Vec::new();
        let mut kept = Vec::new();
        for text in sort {
            let key = sort_key(&text)?;
            // Where the first of two equal keys cannot decide, the second one cannot either.
            if keys.iter().any(|earlier| earlier.key == key.key) {
                continue;
            }
            if keys.len() == SORT_KEYS_MAX {
                return Err(ApiError::bad_request(format!(
                    "Invalid pagination: `More than {SORT_KEYS_MAX} sort keys'"
                )));
            }
            keys.push(key);
            kept.push(text);
        }
        let marker = query.single("marker")?.map(ToOwned::to_owned);
        Ok(Self {
            page: Page {
                limit,
                marker,
                sort: keys,
            },
            sort: kept,
        })
    }

    /// Returns the `Link` header that leads to the page after one whose items have these identifiers; `None` after a page
    /// that is not full.
    #[must_use]
    pub(crate) fn next(
        &self,
        listing: &Listing,
        items: usize,
        last: Option<String>,
    ) -> Option<HeaderValue> {
        let last = last.filter(|_| items >= self.page.limit)?;
        let mut query = listing.query.clone();
        query.set("limit", [self.page.limit.to_string()]);
        query.set("sort", self.sort.iter().cloned());
        query.set("marker", [last]);
        let link = format!(
            "<{}?{}>; rel=\"next\"",
            listing.base.at_escaped(&listing.path),
            query.encode_sorted()
        );
        HeaderValue::try_from(link).ok()
    }
}

fn limit(text: &str) -> Result<usize, ApiError> {
    let refuse = |message: &str| {
        let reason = format!("{message} for dictionary value @ data['limit']");
        ApiError::bad_data(
            json!({"cause": "Argument value error", "reason": reason, "detail": ["limit"]}),
        )
        .explained(format!(
            "got {}; expected a whole number of at least 1; larger pages are limited to max_limit",
            shown_text(text)
        ))
    };
    // Larger than any page: it is cut to the largest page anyway.
    let limit: i128 = text.trim().parse().map_err(|_| refuse("expected int"))?;
    if limit < 1 {
        return Err(refuse("value must be at least 1"));
    }
    Ok(usize::try_from(limit).unwrap_or(usize::MAX))
}

fn sort_key(text: &str) -> Result<SortKey, ApiError> {
    let (key, direction) = text.split_once(':').unwrap_or((text, "asc"));
    let (direction, nulls) = match direction {
        "asc" => (SortDirection::Ascending, None),
        "desc" => (SortDirection::Descending, None),
        "asc-nullsfirst" => (SortDirection::Ascending, Some(NullOrder::First)),
        "asc-nullslast" => (SortDirection::Ascending, Some(NullOrder::Last)),
        "desc-nullsfirst" => (SortDirection::Descending, Some(NullOrder::First)),
        "desc-nullslast" => (SortDirection::Descending, Some(NullOrder::Last)),
        _ => {
            let refused = format!(
                "Invalid pagination: `Unknown sort direction, must be one of: {DIRECTIONS}'"
            );
            return Err(ApiError::bad_request(refused).explained(format!(
                "got {}; expected KEY, KEY:asc, KEY:desc or KEY: with one of these",
                shown_text(text)
            )));
        }
    };
    Ok(SortKey {
        key: key.to_owned(),
        direction,
        nulls: nulls.unwrap_or(direction.default_nulls()),
    })
}

#[cfg(test)]
mod tests {
    use crate::api::request::page::*;
    use crate::api::response::error::Detail;

    fn page(query: &str) -> Result<Page, ApiError> {
        let settings = ApiSettings {
            max_limit: 7,
            ..ApiSettings::default()
        };
        PageRequest::from_query(&Query::parse(query), &settings, &["id:asc"])
            .map(|request| request.page)
    }

    #[test]
    fn limits_are_cut_to_the_largest_page() {
        let check = |query: &str, expected: usize| {
            assert_eq!(page(query).unwrap().limit, expected, "{query}");
        };
        check("", 7);
        check("limit=3", 3);
        check("limit=1000000000000000000000000000", 7);
        let refused = |query: &str, reason: &str| {
            let Detail::Data(data) = page(query).unwrap_err().detail else {
                panic!("{query}")
            };
            assert_eq!(data["reason"], reason, "{query}");
        };
        refused(
            "limit=0",
            "value must be at least 1 for dictionary value @ data['limit']",
        );
        refused(
            "limit=-2",
            "value must be at least 1 for dictionary value @ data['limit']",
        );
        refused(
            "limit=invalid",
            "expected int for dictionary value @ data['limit']",
        );
    }

    #[test]
    fn sort_keys() {
        let sort = page("sort=name&sort=ended_at:desc-nullslast").unwrap().sort;
        assert_eq!(sort[0], SortKey::ascending("name"));
        assert_eq!(sort[1].direction, SortDirection::Descending);
        assert_eq!(sort[1].nulls, NullOrder::Last);
        assert_eq!(page("").unwrap().sort, [SortKey::ascending("id")]);
        assert!(page("sort=id:invalid").is_err());
    }

    #[test]
    fn sort_keys_are_few_and_stand_once() {
        let keys = |count: usize| {
            let keys: Vec<String> = (0..count).map(|key| format!("sort=k{key}")).collect();
            page(&keys.join("&"))
        };
        assert_eq!(keys(SORT_KEYS_MAX).unwrap().sort.len(), SORT_KEYS_MAX);
        let refused = keys(SORT_KEYS_MAX + 1).unwrap_err();
        assert_eq!(refused.status.as_u16(), 400);
        let repeated = page(
            &["sort=id", "sort=name", "sort=id:desc"]
                .repeat(2000)
                .join("&"),
        );
        assert_eq!(
            repeated.unwrap().sort,
            [SortKey::ascending("id"), SortKey::ascending("name")]
        );
    }
}
