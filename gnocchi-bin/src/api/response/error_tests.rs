use std::sync::Arc;
use std::time::Duration;

use carbonara::{Timespan, codec::DecodeError};
use gnocchi_core::model::{ArchivePolicy, ArchivePolicyError, Definition, ResourceId};

use crate::api::response::error::*;

fn check(error: impl Into<Error>, status: u16, description: &str) {
    check_named(error, NamedIn::Address, status, description);
}

fn check_named(error: impl Into<Error>, named_in: NamedIn, status: u16, description: &str) {
    let error = ApiError::of(error.into(), named_in);
    let told = match &error.detail {
        Detail::Text(text) => text.clone(),
        Detail::Explained { text, .. } => text.to_string(),
        Detail::Data(data) => data.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        (error.status.as_u16(), told.as_str()),
        (status, description)
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of one entry a variant")]
fn every_error_of_the_indexer_has_its_answer() {
    let name = || "n".to_owned();
    let resource = ResourceId::from_u128(1);
    let metric = MetricId::from_u128(2);
    check(
        IndexerError::NoSuchArchivePolicy { name: name() },
        404,
        "Archive policy n does not exist",
    );
    check_named(
        IndexerError::NoSuchArchivePolicy { name: name() },
        NamedIn::Body,
        400,
        "Archive policy n does not exist",
    );
    check(
        IndexerError::ResourceTypeChangeTooLarge {
            name: name(),
            resources: 2,
            bytes: 8,
            limit_bytes: 7,
        },
        422,
        "The change of resource type n would write about 8 bytes into 2 resources and revisions, and the limit is 7 ([api] type_change_bytes_max): change fewer attributes, or fill in shorter values",
    );
    check(
        IndexerError::ArchivePolicyExists { name: name() },
        409,
        "Archive policy n already exists",
    );
    check(
        IndexerError::ArchivePolicyInUse { name: name() },
        400,
        "Archive policy n is still in use",
    );
    check(
        IndexerError::NoSuchArchivePolicyRule { name: name() },
        404,
        "Archive policy rule n does not exist",
    );
    check(
        IndexerError::ArchivePolicyRuleExists { name: name() },
        409,
        "Archive policy rule n already exists",
    );
    check(
        IndexerError::NoSuchResourceType { name: name() },
        404,
        "Resource type n does not exist",
    );
    check(
        IndexerError::ResourceTypeExists { name: name() },
        409,
        "Resource type n already exists",
    );
    check(
        IndexerError::ResourceTypeInUse { name: name() },
        400,
        "Resource type n is still in use",
    );
    check(
        IndexerError::NoSuchResource { id: resource },
        404,
        "Resource 00000000-0000-0000-0000-000000000001 does not exist",
    );
    check_named(
        IndexerError::NoSuchResource { id: resource },
        NamedIn::Body,
        400,
        "Resource 00000000-0000-0000-0000-000000000001 does not exist",
    );
    check(
        IndexerError::ResourceExists { id: resource },
        409,
        "Resource 00000000-0000-0000-0000-000000000001 already exists",
    );
    check(
        IndexerError::ResourceEndsBeforeStart { id: resource },
        400,
        "Start timestamp cannot be after end timestamp",
    );
    check(
        IndexerError::ResourceTypeChanged { name: name() },
        409,
        "Resource type n was changed by another request at the same time: try again",
    );
    check(
        IndexerError::AttributeTooLong {
            attribute: name(),
            id: resource,
            max_length: 5,
        },
        400,
        "Invalid input: Resource attribute n of resource 00000000-0000-0000-0000-000000000001 is longer than max_length 5",
    );
    check(
        IndexerError::RevisionChanged { id: resource },
        503,
        "Resource 00000000-0000-0000-0000-000000000001 is changed by other requests at the same time: try again",
    );
    check(
        IndexerError::NoSuchMetric { id: metric },
        404,
        "Metric 00000000-0000-0000-0000-000000000002 does not exist",
    );
    check_named(
        IndexerError::NoSuchMetric { id: metric },
        NamedIn::Body,
        400,
        "Metric 00000000-0000-0000-0000-000000000002 does not exist",
    );
    check(
        IndexerError::MetricExists { id: metric },
        409,
        "Metric 00000000-0000-0000-0000-000000000002 already exists",
    );
    check(
        IndexerError::NamedMetricExists { name: name() },
        409,
        "Named metric n already exists",
    );
    check_named(
        IndexerError::NamedMetricExists { name: name() },
        NamedIn::Body,
        400,
        r#"{"cause":"Named metric already exists","detail":"n"}"#,
    );
    check(
        IndexerError::InvalidMarker {
            marker: "x".to_owned(),
        },
        400,
        "Invalid pagination: `Invalid marker: `x''",
    );
    check(
        IndexerError::InvalidSortKey {
            key: "k".to_owned(),
            known: vec!["id".to_owned()],
        },
        400,
        "Invalid pagination: `Sort key supplied is invalid: k'",
    );
}

#[test]
fn every_failure_of_a_back_end_is_told_apart() {
    let backend = |kind| BackendError::new("sqlite", "open /var/lib/gnocchi.db", kind);
    let check = |kind: BackendErrorKind, status: u16, retry: bool| {
        for error in [
            Error::Indexer(IndexerError::Backend(backend(kind))),
            Error::Storage(StorageError::Backend(backend(kind))),
            Error::Incoming(IncomingError::Backend(backend(kind))),
            Error::Coordination(CoordinationError::Backend(backend(kind))),
        ] {
            let answer = ApiError::from(error);
            assert_eq!(answer.status.as_u16(), status, "{kind}");
            assert_eq!(answer.retry_after_seconds.is_some(), retry, "{kind}");
            assert!(
                matches!(&answer.detail, Detail::Text(text) if !text.contains("gnocchi.db")),
                "{answer:?}"
            );
        }
    };
    check(BackendErrorKind::Full, 507, true);
    check(BackendErrorKind::ReadOnly, 503, true);
    check(BackendErrorKind::Unavailable, 503, true);
    check(BackendErrorKind::Timeout, 503, true);
    check(BackendErrorKind::Conflict, 503, true);
    check(BackendErrorKind::Denied, 503, false);
    check(BackendErrorKind::Corrupt, 503, false);
    check(BackendErrorKind::Config, 503, false);
    check(BackendErrorKind::Unexpected, 503, false);
}

#[test]
fn every_other_error_has_its_answer() {
    let metric = MetricId::from_u128(2);
    let method = "mean".parse().unwrap();
    let level = Definition::new(Some(Timespan::from_second(60).unwrap()), None, None).unwrap();
    let kept = vec!["max".parse().unwrap()];
    let policy = Arc::new(ArchivePolicy::new("low", 0, vec![level], kept).unwrap());
    check(
        IncomingError::BacklogFull {
            pending_bytes: 9,
            limit_bytes: 8,
        },
        503,
        "9 bytes of measures are pending and the limit is 8 (max_pending_bytes): try again later",
    );
    check(
        StorageError::StaleFence {
            fence: 1,
            current: 2,
        },
        503,
        "another process took over this part of the store: try again",
    );
    check(
        CoordinationError::NoGroups,
        503,
        "the coordinator keeps no groups",
    );
    check(
        Error::ArchivePolicyChange {
            name: "p".to_owned(),
            source: ArchivePolicyError::GranularitiesAddedOrDropped {
                kept: vec![Timespan::from_second(60).unwrap()],
                found: 2,
            },
        },
        400,
        "Archive policy p does not support change: Cannot add or drop granularities: it has 60 s, and 2 are given",
    );
    let no_rule = |metric_name: Option<&str>| Error::NoArchivePolicyRule {
        metric_name: metric_name.map(ToOwned::to_owned),
    };
    let text = "No archive policy name specified and no archive policy rule found matching the metric name";
    check(no_rule(None), 400, &format!("{text} None"));
    check(no_rule(Some("cpu")), 400, &format!("{text} cpu"));
    check(
        Error::UnknownAggregation {
            metric,
            method,
            archive_policy: Arc::clone(&policy),
        },
        404,
        r#"{"cause":"Aggregation method does not exist for this metric","detail":{"aggregation_method":"mean","metric":"00000000-0000-0000-0000-000000000002"},"explanation":"archive policy low keeps max"}"#,
    );
    check(
        Error::UnknownGranularity {
            metric,
            method,
            granularity: Timespan::from_second(42).unwrap(),
            archive_policy: policy,
        },
        404,
        "Aggregation method 'mean' at granularity '42.0' for metric 00000000-0000-0000-0000-000000000002 does not exist",
    );
    check(
        Error::TooManyPoints { limit: 7 },
        422,
        "More than 7 points are needed at once: ask for a shorter range of time, a coarser granularity or fewer metrics",
    );
    check(
        Error::TooManySeries { limit: 7 },
        422,
        "More than 7 series are needed at once: ask for fewer metrics",
    );
    check(
        Error::ResampleWithoutGranularity,
        400,
        "A granularity must be specified to resample",
    );
    let source = DecodeError::Truncated;
    let damaged = ApiError::from(Error::Damaged {
        metric,
        place: "block 7 of 60 s".to_owned(),
        source,
    });
    assert_eq!(damaged.status.as_u16(), 503);
    assert_eq!(damaged.detail, Detail::Text(PERMANENT.to_owned()));
}

#[test]
fn every_limit_of_a_query_names_its_option() {
    let check = |error: BudgetError, status: u16, option: &str, retried: bool| {
        let error = ApiError::from(Error::from(error));
        let Detail::Text(text) = &error.detail else {
            panic!("{error:?}")
        };
        assert_eq!(error.status.as_u16(), status, "{text}");
        assert_eq!(error.retry_after_seconds.is_some(), retried, "{text}");
        assert!(text.contains(&format!("[api] {option})")), "{text}");
    };
    let (limit_bytes, seconds) = (7, Duration::from_secs(7));
    check(
        BudgetError::TooManyCells { limit: 7 },
        422,
        "query_cells_max",
        false,
    );
    check(
        BudgetError::TooMuchMemory { limit_bytes },
        422,
        "query_memory_bytes",
        false,
    );
    check(
        BudgetError::MemoryHeld { limit_bytes },
        503,
        "query_memory_bytes",
        true,
    );
    check(
        BudgetError::QueueFull { limit: 7 },
        503,
        "query_queue",
        true,
    );
    let queued = BudgetError::QueueTimeout {
        concurrency: 7,
        waited: seconds,
    };
    check(queued, 503, "query_concurrency", true);
    check(queued, 503, "operation_timeout", true);
    check(
        BudgetError::Timeout { limit: seconds },
        504,
        "query_timeout",
        false,
    );
}
