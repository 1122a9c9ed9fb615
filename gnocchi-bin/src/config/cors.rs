//! `[cors]`: which web pages of other origins may call the API.

use super::error::ConfigError;
use super::option::{OptionSpec, SectionSpec};
use super::reader::Reader;
use crate::api::settings::CorsSettings;

/// The options of this section.
pub(super) static SECTION: SectionSpec = SectionSpec::new(
    "cors",
    "Web pages of other origins that may call the API.",
    &[
        OptionSpec::new(
            "allowed_origin",
            "origins whose pages may call the API, as `scheme://host[:port]`, or \
             `*`",
        )
        .list("origins"),
        OptionSpec::new(
            "allow_credentials",
            "whether such a page may send credentials",
        )
        .boolean()
        .or("true"),
        OptionSpec::new(
            "expose_headers",
            "response headers that such a page may read besides `Link`, `Location`, \
             `ETag` and `X-Request-Id`",
        )
        .list("headers"),
        OptionSpec::new(
            "max_age",
            "seconds that a browser may cache the response to a preflight request",
        )
        .seconds(0)
        .or("3600"),
        OptionSpec::new("allow_methods", "methods that such a page may use")
            .list("methods")
            .or("OPTIONS,GET,HEAD,POST,PUT,DELETE,TRACE,PATCH"),
        OptionSpec::new("allow_headers", "request headers that such a page may send")
            .list("headers")
            .or("Authorization,X-Auth-Token,X-Subject-Token,X-User-Id,\
                 X-Domain-Id,X-Project-Id,X-Roles"),
    ],
);

pub(super) fn read(reader: &Reader) -> Result<CorsSettings, ConfigError> {
    let section = reader.section(&SECTION);
    Ok(CorsSettings {
        allowed_origins: section.list("allowed_origin")?,
        allow_credentials: section.boolean("allow_credentials")?,
        expose_headers: section.list("expose_headers")?,
        max_age_seconds: section.seconds("max_age")?.as_secs(),
        allow_methods: section.list("allow_methods")?,
        allow_headers: section.list("allow_headers")?,
    })
}
