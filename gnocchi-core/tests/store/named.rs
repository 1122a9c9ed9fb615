//! Series that come with the names of their resource and metric.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use gnocchi_core::access::{Access, Denied, NoRemoteChecks, Policy, RemoteChecker};
use gnocchi_core::intake::{
    Destination, Intake, IntakeError, IntakeLimits, Missing, NamedBatch, NamedSeries, Refusal,
    Report, ResourceKind, UnfitReason, Verdict,
};
use gnocchi_core::model::{
    ArchivePolicyRule, Attribute, AttributeKind, AttributeValue, ResourceType,
};
use gnocchi_core::policy::{Caller, Enforcer, RemoteCheck};

use super::*;

const LIMITS: IntakeLimits = IntakeLimits {
    new_metrics_max: 2000,
    timeout: Duration::from_mins(1),
};

/// Resource, metric, and points as second and value.
type Sent<'a> = (&'a str, &'a str, &'a [(i64, f64)]);

/// A store where metrics whose names begin with `kept` have an archive policy, and a caller with the rights that some rules give.
struct World {
    fixture: Fixture,
    policy: Policy,
    checker: Box<dyn RemoteChecker>,
}

impl World {
    async fn with_rules(rules: &[(&'static str, &'static str)]) -> Self {
        let fixture = Fixture::new(Settings {
            max_future: Some(span(60)),
            ..Settings::default()
        })
        .await;
        let rule = ArchivePolicyRule {
            name: "kept".into(),
            archive_policy_name: "minutes".into(),
            metric_pattern: "kept*".into(),
        };
        fixture
            .store
            .create_archive_policy_rule(&rule)
            .await
            .unwrap();
        Self {
            fixture,
            policy: Policy::new(Enforcer::new(rules.iter().copied(), "default").unwrap()),
            checker: Box::new(NoRemoteChecks),
        }
    }

    async fn store(
        &self,
        user: &str,
        series: &[Sent<'_>],
        missing: Missing<'_>,
    ) -> Result<Report, IntakeError> {
        let caller = Caller::named(user);
        let batch = batch(user, series);
        let access = Access::new(&self.fixture.store, &caller, &self.policy, &*self.checker);
        let intake = Intake::new(access, LIMITS);
        intake.store(batch, missing, Reported::All).await
    }
}

fn batch(user: &str, series_of: &[Sent<'_>]) -> NamedBatch {
    let named = series_of.iter().enumerate();
    let named = named.map(|(place, (resource, name, points))| NamedSeries {
        destination: Arc::new(Destination::of((*resource).to_owned(), Some(user)).unwrap()),
        name: (*name).to_owned(),
        series: series(points),
        archive_policy_name: None,
        unit: None,
        full_name: None,
        place: place + 1,
    });
    NamedBatch::of(named.collect())
}

fn generic() -> ResourceKind {
    ResourceKind::Existing("generic".into())
}

/// What is refused: place, points and why.
fn refused(report: &Report) -> Vec<(usize, usize, String)> {
    let verdicts = report.verdicts.iter();
    let refused = verdicts.flat_map(|verdict| {
        let refused = verdict.refused.iter();
        refused.map(|one| (verdict.place, one.points, one.refusal.to_string()))
    });
    refused.collect()
}

#[tokio::test]
async fn each_series_has_its_verdict() {
    let world = World::with_rules(&[]).await;
    let kind = generic();
    let missing = Missing::CreateResources(&kind);
    let sent: [Sent<'_>; 4] = [
        ("web", "kept.a", &[(9_000, 1.0), (9_001, 2.0)]),
        ("web", "other", &[(9_000, 1.0)]),
        ("db", "kept.b", &[(99_999, 1.0), (99_998, 1.0)]),
        ("db", "kept.a", &[(9_000, 1.0), (99_999, 2.0)]),
    ];
    let report = world.store("me", &sent, missing).await.unwrap();
    let ahead = "are further ahead of the clock of the server than it allows";
    let seen = refused(&report);
    assert_eq!(seen.len(), 3, "{seen:?}");
    let rule = "no archive policy rule matches the metric name other";
    assert_eq!(seen[0], (2, 1, rule.to_owned()));
    assert_eq!((seen[1].0, seen[1].1), (3, 2));
    assert!(seen[1].2.ends_with(ahead), "{seen:?}");
    assert_eq!((seen[2].0, seen[2].1), (4, 1));
    assert_eq!(report.stored(), 3);
    let stored: Vec<usize> = report.verdicts.iter().map(Verdict::stored).collect();
    assert_eq!(stored, [2, 0, 0, 1]);
}

#[tokio::test]
async fn late_points_are_reported_for_their_own_metric() {
    let world = World::with_rules(&[]).await;
    let kind = generic();
    let missing = Missing::CreateResources(&kind);
    let first: [Sent<'_>; 1] = [("web", "kept.old", &[(6_000, 1.0)])];
    world.store("me", &first, missing).await.unwrap();
    // All of the first series is cut off, and the others still stand beside their own metrics.
    let then: [Sent<'_>; 3] = [
        ("web", "kept.ahead", &[(99_999, 1.0)]),
        ("web", "kept.new", &[(100, 1.0)]),
        ("web", "kept.old", &[(100, 1.0), (6_001, 1.0)]),
    ];
    let report = world.store("me", &then, missing).await.unwrap();
    let places: Vec<_> = refused(&report).iter().map(|one| (one.0, one.1)).collect();
    assert_eq!(places, [(1, 1), (3, 1)]);
}

#[tokio::test]
async fn series_behind_many_that_are_refused_are_stored() {
    let world = World::with_rules(&[]).await;
    let names: Vec<String> = (0..1000)
        .map(|index| format!("other{index}"))
        .chain(["kept".to_owned()])
        .collect();
    let point: &[_] = &[(9_000, 1.0)];
    let sent: Vec<Sent<'_>> = names
        .iter()
        .map(|name| ("web", name.as_str(), point))
        .collect();
    let kind = generic();
    let report = world.store("me", &sent, Missing::CreateResources(&kind));
    let report = report.await.unwrap();
    assert_eq!(report.stored(), 1);
    assert_eq!(refused(&report).len(), 1000);
}

#[tokio::test]
async fn attributes_are_checked_against_the_type() {
    let world = World::with_rules(&[]).await;
    let kind = AttributeKind::String {
        min_length: 1,
        max_length: 3,
    };
    let required = Attribute {
        kind,
        required: true,
    };
    let host = ResourceType::new("host", [("os".to_owned(), required)].into()).unwrap();
    let kind = ResourceKind::OnDemand(host);
    // May create resource types.
    let caller = Caller::named("admin");
    let access = Access::new(
        &world.fixture.store,
        &caller,
        &world.policy,
        &NoRemoteChecks,
    );
    let intake = Intake::new(access, LIMITS);
    let check = async |attributes: &[(&str, &str)], expected: Option<UnfitReason>| {
        let mut destination = Destination::of("web".to_owned(), Some("admin")).unwrap();
        let text = |(name, value): &(&str, &str)| {
            let value = AttributeValue::String((*value).to_owned());
            ((*name).to_owned(), Some(value))
        };
        destination.attributes = attributes.iter().map(text).collect::<BTreeMap<_, _>>();
        let one = NamedSeries {
            destination: Arc::new(destination),
            name: "kept".into(),
            series: series(&[(9_000, 1.0)]),
            archive_policy_name: None,
            unit: None,
            full_name: None,
            place: 1,
        };
        let missing = Missing::CreateResources(&kind);
        let report = intake.store(NamedBatch::of(vec![one]), missing, Reported::All);
        let report = report.await.unwrap();
        let refusal = report.verdicts[0].refused.first().map(|one| &*one.refusal);
        let reason = refusal.map(|refusal| match refusal {
            Refusal::UnfitResource { reason, .. } => reason.clone(),
            other => panic!("{other}"),
        });
        assert_eq!(reason, expected, "{attributes:?}");
    };
    check(&[], Some(UnfitReason::Required("os".into()))).await;
    check(&[("os", "Linux")], Some(UnfitReason::Value("os".into()))).await;
    let unknown = [("os", "BSD"), ("cpu", "x")];
    check(&unknown, Some(UnfitReason::Unknown("cpu".into()))).await;
    check(&[("os", "BSD")], None).await;
}

#[tokio::test]
async fn a_batch_that_is_stored_as_a_whole_creates_no_resource() {
    let world = World::with_rules(&[]).await;
    let kept: [Sent<'_>; 1] = [("web", "kept", &[(9_000, 1.0)])];
    let unknown = world.store("me", &kept, Missing::Refuse).await.unwrap_err();
    let expected = "1 metrics do not exist";
    assert_eq!(unknown.to_string(), expected);
    let unknown = world.store("me", &kept, Missing::CreateMetrics).await;
    let unknown = unknown.unwrap_err();
    assert!(
        matches!(&unknown, IntakeError::UnknownResources { missing, .. } if missing.len() == 1),
        "{unknown}"
    );
    let kind = generic();
    let created = world.store("me", &kept, Missing::CreateResources(&kind));
    created.await.unwrap();
    let both: [Sent<'_>; 2] = [
        ("web", "kept.b", &[(9_000, 1.0)]),
        ("web", "other", &[(9_000, 1.0)]),
    ];
    let refusal = world.store("me", &both, Missing::CreateMetrics).await;
    assert!(matches!(
        refusal,
        Err(IntakeError::Refused(Refusal::NoArchivePolicyRule { .. }))
    ));
    let report = world.store("me", &both[..1], Missing::CreateMetrics).await;
    assert_eq!(report.unwrap().stored(), 1);
}

/// Allows everything, and counts the questions.
#[derive(Debug, Default)]
struct Counting(Arc<AtomicUsize>);

#[async_trait]
impl RemoteChecker for Counting {
    async fn allows(&self, _: &RemoteCheck) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed);
        true
    }
}

#[tokio::test]
async fn every_step_asks_its_rule() {
    let sent: [Sent<'_>; 1] = [("web", "kept", &[(9_000, 1.0)])];
    let more: [Sent<'_>; 1] = [("web", "kept.more", &[(9_000, 1.0)])];
    let kind = generic();
    let missing = Missing::CreateResources(&kind);
    for rule in ["create resource", "create metric", "post measures"] {
        let world = World::with_rules(&[(rule, "role:unassigned")]).await;
        let report = world.store("me", &sent, missing).await.unwrap();
        assert_eq!(report.stored(), 0, "{rule}");
        let refusal = &report.verdicts[0].refused[0].refusal;
        let denied = matches!(&**refusal, Refusal::Denied(Denied::ByRule { action }) if action.name() == rule);
        assert!(denied, "{refusal}");
    }
    // A metric on a resource that exists takes the right to change the resource, however it comes into being.
    let mut world = World::with_rules(&[("update resource", "role:unassigned")]).await;
    world.store("me", &sent, missing).await.unwrap();
    let report = world.store("me", &more, missing).await.unwrap();
    assert_eq!(report.stored(), 0);
    let whole = world.store("me", &more, Missing::CreateMetrics).await;
    assert!(matches!(
        whole,
        Err(IntakeError::Refused(Refusal::Denied(_)))
    ));
    // Other services are asked, too.
    let questions = Arc::new(AtomicUsize::new(0));
    world.checker = Box::new(Counting(Arc::clone(&questions)));
    let rules = [("update resource", "http://rules.example/")];
    world
        .policy
        .replace(Enforcer::new(rules, "default").unwrap());
    let report = world.store("me", &more, missing).await.unwrap();
    assert_eq!(report.stored(), 1);
    assert_eq!(questions.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_batch_creates_so_many_metrics() {
    let world = World::with_rules(&[]).await;
    let names: Vec<String> = (0..=LIMITS.new_metrics_max)
        .map(|index| format!("kept{index}"))
        .collect();
    let point: &[_] = &[(9_000, 1.0)];
    let sent: Vec<Sent<'_>> = names
        .iter()
        .map(|name| ("web", name.as_str(), point))
        .collect();
    let kind = generic();
    let missing = Missing::CreateResources(&kind);
    let refusal = world.store("me", &sent, missing).await;
    assert!(matches!(
        refusal,
        Err(IntakeError::TooManyNewMetrics { limit: 2000 })
    ));
    let stored = world.store("me", &sent[1..], missing).await.unwrap();
    assert_eq!(stored.stored(), 2000);
}
