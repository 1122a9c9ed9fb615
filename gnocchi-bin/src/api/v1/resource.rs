//! Resources.

use std::borrow::Cow;

use axum::extract::State;
use axum::response::Response;
use gnocchi_core::Error;
use gnocchi_core::driver::ResourceQuery;
use gnocchi_core::error::IndexerError;
use gnocchi_core::model::{
    AttributeValue, Change, GENERIC, NewResource, Resource, ResourceAddress, ResourceType,
    SeenResource, parts_of_creator,
};
use gnocchi_core::policy::{Action, Caller, NoTarget, Sight, Visibility, VisibleResources};
use http::StatusCode;
use http::header::LINK;
use serde_json::{Map, Value, json};

use super::attachment::{Taker, see_holders, see_holders_for};
use super::resource_body::{Creation, Fields, Sender};
use super::{created, no_content, ok, one_by_one};
use crate::api::attempts::{Attempts, was_overtaken};
use crate::api::auth::{
    Authenticated, require, require_get_resource, require_on_resource, resource_sight,
};
use crate::api::middleware::address::{BaseUrl, Names};
use crate::api::middleware::paid::Paid;
use crate::api::middleware::unsent;
use crate::api::request::body::RequestBody;
use crate::api::request::conditions::{Conditions, Verdict, Version};
use crate::api::request::page::{Listing, PageRequest};
use crate::api::response::error::{ApiError, ApiResult, NamedIn};
use crate::api::response::explanation;
use crate::api::response::render;
use crate::api::state::ApiState;

/// The order of listings that name none.
const DEFAULT_SORT: [&str; 2] = ["revision_start:asc", "started_at:asc"];

/// Whether the wire form has the attributes of the type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attributes {
    Shown,
    Hidden,
}

impl Attributes {
    /// Through the generic type only what all types share is seen, unless details are wanted.
    pub(super) fn through(resource_type: &str, details: bool) -> Self {
        if resource_type == GENERIC && !details {
            Self::Hidden
        } else {
            Self::Shown
        }
    }
}

/// `GET /v1/resource`
pub(super) async fn types(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    base: BaseUrl,
) -> ApiResult {
    require(&state, Action::ListResourceType, &caller, &NoTarget).await?;
    let types = state.gnocchi().resource_types().await?;
    let links: Map<String, Value> = types
        .iter()
        .map(|resource_type| {
            let name = resource_type.name();
            (
                name.to_owned(),
                base.at(&format!("/v1/resource/{name}")).into(),
            )
        })
        .collect();
    Ok(ok(&links))
}

/// `GET /v1/resource/{type}`
pub(super) async fn list(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    Names(type_name): Names<String>,
    listing: Listing,
) -> ApiResult {
    let attributes = Attributes::through(&type_name, listing.query.flag("details", false)?);
    let history = listing.query.flag("history", false)?;
    find_type(&state, &type_name).await?;
    let action = Action::ListResource;
    let sight = resource_sight(&state, action, &caller, &type_name).await?;
    let query = ResourceQuery {
        history,
        ..ResourceQuery::of_type(type_name)
    };
    let seen = Seen {
        caller: &caller,
        action,
        sight,
    };
    list_resources(&state, query, seen, attributes, &listing).await
}

/// `POST /v1/resource/{type}`
pub(super) async fn create(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    Names(type_name): Names<String>,
    base: BaseUrl,
    body: RequestBody,
) -> ApiResult {
    let resource_type = find_type(&state, &type_name).await?;
    let sender = Sender {
        caller: &caller,
        now: state.gnocchi().clock().now(),
        resource_type: &resource_type,
    };
    let creation = Creation::parse(&*body.json().await?, sender)?;
    require(
        &state,
        Action::CreateResource,
        &caller,
        &creation.target(sender),
    )
    .await?;
    unsent::admit_report(state.gnocchi())?;
    let mut resource = creation.into_resource(&state, sender).await?;
    let attempts = Attempts::new(&state);
    let resource = loop {
        let taker = Taker {
            id: resource.id,
            creator: resource.creator.as_deref(),
        };
        see_holders(&state, &caller, taker, &mut resource.metrics).await?;
        match state.gnocchi().create_resource(&resource).await {
            Ok(created) => break created,
            Err(error) if was_overtaken(&error) => attempts.again()?,
            Err(error) => return Err(refused_creation(&state, &caller, &resource, error).await?),
        }
    };
    let location = base.at(&format!("/v1/resource/{type_name}/{}", resource.id));
    let response = created(location, &view(&resource, Attributes::Shown));
    Ok(Version::of(&resource).mark(response))
}

/// `GET /v1/resource/{type}/{id}`
pub(super) async fn show(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    Names((type_name, id)): Names<(String, String)>,
    conditions: Conditions,
) -> ApiResult {
    let resource = find(&state, &caller, &type_name, &id).await?;
    require_get_resource(&state, &caller, &resource).await?;
    let version = Version::of(&resource);
    if let Verdict::Answer(response) = conditions.check(&version)? {
        return Ok(response);
    }
    let response = ok(&view(&resource, Attributes::through(&type_name, false)));
    Ok(version.mark(response))
}

/// `PATCH /v1/resource/{type}/{id}`
pub(super) async fn update(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    Names((type_name, id)): Names<(String, String)>,
    conditions: Conditions,
    body: RequestBody,
) -> ApiResult {
    let resource_type = find_type(&state, &type_name).await?;
    let action = Action::UpdateResource;
    let find = || find_for(&state, &caller, (&type_name, &id), action, &conditions);
    let mut resource = match find().await? {
        Found::Resource(resource) => resource,
        Found::Answer(response) => return Ok(response),
    };
    let sender = Sender {
        caller: &caller,
        now: state.gnocchi().clock().now(),
        resource_type: &resource_type,
    };
    let mut update = Fields::parse(&*body.json().await?, sender)?
        .into_update(&state, &caller)
        .await?;
    // The body may have taken its time.
    unsent::admit_report(state.gnocchi())?;
    let attempts = Attempts::new(&state);
    let changed = loop {
        update.seen = Some(SeenResource::of(&resource));
        if let Change::Set(metrics) = &mut update.metrics {
            see_holders_for(&state, &caller, &resource, metrics).await?;
        }
        let gnocchi = state.gnocchi();
        let changed = gnocchi.update_resource(&type_name, resource.id, &update);
        match changed.await {
            // What was allowed to one resource is not to another, or not any more.
            Err(error) if was_overtaken(&error) => attempts.again()?,
            changed => break changed,
        }
        resource = match find().await? {
            Found::Resource(resource) => resource,
            Found::Answer(response) => return Ok(response),
        };
    };
    let changed = changed.map_err(|error| match (error, &update.ended_at) {
        (
            Error::Indexer(IndexerError::ResourceEndsBeforeStart { .. }),
            Change::Set(Some(ended_at)),
        ) => {
            let ended_at = render::iso_microseconds(*ended_at).replace('T', " ");
            let text = format!(
                "Value {ended_at} for attribute ended_at on resource type {type_name} is invalid"
            );
            ApiError::bad_request(text)
        }
        (error, _) => ApiError::of(error, NamedIn::Body),
    })?;
    let response = ok(&view(&changed, Attributes::through(&type_name, false)));
    Ok(Version::of(&changed).mark(response))
}

/// `DELETE /v1/resource/{type}/{id}`
pub(super) async fn delete(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    Names((type_name, id)): Names<(String, String)>,
    conditions: Conditions,
) -> ApiResult {
    find_type(&state, &type_name).await?;
    let action = Action::DeleteResource;
    let attempts = Attempts::new(&state);
    loop {
        let found = find_for(&state, &caller, (&type_name, &id), action, &conditions).await?;
        let resource = match found {
            Found::Resource(resource) => resource,
            Found::Answer(response) => return Ok(response),
        };
        let seen = [SeenResource::of(&resource)];
        let deleted = state.gnocchi().delete_seen_resources(&seen).await?;
        if !deleted.is_empty() {
            return Ok(no_content());
        }
        attempts.again()?;
    }
}

/// `GET /v1/resource/{type}/{id}/history`
pub(super) async fn history(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    Names((type_name, id)): Names<(String, String)>,
    listing: Listing,
) -> ApiResult {
    let attributes = Attributes::through(&type_name, listing.query.flag("details", false)?);
    let resource = find(&state, &caller, &type_name, &id).await?;
    require_get_resource(&state, &caller, &resource).await?;
    let query = ResourceQuery {
        ids: Some(vec![resource.id]),
        history: true,
        ..ResourceQuery::of_type(type_name)
    };
    let seen = Seen {
        caller: &caller,
        action: Action::GetResource,
        sight: Sight::Listed(Visibility::Everything),
    };
    list_resources(&state, query, seen, attributes, &listing).await
}

/// Finds the type that a path names.
pub(super) async fn find_type(state: &ApiState, name: &str) -> ApiResult<ResourceType> {
    if name == GENERIC {
        return Ok(ResourceType::generic());
    }
    Ok(state.gnocchi().resource_type(name).await?)
}

/// Finds the resource that a path names, in the words of the caller.
pub(super) async fn find(
    state: &ApiState,
    caller: &Caller,
    type_name: &str,
    id: &str,
) -> ApiResult<Resource> {
    find_type(state, type_name).await?;
    find_of_type(state, caller, type_name, id).await
}

/// Finds a resource of a type that is known to exist.
async fn find_of_type(
    state: &ApiState,
    caller: &Caller,
    type_name: &str,
    id: &str,
) -> ApiResult<Resource> {
    let address = ResourceAddress::parse(id, caller.creator.as_deref());
    let address = address.map_err(|error| {
        ApiError::not_found(format!("Resource {id} does not exist")).explained(error.to_string())
    })?;
    let found = state.gnocchi().resource(type_name, address.id()).await;
    let found = found.and_then(|resource| {
        let missing = IndexerError::NoSuchResource { id: resource.id };
        address
            .means(&resource)
            .then_some(resource)
            .ok_or(missing.into())
    });
    found.map_err(|error| explanation::about_resource(error.into(), id, address.id()))
}

/// What a request to change a resource finds.
enum Found {
    Resource(Resource),
    /// The conditions of the request settle it.
    Answer(Response),
}

/// Finds a resource of a type that is known to exist, for something that the caller may do to it and that its conditions allow.
async fn find_for(
    state: &ApiState,
    caller: &Caller,
    (type_name, id): (&str, &str),
    action: Action,
    conditions: &Conditions,
) -> ApiResult<Found> {
    let resource = find_of_type(state, caller, type_name, id).await?;
    require_on_resource(state, action, caller, &resource).await?;
    match conditions.check(&Version::of(&resource))? {
        Verdict::Answer(response) => Ok(Found::Answer(response)),
        Verdict::GoOn => Ok(Found::Resource(resource)),
    }
}

/// Explains why a resource cannot be created. Another caller may have used the id that belongs to the name.
async fn refused_creation(
    state: &ApiState,
    caller: &Caller,
    resource: &NewResource,
    error: Error,
) -> ApiResult<ApiError> {
    let refused = ApiError::of(error, NamedIn::Body);
    if refused.status != StatusCode::CONFLICT {
        return Ok(refused);
    }
    let name = resource.original_resource_id.as_str();
    let refused = explanation::about_resource(refused, name, resource.id);
    let address = ResourceAddress::parse(name, caller.creator.as_deref());
    let Some(address) = address.ok().filter(ResourceAddress::is_name) else {
        return Ok(refused);
    };
    let found = state.gnocchi().resources(GENERIC, &[resource.id]).await?;
    let is_own = found.iter().flatten().all(|found| address.means(found));
    Ok(if is_own {
        refused
    } else {
        refused.explained(explanation::taken_name(name))
    })
}

/// What a caller sees of a listing.
pub(super) struct Seen<'a> {
    pub(super) caller: &'a Caller,
    /// The rule that decides.
    pub(super) action: Action,
    /// How it does.
    pub(super) sight: Sight<VisibleResources>,
}

/// Answers with the page of a listing that a request asks for, in the time that queries have.
pub(super) async fn list_resources(
    state: &ApiState,
    query: ResourceQuery,
    seen: Seen<'_>,
    attributes: Attributes,
    listing: &Listing,
) -> ApiResult<Response> {
    let paid = Paid::begin(state);
    let listed = list_paid(paid.state(), query, seen, attributes, listing);
    paid.respond(Box::pin(listed)).await
}

async fn list_paid(
    state: &ApiState,
    query: ResourceQuery,
    seen: Seen<'_>,
    attributes: Attributes,
    listing: &Listing,
) -> ApiResult<Response> {
    let page = PageRequest::from_query(&listing.query, state.settings(), &DEFAULT_SORT)?;
    let wanted = listing.query.all("attrs").filter(|name| !name.is_empty());
    let wanted: Vec<String> = wanted.map(ToOwned::to_owned).collect();
    let history = query.history;
    let query = ResourceQuery {
        page: page.page.clone(),
        ..query
    };
    let resources = match seen.sight {
        Sight::Listed(visibility) => {
            let query = ResourceQuery {
                visibility,
                ..query
            };
            state.gnocchi().list_resources(&query).await?
        }
        Sight::OneByOne => one_by_one::resources(state, seen.action, seen.caller, query).await?,
    };
    let last = resources.last().map(|resource| marker(resource, history));
    let next = page.next(listing, resources.len(), last);
    let mut response = super::list(state, resources, move |resource| {
        let mut view = view(resource, attributes);
        view.retain(|key, _| wanted.is_empty() || wanted.contains(key));
        view
    })
    .await?;
    if let Some(link) = next {
        response.headers_mut().insert(LINK, link);
    }
    Ok(response)
}

/// Returns the identifier of a row of a listing: in history, revisions have their own.
pub(super) fn marker(resource: &Resource, history: bool) -> String {
    if history {
        resource.revision_id()
    } else {
        resource.id.to_string()
    }
}

/// Returns the wire form of a resource.
pub(super) fn view(resource: &Resource, attributes: Attributes) -> Map<String, Value> {
    let (user, project) = created_by(resource.creator.as_deref());
    let metrics: Map<String, Value> = resource
        .metrics
        .iter()
        .map(|(name, id)| (name.clone(), id.to_string().into()))
        .collect();
    let base = json!({
        "id": resource.id.to_string(),
        "creator": resource.creator,
        "started_at": render::iso_microseconds(resource.started_at),
        "revision_start": render::iso_microseconds(resource.revision_start),
        "revision_end": resource.revision_end.map(render::iso_microseconds),
        "ended_at": resource.ended_at.map(render::iso_microseconds),
        "user_id": resource.user_id,
        "project_id": resource.project_id,
        "original_resource_id": resource.original_resource_id,
        "type": resource.resource_type,
        "metrics": metrics,
        "created_by_user_id": user,
        "created_by_project_id": project,
    });
    let Value::Object(mut view) = base else {
        unreachable!("the literal above is an object")
    };
    if attributes == Attributes::Shown {
        view.extend(
            resource
                .attributes
                .iter()
                .map(|(name, value)| (name.clone(), attribute(value.as_ref()))),
        );
    }
    view
}

/// Returns the wire form of a property.
pub(super) fn attribute(value: Option<&AttributeValue>) -> Value {
    match value {
        None => Value::Null,
        Some(AttributeValue::String(text)) => json!(text),
        Some(AttributeValue::Number(number)) => json!(number),
        Some(AttributeValue::Uuid(uuid)) => json!(uuid.hyphenated().to_string()),
        Some(AttributeValue::Bool(yes)) => json!(yes),
        Some(AttributeValue::Datetime(timestamp)) => json!(render::iso_microseconds(*timestamp)),
    }
}

/// Splits a creator into user and project.
pub(super) fn created_by(creator: Option<&str>) -> (Option<Cow<'_, str>>, Option<&str>) {
    creator.map(parts_of_creator).unzip()
}
