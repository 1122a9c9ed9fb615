//! The ways to say who calls.

use std::sync::Arc;

use gnocchi_core::policy::{Enforcer, RemoteCheck};
use gnocchi_server::api::auth::passwords::Passwords;
use gnocchi_server::api::auth::{
    AccessControl, Authenticator, Basic, Policy, RemoteChecker, RemoteUser, RemoteUserHeader,
};
use http::HeaderName;
use serde_json::json;

use crate::support::App;

/// Documents that are the same for every caller.
const OPEN: [&str; 4] = ["/", "/v1/", "/v1/capabilities", "/healthcheck"];

const CHALLENGE: &str = "Basic realm=\"gnocchi\"";

fn app(authenticator: Authenticator) -> App {
    App::with_access(AccessControl {
        authenticator,
        ..AccessControl::default()
    })
}

#[tokio::test]
async fn basic_mode_believes_names_and_asks_for_one() {
    let app = App::new();
    for path in OPEN {
        app.call("GET", path).send().await.is(200);
    }
    let refused = app.call("GET", "/v1/metric").send().await.is(401);
    assert_eq!(refused.header("www-authenticate"), CHALLENGE);
    let bearer = app
        .call("GET", "/v1/metric")
        .header("authorization", "Bearer x");
    bearer
        .send()
        .await
        .is(401)
        .says("Send a user name in an Authorization header of the scheme Basic");
    // Headers of another mode count for nothing.
    let forged = app.call("GET", "/v1/status").user("jd");
    forged.identity("root", "p", "admin").send().await.is(403);
}

#[tokio::test]
async fn passwords_count_when_a_file_has_them() {
    // `U*U`
    let users = "jd:$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
    let passwords = Arc::new(Passwords::parse(users).unwrap());
    let app = app(Authenticator::Basic(Basic::with_passwords(passwords)));
    for path in OPEN {
        app.call("GET", path).send().await.is(200);
    }
    let right = app
        .call("GET", "/v1/metric")
        .header("authorization", "Basic amQ6VSpV");
    right.send().await.is(200);
    for name in ["jd", "admin"] {
        let wrong = app
            .call("GET", "/v1/metric")
            .user(name)
            .send()
            .await
            .is(401)
            .says("The user name or the password is wrong");
        assert_eq!(wrong.header("www-authenticate"), CHALLENGE);
    }
}

#[tokio::test]
async fn a_proxy_names_the_caller() {
    let header = HeaderName::from_static("x-remote-user");
    let app = app(Authenticator::RemoteUser(RemoteUserHeader::new(header)));
    for path in OPEN {
        app.call("GET", path).send().await.is(200);
    }
    app.call("GET", "/v1/metric")
        .send()
        .await
        .is(401)
        .says("must name the caller in one x-remote-user header");
    // The name of basic authentication counts for nothing here.
    app.call("GET", "/v1/metric")
        .user("admin")
        .send()
        .await
        .is(401);
    let admin = app
        .call("POST", "/v1/archive_policy")
        .header("x-remote-user", "admin");
    let policy = json!({"name": "second", "definition": [{"granularity": 1}]});
    admin.json(&policy).await.is(201);
    let jd = app.call("POST", "/v1/metric").header("x-remote-user", "jd");
    let made = jd
        .json(&json!({"archive_policy_name": "second"}))
        .await
        .is(201);
    assert_eq!(made.json()["creator"], "jd");
    let jd = app.call("GET", "/v1/status").header("x-remote-user", "jd");
    jd.send().await.is(403);
}

#[tokio::test]
async fn a_program_that_embeds_the_router_names_the_caller() {
    use tower::ServiceExt;
    let header = HeaderName::from_static("x-remote-user");
    let app = app(Authenticator::RemoteUser(RemoteUserHeader::new(header)));
    let request = http::Request::get("/v1/status")
        .extension(RemoteUser("admin".to_owned()))
        .body(axum::body::Body::empty())
        .unwrap();
    let answer = app.router.oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn an_identity_layer_guards_everything_but_the_root() {
    let app = app(Authenticator::IdentityHeaders);
    for path in ["/", "/healthcheck"] {
        app.call("GET", path).send().await.is(200);
    }
    for path in [
        "/v1",
        "/v1/",
        "/v1/capabilities",
        "/v1/metric",
        "/v1/openapi.json",
    ] {
        app.call("GET", path).send().await.is(401);
        // The name of basic authentication counts for nothing here.
        app.call("GET", path).user("admin").send().await.is(401);
    }
    let known = app
        .call("GET", "/v1/capabilities")
        .identity("u", "p", "member");
    known.send().await.is(200);
}

/// Lets `jd` pass.
#[derive(Debug)]
struct OnlyJd;

#[async_trait::async_trait]
impl RemoteChecker for OnlyJd {
    async fn allows(&self, check: &RemoteCheck) -> bool {
        check.url == "http://policy/status" && check.caller.creator.as_deref() == Some("jd")
    }
}

#[tokio::test]
async fn another_service_decides() {
    let rules = [("get status", "role:admin or http://policy/status")];
    let app = App::with_access(AccessControl {
        policy: Policy::new(Enforcer::new(rules, "default").unwrap()),
        remote: Arc::new(OnlyJd),
        ..AccessControl::default()
    });
    for (name, status) in [("admin", 200), ("jd", 200), ("other", 403)] {
        app.call("GET", "/v1/status")
            .user(name)
            .send()
            .await
            .is(status);
    }
}

#[tokio::test]
async fn rules_are_replaced_while_requests_are_answered() {
    let policy = Policy::new(Enforcer::default());
    let app = App::with_access(AccessControl {
        policy: policy.clone(),
        ..AccessControl::default()
    });
    app.call("GET", "/v1/status")
        .user("jd")
        .send()
        .await
        .is(403);
    policy.replace(Enforcer::new([("get status", "user:jd")], "default").unwrap());
    app.call("GET", "/v1/status")
        .user("jd")
        .send()
        .await
        .is(200);
}
