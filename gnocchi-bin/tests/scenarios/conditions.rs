//! Conditional requests: entity tags and times of resources.

use serde_json::{Value, json};

use crate::support::{Answer, App};

const ID: &str = "f93450f2-d8a5-4d67-9985-02511241e7d1";

/// When the clock of the tests stands, and a second before.
const NOW: &str = "Sat, 06 Jun 2015 14:00:00 GMT";
const BEFORE: &str = "Sat, 06 Jun 2015 13:59:59 GMT";

async fn with_resource() -> (App, Answer) {
    let app = App::with_policy().await;
    let created = app.post("/v1/resource/generic", json!({"id": ID})).await;
    (app, created.is(201))
}

fn path() -> String {
    format!("/v1/resource/generic/{ID}")
}

/// Sends a request of `foobar` with one condition.
async fn ask(app: &App, method: &str, condition: (&str, &str), body: &Value) -> Answer {
    let call = app.call(method, &path()).user("foobar");
    let call = call.wants_json().header(condition.0, condition.1);
    match method {
        "PATCH" => call.json(body).await,
        _ => call.send().await,
    }
}

#[tokio::test]
async fn answers_name_the_state() {
    let (app, created) = with_resource().await;
    let tag = created.header("etag").to_owned();
    assert!(tag.len() == 42 && tag.starts_with('"'), "{tag}");
    assert_eq!(created.header("last-modified"), NOW);
    let shown = app.get(&path()).await.is(200);
    assert_eq!(shown.header("etag"), tag);
    assert_eq!(shown.header("last-modified"), NOW);

    // What changes nothing has the tag of before, and a change another one, though no time has passed.
    let same = app.patch(&path(), json!({})).await.is(200);
    assert_eq!(same.header("etag"), tag);
    let changed = app.patch(&path(), json!({"user_id": "me"})).await.is(200);
    assert_ne!(changed.header("etag"), tag);
    assert_eq!(
        app.get(&path()).await.header("etag"),
        changed.header("etag")
    );
    let with_metrics = json!({"metrics": {"cpu": {"archive_policy_name": "second"}}});
    let same = app.patch(&path(), with_metrics).await.is(200);
    assert_eq!(same.header("etag"), changed.header("etag"));
}

#[tokio::test]
async fn what_a_client_has_is_not_sent_again() {
    let (app, created) = with_resource().await;
    let tag = created.header("etag");
    for condition in [
        ("if-none-match", tag),
        ("if-none-match", "*"),
        ("if-modified-since", NOW),
    ] {
        for method in ["GET", "HEAD"] {
            let answer = ask(&app, method, condition, &Value::Null).await.is(304);
            assert_eq!(answer.text(), "", "{condition:?}");
            assert!(!answer.headers.contains_key("content-type"));
        }
    }
    for condition in [("if-none-match", "\"x\""), ("if-modified-since", BEFORE)] {
        ask(&app, "GET", condition, &Value::Null).await.is(200);
    }
}

#[tokio::test]
async fn another_state_than_the_expected_one_is_left_alone() {
    let (app, created) = with_resource().await;
    let old = created.header("etag").to_owned();
    let mine = json!({"user_id": "mine"});
    let changed = ask(&app, "PATCH", ("if-match", &old), &mine).await.is(200);
    let new = changed.header("etag").to_owned();
    for condition in [
        ("if-match", old.as_str()),
        ("if-match", "W/\"x\""),
        ("if-none-match", new.as_str()),
        ("if-none-match", "*"),
        ("if-unmodified-since", BEFORE),
    ] {
        let theirs = json!({"user_id": "theirs"});
        let refused = ask(&app, "PATCH", condition, &theirs).await.is(412);
        assert_eq!(refused.json()["description"], "");
        ask(&app, "DELETE", condition, &Value::Null).await.is(412);
    }
    assert_eq!(app.get(&path()).await.is(200).json()["user_id"], "mine");
    ask(&app, "GET", ("if-match", &old), &Value::Null)
        .await
        .is(412);
    ask(&app, "DELETE", ("if-match", &new), &Value::Null)
        .await
        .is(204);
    ask(&app, "DELETE", ("if-match", &new), &Value::Null)
        .await
        .is(404);
}

#[tokio::test]
async fn rights_come_first_and_bodies_last() {
    let (app, _) = with_resource().await;
    let stranger = app.call("PATCH", &path()).user("stranger");
    let stranger = stranger.header("if-match", "x").json(&json!({})).await;
    stranger.is(403);
    let malformed = app.call("PATCH", &path()).user("foobar");
    let malformed = malformed.header("if-match", "x").raw_json("{").await;
    malformed.is(412);
}

#[tokio::test]
async fn of_many_who_expect_the_same_state_one_gets_through() {
    let (app, created) = with_resource().await;
    let tag = created.header("etag");
    let change = async |number: usize| {
        let mine = json!({"user_id": number.to_string()});
        ask(&app, "PATCH", ("if-match", tag), &mine)
            .await
            .status
            .as_u16()
    };
    let mut statuses = futures::future::join_all((0..10).map(change)).await;
    statuses.sort_unstable();
    assert_eq!(statuses[0], 200);
    assert!(
        statuses[1..].iter().all(|status| *status == 412),
        "{statuses:?}"
    );
    let history = app.get(&format!("{}/history", path())).await.is(200).json();
    assert_eq!(history.as_array().unwrap().len(), 2);
}
