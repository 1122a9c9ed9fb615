//! What all addresses have in common: methods, formats, prefixes, other origins, and the documents at the top.

use axum::Router;
use serde_json::json;

use crate::support::App;

#[tokio::test]
async fn the_documents_at_the_top() {
    let app = App::new();
    let versions = app.call("GET", "/").send().await.is(200).json();
    assert_eq!(versions["versions"][0]["id"], "v1.0");
    assert_eq!(
        versions["versions"][0]["links"],
        json!([{"rel": "self", "href": "http://example.org/v1/"}])
    );
    let redirect = app.call("GET", "/v1").send().await.is(302);
    assert_eq!(redirect.header("location"), "http://example.org/v1/");
    let index = app.call("GET", "/v1/").send().await.is(200).json();
    assert_eq!(index["links"].as_array().unwrap().len(), 13);
    assert_eq!(
        index["links"][9],
        json!({"rel": "resource", "href": "http://example.org/v1/resource"})
    );
    let capabilities = app
        .call("GET", "/v1/capabilities")
        .send()
        .await
        .is(200)
        .json();
    assert_eq!(
        capabilities["aggregation_methods"]
            .as_array()
            .unwrap()
            .len(),
        216
    );
}

#[tokio::test]
async fn addresses_that_lead_nowhere() {
    let app = App::with_policy().await;
    for path in ["/v1/resoue", "/v2", "/v1/batch", "/v1/search", "/%ff"] {
        let answer = app
            .call("GET", path)
            .user("foobar")
            .wants_json()
            .send()
            .await
            .is(404);
        let mut body = answer.json();
        let explanation = body.as_object_mut().unwrap().remove("explanation");
        assert_eq!(
            body,
            json!({"code": 404, "title": "Not Found", "description": null}),
            "{path}"
        );
        if path == "/v1/resoue" || path == "/v2" {
            let explanation = explanation.unwrap();
            let names_document = explanation.as_str().unwrap().contains("/v1/openapi.json");
            assert!(names_document, "{path}: {explanation}");
        }
    }
    for item in ["archive_policy", "archive_policy_rule", "resource_type"] {
        let call = app.call("GET", &format!("/v1/{item}/x/y/z")).user("foobar");
        let answer = call.wants_json().send().await.is(404);
        assert_eq!(answer.description(), "", "{item}");
    }
    app.call("GET", "/v1/archive_policy/%ff")
        .user("foobar")
        .send()
        .await
        .is(404);
    let metric = app.create_metric().await;
    app.get(&format!("/v1/metric/{metric}/foo")).await.is(405);
}

#[tokio::test]
async fn methods_that_are_not_known() {
    let app = App::with_policy().await;
    let answer = app
        .call("PUT", "/v1/archive_policy")
        .user("admin")
        .wants_json()
        .send()
        .await
        .is(405);
    assert_eq!(answer.json()["description"], "");
    assert_eq!(answer.header("allow"), "GET, HEAD, POST");
    let answer = app.call("PUT", "/v1/metric").user("admin").send().await;
    assert_eq!(answer.is(405).header("allow"), "GET, HEAD, POST");
    app.call("GET", "/v1/batch/metrics/measures")
        .user("foobar")
        .send()
        .await
        .is(405);
}

#[tokio::test]
async fn only_json_is_given() {
    let app = App::with_policy().await;
    let check = async |method: &str, path: &str, accept: &str, status: u16| {
        app.call(method, path)
            .user("foobar")
            .header("accept", accept)
            .send()
            .await
            .is(status)
    };
    check("GET", "/v1/archive_policy", "text/plain", 406)
        .await
        .says("406 Not Acceptable");
    check("GET", "/v1/archive_policy", "text/html", 406)
        .await
        .says("<h1>406 Not Acceptable</h1>");
    check(
        "GET",
        "/v1/archive_policy",
        "text/plain, application/json; q=0.8",
        200,
    )
    .await;
    check("POST", "/v1/metric", "text/plain", 406).await;
    check("PUT", "/v1/metric", "text/plain", 405).await;
    check("GET", "/v1/none", "text/plain", 404).await;
    check("DELETE", "/v1/archive_policy/second", "text/plain", 403).await;
}

#[tokio::test]
async fn names_are_not_empty() {
    let app = App::with_policy().await;
    let definition = json!([{"granularity": 1}]);
    let rule =
        |name: &str| json!({"name": name, "metric_pattern": "*", "archive_policy_name": "second"});
    app.admin("POST", "/v1/archive_policy_rule", rule("rule"))
        .await
        .is(201);
    for (method, path, body) in [
        (
            "POST",
            "/v1/archive_policy",
            json!({"name": "", "definition": definition}),
        ),
        ("POST", "/v1/archive_policy_rule", rule("")),
        ("PATCH", "/v1/archive_policy_rule/rule", json!({"name": ""})),
        ("POST", "/v1/resource_type", json!({"name": ""})),
    ] {
        app.admin(method, path, body)
            .await
            .is(400)
            .says("length of value must be at least 1");
    }
    // What a database is called is the name of a resource type.
    let query = app.call("POST", "/v1/influxdb/query?q=create+database+%22%22");
    query.user("admin").send().await.is(400);
}

#[tokio::test]
async fn refusals_say_which_rule_decides_unless_that_tells_what_exists() {
    let app = App::with_policy().await;
    let metric = app.create_metric().await;
    let ask = async |method: &str, path: &str| {
        let call = app.call(method, path).user("other").wants_json();
        call.send().await.is(403).description()
    };
    assert_eq!(
        ask("GET", "/v1/status").await,
        "The access rule \"get status\" does not allow this request"
    );
    let private = "The access rules do not allow this request";
    assert_eq!(ask("GET", &format!("/v1/metric/{metric}")).await, private);
    assert_eq!(
        ask("DELETE", &format!("/v1/metric/{metric}")).await,
        private
    );
}

#[tokio::test]
async fn errors_are_written_as_the_client_likes_them() {
    let app = App::new();
    let text = "Archive policy x does not exist";
    let check = async |accept: &str| {
        app.call("GET", "/v1/archive_policy/x")
            .user("foobar")
            .header("accept", accept)
            .send()
            .await
            .is(404)
            .says(text)
    };
    let json = check("application/json").await;
    assert_eq!(
        json.json(),
        json!({"code": 404, "title": "Not Found", "description": text})
    );
    assert_eq!(json.header("content-type"), "application/json");
    // Programs that take anything read JSON; browsers name HTML.
    assert_eq!(
        check("*/*").await.header("content-type"),
        "application/json"
    );
    let html = check("text/html, */*; q=0.8").await;
    assert_eq!(html.header("content-type"), "text/html; charset=UTF-8");
    let plain = check("").await;
    assert_eq!(plain.header("content-type"), "text/plain; charset=UTF-8");
    assert!(
        plain
            .text()
            .starts_with("404 Not Found\n\nThe resource could not be found.\n\n "),
        "{}",
        plain.text()
    );
}

#[tokio::test]
async fn the_content_type_is_asked_for_after_the_right() {
    let app = App::with_policy().await;
    let check = async |user: &str, content_type: Option<&str>, status: u16| {
        let mut call = app.call("POST", "/v1/archive_policy").user(user);
        if let Some(content_type) = content_type {
            call = call.header("content-type", content_type);
        }
        call.body("{}").send().await.is(status)
    };
    check("foobar", Some("text/plain"), 403).await;
    check("admin", Some("text/plain"), 415)
        .await
        .says("Unsupported Media Type");
    check("admin", None, 415).await;
    check("admin", Some("application/json; charset=utf-8"), 400).await;
}

#[tokio::test]
async fn credentials_that_cannot_be_read() {
    let app = App::new();
    for header in ["", "Basic", "Basic !!!", "Bearer x", "Basic Zm9v"] {
        let answer = app
            .call("GET", "/v1/metric")
            .header("authorization", header)
            .send()
            .await
            .is(401);
        assert_eq!(answer.header("www-authenticate"), "Basic realm=\"gnocchi\"");
    }
}

#[tokio::test]
async fn addresses_follow_the_prefix() {
    let app = App::new();
    let proxied = app
        .call("GET", "/")
        .header("forwarded", "for=192.0.2.60;proto=https;host=foobar");
    let proxied = proxied
        .header("x-forwarded-prefix", "/gnocchi")
        .send()
        .await
        .is(200)
        .json();
    assert_eq!(
        proxied["versions"][0]["links"][0]["href"],
        "https://foobar/gnocchi/v1/"
    );

    let mounted = App {
        router: Router::new().nest("/gnocchi", app.router.clone()),
        ..app
    };
    mounted.create_policy_at("/gnocchi").await;
    let index = mounted
        .call("GET", "/gnocchi/v1/")
        .send()
        .await
        .is(200)
        .json();
    assert_eq!(index["links"][0]["href"], "http://example.org/gnocchi/v1");
    mounted.call("GET", "/v1/").send().await.is(404);
}

impl App {
    async fn create_policy_at(&self, prefix: &str) {
        let body = json!({"name": "x", "definition": [{"granularity": 1}]});
        let created = self
            .admin("POST", &format!("{prefix}/v1/archive_policy"), body)
            .await
            .is(201);
        assert_eq!(
            created.header("location"),
            format!("http://example.org{prefix}/v1/archive_policy/x")
        );
    }
}

#[tokio::test]
async fn pages_of_other_origins() {
    let app = App::new();
    let ask = async |origin: &str| {
        let call = app.call("OPTIONS", "/v1/status").header("origin", origin);
        call.header("access-control-request-method", "GET")
            .send()
            .await
            .is(200)
    };
    let allowed = ask("http://foobar.com").await;
    assert_eq!(
        allowed.header("access-control-allow-origin"),
        "http://foobar.com"
    );
    assert_eq!(allowed.header("access-control-allow-methods"), "GET");
    assert!(
        !ask("http://notallowed.com")
            .await
            .headers
            .contains_key("access-control-allow-methods")
    );
    app.call("OPTIONS", "/nowhere").send().await.is(200);
    let other = app
        .call("GET", "/")
        .header("origin", "http://notallowed.com");
    assert_eq!(other.send().await.is(200).header("vary"), "Origin");
    let denied = app
        .call("GET", "/v1/status")
        .header("origin", "http://foobar.com")
        .send()
        .await
        .is(401);
    assert_eq!(
        denied.header("access-control-allow-origin"),
        "http://foobar.com"
    );
    assert_eq!(denied.header("vary"), "Origin");
}

#[tokio::test]
async fn health_needs_no_credentials() {
    let app = App::new();
    let plain = app.call("GET", "/healthcheck").send().await.is(200);
    assert_eq!(plain.text(), "");
    let json = app
        .call("GET", "/healthcheck/x/y")
        .wants_json()
        .send()
        .await
        .is(200);
    assert_eq!(json.json(), json!({"detailed": false, "reasons": []}));
    app.call("HEAD", "/healthcheck").send().await.is(204);
    app.call("POST", "/healthcheck/").send().await.is(200);
    // No recorder is installed in these tests.
    app.call("GET", "/metrics").send().await.is(404);
}

#[tokio::test]
async fn status_is_for_administrators() {
    let app = App::with_policy().await;
    let metric = app.create_metric().await;
    app.post(
        &format!("/v1/metric/{metric}/measures"),
        json!([{"timestamp": 1, "value": 1}]),
    )
    .await
    .is(202);
    app.get("/v1/status").await.is(403);
    let status = async |query: &str| {
        app.call("GET", &format!("/v1/status{query}"))
            .user("admin")
            .send()
            .await
            .is(200)
            .json()
    };
    let full = status("").await;
    assert_eq!(
        full["storage"],
        json!({"summary": {"metrics": 1, "measures": 1}, "measures_to_process": {metric: 1}})
    );
    assert_eq!(
        full["metricd"],
        json!({"processors": null, "statistics": {}})
    );
    assert_eq!(
        status("?details=False").await["storage"]
            .as_object()
            .unwrap()
            .len(),
        1
    );
    app.gnocchi.process().await.unwrap();
    assert_eq!(status("").await["storage"]["summary"]["measures"], 0);
}

#[tokio::test]
async fn every_described_operation_is_there() {
    let app = App::with_policy().await;
    let document = app
        .call("GET", "/v1/openapi.json")
        .send()
        .await
        .is(200)
        .json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3."));
    for (path, methods) in document["paths"].as_object().unwrap() {
        // One of them is asked for nothing without a statement.
        let path = path.replace("{type}", "generic").replace(['{', '}'], "") + "?q=show+databases";
        for method in methods.as_object().unwrap().keys() {
            let answer = app
                .call(&method.to_uppercase(), &path)
                .user("admin")
                .wants_json()
                .send()
                .await;
            assert_ne!(answer.status.as_u16(), 405, "{method} {path}");
            let leads_nowhere =
                answer.status.as_u16() == 404 && answer.json()["description"].is_null();
            assert!(!leads_nowhere, "{method} {path}");
        }
    }
}
