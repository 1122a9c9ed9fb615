//! Against a Keystone that is made of a few lines; the real one has its own test.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use gnocchi_core::clock::ManualClock;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::super::settings::{Domain, Named, Scope, Secret, ServiceRoles, ServiceUser};
use super::*;
use crate::outgoing::TlsSettings;

/// What the fake has been asked, and how it behaves.
#[derive(Debug, Default)]
struct Fake {
    logins: AtomicUsize,
    look_ups: AtomicUsize,
    /// Service tokens with a smaller number do not count.
    first_valid: AtomicUsize,
    /// Every request fails while it is not zero.
    failures: AtomicUsize,
}

fn token(expires_at: &str) -> Value {
    json!({"token": {
        "expires_at": expires_at,
        "user": {"id": "u"}, "project": {"id": "p"}, "roles": [{"name": "member"}],
    }})
}

impl Fake {
    fn fails(&self) -> bool {
        let one_less = |left: usize| left.checked_sub(1);
        self.failures
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less)
            .is_ok()
    }
}

async fn log_in(
    State(fake): State<Arc<Fake>>,
    Json(body): Json<Value>,
) -> axum::response::Response {
    if fake.fails() {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    if body["auth"]["identity"]["password"]["user"]["password"] != "right" {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let number = fake.logins.fetch_add(1, Ordering::Relaxed);
    let header = [("X-Subject-Token", number.to_string())];
    (
        StatusCode::CREATED,
        header,
        Json(token("2000-01-01T00:10:00Z")),
    )
        .into_response()
}

async fn look_up(State(fake): State<Arc<Fake>>, headers: HeaderMap) -> axum::response::Response {
    fake.look_ups.fetch_add(1, Ordering::Relaxed);
    if fake.fails() {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    let own: usize = headers[AUTH].to_str().unwrap().parse().unwrap();
    if own < fake.first_valid.load(Ordering::Relaxed) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    match headers[SUBJECT].to_str().unwrap() {
        "over" => Json(token("1999-12-31T23:59:59Z")).into_response(),
        "good" => Json(token("2000-01-01T01:00:00Z")).into_response(),
        "endless" => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE.into_response(),
        status if status.parse::<StatusCode>().is_ok() => {
            status.parse::<StatusCode>().unwrap().into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

const AUTH: &str = "x-auth-token";
const SUBJECT: &str = "x-subject-token";

/// Starts the fake and what asks it; the clock shows the beginning of the year 2000.
async fn started(password: &str, retries_max: u32) -> (Arc<Fake>, KeystoneService) {
    let fake = Arc::new(Fake::default());
    let routes = Router::new()
        .route("/v3/auth/tokens", get(look_up).post(log_in))
        .with_state(Arc::clone(&fake));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let service = service(&format!("http://{address}"), password, retries_max);
    (fake, service)
}

fn service(address: &str, password: &str, retries_max: u32) -> KeystoneService {
    let settings = KeystoneSettings {
        auth_url: address.to_owned(),
        www_authenticate_uri: address.to_owned(),
        service_user: ServiceUser {
            user: Named::Name {
                name: "gnocchi".to_owned(),
                domain: Domain::Id("default".to_owned()),
            },
            password: Secret(password.to_owned()),
            scope: Scope::System,
        },
        catalog: None,
        tls: TlsSettings::default(),
        connect_timeout: Duration::from_secs(1),
        retries_max,
        cache: None,
        service_token_roles: Vec::new(),
        service_roles: ServiceRoles::Required,
    };
    let now = Timestamp::from_second(946_684_800).unwrap();
    KeystoneService::new(settings, Arc::new(ManualClock::new(now))).unwrap()
}

async fn validate(service: &KeystoneService, token: &str) -> Result<Arc<Identity>, TokenError> {
    service.validate(token, Expired::Refused).await
}

#[tokio::test]
async fn a_token_that_has_ended_is_refused_whatever_keystone_says() {
    let (_, service) = started("right", 0).await;
    let refused = validate(&service, "over").await;
    assert_eq!(refused, Err(TokenError::Invalid));
    validate(&service, "good").await.unwrap();
    let finishing = service.validate("over", Expired::Accepted).await;
    assert_eq!(finishing.unwrap().user_id.as_deref(), Some("u"));
}

#[tokio::test]
async fn tokens_are_looked_up_with_one_login() {
    let (fake, service) = started("right", 0).await;
    let requests = (0..20).map(|_| validate(&service, "good"));
    for identity in futures::future::join_all(requests).await {
        assert_eq!(identity.unwrap().project_id.as_deref(), Some("p"));
    }
    assert_eq!(validate(&service, "bad").await, Err(TokenError::Invalid));
    assert_eq!(fake.logins.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_login_that_does_not_count_any_more_is_renewed() {
    let (fake, service) = started("right", 0).await;
    validate(&service, "good").await.unwrap();
    fake.first_valid.store(1, Ordering::Relaxed);
    validate(&service, "good").await.unwrap();
    assert_eq!(fake.logins.load(Ordering::Relaxed), 2);
    // A Keystone that takes none of its own tokens does not make an endless loop.
    fake.first_valid.store(usize::MAX, Ordering::Relaxed);
    let refused = validate(&service, "good").await;
    assert_eq!(refused, Err(TokenError::Unavailable));
    assert_eq!(fake.logins.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn requests_that_fail_are_sent_again() {
    let (fake, service) = started("right", 2).await;
    fake.failures.store(2, Ordering::Relaxed);
    validate(&service, "good").await.unwrap();
    fake.failures.store(3, Ordering::Relaxed);
    let failed = validate(&service, "good").await;
    assert_eq!(failed, Err(TokenError::Unavailable));
}

#[tokio::test]
async fn a_keystone_that_is_down_is_left_alone_for_a_while() {
    let (fake, service) = started("wrong", 0).await;
    for _ in 0..3 {
        let failed = validate(&service, "good").await;
        assert_eq!(failed, Err(TokenError::Unavailable));
    }
    assert_eq!(fake.look_ups.load(Ordering::Relaxed), 0);

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let nowhere = self::service(&format!("http://{address}"), "right", 0);
    let failed = validate(&nowhere, "good").await;
    assert_eq!(failed, Err(TokenError::Unavailable));
    assert!(nowhere.is_pausing());
}

#[tokio::test]
async fn a_token_that_keystone_chokes_on_does_no_harm_to_others() {
    let (_, service) = started("right", 0).await;
    for token in ["endless", "500", "502", "504", "401", "403", "429"] {
        let failed = validate(&service, token).await;
        assert_eq!(failed, Err(TokenError::Unavailable), "{token}");
        assert!(!service.is_pausing(), "{token}");
        validate(&service, "good").await.unwrap();
    }
    // That is Keystone itself, or the proxy in front of it.
    validate(&service, "503").await.unwrap_err();
    assert!(service.is_pausing());
}

#[tokio::test]
async fn secrets_are_not_shown() {
    let (_, service) = started("right", 0).await;
    validate(&service, "good").await.unwrap();
    let login = service.login().await.unwrap();
    for shown in [format!("{service:?}"), format!("{:?}", service.client)] {
        assert!(!shown.contains("right"), "{shown}");
    }
    assert!(format!("{login:?}").contains("(hidden)"));
}

#[test]
fn logins_are_renewed_before_they_end() {
    let check = |left_seconds: i64, expected_seconds: u64| {
        let now = Timestamp::from_second(1000).unwrap();
        let end = Timestamp::from_second(1000 + left_seconds).unwrap();
        let expected = Duration::from_secs(expected_seconds);
        assert_eq!(renew_after(now, end), expected, "{left_seconds}");
    };
    check(3600, 3540);
    check(120, 60);
    check(60, 30);
    check(0, 0);
    check(-10, 0);
}
