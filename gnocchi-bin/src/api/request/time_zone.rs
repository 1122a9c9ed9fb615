//! Time zones by name.

use carbonara::LocalSpanError;
use jiff::tz::TimeZone;

use crate::api::request::query::Query;
use crate::api::response::error::{ApiError, ApiResult};

/// The query parameter that names one.
const PARAMETER: &str = "timezone";

/// Returns the time zone that a query names, as in `Europe/Paris`; UTC when it names none.
///
/// # Errors
/// 400 when there is no time zone of that name.
pub(crate) fn time_zone(query: &Query) -> ApiResult<TimeZone> {
    let Some(name) = query.single(PARAMETER)? else {
        return Ok(TimeZone::UTC);
    };
    // The database of the system, as far as it has been read already, or the one that is built in.
    jiff::tz::db().get(name).map_err(|_| {
        ApiError::argument(PARAMETER, format!("Unknown time zone '{name}'"))
            .explained("expected a name of the IANA database, such as Europe/Paris")
    })
}

/// Says that a span cannot be counted by the clocks of a time zone.
pub(crate) fn not_local(parameter: &str, error: LocalSpanError) -> ApiError {
    ApiError::argument(
        parameter,
        format!("{error}, so they cannot be counted in a time zone"),
    )
}

#[cfg(test)]
mod tests {
    use crate::api::request::time_zone::*;

    #[test]
    fn names() {
        let zone = |query: &str| time_zone(&Query::parse(query));
        assert_eq!(zone(""), Ok(TimeZone::UTC));
        for name in [
            "UTC",
            "Europe/Paris",
            "America/Argentina/Ushuaia",
            "Etc/GMT%2B3",
        ] {
            assert!(zone(&format!("timezone={name}")).is_ok(), "{name}");
        }
        for name in ["", "Mars", "%2B02:00", "../../etc/passwd", "/etc/localtime"] {
            assert!(zone(&format!("timezone={name}")).is_err(), "{name}");
        }
        assert!(zone("timezone=UTC&timezone=UTC").is_err());
    }
}
