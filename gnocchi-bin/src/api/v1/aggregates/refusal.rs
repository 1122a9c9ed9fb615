//! Why nothing can be computed, as clients know it.

use carbonara::align::AlignError;
use carbonara::expression::EvaluateError;
use gnocchi_core::query::{AggregatesError, SeriesName};
use http::StatusCode;
use serde_json::{Value, json};

use crate::api::response::error::{ApiError, Detail};
use crate::api::response::explanation;
use crate::api::response::python;

/// Says why an expression was not computed; `references` are what it is about.
pub(super) fn of(error: AggregatesError, references: &Value) -> ApiError {
    match error {
        AggregatesError::NoGranularityMatch { series } => {
            cannot("No granularity match", &series.iter().map(pair).collect())
                .explained(kept_granularities(&series))
        }
        AggregatesError::GranularitiesMissing {
            series,
            granularity,
        } => {
            let triple =
                |one: &SeriesName| json!([one.name, one.method, granularity.as_second_f64()]);
            cannot(
                "Granularities are missing",
                &series.iter().map(triple).collect(),
            )
            .explained(kept_granularities(&series))
        }
        AggregatesError::UnknownAggregation { series, .. } => {
            let detail = json!([[series.metric.id.to_string(), series.method]]);
            missing(json!({"cause": "Metrics with unknown aggregation", "detail": detail})).explained(
                explanation::aggregation(&series.method, &series.metric.archive_policy),
            )
        }
        AggregatesError::NoSuchMetric { names } => {
            ApiError::no_such_metric(&python::literal(&json!(names))).explained(
                "no resource that matches the search has an active metric whose name matches one of these patterns",
            )
        }
        AggregatesError::NotAggregated => ApiError::bad_data(json!({
            "cause": "Operations is invalid",
            "reason": "With use_history the operations must aggregate all series into one",
            "detail": references,
        })),
        AggregatesError::UnknownReaggregation { name } => ApiError::bad_request(format!(
            "Invalid reaggregation: `{name}' is not a method that aggregates series"
        ))
        .explained(ACROSS_SERIES),
        AggregatesError::Evaluate(
            error @ (EvaluateError::TooManyCells { .. }
            | EvaluateError::Align(AlignError::TooManyCells { .. })),
        ) => ApiError {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            ..cannot(&reason(&error), references)
        },
        AggregatesError::Evaluate(error) => cannot(&reason(&error), references),
        AggregatesError::Store(error) => error.into(),
        other => ApiError::bad_request(other.to_string()),
    }
}

/// What can be computed across series.
const ACROSS_SERIES: &str =
    "expected mean, median, std, min, max, sum, var and count, each also as rate:mean and so on";

/// How many metrics are explained one by one.
const METRICS_EXPLAINED_MAX: usize = 10;

/// Says which granularities the archive policies of series keep; each policy once.
fn kept_granularities(series: &[SeriesName]) -> String {
    let mut policies: Vec<String> = series
        .iter()
        .map(|one| explanation::granularities(&one.metric.archive_policy))
        .collect();
    policies.sort_unstable();
    policies.dedup();
    let more = policies.len().saturating_sub(METRICS_EXPLAINED_MAX);
    policies.truncate(METRICS_EXPLAINED_MAX);
    let text = policies.join("; ");
    match more {
        0 => text,
        more => format!("{text}; and {more} more archive policies"),
    }
}

/// Says that something named in the body is not there.
pub(super) fn missing(data: Value) -> ApiError {
    ApiError {
        status: StatusCode::NOT_FOUND,
        detail: Detail::Data(data),
        retry_after_seconds: None,
    }
}

fn cannot(reason: &str, detail: &Value) -> ApiError {
    ApiError::bad_data(
        json!({"cause": "Metrics cannot be aggregated", "reason": reason, "detail": detail}),
    )
}

fn pair(series: &SeriesName) -> Value {
    json!([series.name, series.method])
}

fn reason(error: &EvaluateError) -> String {
    match error {
        EvaluateError::Align(AlignError::NoOverlap) => "No overlap".to_owned(),
        EvaluateError::Align(AlignError::TooLittleOverlap {
            needed_percent,
            found_percent,
        }) => format!(
            "Less than {needed_percent:.6}% of datapoints overlap in this timespan ({found_percent:.2}%)"
        ),
        EvaluateError::RowsDiffer { left, right } => {
            format!("Can't compute timeseries with different granularity {left} <> {right}")
        }
        EvaluateError::WindowTooLong { window, rows } => {
            format!("Rolling window '{window}' is greater than serie length '{rows}'")
        }
        other => other.to_string(),
    }
}
