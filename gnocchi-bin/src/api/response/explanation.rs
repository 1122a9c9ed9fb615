//! What was sent and what is allowed, in sentences for people. They stand beside the texts that clients compare.

use carbonara::{AggregationMethod, Timespan};
use gnocchi_core::model::{ArchivePolicy, ResourceId};
use gnocchi_core::text::epoch::{EpochUnit, WrongUnit};
use gnocchi_core::text::method;

use crate::api::request::schema::shown_text;
use crate::api::response::error::ApiError;
use crate::api::timespan::TimespanError;
use crate::api::timestamp::TimestampError;

/// How timestamps are written.
const TIMESTAMPS: &str =
    "ISO 8601 (2026-01-01T12:00:00Z), seconds since 1970, and times relative to now (-1 hour)";

/// How durations are written.
const TIMESPANS: &str =
    "seconds (300), amounts with units from weeks to seconds (5 minutes) and clocks (0:05:00)";

/// What rows can be resampled to.
pub(crate) const RESAMPLED_TO: &str = "seconds (300), amounts with units from weeks to seconds (5 minutes), clocks (0:05:00) and the letters of the calendar Y, H, Q, M, W and D";

/// The most aggregation methods that are listed one by one.
const METHODS_LISTED_MAX: usize = 40;

/// Explains why a text is not a timestamp that can be used.
pub(crate) fn timestamp(text: &str, error: TimestampError) -> String {
    if let Ok(seconds) = text.trim().parse::<f64>() {
        return number_of_seconds(seconds, &text.trim(), error);
    }
    let text = shown_text(text);
    match error {
        TimestampError::BeforeEpoch => format!("{text} is before 1970"),
        TimestampError::AfterRange => format!("{text} is after the year 2262"),
        TimestampError::Unparsable => {
            format!("{text} is not a timestamp; expected {TIMESTAMPS}")
        }
    }
}

/// Explains why a number of seconds since 1970 is not a timestamp that can be used.
pub(crate) fn seconds(seconds: f64, error: TimestampError) -> String {
    number_of_seconds(seconds, &seconds, error)
}

fn number_of_seconds(seconds: f64, shown: &dyn std::fmt::Display, error: TimestampError) -> String {
    if let Some(wrong) = WrongUnit::of(seconds, EpochUnit::Second) {
        return format!("{shown} {wrong}");
    }
    match error {
        TimestampError::BeforeEpoch => format!("{shown} seconds is before 1970"),
        TimestampError::AfterRange => format!("{shown} seconds since 1970 is after the year 2262"),
        TimestampError::Unparsable => {
            format!("{shown} is not a timestamp; expected {TIMESTAMPS}")
        }
    }
}

/// Explains why a text is not a duration that can be used.
pub(crate) fn timespan(text: &str, error: TimespanError) -> String {
    let shown = shown_text(text);
    match error {
        TimespanError::Unparsable => format!("{shown} is not a duration; expected {TIMESPANS}"),
        TimespanError::NotPositive => format!("{shown} is not longer than zero"),
    }
}

/// Explains which aggregation methods an archive policy keeps, and which of them was probably meant.
pub(crate) fn aggregation(sent: &str, policy: &ArchivePolicy) -> String {
    let kept = policy.aggregation_methods();
    let keeps = format!("archive policy {} keeps {}", policy.name(), methods(kept));
    match method::meant(sent) {
        Some(meant) if kept.contains(&meant) => format!("did you mean {meant}? {keeps}"),
        Some(meant) => format!("{} is written {meant}; {keeps}", shown_text(sent)),
        None => keeps,
    }
}

fn methods(methods: &[AggregationMethod]) -> String {
    let names: Vec<String> = methods
        .iter()
        .take(METHODS_LISTED_MAX)
        .map(ToString::to_string)
        .collect();
    let names = names.join(", ");
    match methods.len().saturating_sub(METHODS_LISTED_MAX) {
        0 => names,
        more => format!("{names} and {more} more"),
    }
}

/// Adds the id of a resource that was sent to an error that names the one that was made of it.
pub(crate) fn about_resource(error: ApiError, sent: &str, id: ResourceId) -> ApiError {
    if sent.eq_ignore_ascii_case(&id.to_string()) {
        return error;
    }
    error.explained(format!(
        "the id {} was sent; an id that is not a UUID is turned into one, for each user or project separately",
        shown_text(sent)
    ))
}

/// Explains which granularities an archive policy keeps.
pub(crate) fn granularities(policy: &ArchivePolicy) -> String {
    let levels = policy.plan().levels().iter();
    format!(
        "archive policy {} keeps {}",
        policy.name(),
        spans(levels.map(|level| level.granularity))
    )
}

/// Lists durations in seconds.
pub(crate) fn spans(spans: impl Iterator<Item = Timespan>) -> String {
    let spans: Vec<String> = spans.map(|span| span.as_second_f64().to_string()).collect();
    format!("{} s", spans.join(", "))
}

/// Says why a resource cannot be found or made under a name.
pub(crate) fn taken_name(name: &str) -> String {
    format!(
        "the id of {} is taken by another resource, which has another creator or was created by that id",
        shown_text(name)
    )
}

#[cfg(test)]
mod tests {
    use gnocchi_core::model::Definition;

    use crate::api::response::explanation::*;

    #[test]
    fn timestamps() {
        let check = |text: &str, error: TimestampError, expected: &str| {
            let explanation = timestamp(text, error);
            assert!(explanation.contains(expected), "{text}: {explanation}");
        };
        let (unparsable, before) = (TimestampError::Unparsable, TimestampError::BeforeEpoch);
        check(
            "soon",
            unparsable,
            "\"soon\" is not a timestamp; expected ISO 8601",
        );
        check(
            "1714521600000",
            TimestampError::AfterRange,
            "1714521600000 looks like milliseconds since 1970 (2024-05-01T00:00:00Z), but seconds are expected",
        );
        let after = TimestampError::AfterRange;
        check(
            "9300000000",
            after,
            "9300000000 seconds since 1970 is after the year 2262",
        );
        check("9999-01-01", after, "\"9999-01-01\" is after the year 2262");
        check("nan", unparsable, "nan is not a timestamp");
        check("-5", before, "-5 seconds is before 1970");
        check("1969-01-01", before, "\"1969-01-01\" is before 1970");
        assert_eq!(seconds(-1.5, before), "-1.5 seconds is before 1970");
    }

    #[test]
    fn durations() {
        let check = |text: &str, error: TimespanError, expected: &str| {
            let explanation = timespan(text, error);
            assert!(explanation.contains(expected), "{text}: {explanation}");
        };
        check(
            "1 month",
            TimespanError::Unparsable,
            "\"1 month\" is not a duration; expected seconds (300)",
        );
        check(
            "0",
            TimespanError::NotPositive,
            "\"0\" is not longer than zero",
        );
    }

    #[test]
    fn what_a_policy_keeps() {
        let span = |seconds| Timespan::from_second(seconds).unwrap();
        let level = |seconds| Definition::new(Some(span(seconds)), None, None).unwrap();
        let methods = ["mean", "95pct"].map(|name| name.parse().unwrap()).to_vec();
        let policy = ArchivePolicy::new("low", 0, vec![level(60), level(3600)], methods).unwrap();
        assert_eq!(
            granularities(&policy),
            "archive policy low keeps 60, 3600 s"
        );
        let keeps = "archive policy low keeps mean, 95pct";
        assert_eq!(aggregation("x", &policy), keeps);
        assert_eq!(
            aggregation("p95", &policy),
            format!("did you mean 95pct? {keeps}")
        );
        assert_eq!(
            aggregation("avg", &policy),
            format!("did you mean mean? {keeps}")
        );
        assert_eq!(
            aggregation("p50", &policy),
            format!("\"p50\" is written 50pct; {keeps}")
        );
        assert_eq!(aggregation("max", &policy), keeps);
        let all: Vec<AggregationMethod> = AggregationMethod::all().collect();
        let policy = ArchivePolicy::new("all", 0, vec![level(60)], all).unwrap();
        assert!(aggregation("x", &policy).ends_with("and 176 more"));
    }
}
