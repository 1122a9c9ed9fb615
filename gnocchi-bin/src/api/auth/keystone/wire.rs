//! What Keystone is sent and what it answers, in its own JSON.

use carbonara::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::settings::{CatalogEntry, Domain, Named, Scope, ServiceUser};
use super::token::Identity;

/// The service under which Keystone lists itself.
const IDENTITY_SERVICE: &str = "identity";

/// An answer that describes a token.
#[derive(Debug, Deserialize)]
pub(super) struct TokenDocument {
    token: TokenBody,
}

#[derive(Debug, Deserialize)]
struct TokenBody {
    expires_at: String,
    user: Option<Reference>,
    project: Option<Reference>,
    domain: Option<Reference>,
    #[serde(default)]
    roles: Vec<Role>,
    #[serde(default)]
    catalog: Vec<Service>,
}

#[derive(Debug, Deserialize)]
struct Reference {
    id: String,
}

#[derive(Debug, Deserialize)]
struct Role {
    name: String,
}

#[derive(Debug, Deserialize)]
struct Service {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    endpoints: Vec<Endpoint>,
}

#[derive(Debug, Deserialize)]
struct Endpoint {
    #[serde(default)]
    interface: String,
    region: Option<String>,
    region_id: Option<String>,
    url: String,
}

impl TokenDocument {
    /// Returns when the token ends; `None` when that cannot be read.
    pub(super) fn expires_at(&self) -> Option<Timestamp> {
        let expiry: jiff::Timestamp = self.token.expires_at.parse().ok()?;
        let nanoseconds = i64::try_from(expiry.as_nanosecond()).ok()?;
        Timestamp::from_nanosecond(nanoseconds).ok()
    }

    /// Returns who the token stands for; `None` when its end cannot be read.
    pub(super) fn identity(self) -> Option<Identity> {
        let expires_at = self.expires_at()?;
        let id = |reference: Option<Reference>| reference.map(|reference| reference.id);
        let TokenBody {
            user,
            project,
            domain,
            roles,
            ..
        } = self.token;
        Some(Identity {
            user_id: id(user),
            project_id: id(project),
            domain_id: id(domain),
            roles: roles.into_iter().map(|role| role.name).collect(),
            expires_at,
        })
    }

    /// Returns the address of Keystone that its catalog names.
    pub(super) fn endpoint(&self, wanted: &CatalogEntry) -> Option<&str> {
        let fits = |endpoint: &&Endpoint| {
            let region = [&endpoint.region_id, &endpoint.region];
            let is_there = |wanted: &String| region.contains(&&Some(wanted.clone()));
            endpoint.interface == wanted.interface && wanted.region.as_ref().is_none_or(is_there)
        };
        let services = self.token.catalog.iter();
        let own = services.filter(|service| service.kind == IDENTITY_SERVICE);
        let mut endpoints = own.flat_map(|service| &service.endpoints);
        endpoints.find(fits).map(|endpoint| endpoint.url.as_str())
    }
}

/// Returns the body that asks for a token of the service user.
pub(super) fn password_request(service_user: &ServiceUser) -> Value {
    let mut user = named(&service_user.user);
    user["password"] = service_user.password.0.as_str().into();
    let scope = match &service_user.scope {
        Scope::Project(project) => json!({"project": named(project)}),
        Scope::Domain(one) => json!({"domain": domain(one)}),
        Scope::System => json!({"system": {"all": true}}),
    };
    let identity = json!({"methods": ["password"], "password": {"user": user}});
    json!({"auth": {"identity": identity, "scope": scope}})
}

fn named(one: &Named) -> Value {
    match one {
        Named::Id(id) => json!({"id": id}),
        Named::Name { name, domain: of } => json!({"name": name, "domain": domain(of)}),
    }
}

fn domain(one: &Domain) -> Value {
    match one {
        Domain::Id(id) => json!({"id": id}),
        Domain::Name(name) => json!({"name": name}),
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::Secret;
    use super::*;

    const DOCUMENT: &str = r#"{"token": {
        "methods": ["password"],
        "expires_at": "2026-11-06T14:32:17.000000Z",
        "user": {"id": "u", "name": "jd", "domain": {"id": "default", "name": "Default"}},
        "project": {"id": "p", "name": "shop", "domain": {"id": "default", "name": "Default"}},
        "roles": [{"id": "1", "name": "member"}, {"id": "2", "name": "reader"}],
        "catalog": [
            {"type": "metric", "endpoints": [{"interface": "internal", "url": "http://metric"}]},
            {"type": "identity", "endpoints": [
                {"interface": "public", "region_id": "one", "url": "http://public"},
                {"interface": "internal", "region_id": "one", "url": "http://one"},
                {"interface": "internal", "region_id": "two", "url": "http://two"}
            ]}
        ]
    }}"#;

    fn document(text: &str) -> TokenDocument {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn identities_are_read() {
        let identity = document(DOCUMENT).identity().unwrap();
        assert_eq!(identity.user_id.as_deref(), Some("u"));
        assert_eq!(identity.project_id.as_deref(), Some("p"));
        assert_eq!(identity.domain_id, None);
        assert_eq!(identity.roles, ["member", "reader"]);
        assert_eq!(
            identity.expires_at,
            Timestamp::from_second(1_793_975_537).unwrap()
        );
    }

    #[test]
    fn tokens_without_scope_have_no_project() {
        let text = r#"{"token": {"expires_at": "2026-11-06T14:32:17Z", "user": {"id": "u"}}}"#;
        let identity = document(text).identity().unwrap();
        assert_eq!(identity.project_id, None);
        assert_eq!(identity.roles, Vec::<String>::new());
        let endless = r#"{"token": {"expires_at": "soon", "user": {"id": "u"}}}"#;
        assert_eq!(document(endless).identity(), None);
    }

    #[test]
    fn the_catalog_leads_to_keystone() {
        let document = document(DOCUMENT);
        let check = |interface: &str, region: Option<&str>, expected: Option<&str>| {
            let wanted = CatalogEntry {
                interface: interface.to_owned(),
                region: region.map(ToOwned::to_owned),
            };
            assert_eq!(document.endpoint(&wanted), expected, "{wanted:?}");
        };
        check("internal", None, Some("http://one"));
        check("internal", Some("two"), Some("http://two"));
        check("public", Some("one"), Some("http://public"));
        check("public", Some("two"), None);
        check("admin", None, None);
    }

    #[test]
    fn the_service_user_is_named_by_name_or_id() {
        let service_user = ServiceUser {
            user: Named::Name {
                name: "gnocchi".to_owned(),
                domain: Domain::Name("Default".to_owned()),
            },
            password: Secret("pass".to_owned()),
            scope: Scope::Project(Named::Id("s".to_owned())),
        };
        let expected = json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user": {
                "name": "gnocchi", "domain": {"name": "Default"}, "password": "pass",
            }}},
            "scope": {"project": {"id": "s"}},
        }});
        assert_eq!(password_request(&service_user), expected);
        assert!(!format!("{service_user:?}").contains("pass\""));
    }
}
