use carbonara::Timestamp;
use http::header::WWW_AUTHENTICATE;
use http::{HeaderName, StatusCode};

use axum::response::IntoResponse;

use super::*;
use crate::outgoing::TlsSettings;

/// Tokens name their role; `expired` counts only when a service says so.
#[derive(Debug)]
struct ByName;

#[async_trait::async_trait]
impl TokenValidator for ByName {
    async fn validate(&self, token: &str, expired: Expired) -> Result<Arc<Identity>, TokenError> {
        match (token, expired) {
            ("bad", _) | ("expired", Expired::Refused) => Err(TokenError::Invalid),
            ("down", _) => Err(TokenError::Unavailable),
            (role, _) => Ok(Arc::new(Identity {
                user_id: Some("u".to_owned()),
                project_id: Some("p".to_owned()),
                domain_id: None,
                roles: vec![role.to_owned()],
                expires_at: Timestamp::EPOCH,
            })),
        }
    }
}

fn settings(service_roles: ServiceRoles) -> KeystoneSettings {
    KeystoneSettings {
        auth_url: "http://keystone".to_owned(),
        www_authenticate_uri: "http://public".to_owned(),
        service_user: ServiceUser {
            user: Named::Id("s".to_owned()),
            password: Secret("secret".to_owned()),
            scope: Scope::System,
        },
        catalog: None,
        tls: TlsSettings::default(),
        connect_timeout: std::time::Duration::from_secs(1),
        retries_max: 0,
        cache: None,
        service_token_roles: vec!["service".to_owned()],
        service_roles,
    }
}

async fn call(
    service_roles: ServiceRoles,
    headers: &[(&'static str, &'static str)],
) -> Result<Caller, axum::response::Response> {
    let keystone = Keystone::with_validator(&settings(service_roles), Arc::new(ByName));
    let headers = headers.iter().map(|(name, value)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    });
    let caller = keystone.caller(&headers.collect()).await;
    caller.map_err(IntoResponse::into_response)
}

async fn status(service_roles: ServiceRoles, headers: &[(&'static str, &'static str)]) -> u16 {
    match call(service_roles, headers).await {
        Ok(_) => 200,
        Err(response) => response.status().as_u16(),
    }
}

#[tokio::test]
async fn tokens_stand_for_callers_and_other_headers_for_nothing() {
    let forged = [
        (TOKEN, "member"),
        ("x-user-id", "root"),
        ("x-project-id", "other"),
        ("x-roles", "admin"),
    ];
    let caller = call(ServiceRoles::Required, &forged).await.unwrap();
    assert_eq!(caller.creator.as_deref(), Some("u:p"));
    assert_eq!(caller.roles, ["member"]);
    let without = status(ServiceRoles::Required, &forged[1..]).await;
    assert_eq!(without, 401);
}

#[tokio::test]
async fn refusals_say_where_tokens_come_from() {
    for headers in [vec![], vec![(TOKEN, "bad")], vec![(TOKEN, " ")]] {
        let response = call(ServiceRoles::Required, &headers).await.unwrap_err();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(
            response.headers()[WWW_AUTHENTICATE],
            "Keystone uri=\"http://public\""
        );
    }
    let down = status(ServiceRoles::Required, &[(TOKEN, "down")]).await;
    assert_eq!(down, 503);
}

#[tokio::test]
async fn a_service_passes_expired_tokens_on() {
    let check = async |service_roles, token, service, expected: u16| {
        let headers = [(TOKEN, token), (SERVICE_TOKEN, service)];
        let found = status(service_roles, &headers).await;
        assert_eq!(found, expected, "{token} {service}");
    };
    check(ServiceRoles::Required, "expired", "Service", 200).await;
    check(ServiceRoles::Required, "expired", "member", 401).await;
    check(ServiceRoles::Required, "member", "member", 401).await;
    check(ServiceRoles::Optional, "member", "member", 200).await;
    check(ServiceRoles::Optional, "expired", "member", 401).await;
    check(ServiceRoles::Required, "member", "bad", 401).await;
    check(ServiceRoles::Required, "bad", "service", 401).await;
}
