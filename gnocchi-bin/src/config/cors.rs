//! `[cors]`: which web pages of other origins may call the API.

use super::error::ConfigError;
use super::option::{OptionSpec, SectionSpec};
use super::reader::{Reader, defaulted};
use crate::api::settings::CorsSettings;

/// The options of this section.
pub(super) static SECTION: SectionSpec = SectionSpec::new(
    "cors",
    &[
        OptionSpec::new(
            "allowed_origin",
            "origins that may call, as scheme://host[:port], or *",
        ).list(),
        OptionSpec::new(
            "allow_credentials",
            "whether such a page may send credentials",
        )
        .or("true"),
        OptionSpec::new(
            "expose_headers",
            "response headers that such a page may read beside Link, Location, ETag and X-Request-Id",
        ).list(),
        OptionSpec::new(
            "max_age",
            "seconds that a browser may cache the response to a preflight request",
        )
        .or("3600"),
        OptionSpec::new("allow_methods", "methods that such a page may use").list()
            .or("OPTIONS,GET,HEAD,POST,PUT,DELETE,TRACE,PATCH"),
        OptionSpec::new("allow_headers", "request headers that such a page may send").list().or(
            "Authorization,X-Auth-Token,X-Subject-Token,X-User-Id,X-Domain-Id,X-Project-Id,X-Roles",
        ),
    ],
);

pub(super) fn read(reader: &Reader) -> Result<CorsSettings, ConfigError> {
    let section = reader.section(&SECTION);
    Ok(CorsSettings {
        allowed_origins: section.list("allowed_origin")?,
        allow_credentials: section.boolean("allow_credentials")?,
        expose_headers: section.list("expose_headers")?,
        max_age_seconds: section
            .integer("max_age", 0..=u64::from(u32::MAX))
            .map(defaulted)?,
        allow_methods: section.list("allow_methods")?,
        allow_headers: section.list("allow_headers")?,
    })
}
