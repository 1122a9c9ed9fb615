//! The query parameters of everything that is computed across series.

use std::sync::Arc;

use carbonara::align::Fill;
use carbonara::expression::Expression;
use carbonara::{Timespan, Timestamp};
use gnocchi_core::query::{AggregatesQuery, Gaps};
use jiff::tz::TimeZone;

use crate::api::request::query::Query;
use crate::api::request::schema::shown_text;
use crate::api::request::time_zone::{not_local, time_zone};
use crate::api::response::error::{ApiError, ApiResult};

/// The error for a fill that cannot be parsed.
const FILLS: &str =
    "Must be a float, 'dropna', 'null', 'ffill', 'bfill', 'full_ffill' or 'full_bfill'";

/// What is done about gaps when the caller does not say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UnlessSaid {
    /// They stay gaps.
    DropMissing,
    /// There may be none.
    FullOverlap,
}

/// Which part of the series is looked at, and what stands where one has no point.
#[derive(Debug, Clone)]
pub(super) struct Parameters {
    pub(super) start: Option<Timestamp>,
    pub(super) stop: Option<Timestamp>,
    pub(super) granularity: Option<Timespan>,
    pub(super) gaps: Gaps,
    /// Whose clocks and calendar `resample` follows.
    time_zone: TimeZone,
}

impl Parameters {
    pub(super) fn parse(query: &Query, now: Timestamp, unless_said: UnlessSaid) -> ApiResult<Self> {
        let start = query.timestamp("start", now)?;
        let stop = query.timestamp("stop", now)?;
        let needed_percent = match query.single("needed_overlap")? {
            None => None,
            Some(text) => Some(percent(text)?),
        };
        let granularity = query.timespan("granularity")?;
        let fill = match query.single("fill")? {
            None => None,
            Some(text) => {
                let fill = text.trim().parse::<Fill>();
                let wrong = |_| ApiError::argument("fill", FILLS).explained(was_sent(text));
                Some(fill.map_err(wrong)?)
            }
        };
        let gaps = match (fill, needed_percent, unless_said) {
            (Some(fill), _, _) => Gaps::Fill(fill),
            (None, Some(needed_percent), _) => Gaps::Overlap { needed_percent },
            (None, None, UnlessSaid::DropMissing) => Gaps::Fill(Fill::DropMissing),
            (None, None, UnlessSaid::FullOverlap) => Gaps::Overlap {
                needed_percent: 100.0,
            },
        };
        Ok(Self {
            start,
            stop,
            granularity,
            gaps,
            time_zone: time_zone(query)?,
        })
    }
}

impl Parameters {
    /// Describes what is computed.
    ///
    /// # Errors
    /// 400 when the expression resamples by a span that the clocks of the time zone do not count.
    pub(super) fn query(&self, expression: Arc<Expression>) -> ApiResult<AggregatesQuery> {
        let counted = expression.check_time_zone(&self.time_zone);
        counted.map_err(|error| not_local("timezone", error))?;
        Ok(AggregatesQuery {
            expression,
            granularity: self.granularity,
            gaps: self.gaps,
            time_zone: self.time_zone.clone(),
        })
    }
}

fn was_sent(text: &str) -> String {
    format!("got {}", shown_text(text))
}

fn percent(text: &str) -> ApiResult<f64> {
    let number = text
        .trim()
        .parse()
        .ok()
        .filter(|number: &f64| !number.is_nan());
    number.ok_or_else(|| {
        ApiError::argument("needed_overlap", "Must be a number")
            .explained(format!("{}; expected a percentage", was_sent(text)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::response::error::Detail;

    fn parse(text: &str) -> ApiResult<Parameters> {
        Parameters::parse(
            &Query::parse(text),
            Timestamp::EPOCH,
            UnlessSaid::DropMissing,
        )
    }

    #[test]
    fn gaps() {
        let check =
            |text: &str, expected: Gaps| assert_eq!(parse(text).unwrap().gaps, expected, "{text}");
        check("", Gaps::Fill(Fill::DropMissing));
        check("fill=null", Gaps::Fill(Fill::Null));
        check("fill=-1.5", Gaps::Fill(Fill::Number(-1.5)));
        check(
            "needed_overlap=50",
            Gaps::Overlap {
                needed_percent: 50.0,
            },
        );
        check(
            "needed_overlap=50&fill=full_ffill",
            Gaps::Fill(Fill::FullForward),
        );
        let legacy =
            Parameters::parse(&Query::default(), Timestamp::EPOCH, UnlessSaid::FullOverlap);
        assert_eq!(
            legacy.unwrap().gaps,
            Gaps::Overlap {
                needed_percent: 100.0
            }
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |text: &str, name: &str, reason: &str| {
            let Detail::Data(data) = parse(text).unwrap_err().detail else {
                panic!("{text}")
            };
            assert_eq!(
                (&data["detail"], &data["reason"]),
                (&name.into(), &reason.into()),
                "{text}"
            );
        };
        let no_timestamp = "Must be a datetime or a timestamp";
        check("start=notadate&fill=foobar", "start", no_timestamp);
        check("stop=notadate", "stop", no_timestamp);
        check(
            "needed_overlap=notnumber&granularity=0",
            "needed_overlap",
            "Must be a number",
        );
        check(
            "granularity=foobar",
            "granularity",
            "Unable to parse timespan",
        );
        check("granularity=0", "granularity", "Timespan must be positive");
        check("fill=foobar&granularity=5", "fill", FILLS);
        check("fill=1&fill=2", "fill", "must be given only once");
    }
}
