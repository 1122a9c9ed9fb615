//! Resources whose life has ended, and goes on when newer measures come.

use std::sync::Arc;

use carbonara::Series;
use gnocchi_core::driver::BacklogDetails;
use gnocchi_core::error::BackendErrorKind;
use gnocchi_core::model::{Measures, MetricId};
use gnocchi_core::{Drivers, Settings};
use serde_json::{Value, json};

use crate::failing_indexer::FailingIndexer;
use crate::support::{App, NOW_SECONDS, drivers};

const RESOURCE: &str = "/v1/resource/generic/machine";
const MEASURES: &str = "/v1/resource/generic/machine/metric/cpu/measures";

/// Makes a resource with two metrics, an hour old.
async fn with_machine(app: &App) {
    let metric = json!({"archive_policy_name": "second"});
    let machine = json!({
        "id": "machine", "started_at": NOW_SECONDS - 3600, "user_id": "u",
        "metrics": {"cpu": metric, "memory": metric},
    });
    app.post("/v1/resource/generic", machine).await.is(201);
}

async fn end(app: &App, second: i64) {
    let ended = app.patch(RESOURCE, json!({"ended_at": second})).await;
    ended.is(200);
}

async fn measure(app: &App, path: &str, second: i64) {
    let measures = json!([{"timestamp": second, "value": 1}]);
    app.post(path, measures).await.is(202);
    app.gnocchi.process().await.unwrap();
}

async fn machine(app: &App) -> Value {
    app.get(RESOURCE).await.is(200).json()
}

async fn revisions(app: &App) -> usize {
    let history = app.get(&format!("{RESOURCE}/history")).await.is(200);
    history.json().as_array().unwrap().len()
}

#[tokio::test]
async fn newer_measures_take_the_end_back() {
    let app = App::with_policy().await;
    with_machine(&app).await;
    // What is known of the metrics from before the end must not be believed after it.
    measure(&app, MEASURES, NOW_SECONDS - 1000).await;
    end(&app, NOW_SECONDS - 300).await;
    let ended = machine(&app).await;
    let tag = app.get(RESOURCE).await.header("etag").to_owned();
    measure(&app, MEASURES, NOW_SECONDS - 301).await;
    assert_eq!(machine(&app).await, ended);

    measure(&app, MEASURES, NOW_SECONDS - 300).await;
    let going_on = machine(&app).await;
    assert_eq!(going_on["ended_at"], json!(null));
    assert_eq!(going_on["user_id"], json!("u"));
    assert_eq!(going_on["metrics"], ended["metrics"]);
    assert_ne!(going_on["revision_start"], ended["revision_start"]);
    assert_eq!(revisions(&app).await, 3);
    let outdated = app.call("PATCH", RESOURCE).user("foobar");
    let outdated = outdated.header("if-match", &tag);
    outdated.json(&json!({"user_id": "v"})).await.is(412);
    // It is open: further measures make no revision.
    measure(&app, MEASURES, NOW_SECONDS).await;
    assert_eq!(revisions(&app).await, 3);

    // Ended again, it stays so until another metric of it is measured.
    end(&app, NOW_SECONDS + 100).await;
    measure(&app, MEASURES, NOW_SECONDS + 99).await;
    assert_ne!(machine(&app).await["ended_at"], json!(null));
    let memory = MEASURES.replace("cpu", "memory");
    measure(&app, &memory, NOW_SECONDS + 100).await;
    assert_eq!(machine(&app).await["ended_at"], json!(null));
    assert_eq!(revisions(&app).await, 5);
}

#[tokio::test]
async fn a_metric_that_is_made_after_the_end_counts_too() {
    let app = App::with_policy().await;
    with_machine(&app).await;
    end(&app, NOW_SECONDS - 300).await;
    let metric = json!({"disk": {"archive_policy_name": "second"}});
    let made = app.post(&format!("{RESOURCE}/metric"), metric).await;
    made.is(200);
    let attached =
        json!({"name": "net", "resource_id": "machine", "archive_policy_name": "second"});
    app.post("/v1/metric", attached).await.is(201);
    for name in ["disk", "net"] {
        end(&app, NOW_SECONDS - 300).await;
        measure(&app, &MEASURES.replace("cpu", name), NOW_SECONDS).await;
        assert_eq!(machine(&app).await["ended_at"], json!(null), "{name}");
    }
}

#[tokio::test]
async fn measures_that_are_rejected_take_nothing_back() {
    let app = App::with_policy().await;
    with_machine(&app).await;
    measure(&app, MEASURES, NOW_SECONDS).await;
    end(&app, NOW_SECONDS - 600).await;
    // Older than the back window of ten seconds, but newer than the end.
    measure(&app, MEASURES, NOW_SECONDS - 500).await;
    assert_ne!(machine(&app).await["ended_at"], json!(null));
}

#[tokio::test]
async fn what_has_not_ended_costs_no_question_to_the_indexer() {
    let indexer = FailingIndexer::default();
    let drivers = Drivers {
        indexer: Arc::new(indexer.clone()),
        ..drivers()
    };
    let app = App::with(drivers, Settings::default());
    app.create_policy().await;
    with_machine(&app).await;
    let metric = machine(&app).await["metrics"]["cpu"].clone();
    let metric: MetricId = metric.as_str().unwrap().parse().unwrap();
    let measure = async |second: i64| {
        let series = Series::from_points(vec![second * 1_000_000_000], vec![1.0]).unwrap();
        let measures = vec![Measures { metric, series }];
        app.gnocchi.append(measures).await.unwrap();
        app.gnocchi.process().await.unwrap();
    };
    measure(NOW_SECONDS - 1).await;
    // What is known from the first measure is enough, for taking measures as for folding them.
    indexer.fail(BackendErrorKind::Unavailable);
    measure(NOW_SECONDS).await;
    let backlog = app.gnocchi.backlog(BacklogDetails::Summary).await.unwrap();
    assert_eq!(backlog.points, 0);
}
