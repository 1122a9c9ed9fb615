//! Metrics.

use std::sync::Arc;

use axum::extract::State;
use gnocchi_core::driver::MetricFilter;
use gnocchi_core::error::IndexerError;
use gnocchi_core::intake::MetricMaker;
use gnocchi_core::model::{
    GENERIC, Metric, MetricId, MetricStatus, Resource, ResourceAddress, SeenResource, creator_of,
};
use gnocchi_core::policy::{Action, Caller, Sight, Tenancy, Visibility};
use http::header::LINK;
use serde_json::{Value, json};

use super::creation;
use super::resource::{self, Attributes};
use super::{archive_policy, created, no_content, ok, one_by_one};
use crate::api::attempts::{Attempts, was_overtaken};
use crate::api::auth::{
    Authenticated, metric_sight, require_on_metric, require_on_resource, resource_of,
};
use crate::api::middleware::address::{BaseUrl, Names};
use crate::api::request::body::RequestBody;
use crate::api::request::page::{Listing, PageRequest};
use crate::api::request::query::Query;
use crate::api::request::schema::Path;
use crate::api::response::error::{ApiError, ApiResult, NamedIn};
use crate::api::response::explanation;
use crate::api::state::ApiState;

/// `GET /v1/metric`
pub(super) async fn list(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    listing: Listing,
) -> ApiResult {
    let sight = metric_sight(&state, &caller).await?;
    let filter = filter(&caller, &listing.query)?;
    let page = PageRequest::from_query(&listing.query, state.settings(), &["id:asc"])?;
    // What was deleted is gone for clients, although its data may wait for the janitor.
    if filter.status == Some(MetricStatus::Deleted) {
        return super::list(&state, Vec::new(), listed).await;
    }
    let metrics = match sight {
        Sight::Listed(visibility) => {
            let filter = MetricFilter {
                visibility,
                ..filter
            };
            state.gnocchi().list_metrics(&filter, &page.page).await?
        }
        Sight::OneByOne => one_by_one::metrics(&state, &caller, &filter, &page.page).await?,
    };
    let last = metrics.last().map(|metric| metric.id.to_string());
    let next = page.next(&listing, metrics.len(), last);
    let mut response = super::list(&state, metrics, listed).await?;
    if let Some(link) = next {
        response.headers_mut().insert(LINK, link);
    }
    Ok(response)
}

/// `POST /v1/metric`
pub(super) async fn create(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    base: BaseUrl,
    body: RequestBody,
) -> ApiResult {
    let description = creation::description(&*body.json().await?, &Path::Root, &caller)?;
    let address = description.resource.clone();
    let mut seen = see_resource(&state, &caller, address.as_ref()).await?;
    let metric = MetricMaker::new(state.access(&caller))
        .make(description)
        .await?;
    let attempts = Attempts::new(&state);
    let made = loop {
        // One that is created at the same time was not checked, so it counts as missing.
        if let (Some(address), None) = (&address, &seen) {
            let (id, original) = (address.id(), address.original());
            let missing = IndexerError::NoSuchResource { id };
            let error = ApiError::of(missing.into(), NamedIn::Body);
            return Err(explanation::about_resource(error, original, id));
        }
        let gnocchi = state.gnocchi();
        let made = gnocchi.create_metrics_on(vec![metric.clone()], seen.as_slice());
        match made.await {
            Ok(made) => break made,
            Err(error) if was_overtaken(&error) => attempts.again()?,
            Err(error) => return Err(ApiError::of(error, NamedIn::Body)),
        }
        seen = see_resource(&state, &caller, address.as_ref()).await?;
    };
    let metric = made
        .first()
        .ok_or_else(|| ApiError::bad_request("no metric was created"))?;
    Ok(created(
        base.at(&format!("/v1/metric/{}", metric.id)),
        &short(metric),
    ))
}

/// `GET /v1/metric/{id}`
pub(super) async fn show(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    Names(id): Names<String>,
) -> ApiResult {
    let metric = find(&state, &id).await?;
    show_found(&state, &caller, &metric).await
}

/// `DELETE /v1/metric/{id}`
pub(super) async fn delete(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    Names(id): Names<String>,
) -> ApiResult {
    let metric = find(&state, &id).await?;
    delete_found(&state, &caller, &metric).await
}

/// Answers with the details of a metric.
pub(super) async fn show_found(state: &ApiState, caller: &Caller, metric: &Metric) -> ApiResult {
    require_on_metric(state, Action::GetMetric, caller, metric).await?;
    let resource = resource_of(state, metric).await?;
    Ok(ok(&detailed(metric, resource.as_ref())))
}

/// Deletes a metric.
pub(super) async fn delete_found(state: &ApiState, caller: &Caller, metric: &Metric) -> ApiResult {
    require_on_metric(state, Action::DeleteMetric, caller, metric).await?;
    state.gnocchi().delete_metrics(&[metric.id]).await?;
    Ok(no_content())
}

/// Finds the resource that a body names, which the caller must be allowed to change.
async fn see_resource(
    state: &ApiState,
    caller: &Caller,
    address: Option<&ResourceAddress>,
) -> ApiResult<Option<SeenResource>> {
    let Some(address) = address else {
        return Ok(None);
    };
    let found = state.gnocchi().resources(GENERIC, &[address.id()]).await?;
    let Some(resource) = found.into_iter().flatten().find(|one| address.means(one)) else {
        return Ok(None);
    };
    require_on_resource(state, Action::UpdateResource, caller, &resource).await?;
    Ok(Some(SeenResource::of(&resource)))
}

/// Finds the metric of an id in a path.
pub(super) async fn find(state: &ApiState, id: &str) -> ApiResult<Arc<Metric>> {
    let id: MetricId = id.parse().map_err(|_| ApiError::no_such_metric(id))?;
    Ok(state.gnocchi().metric(id).await?)
}

fn filter(caller: &Caller, query: &Query) -> ApiResult<MetricFilter> {
    let single = |name: &str| {
        let value = query.single(name);
        value.map_err(|_| invalid(&format!("`{name}' must be given only once")))
    };
    let text = |name: &str| Ok::<_, ApiError>(single(name)?.map(ToOwned::to_owned));
    let ids = match single("id")? {
        None => None,
        Some(id) => Some(vec![id.parse().map_err(|_| {
            invalid(&format!("`{id}' is not a metric id, which is a UUID"))
        })?]),
    };
    let status = match single("status")? {
        None => None,
        Some("active") => Some(MetricStatus::Active),
        Some("delete") => Some(MetricStatus::Deleted),
        Some(other) => {
            return Err(invalid(&format!(
                "`{other}' is not a status; active and delete are"
            )));
        }
    };
    let mut creators = Vec::from_iter(text("creator")?);
    let (user, project) = (single("user_id")?, single("project_id")?);
    match (user, project) {
        (None, None) => {}
        // Where callers are bare names, so are creators.
        (Some(user), None | Some("")) if caller.tenancy == Tenancy::Shared => {
            creators.push(user.to_owned());
        }
        (user, project) => creators.push(creator_of(
            user.unwrap_or_default(),
            project.unwrap_or_default(),
        )),
    }
    Ok(MetricFilter {
        ids,
        name: text("name")?,
        unit: text("unit")?,
        creators,
        archive_policy_name: text("archive_policy_name")?,
        resource_id: None,
        status,
        visibility: Visibility::default(),
    })
}

fn invalid(what: &str) -> ApiError {
    ApiError::bad_request(format!("Invalid input: {what}"))
}

/// Returns what all wire forms of a metric share.
fn base(metric: &Metric) -> Value {
    let (user, project) = resource::created_by(metric.creator.as_deref());
    json!({
        "id": metric.id.to_string(),
        "creator": metric.creator,
        "name": metric.name,
        "unit": metric.unit,
        "created_by_user_id": user,
        "created_by_project_id": project,
    })
}

/// Returns the wire form that a creation answers with.
fn short(metric: &Metric) -> Value {
    let mut view = base(metric);
    view["resource_id"] = json!(metric.resource_id.map(|id| id.to_string()));
    view["archive_policy_name"] = json!(metric.archive_policy.name());
    view
}

/// Returns the wire form in listings.
pub(super) fn listed(metric: &Metric) -> Value {
    let mut view = base(metric);
    view["resource_id"] = json!(metric.resource_id.map(|id| id.to_string()));
    view["archive_policy"] = archive_policy::view(&metric.archive_policy);
    view
}

/// Returns the wire form with the resource of the metric, which has only what all types share.
pub(super) fn detailed(metric: &Metric, resource: Option<&Resource>) -> Value {
    let mut view = base(metric);
    view["archive_policy"] = archive_policy::view(&metric.archive_policy);
    view["resource"] = resource.map_or(Value::Null, |found| {
        let mut resource = resource::view(found, Attributes::Hidden);
        resource.remove("metrics");
        Value::Object(resource)
    });
    view
}
