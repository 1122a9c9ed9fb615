use std::time::{Duration, SystemTime};

use carbonara::{Series, TimeError, Timestamp};
use futures::FutureExt as _;
use gnocchi_core::clock::{Clock as _, SystemClock};
use gnocchi_core::model::{ArchivePolicy, MetricId};

use super::*;
use crate::span::{DAY, HOUR, MINUTE, SECOND, days, minutes};

async fn store() -> Store {
    Store::in_memory().await.unwrap()
}

fn now() -> Timestamp {
    SystemClock.now()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn agent() -> Policy {
    Policy::named("agent")
        .keep(SECOND, days(1))
        .keep(MINUTE, days(30))
        .methods(["mean", "max", "std"])
        .back_window(1)
}

#[tokio::test]
async fn the_program_of_the_front_page_reads_what_it_wrote() {
    let store = store().await;
    store.ensure_policy(agent()).await.unwrap();
    let cpu = store.metric("host", "cpu").policy("agent").ensure().await;
    let cpu = cpu.unwrap();
    let now = now();
    let report = store.append([(&cpu, now, 0.25)]).await.unwrap();
    assert_eq!((report.accepted, report.is_complete()), (1, true));
    let reading = store.read([&cpu]).methods(["mean", "std"]).every(MINUTE);
    let rows = reading.last(HOUR).await.unwrap();
    let row = rows.iter().next().unwrap();
    assert_eq!(row.value("mean"), Some(0.25));
    assert_eq!(row.value("std"), None, "one value has no deviation");
    assert_eq!(row.timestamp(), now.floor(MINUTE));
    assert_eq!(row.metric().to_string(), "host/cpu");
}

#[tokio::test]
async fn a_policy_is_created_once_and_compared_afterwards() {
    let store = store().await;
    store.ensure_policy(agent()).await.unwrap();
    let same = Policy::named("agent")
        .keep(MINUTE, 30 * Duration::from_hours(24))
        .keep(Duration::from_secs(1), DAY)
        .methods(["std", "max", "mean", "max"])
        .back_window(1);
    store.ensure_policy(same).await.unwrap();
    let other = Policy::named("agent")
        .keep(SECOND, days(2))
        .keep_forever(HOUR)
        .methods(["mean"]);
    let error = store.ensure_policy(other).await.unwrap_err().to_string();
    for part in [
        "archive policy agent exists and differs",
        "granularity 1.0 s: got kept for 86400.0 s, expected kept for 172800.0 s",
        "granularity 60.0 s: got kept for 2592000.0 s, expected not kept",
        "granularity 3600.0 s: got not kept, expected kept forever",
        "methods: got mean, max, std, expected mean",
        "back window: got 1, expected 0",
    ] {
        assert!(error.contains(part), "{error} lacks {part}");
    }
}

#[tokio::test]
async fn a_policy_that_cannot_exist_says_why() {
    let store = store().await;
    let check = async |policy: Policy, expected: &str| {
        let error = store.ensure_policy(policy).await.unwrap_err();
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        let text = format!("{error}: {}", cause.unwrap_or_default());
        assert!(text.contains(expected), "{text}");
    };
    check(agent().methods(["p95"]), "expected 95pct").await;
    check(agent().keep(SECOND, days(1)), "More than one").await;
    check(agent().keep(HOUR, days(0)), "retention number 3").await;
    check(
        agent().keep(Duration::ZERO, days(1)),
        "granularity number 3",
    )
    .await;
    check(Policy::named("empty"), "at least one granularity").await;
    let methods = [""; 0];
    check(agent().methods(methods), "at least one aggregation method").await;
}

#[tokio::test]
async fn metrics_are_found_or_created_in_the_order_of_their_names() {
    let store = store().await;
    let names = [("a", "cpu"), ("b", "cpu"), ("a", "disk"), ("a", "cpu")];
    let first = store.metrics(names).policy("low").ensure().await.unwrap();
    assert_eq!(first[0], first[3]);
    let text: Vec<String> = first.iter().map(ToString::to_string).collect();
    assert_eq!(text, ["a/cpu", "b/cpu", "a/disk", "a/cpu"]);
    // More of an existing resource, and a policy by rule.
    let more = [("a", "memory"), ("c", "cpu"), ("a", "disk")];
    let more = store.metrics(more).ensure().await.unwrap();
    assert_eq!(more[2], first[2]);
    let found = store
        .metrics([("c", "cpu"), ("c", "x")])
        .find()
        .await
        .unwrap();
    assert_eq!(found, [Some(more[1].clone()), None]);
    assert_eq!(store.metrics(names).find().await.unwrap().len(), 4);
    let gnocchi = store.gnocchi().unwrap();
    assert_eq!(gnocchi.counts().await.unwrap().metrics, 5);
}

#[tokio::test]
async fn metrics_that_cannot_be_had_say_why() {
    let store = store().await;
    store.ensure_policy(agent()).await.unwrap();
    store
        .metric("a", "cpu")
        .policy("low")
        .ensure()
        .await
        .unwrap();
    let check = async |request: MetricRequest<'_>, expected: &str| {
        let error = request.ensure().await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    let other = "metric a/cpu exists with another archive policy: got low; expected agent";
    check(store.metric("a", "cpu").policy("agent"), other).await;
    check(store.metric("a/b", "cpu"), r#""a/b" cannot be used"#).await;
    check(store.metric("a", "x/y"), r#"metric "x/y" of resource a"#).await;
    check(store.metric("a", "y").policy("x"), "archive policy x").await;
}

#[tokio::test]
async fn many_tasks_may_ensure_the_same_metrics() {
    let store = store().await;
    let tasks = (0..8).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            let names = ["a", "b", "c"].map(|name| ("host", name));
            store.metrics(names).ensure().await
        })
    });
    let mut all = Vec::new();
    for task in tasks {
        all.push(task.await.unwrap().unwrap());
    }
    assert!(all.iter().all(|one| *one == all[0]));
}

#[tokio::test]
async fn what_is_refused_is_reported_and_the_rest_is_stored() {
    let store = store().await;
    let names = ["cpu", "gone"].map(|name| ("host", name));
    let metrics = store.metrics(names).policy("low").ensure().await.unwrap();
    let [cpu, gone] = <[MetricHandle; 2]>::try_from(metrics).unwrap();
    store.delete([&gone]).await.unwrap();
    let hours: Series = [(at(7200), 1.0), (at(7201), 2.0)].into_iter().collect();
    let report = store.append([(&cpu, hours)]).await.unwrap();
    assert_eq!(report.accepted, 2);
    let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
    let late: SystemTime = at(10).into();
    let points = [(&cpu, before, 1.0), (&gone, late, 2.0), (&cpu, late, 3.0)];
    let report = store.append(points).await.unwrap();
    assert_eq!(report.accepted, 0);
    let mut reasons: Vec<(&MetricHandle, RefusalReason, usize)> = report
        .refused
        .iter()
        .map(|refusal| (&refusal.metric, refusal.reason, refusal.points))
        .collect();
    reasons.sort_by_key(|(_, reason, _)| reason.to_string());
    let early = RefusalReason::Timestamp(TimeError::BeforeEpoch);
    let expected = [
        (&cpu, RefusalReason::TooLate, 1),
        (&gone, RefusalReason::MetricDeleted, 1),
        (&cpu, early, 1),
    ];
    assert_eq!(reasons, expected);
    let text = report.to_string();
    assert!(text.starts_with("0 points accepted, 3 refused: "), "{text}");
    let nothing: [(&MetricHandle, Timestamp, f64); 0] = [];
    assert!(store.append(nothing).await.unwrap().is_complete());
}

#[tokio::test]
async fn ranges_hold_the_bucket_of_their_start_and_not_their_end() {
    let store = store().await;
    store.ensure_policy(agent()).await.unwrap();
    let cpu = store.metric("host", "cpu").policy("agent").ensure().await;
    let cpu = cpu.unwrap();
    let series: Series = (0..600).map(|second| (at(second), 1.0)).collect();
    let report = store.append([(&cpu, series)]).await.unwrap();
    assert_eq!(report.accepted, 600);
    let check = async |request: ReadRequest, first: i64, last: i64| {
        let rows = request.methods(["mean"]).every(MINUTE).await.unwrap();
        let rows: Vec<i64> = rows.iter().map(|row| row.timestamp().as_second()).collect();
        assert_eq!((rows.first(), rows.last()), (Some(&first), Some(&last)));
    };
    let read = || store.read([&cpu]);
    check(read(), 0, 540).await;
    check(read().range(at(119)..at(300)), 60, 240).await;
    check(read().range(at(119)..=at(300)), 60, 300).await;
    check(read().range(at(120)..), 120, 540).await;
    check(read().range(..at(120)), 0, 60).await;
    // The last call counts.
    check(read().last(SECOND).range(..at(120)), 0, 60).await;
}

#[tokio::test]
async fn the_granularity_follows_the_range() {
    let store = store().await;
    store.ensure_policy(agent()).await.unwrap();
    let cpu = store.metric("host", "cpu").policy("agent").ensure().await;
    let cpu = cpu.unwrap();
    let report = store.append([(&cpu, now(), 1.0)]).await.unwrap();
    assert!(report.is_complete());
    let check = async |request: ReadRequest, expected| {
        let rows = request.await.unwrap();
        let rows = &rows.metrics()[0];
        assert_eq!(rows.granularity(), expected);
        assert_eq!(rows.methods().len(), 3, "all methods of the policy");
        assert_eq!(rows.len(), 1);
    };
    check(store.read([&cpu]).last(minutes(5)), SECOND).await;
    check(store.read([&cpu]).last(DAY), SECOND).await;
    check(store.read([&cpu]).last(days(2)), MINUTE).await;
    check(store.read([&cpu]).last(days(400)), MINUTE).await;
    check(store.read([&cpu]), MINUTE).await;
}

#[tokio::test]
async fn what_is_not_kept_cannot_be_read_and_says_what_can() {
    let store = store().await;
    store.ensure_policy(agent()).await.unwrap();
    let cpu = store.metric("host", "cpu").policy("agent").ensure().await;
    let cpu = cpu.unwrap();
    let check = async |request: ReadRequest, expected: &str| {
        let error = request.await.unwrap_err().to_string();
        assert_eq!(error, expected);
    };
    let read = || store.read([&cpu]);
    check(
        read().methods(["95pct"]),
        "cannot read metric host/cpu: got the aggregation method 95pct; expected one of mean, max, std",
    )
    .await;
    check(
        read().every(HOUR),
        "cannot read metric host/cpu: got a granularity of 3600.0 s; expected one of 1.0, 60.0 s",
    )
    .await;
    check(
        read().last(days(0)),
        "the duration of the query cannot be used",
    )
    .await;
    let p95 = r#"got the aggregation method "p95"; expected 95pct"#;
    check(read().methods(["p95"]).every(days(0)), p95).await;
    store.delete([&cpu]).await.unwrap();
    check(read(), "metric host/cpu does not exist").await;
}

#[tokio::test]
async fn a_resource_goes_with_its_metrics() {
    let store = store().await;
    let names = ["cpu", "disk"].map(|name| ("host", name));
    store.metrics(names).ensure().await.unwrap();
    assert!(store.delete_resource("host").await.unwrap());
    assert!(!store.delete_resource("host").await.unwrap());
    assert_eq!(store.metrics(names).find().await.unwrap(), [None, None]);
    // The name is free again.
    store.metrics(names).ensure().await.unwrap();
}

#[tokio::test]
async fn the_resource_of_another_creator_is_not_touched() {
    let theirs = store().await;
    let gnocchi = theirs.gnocchi().unwrap();
    let ours = Store::with(gnocchi, Some("us".into()), Processing::Manual, None);
    let metric = ours.metric("host", "cpu").ensure().await.unwrap();
    assert_ne!(theirs.metric("host", "cpu").ensure().await.unwrap(), metric);
    // Someone else has taken the id that the name would have.
    let id = gnocchi_core::model::ResourceId::from_original("db", Some("us")).unwrap();
    theirs.metric(id.to_string(), "cpu").ensure().await.unwrap();
    let error = ours.metric("db", "cpu").ensure().await.unwrap_err();
    assert!(matches!(error, Error::ResourceTaken { .. }), "{error}");
    assert!(!ours.delete_resource("db").await.unwrap());
}

#[tokio::test]
async fn a_closed_store_refuses_calls_of_all_clones() {
    let store = store().await;
    let (clone, cpu) = (store.clone(), store.metric("host", "cpu").ensure().await);
    let cpu = cpu.unwrap();
    store.close().await.unwrap();
    store.close().await.unwrap();
    assert!(clone.is_closed());
    let appended = clone.append([(&cpu, now(), 1.0)]).await;
    assert!(matches!(appended, Err(Error::Closed)));
    assert!(matches!(clone.read([&cpu]).await, Err(Error::Closed)));
    assert!(matches!(clone.process().await, Err(Error::Closed)));
}

#[test]
fn without_a_runtime_that_will_do_calls_return_errors() {
    use tokio::runtime::Builder;

    let runtime = Builder::new_multi_thread().enable_all().build().unwrap();
    let (store, cpu) = runtime.block_on(async {
        let store = store().await;
        let cpu = store.metric("host", "cpu").ensure().await.unwrap();
        (store, cpu)
    });
    let missing = |error| matches!(error, Error::Runtime(RuntimeError::Missing));
    let checks: [BoxFuture<'_, Result<(), Error>>; 5] = [
        Box::pin(async { Store::in_memory().await.map(drop) }),
        Box::pin(async { store.append([(&cpu, at(1), 1.0)]).await.map(drop) }),
        Box::pin(async { store.read([&cpu]).await.map(drop) }),
        Box::pin(async { store.metric("a", "b").ensure().await.map(drop) }),
        Box::pin(store.close()),
    ];
    for check in checks {
        // None of them waits for anything.
        let outcome = check.now_or_never().unwrap();
        assert!(missing(outcome.unwrap_err()));
    }
    let bare = Builder::new_current_thread().build().unwrap();
    let opened = bare.block_on(Store::in_memory());
    let error = opened.unwrap_err();
    assert!(matches!(error, Error::Runtime(RuntimeError::NoTimers)));
}

#[test]
fn a_found_metric_has_a_handle() {
    let policy = ArchivePolicy::defaults(&["mean".parse().unwrap()]).remove(0);
    let metric = gnocchi_core::model::Metric {
        id: MetricId::from_u128(7),
        creator: None,
        name: None,
        unit: None,
        resource_id: None,
        archive_policy: Arc::new(policy),
        status: gnocchi_core::model::MetricStatus::Active,
    };
    let handle = MetricHandle::from(&metric);
    assert_eq!(handle.to_string(), metric.id.to_string());
    assert_eq!((handle.name(), handle.resource()), (None, None));
}

#[cfg(all(feature = "embedded", feature = "sqlite"))]
mod in_a_directory {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_closed_store_can_be_opened_again_at_once() {
        let directory = tempfile::tempdir().unwrap();
        for round in 1..=3 {
            let store = Store::builder(directory.path()).open().await.unwrap();
            let second = Store::builder(directory.path()).open().await;
            assert!(matches!(second, Err(Error::Open(_))), "it is in use");
            store.ensure_policy(agent()).await.unwrap();
            let cpu = store.metric("host", "cpu").policy("agent").ensure().await;
            let cpu = cpu.unwrap();
            let report = store.append([(&cpu, at(round), 1.0)]).await.unwrap();
            assert!(report.is_complete(), "{report}");
            store.process().await.unwrap();
            let rows = store.read([&cpu]).every(SECOND).await.unwrap();
            assert_eq!(rows.len(), usize::try_from(round).unwrap());
            store.close().await.unwrap();
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn options_reach_the_store() {
        let directory = tempfile::tempdir().unwrap();
        let settings = Settings {
            max_future: Some(HOUR),
            ..Settings::default()
        };
        let builder = Store::builder(directory.path())
            .settings(settings)
            .files(|files| files.background_threads = std::num::NonZeroU16::MIN)
            .default_policies(DefaultPolicies::Skip)
            .processing(Processing::Manual)
            .creator("us");
        let store = builder.open().await.unwrap();
        let gnocchi = store.gnocchi().unwrap();
        assert!(gnocchi.archive_policies().await.unwrap().is_empty());
        store.ensure_policy(agent()).await.unwrap();
        let cpu = store.metric("host", "cpu").policy("agent").ensure().await;
        let cpu = cpu.unwrap();
        let metric = gnocchi.metric(cpu.id()).await.unwrap();
        assert_eq!(metric.creator.as_deref(), Some("us"));
        let ahead = SystemTime::from(now()) + days(1);
        let report = store.append([(&cpu, ahead, 1.0)]).await.unwrap();
        assert_eq!(report.refused[0].reason, RefusalReason::TooFarAhead);
        drop(gnocchi);
        store.close().await.unwrap();
    }
}

#[cfg(feature = "blocking")]
mod blocking_calls {
    use super::*;
    use crate::blocking;

    #[test]
    fn a_program_without_a_runtime_has_the_whole_interface() {
        let store = blocking::Store::in_memory().unwrap();
        store.ensure_policy(agent()).unwrap();
        let names = ["cpu", "disk"].map(|name| ("host", name));
        let metrics = store.metrics(names).policy("agent").unit("%").ensure();
        let metrics = metrics.unwrap();
        assert_eq!(store.metrics(names).find().unwrap().len(), 2);
        let cpu = store
            .metric("host", "cpu")
            .policy("agent")
            .unit("%")
            .ensure();
        let cpu = cpu.unwrap();
        assert_eq!(cpu, metrics[0]);
        let report = store.append([(&cpu, at(60), 1.0)]).unwrap();
        assert!(report.is_complete());
        store.wait(Store::process).unwrap();
        let request = store.read(&metrics).methods(["mean"]).every(MINUTE);
        let rows = request.range(at(60)..at(120)).send().unwrap();
        assert_eq!(rows.len(), 1);
        assert!(store.read([&cpu]).last(HOUR).send().unwrap().is_empty());
        store.delete([&cpu]).unwrap();
        assert_eq!(store.metric("host", "cpu").find().unwrap(), None);
        assert!(store.delete_resource("host").unwrap());
        store.close().unwrap();
    }

    #[tokio::test]
    async fn a_blocking_call_in_a_task_is_refused() {
        let opened = blocking::Store::in_memory();
        let error = opened.unwrap_err();
        assert!(matches!(error, Error::Runtime(RuntimeError::Nested)));
        // Threads for blocking work may wait; the store may be dropped anywhere.
        let opened = tokio::task::spawn_blocking(blocking::Store::in_memory).await;
        let store = opened.unwrap().unwrap();
        let error = store.ensure_policy(agent()).unwrap_err();
        assert!(matches!(error, Error::Runtime(RuntimeError::Nested)));
        drop(store);
    }
}
