use std::collections::BTreeMap;

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use http::{HeaderMap, StatusCode};

use super::*;

/// Starts a service that gives one answer to questions of one form, and returns its address.
async fn service(
    content_type: &'static str,
    body: &'static str,
    answer: (StatusCode, &'static str),
) -> String {
    let handler = async move |headers: HeaderMap, bytes: Bytes| {
        let is_right = headers["content-type"] == content_type && bytes == body;
        if is_right {
            answer
        } else {
            (StatusCode::OK, "not the question")
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = Router::new().route("/check", post(handler));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    format!("http://{address}/check")
}

fn check(url: String) -> RemoteCheck {
    RemoteCheck {
        url,
        rule: "get status".to_owned(),
        target: BTreeMap::from([("id".to_owned(), "1".to_owned())]),
        caller: Caller::named("u"),
    }
}

const FORM: &str = "rule=%22get+status%22&target=%7B%22id%22%3A%221%22%7D&credentials=%7B%22domain_id%22%3Anull%2C%22project_id%22%3Anull%2C%22roles%22%3A%5B%5D%2C%22system%22%3A%22all%22%2C%22user%22%3A%22u%22%2C%22user_id%22%3Anull%7D";
const JSON: &str = r#"{"credentials":{"domain_id":null,"project_id":null,"roles":[],"system":"all","user":"u","user_id":null},"rule":"get status","target":{"id":"1"}}"#;

async fn allows(content_type: RemoteContentType, url: String) -> bool {
    let settings = HttpChecksSettings {
        content_type,
        ..HttpChecksSettings::default()
    };
    HttpChecks::new(&settings)
        .unwrap()
        .allows(&check(url))
        .await
}

#[tokio::test]
async fn questions_are_forms_or_json() {
    let yes = (StatusCode::OK, "True");
    let url = service("application/x-www-form-urlencoded", FORM, yes).await;
    assert!(allows(RemoteContentType::Form, url).await);
    let url = service("application/json", JSON, yes).await;
    assert!(allows(RemoteContentType::Json, url).await);
}

#[tokio::test]
async fn only_true_allows() {
    for (answer, expected) in [
        ((StatusCode::OK, "True"), true),
        ((StatusCode::OK, "\"True\"\n"), true),
        ((StatusCode::OK, "true"), false),
        ((StatusCode::OK, "False"), false),
        ((StatusCode::OK, ""), false),
        ((StatusCode::FORBIDDEN, "True"), false),
    ] {
        let url = service("application/json", JSON, answer).await;
        let allowed = allows(RemoteContentType::Json, url).await;
        assert_eq!(allowed, expected, "{answer:?}");
    }
}

#[tokio::test]
async fn a_service_that_cannot_be_asked_denies() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let url = format!("http://{address}/check");
    assert!(!allows(RemoteContentType::Json, url).await);
    assert!(!allows(RemoteContentType::Json, "http:".to_owned()).await);
}
