//! `[keystone_authtoken]`: how tokens are validated.

use std::time::Duration;

use super::error::ConfigError;
use super::option::{OptionSpec, SECONDS_MAX, SectionSpec};
use super::reader::{Reader, Section, defaulted};
use crate::api::auth::keystone::{
    CatalogEntry, Domain, KeystoneSettings, Named, Scope, Secret, ServiceRoles, ServiceUser,
};
use crate::outgoing::{TlsSettings, Verification};

/// The options of this section. It may have others, of the middleware that other deployments use.
pub(super) static SECTION: SectionSpec = SectionSpec {
    open: true,
    ..SectionSpec::new(
        "keystone_authtoken",
        "How tokens are validated, with `[api] auth_mode = keystone`: as for \
             other OpenStack services.",
        &OPTIONS,
    )
};

static OPTIONS: [OptionSpec; 34] = [
    OptionSpec::new("auth_type", "how the server logs in")
        .one_of(&PASSWORD)
        .or("password"),
    OptionSpec::new("auth_url", "address of Keystone")
        .form("an address that begins with http:// or https://"),
    OptionSpec::new("www_authenticate_uri", "uRL of Keystone for clients")
        .otherwise("`auth_url`")
        .formerly("keystone_authtoken", "auth_uri"),
    OptionSpec::new("username", "name of the service user")
        .formerly("keystone_authtoken", "user_name"),
    OptionSpec::new("user_id", "id of the service user"),
    OptionSpec::new("password", "password of the service user").secret(),
    OptionSpec::new("user_domain_id", "id of the domain of the service user"),
    OptionSpec::new("user_domain_name", "name of the domain of the service user"),
    OptionSpec::new("project_name", "name of the project of the service user")
        .formerly("keystone_authtoken", "tenant_name"),
    OptionSpec::new("project_id", "id of the project of the service user")
        .formerly("keystone_authtoken", "tenant_id"),
    OptionSpec::new("project_domain_id", "id of the domain of that project"),
    OptionSpec::new("project_domain_name", "name of the domain of that project"),
    OptionSpec::new(
        "default_domain_id",
        "id of the domain of users and projects for which none is given",
    ),
    OptionSpec::new(
        "default_domain_name",
        "name of the domain of users and projects for which none is given",
    ),
    OptionSpec::new("domain_id", "id of the domain that the server acts on"),
    OptionSpec::new("domain_name", "name of the domain that the server acts on"),
    OptionSpec::new(
        "system_scope",
        "`all` if the server acts on the whole system",
    ),
    OptionSpec::new("interface", "interface of Keystone in its catalog")
        .one_of(&["internal", "public", "admin"])
        .otherwise("`auth_url` is used"),
    OptionSpec::new("region_name", "region of Keystone in its catalog"),
    OptionSpec::new("insecure", "do not check the certificate of Keystone")
        .boolean()
        .or("false"),
    OptionSpec::new("cafile", "trusted certificates, in PEM").path(),
    OptionSpec::new("certfile", "client certificate, in PEM").path(),
    OptionSpec::new("keyfile", "key of the client certificate, in PEM").path(),
    OptionSpec::new(
        "http_connect_timeout",
        "maximum time to connect to Keystone, in seconds",
    )
    .seconds(0)
    .or("5"),
    OptionSpec::new(
        "http_request_max_retries",
        "number of retries of a request without a response",
    )
    .integer(0, RETRIES_LIMIT)
    .or("3"),
    OptionSpec::new(
        "token_cache_time",
        "seconds for which a validated token is cached; -1 disables the cache",
    )
    .integer(-1, SECONDS_MAX as i128)
    .or("300"),
    OptionSpec::new(
        "service_token_roles",
        "roles of services that may use expired tokens of users \
             (`X-Service-Token`)",
    )
    .list("roles")
    .or("service"),
    OptionSpec::new(
        "service_token_roles_required",
        "refuse service tokens without such a role",
    )
    .boolean()
    .or("true"),
    OptionSpec::new("auth_section", "section of the login").unsupported(),
    OptionSpec::new("delay_auth_decision", "let requests without token pass").accepted(),
    OptionSpec::new("memcached_servers", "shared cache of tokens").accepted(),
    OptionSpec::new("memcache_security_strategy", "protection of that cache").accepted(),
    OptionSpec::new("memcache_secret_key", "key of that cache")
        .secret()
        .accepted(),
    OptionSpec::new("auth_version", "version of the API of Keystone").accepted(),
];

/// Ways to log in that other builds may have are many; this one has passwords.
const PASSWORD: [&str; 2] = ["password", "v3password"];

/// The domain that Keystone makes first.
const DEFAULT_DOMAIN: &str = "default";

/// The most times that a request may be sent again.
const RETRIES_LIMIT: i128 = 10;

pub(super) fn read(reader: &Reader) -> Result<KeystoneSettings, ConfigError> {
    let section = reader.section(&SECTION);
    let auth_type = section.text("auth_type").map(defaulted)?;
    if !PASSWORD.contains(&auth_type.as_str()) {
        return Err(section.not_built("auth_type", &format!("login by {auth_type}"), "password"));
    }
    let auth_url = section.with("auth_url", address)?;
    let auth_url = auth_url.ok_or_else(|| needed(section, "auth_url"))?;
    let www_authenticate_uri = section.text("www_authenticate_uri")?;
    Ok(KeystoneSettings {
        www_authenticate_uri: www_authenticate_uri.unwrap_or_else(|| auth_url.clone()),
        auth_url,
        service_user: service_user(section)?,
        catalog: catalog(section)?,
        tls: tls(section)?,
        connect_timeout: section.seconds("http_connect_timeout")?,
        retries_max: section.integer("http_request_max_retries").map(defaulted)?,
        cache: cache(section)?,
        service_token_roles: roles(section)?,
        service_roles: if section.boolean("service_token_roles_required")? {
            ServiceRoles::Required
        } else {
            ServiceRoles::Optional
        },
    })
}

fn address(text: &str) -> Result<String, String> {
    let parsed = reqwest::Url::parse(text).ok();
    let is_http = parsed.is_some_and(|url| ["http", "https"].contains(&url.scheme()));
    if is_http {
        Ok(text.to_owned())
    } else {
        Err("must be an address that begins with http:// or https://".to_owned())
    }
}

fn needed(section: Section<'_>, option: &str) -> ConfigError {
    section.refuse(option, "not set, but needed for [api] auth_mode = keystone")
}

fn service_user(section: Section<'_>) -> Result<ServiceUser, ConfigError> {
    let user = named(section, "user_id", "username", "user_domain")?;
    let password = section.text("password")?;
    let project = named(section, "project_id", "project_name", "project_domain")?;
    let scope = match (
        project,
        domain(section, "domain")?,
        section.text("system_scope")?,
    ) {
        (Some(project), None, None) => Scope::Project(project),
        (None, Some(domain), None) => Scope::Domain(domain),
        (None, None, Some(_)) => Scope::System,
        (None, None, None) => return Err(needed(section, "project_name")),
        _ => {
            let problem = "only one of project, domain_name and system_scope can be acted on";
            return Err(section.refuse("project_name", problem));
        }
    };
    Ok(ServiceUser {
        user: user.ok_or_else(|| needed(section, "username"))?,
        password: Secret(password.ok_or_else(|| needed(section, "password"))?),
        scope,
    })
}

fn named(
    section: Section<'_>,
    id: &str,
    name: &str,
    domain_prefix: &str,
) -> Result<Option<Named>, ConfigError> {
    if let Some(id) = section.text(id)? {
        return Ok(Some(Named::Id(id)));
    }
    let Some(name) = section.text(name)? else {
        return Ok(None);
    };
    let given = domain(section, domain_prefix)?;
    let given = given.map_or_else(
        || domain(section, "default_domain"),
        |given| Ok(Some(given)),
    )?;
    let domain = given.unwrap_or_else(|| Domain::Id(DEFAULT_DOMAIN.to_owned()));
    Ok(Some(Named::Name { name, domain }))
}

/// Reads `<prefix>_id`, or else `<prefix>_name`.
fn domain(section: Section<'_>, prefix: &str) -> Result<Option<Domain>, ConfigError> {
    let id = section.text(&format!("{prefix}_id"))?;
    let name = section.text(&format!("{prefix}_name"))?;
    Ok(id.map(Domain::Id).or(name.map(Domain::Name)))
}

fn catalog(section: Section<'_>) -> Result<Option<CatalogEntry>, ConfigError> {
    let (interface, region) = (section.text("interface")?, section.text("region_name")?);
    if interface.is_none() && region.is_none() {
        return Ok(None);
    }
    let interface = interface.unwrap_or_else(|| "internal".to_owned());
    let interface = interface.trim_end_matches("URL").to_owned();
    if !["internal", "public", "admin"].contains(&interface.as_str()) {
        return Err(section.misfit("interface"));
    }
    Ok(Some(CatalogEntry { interface, region }))
}

fn tls(section: Section<'_>) -> Result<TlsSettings, ConfigError> {
    let client_certificate = match (section.path("certfile")?, section.path("keyfile")?) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        // Both may stand in one file.
        (Some(both), None) => Some((both.clone(), both)),
        (None, Some(_)) => return Err(section.refuse("keyfile", "needs certfile")),
        (None, None) => None,
    };
    let verification = if section.boolean("insecure")? {
        Verification::Skipped
    } else {
        Verification::Checked
    };
    Ok(TlsSettings {
        verification,
        ca_file: section.path("cafile")?,
        client_certificate,
    })
}

fn cache(section: Section<'_>) -> Result<Option<Duration>, ConfigError> {
    let seconds: i64 = section.integer("token_cache_time").map(defaulted)?;
    let seconds = u64::try_from(seconds).ok().filter(|seconds| *seconds > 0);
    Ok(seconds.map(Duration::from_secs))
}

fn roles(section: Section<'_>) -> Result<Vec<String>, ConfigError> {
    let roles = section.list("service_token_roles")?;
    if roles.is_empty() {
        let default = section.text("service_token_roles")?;
        return Ok(default.into_iter().collect());
    }
    Ok(roles)
}
