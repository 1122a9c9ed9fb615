//! The modes of authentication with their sections, and access rules.

use std::path::PathBuf;
use std::time::Duration;

use super::super::tests::Fixture;
use super::super::{Missing, PolicyPath};
use super::*;
use crate::api::auth::keystone::{Domain, KeystoneSettings, Named, Scope, ServiceRoles};
use crate::api::auth::{HttpChecksSettings, RemoteContentType};
use crate::outgoing::Verification;

fn auth(text: &str) -> AuthSettings {
    Fixture::new().file("a.conf", text).load().api.auth
}

const LOGIN: &str = "[api]\nauth_mode = keystone\n[keystone_authtoken]\nauth_url = http://k:5000\nusername = gnocchi\npassword = hunter2\nproject_name = service\n";

fn keystone(more: &str) -> KeystoneSettings {
    match auth(&format!("{LOGIN}{more}")) {
        AuthSettings::Keystone(settings) => *settings,
        other => panic!("{other:?}"),
    }
}

#[test]
fn modes_and_their_sections() {
    assert_eq!(auth(""), AuthSettings::default());
    let password_file = Some(PathBuf::from("/p"));
    assert_eq!(
        auth("[basic]\npassword_file = /p\n"),
        AuthSettings::Basic(BasicSettings { password_file })
    );
    let remote = |text: &str| match auth(&format!("[api]\nauth_mode = remoteuser\n{text}")) {
        AuthSettings::RemoteUser(settings) => settings.header,
        other => panic!("{other:?}"),
    };
    assert_eq!(remote(""), "X-Remote-User");
    assert_eq!(
        remote("[remoteuser]\nheader = X-Forwarded-User\n"),
        "X-Forwarded-User"
    );
    let trusting = "[api]\nauth_mode = keystone\ntrusted_identity_headers = true\n";
    assert_eq!(auth(trusting), AuthSettings::IdentityHeaders);
}

#[test]
fn the_login_at_keystone() {
    let settings = keystone("");
    assert_eq!(settings.www_authenticate_uri, "http://k:5000");
    let named = |name: &str, domain: Domain| Named::Name {
        name: name.to_owned(),
        domain,
    };
    let default = || Domain::Id("default".to_owned());
    assert_eq!(settings.service_user.user, named("gnocchi", default()));
    let project = Scope::Project(named("service", default()));
    assert_eq!(settings.service_user.scope, project);
    assert_eq!(settings.cache, Some(Duration::from_mins(5)));
    assert_eq!(settings.connect_timeout, Duration::from_secs(5));
    assert_eq!(settings.retries_max, 3);
    assert_eq!(settings.catalog, None);
    assert_eq!(settings.service_token_roles, ["service"]);
    assert_eq!(settings.service_roles, ServiceRoles::Required);
    assert_eq!(settings.tls.verification, Verification::Checked);
}

#[test]
fn what_may_be_said_of_keystone() {
    let settings = keystone(
        "auth_uri = http://public\nuser_domain_name = Users\nproject_id = p\ninterface = publicURL\nregion_name = one\ninsecure = true\ncertfile = c\nservice_token_roles = a,b\nservice_token_roles_required = false\ntoken_cache_time = -1\nmemcached_servers = m\n",
    );
    assert_eq!(settings.www_authenticate_uri, "http://public");
    let Named::Name { domain, .. } = &settings.service_user.user else {
        panic!("{settings:?}");
    };
    assert_eq!(*domain, Domain::Name("Users".to_owned()));
    let project = Scope::Project(Named::Id("p".to_owned()));
    assert_eq!(settings.service_user.scope, project);
    let catalog = settings.catalog.unwrap();
    assert_eq!(catalog.interface, "public");
    assert_eq!(catalog.region.as_deref(), Some("one"));
    assert_eq!(settings.tls.verification, Verification::Skipped);
    let both = (PathBuf::from("c"), PathBuf::from("c"));
    assert_eq!(settings.tls.client_certificate, Some(both));
    assert_eq!(settings.service_token_roles, ["a", "b"]);
    assert_eq!(settings.service_roles, ServiceRoles::Optional);
    assert_eq!(settings.cache, None);
}

#[test]
fn the_password_of_the_service_user_is_never_shown() {
    let fixture = Fixture::new().file("a.conf", LOGIN);
    let shown = format!("{:?}", fixture.load());
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn what_keystone_needs_is_named() {
    let check = |text: &str, expected: &str| {
        let error = Fixture::new().file("a.conf", text).error();
        assert!(error.ends_with(expected), "{error}");
    };
    let without = |line: &str| {
        let kept = LOGIN.lines().filter(|own| !own.starts_with(line));
        kept.collect::<Vec<_>>().join("\n")
    };
    for option in ["auth_url", "username", "password", "project_name"] {
        let expected = format!(
            "[keystone_authtoken] {option}: not set, but needed for [api] auth_mode = keystone"
        );
        check(&without(option), &expected);
    }
    check(
        &format!("{LOGIN}domain_name = d\n"),
        "only one of project, domain_name and system_scope can be acted on",
    );
    check(
        &format!("{}\nauth_url = k:5000\n", without("auth_url")),
        "must be an address that begins with http:// or https://",
    );
    check(
        &format!("{LOGIN}interface = inside\n"),
        "must be internal, public or admin",
    );
    check(&format!("{LOGIN}keyfile = k\n"), "needs certfile");
    check(
        "[api]\ntrusted_identity_headers = true\n",
        "is for auth_mode = keystone only",
    );
    check(
        "[api]\nauth_mode = remoteuser\n[remoteuser]\nheader = a b\n",
        "is not the name of a header",
    );
}

#[test]
fn access_rules_and_where_they_are_looked_for() {
    let fixture = Fixture::new();
    let policy = fixture.load().policy;
    assert_eq!(policy.file.path, PathBuf::from("policy.yaml"));
    assert_eq!(policy.file.missing, Missing::Fine);
    assert_eq!(policy.directories[0].path, PathBuf::from("policy.d"));
    assert_eq!(policy.default_rule, "default");
    assert_eq!(policy.remote, HttpChecksSettings::default());
    let beside = fixture.path("base.conf").parent().unwrap().to_owned();
    let expected = [
        beside,
        fixture.path("none.d"),
        PathBuf::from("/etc/gnocchi"),
    ];
    assert_eq!(policy.search, expected);

    let text = "[oslo_policy]\npolicy_file = own.json\npolicy_dirs = a\npolicy_dirs = b\npolicy_default_rule = d\nremote_content_type = application/json\nremote_ssl_verify_server_crt = no\nremote_timeout = 7\n";
    let policy = Fixture::new().file("a.conf", text).load().policy;
    let named = |path: &str| PolicyPath {
        path: path.into(),
        missing: Missing::Refused,
    };
    assert_eq!(policy.file, named("own.json"));
    assert_eq!(policy.directories, [named("a"), named("b")]);
    assert_eq!(policy.default_rule, "d");
    assert_eq!(policy.remote.content_type, RemoteContentType::Json);
    assert_eq!(policy.remote.tls.verification, Verification::Skipped);
    assert_eq!(policy.remote.timeout, Duration::from_secs(7));
    let form = "[oslo_policy]\nremote_content_type = text/plain\n";
    let error = Fixture::new().file("a.conf", form).error();
    assert!(
        error.contains("must be application/x-www-form-urlencoded"),
        "{error}"
    );
}
