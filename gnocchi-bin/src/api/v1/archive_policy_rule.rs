//! Archive policy rules.

use axum::extract::State;
use gnocchi_core::Error;
use gnocchi_core::error::IndexerError;
use gnocchi_core::model::ArchivePolicyRule;
use gnocchi_core::policy::{Action, NoTarget, Properties};
use serde_json::{Value, json};

use super::{created, no_content, ok};
use crate::api::auth::{Authenticated, require};
use crate::api::middleware::address::{BaseUrl, Names};
use crate::api::request::body::RequestBody;
use crate::api::request::schema::{Checked, Object, Path, name_up_to, string_up_to};
use crate::api::response::error::{ApiError, ApiResult};
use crate::api::state::ApiState;

/// The longest name or pattern, in characters.
const CHARACTERS_MAX: usize = 255;

/// `GET /v1/archive_policy_rule`
pub(super) async fn list(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
) -> ApiResult {
    require(&state, Action::ListArchivePolicyRule, &caller, &NoTarget).await?;
    let rules = state.gnocchi().archive_policy_rules().await?;
    super::list(&state, rules, view).await
}

/// `POST /v1/archive_policy_rule`
pub(super) async fn create(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    base: BaseUrl,
    body: RequestBody,
) -> ApiResult {
    require(&state, Action::CreateArchivePolicyRule, &caller, &NoTarget).await?;
    let rule = parse(&*body.json().await?)?;
    require(
        &state,
        Action::CreateArchivePolicyRule,
        &caller,
        &Properties::of_archive_policy_rule(&rule),
    )
    .await?;
    match state.gnocchi().create_archive_policy_rule(&rule).await {
        Err(Error::Indexer(IndexerError::NoSuchArchivePolicy { name })) => Err(ApiError::bad_data(
            json!({"cause": "Archive policy does not exist", "detail": name}),
        )),
        outcome => {
            outcome?;
            Ok(created(
                base.at(&format!("/v1/archive_policy_rule/{}", rule.name)),
                &view(&rule),
            ))
        }
    }
}

/// `GET /v1/archive_policy_rule/{name}`
pub(super) async fn show(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    Names(name): Names<String>,
) -> ApiResult {
    let rule = state.gnocchi().archive_policy_rule(&name).await?;
    require(
        &state,
        Action::GetArchivePolicyRule,
        &caller,
        &Properties::of_archive_policy_rule(&rule),
    )
    .await?;
    Ok(ok(&view(&rule)))
}

/// `PATCH /v1/archive_policy_rule/{name}`
pub(super) async fn rename(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    Names(name): Names<String>,
    body: RequestBody,
) -> ApiResult {
    state.gnocchi().archive_policy_rule(&name).await?;
    let new_name = parse_name(&*body.json().await?)?;
    require(&state, Action::UpdateArchivePolicyRule, &caller, &NoTarget).await?;
    match state
        .gnocchi()
        .rename_archive_policy_rule(&name, &new_name)
        .await
    {
        Err(Error::Indexer(IndexerError::ArchivePolicyRuleExists { name: taken })) => {
            Err(ApiError::bad_request(format!(
                "Archive policy rule {name} does not support change: Archive policy rule {taken} already exists."
            )))
        }
        outcome => Ok(ok(&view(&outcome?))),
    }
}

/// `DELETE /v1/archive_policy_rule/{name}`
pub(super) async fn delete(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    Names(name): Names<String>,
) -> ApiResult {
    state.gnocchi().archive_policy_rule(&name).await?;
    require(&state, Action::DeleteArchivePolicyRule, &caller, &NoTarget).await?;
    state.gnocchi().delete_archive_policy_rule(&name).await?;
    Ok(no_content())
}

fn view(rule: &ArchivePolicyRule) -> Value {
    json!({
        "name": rule.name,
        "archive_policy_name": rule.archive_policy_name,
        "metric_pattern": rule.metric_pattern,
    })
}

fn parse(body: &Value) -> Checked<ArchivePolicyRule> {
    const KNOWN: [&str; 3] = ["name", "archive_policy_name", "metric_pattern"];
    let object = Object::open(body, &Path::Root, &KNOWN)?;
    let text = |key: &str| object.optional(key, string_up_to(CHARACTERS_MAX));
    let (name, archive_policy_name, metric_pattern) = (
        object.optional("name", name_up_to(CHARACTERS_MAX))?,
        text("archive_policy_name")?,
        text("metric_pattern")?,
    );
    Ok(ArchivePolicyRule {
        name: object.require("name", name)?,
        archive_policy_name: object.require("archive_policy_name", archive_policy_name)?,
        metric_pattern: object.require("metric_pattern", metric_pattern)?,
    })
}

fn parse_name(body: &Value) -> Checked<String> {
    let object = Object::open(body, &Path::Root, &["name"])?;
    let name = object.optional("name", name_up_to(CHARACTERS_MAX))?;
    object.require("name", name)
}
