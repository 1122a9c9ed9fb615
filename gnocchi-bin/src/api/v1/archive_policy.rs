//! Archive policies.

use axum::extract::State;
use carbonara::{AggregationMethod, Timespan};
use gnocchi_core::model::{
    ARCHIVE_POLICY_NAME_CHARACTERS_MAX, ArchivePolicy, ArchivePolicyError, Definition,
    MethodSelection,
};
use gnocchi_core::policy::{Action, NoTarget, Properties};
use gnocchi_core::text::method;
use serde_json::{Value, json};

use super::{created, no_content, ok};
use crate::api::auth::{Authenticated, require};
use crate::api::middleware::address::{BaseUrl, Names};
use crate::api::request::body::RequestBody;
use crate::api::request::schema::{self, Checked, Object, Path};
use crate::api::response::error::{ApiError, ApiResult};
use crate::api::response::explanation;
use crate::api::response::render;
use crate::api::state::ApiState;
use crate::api::timespan;

/// One granularity as it is written: all parts are optional until they are put together.
type DefinitionParts = (Option<Timespan>, Option<u64>, Option<Timespan>);

/// `GET /v1/archive_policy`
pub(super) async fn list(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
) -> ApiResult {
    require(&state, Action::ListArchivePolicy, &caller, &NoTarget).await?;
    let policies = state.gnocchi().archive_policies().await?;
    super::list(&state, policies, view).await
}

/// `POST /v1/archive_policy`
pub(super) async fn create(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    base: BaseUrl,
    body: RequestBody,
) -> ApiResult {
    require(&state, Action::CreateArchivePolicy, &caller, &NoTarget).await?;
    let default_methods = &state.gnocchi().settings().default_aggregation_methods;
    let policy = Creation::parse(&*body.json().await?)?.into_policy(default_methods)?;
    require(
        &state,
        Action::CreateArchivePolicy,
        &caller,
        &Properties::of_archive_policy(&policy),
    )
    .await?;
    state.gnocchi().create_archive_policy(&policy).await?;
    Ok(created(
        base.at(&format!("/v1/archive_policy/{}", policy.name())),
        &view(&policy),
    ))
}

/// `GET /v1/archive_policy/{name}`
pub(super) async fn show(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    Names(name): Names<String>,
) -> ApiResult {
    let policy = state.gnocchi().archive_policy(&name).await?;
    require(
        &state,
        Action::GetArchivePolicy,
        &caller,
        &Properties::of_archive_policy(&policy),
    )
    .await?;
    Ok(ok(&view(&policy)))
}

/// `PATCH /v1/archive_policy/{name}`
pub(super) async fn update(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    Names(name): Names<String>,
    body: RequestBody,
) -> ApiResult {
    let require_update = async || {
        let policy = state.gnocchi().archive_policy(&name).await?;
        let target = Properties::of_archive_policy(&policy);
        require(&state, Action::UpdateArchivePolicy, &caller, &target).await
    };
    require_update().await?;
    let (definition, back_window) = parse_change(&*body.json().await?)?;
    // The body may have taken its time.
    require_update().await?;
    let changed = state
        .gnocchi()
        .update_archive_policy(&name, definition, back_window)
        .await?;
    Ok(ok(&view(&changed)))
}

/// `DELETE /v1/archive_policy/{name}`
pub(super) async fn delete(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    Names(name): Names<String>,
) -> ApiResult {
    require(&state, Action::DeleteArchivePolicy, &caller, &NoTarget).await?;
    state.gnocchi().delete_archive_policy(&name).await?;
    Ok(no_content())
}

/// Returns the wire form of an archive policy.
pub(super) fn view(policy: &ArchivePolicy) -> Value {
    let definition: Vec<Value> = policy
        .definition()
        .iter()
        .map(|item| {
            json!({
                "granularity": render::archive_policy_timespan(item.granularity()),
                "points": item.points(),
                "timespan": item.timespan().map(render::archive_policy_timespan),
            })
        })
        .collect();
    let methods: Vec<String> = policy
        .aggregation_methods()
        .iter()
        .map(ToString::to_string)
        .collect();
    json!({
        "name": policy.name(),
        "back_window": policy.back_window(),
        "definition": definition,
        "aggregation_methods": methods,
    })
}

/// The body of a creation.
struct Creation {
    name: String,
    back_window: u32,
    definition: Vec<DefinitionParts>,
    methods: Vec<MethodSelection>,
}

impl Creation {
    fn parse(body: &Value) -> Checked<Self> {
        const KNOWN: [&str; 4] = ["name", "back_window", "definition", "aggregation_methods"];
        let object = Object::open(body, &Path::Root, &KNOWN)?;
        let name = object.optional(
            "name",
            schema::name_up_to(ARCHIVE_POLICY_NAME_CHARACTERS_MAX),
        )?;
        let back_window = object.optional("back_window", check_back_window)?;
        let definition = object.optional("definition", check_definition)?;
        let methods = object.optional("aggregation_methods", |value, path| {
            schema::list(value, path, 0, check_method)
        })?;
        Ok(Self {
            name: object.require("name", name)?,
            back_window: back_window.unwrap_or_default(),
            definition: object.require("definition", definition)?,
            methods: methods.unwrap_or_default(),
        })
    }

    fn into_policy(self, default_methods: &[AggregationMethod]) -> ApiResult<ArchivePolicy> {
        let methods = MethodSelection::resolve(&self.methods, default_methods);
        ArchivePolicy::new(
            self.name,
            self.back_window,
            definitions(self.definition)?,
            methods,
        )
        .map_err(|error| refuse(&error))
    }
}

fn parse_change(body: &Value) -> Result<(Vec<Definition>, Option<u32>), ApiError> {
    let fields = |body| -> Checked<_> {
        let object = Object::open(body, &Path::Root, &["definition", "back_window"])?;
        let definition = object.optional("definition", check_definition)?;
        let back_window = object.optional("back_window", check_back_window)?;
        Ok((object.require("definition", definition)?, back_window))
    };
    let (parts, back_window) = fields(body)?;
    Ok((definitions(parts)?, back_window))
}

fn definitions(parts: Vec<DefinitionParts>) -> Result<Vec<Definition>, ApiError> {
    let completed = parts
        .into_iter()
        .map(|(granularity, points, timespan)| Definition::new(granularity, points, timespan));
    completed
        .collect::<Result<_, _>>()
        .map_err(|error| refuse(&error))
}

fn refuse(error: &ArchivePolicyError) -> ApiError {
    ApiError::bad_request(error.to_string())
}

fn check_back_window(value: &Value, path: &Path<'_>) -> Checked<u32> {
    let number = schema::whole_number(0)(value, path)?;
    u32::try_from(number).map_err(|_| {
        path.invalid(format!("value must be at most {}", u32::MAX))
            .sent(value, "a number of buckets of the coarsest granularity")
    })
}

fn check_definition(value: &Value, path: &Path<'_>) -> Checked<Vec<DefinitionParts>> {
    schema::list(value, path, 1, |item, path| {
        let object = Object::open(item, path, &["granularity", "points", "timespan"])?;
        Ok((
            object.optional("granularity", check_timespan)?,
            object.optional("points", schema::whole_number(1))?,
            object.optional("timespan", check_timespan)?,
        ))
    })
}

fn check_timespan(value: &Value, path: &Path<'_>) -> Checked<Timespan> {
    let parsed = match value {
        Value::Number(number) => timespan::from_seconds(number.as_f64().unwrap_or(f64::NAN)),
        Value::String(text) => timespan::parse(text),
        other => {
            let allowed = "a number of seconds, or a text such as \"5 minutes\"";
            return Err(path.invalid("Invalid timespan").sent(other, allowed));
        }
    };
    parsed.map_err(|error| {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), ToOwned::to_owned);
        path.invalid(error.to_string())
            .explained(explanation::timespan(&text, error))
    })
}

fn check_method(value: &Value, path: &Path<'_>) -> Checked<MethodSelection> {
    let selection = value.as_str().and_then(MethodSelection::parse);
    selection.ok_or_else(|| {
        let allowed = "an aggregation method as in /v1/capabilities, with + or - before it, or *";
        let invalid = path.invalid("not a valid value").sent(value, allowed);
        match value
            .as_str()
            .and_then(|text| method::meant(text.trim_start_matches(['+', '-'])))
        {
            Some(meant) => invalid.explained(format!(
                "got {}; did you mean {meant}? expected {allowed}",
                schema::shown(value)
            )),
            None => invalid,
        }
    })
}
