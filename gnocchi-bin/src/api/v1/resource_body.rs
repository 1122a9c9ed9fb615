//! Bodies that create or change resources.

use std::collections::BTreeMap;

use carbonara::Timestamp;
use gnocchi_core::intake::{MetricDescription, MetricMaker, Refusal, check_metric_name};
use gnocchi_core::model::{
    Attribute, AttributeKind, AttributeValue, Change, MetricError, MetricId, NewResource,
    ResourceId, ResourceMetric, ResourceType, ResourceUpdate, whole_microseconds,
};
use gnocchi_core::policy::{Caller, Properties};
use serde_json::Value;
use uuid::Uuid;

use super::creation::{check_new_metrics, description, resource_address};
use crate::api::request::schema::{self, Checked, Object, Path};
use crate::api::response::error::{ApiError, ApiResult};
use crate::api::response::explanation;
use crate::api::state::ApiState;
use crate::api::timestamp;

/// Users and projects may have names of so many characters.
const OWNER_CHARACTERS_MAX: usize = 255;

/// Keys that bodies of all types share; `id` is known at creation only.
const SHARED_KEYS: [&str; 5] = ["started_at", "ended_at", "user_id", "project_id", "metrics"];

/// Who sends a body, when, and which type it is for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sender<'a> {
    pub(super) caller: &'a Caller,
    pub(super) now: Timestamp,
    pub(super) resource_type: &'a ResourceType,
}

/// What a body says of a metric of the resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum MetricEntry {
    Existing(MetricId),
    New(MetricDescription),
}

/// Metrics by name.
pub(super) type MetricEntries = BTreeMap<String, MetricEntry>;

/// A body that creates a resource.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Creation {
    id: ResourceId,
    original_id: String,
    fields: Fields,
}

/// What bodies of both kinds say.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fields {
    started_at: Option<Timestamp>,
    ended_at: Change<Option<Timestamp>>,
    user_id: Change<Option<String>>,
    project_id: Change<Option<String>>,
    attributes: BTreeMap<String, Option<AttributeValue>>,
    metrics: Option<MetricEntries>,
}

impl Creation {
    pub(super) fn parse(body: &Value, sender: Sender<'_>) -> Checked<Self> {
        let types = sender.resource_type.attributes();
        let known: Vec<&str> = ["id"]
            .into_iter()
            .chain(SHARED_KEYS)
            .chain(types.keys().map(String::as_str))
            .collect();
        let object = Object::open(body, &Path::Root, &known)?;
        let id = object.optional("id", |value, path| {
            let address = resource_address(value, path, sender.caller)?;
            Ok((address.id(), address.original().to_owned()))
        })?;
        let fields = Fields::read(object, sender)?;
        if id.is_none() {
            // Of the two faults, clients know this one by its text.
            fields.check_metric_names()?;
        }
        let (id, original_id) = object.require("id", id)?;
        for (name, _) in types.iter().filter(|(_, attribute)| attribute.required) {
            object.require(name, fields.attributes.get(name))?;
        }
        Ok(Self {
            id,
            original_id,
            fields,
        })
    }

    /// Returns what is known of the resource for rules.
    pub(super) fn target(&self, sender: Sender<'_>) -> Properties {
        let owner = |owner: &Change<Option<String>>| match owner {
            Change::Set(owner) => owner.clone(),
            Change::Keep => None,
        };
        let mut target = Properties::new()
            .with("resource_type", sender.resource_type.name())
            .with("id", self.id.to_string())
            .with("original_resource_id", &self.original_id)
            .with_maybe("user_id", owner(&self.fields.user_id))
            .with_maybe("project_id", owner(&self.fields.project_id))
            .with_maybe("creator", sender.caller.creator.clone());
        for (name, value) in &self.fields.attributes {
            target = target.with_attribute(name, value.as_ref());
        }
        target
    }

    /// Makes the resource of the body.
    pub(super) async fn into_resource(
        self,
        state: &ApiState,
        sender: Sender<'_>,
    ) -> ApiResult<NewResource> {
        let Self {
            id,
            original_id,
            fields,
        } = self;
        let started_at = fields
            .started_at
            .unwrap_or_else(|| whole_microseconds(sender.now));
        let ended_at = value(fields.ended_at);
        if ended_at.is_some_and(|ended_at| ended_at < started_at) {
            return Err(ApiError::bad_request(
                "Start timestamp cannot be after end timestamp",
            ));
        }
        Ok(NewResource {
            id,
            resource_type: sender.resource_type.name().to_owned(),
            creator: sender.caller.creator.clone(),
            original_resource_id: original_id,
            started_at,
            ended_at,
            user_id: value(fields.user_id),
            project_id: value(fields.project_id),
            attributes: fields.attributes,
            metrics: make_metrics(state, sender.caller, fields.metrics.unwrap_or_default()).await?,
        })
    }
}

impl Fields {
    /// Reads a body that changes a resource.
    pub(super) fn parse(body: &Value, sender: Sender<'_>) -> Checked<Self> {
        let types = sender.resource_type.attributes();
        let known: Vec<&str> = SHARED_KEYS
            .into_iter()
            .chain(types.keys().map(String::as_str))
            .collect();
        Self::read(Object::open(body, &Path::Root, &known)?, sender)
    }

    /// Checks that no metric has a name that an address cannot hold.
    fn check_metric_names(&self) -> Checked<()> {
        let mut names = self.metrics.iter().flat_map(BTreeMap::keys);
        match names.find(|name| name.contains('/')) {
            None => Ok(()),
            Some(name) => {
                let metrics = Path::Key(&Path::Root, "metrics");
                Err(Path::Key(&metrics, name).invalid_key(MetricError::SlashInName.to_string()))
            }
        }
    }

    fn read(object: Object<'_>, sender: Sender<'_>) -> Checked<Self> {
        let timestamp = |value: &Value, path: &Path<'_>| timestamp(value, path, sender.now);
        let owner = || schema::nullable(schema::string_up_to(OWNER_CHARACTERS_MAX));
        let mut attributes = BTreeMap::new();
        for (name, attribute) in sender.resource_type.attributes() {
            let value = object.optional(name, |value, path| {
                attribute_value(value, path, attribute, sender.now)
            })?;
            attributes.extend(value.map(|value| (name.clone(), Some(value))));
        }
        Ok(Self {
            started_at: object.optional("started_at", timestamp)?,
            ended_at: change(object.optional("ended_at", schema::nullable(timestamp))?),
            user_id: change(object.optional("user_id", owner())?),
            project_id: change(object.optional("project_id", owner())?),
            attributes,
            metrics: object.optional("metrics", |value, path| {
                metric_entries(value, path, sender.caller)
            })?,
        })
    }

    /// Makes the update of the body.
    pub(super) async fn into_update(
        self,
        state: &ApiState,
        caller: &Caller,
    ) -> ApiResult<ResourceUpdate> {
        let metrics = match self.metrics {
            None => Change::Keep,
            Some(entries) => Change::Set(make_metrics(state, caller, entries).await?),
        };
        Ok(ResourceUpdate {
            started_at: change(self.started_at),
            ended_at: self.ended_at,
            user_id: self.user_id,
            project_id: self.project_id,
            attributes: self.attributes,
            metrics,
            added_metrics: BTreeMap::new(),
            seen: None,
        })
    }
}

/// Returns what a new resource gets.
fn value<T>(change: Change<Option<T>>) -> Option<T> {
    match change {
        Change::Keep => None,
        Change::Set(value) => value,
    }
}

fn change<T>(value: Option<T>) -> Change<T> {
    value.map_or(Change::Keep, Change::Set)
}

/// Reads a mapping of names to ids of existing metrics or descriptions of new ones.
pub(super) fn metric_entries(
    value: &Value,
    path: &Path<'_>,
    caller: &Caller,
) -> Checked<MetricEntries> {
    let object = Object::open_any(value, path)?;
    let entry = |(name, value): (&String, &Value)| {
        let place = Path::Key(path, name);
        let entry = match value {
            Value::String(id) => {
                let id = id.parse().map_err(|_| {
                    place.invalid("badly formed hexadecimal UUID string").sent(
                        value,
                        "the UUID of a metric, or an object that describes a new one",
                    )
                })?;
                MetricEntry::Existing(id)
            }
            described => MetricEntry::New(MetricDescription {
                // The name is where the description stands, and the resource is the one around it.
                name: Some(name.clone()),
                resource: None,
                ..description(described, &place, caller)?
            }),
        };
        Ok((name.clone(), entry))
    };
    object.entries().map(entry).collect()
}

/// Makes metrics of what a body says.
pub(super) async fn make_metrics(
    state: &ApiState,
    caller: &Caller,
    entries: MetricEntries,
) -> ApiResult<BTreeMap<String, ResourceMetric>> {
    check_new_metrics(state, entries.len())?;
    let mut maker = MetricMaker::new(state.access(caller));
    let mut metrics = BTreeMap::new();
    for (name, entry) in entries {
        let metric = match entry {
            MetricEntry::Existing(id) => {
                check_metric_name(&name).map_err(|error| ApiError::from(&Refusal::from(error)))?;
                ResourceMetric::Existing(id)
            }
            MetricEntry::New(description) => ResourceMetric::New(maker.make(description).await?),
        };
        metrics.insert(name, metric);
    }
    Ok(metrics)
}

/// Reads a timestamp. Resources have timestamps in whole microseconds.
fn timestamp(value: &Value, path: &Path<'_>, now: Timestamp) -> Checked<Timestamp> {
    let parsed = match value {
        Value::Number(number) => timestamp::from_seconds(number.as_f64().unwrap_or(f64::NAN)),
        Value::String(text) => timestamp::parse(text, now),
        _ => Err(timestamp::TimestampError::Unparsable),
    };
    parsed.map(whole_microseconds).map_err(|error| {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), ToOwned::to_owned);
        path.invalid(error.to_string())
            .explained(explanation::timestamp(&text, error))
    })
}

pub(super) fn attribute_value(
    value: &Value,
    path: &Path<'_>,
    attribute: &Attribute,
    now: Timestamp,
) -> Checked<AttributeValue> {
    match attribute.kind {
        AttributeKind::String {
            min_length,
            max_length,
        } => {
            let text = schema::string(value, path)?;
            let length = text.chars().count();
            let refuse = |message: String| {
                let shown = schema::shown(value);
                let explanation = format!("got {shown}, which has {length} characters");
                Err(path.invalid(message).explained(explanation))
            };
            if length < min_length as usize {
                return refuse(format!("length of value must be at least {min_length}"));
            }
            if length > max_length as usize {
                return refuse(format!("length of value must be at most {max_length}"));
            }
            Ok(AttributeValue::String(text))
        }
        AttributeKind::Number { min, max } => {
            let number = value
                .as_f64()
                .ok_or_else(|| path.invalid("expected Real").sent(value, "a number"))?;
            let refuse = |message: String| {
                let explanation = format!("got {}", schema::shown(value));
                Err(path.invalid(message).explained(explanation))
            };
            if let Some(min) = min.filter(|min| number < min.value()) {
                return refuse(format!("value must be at least {min}"));
            }
            if let Some(max) = max.filter(|max| number > max.value()) {
                return refuse(format!("value must be at most {max}"));
            }
            Ok(AttributeValue::Number(number))
        }
        AttributeKind::Uuid => {
            let text = schema::string(value, path)?;
            // The id of a metric reads the same forms of a UUID.
            let id: MetricId = text.parse().map_err(|_| {
                path.invalid("badly formed hexadecimal UUID string")
                    .sent(value, "a UUID")
            })?;
            Ok(AttributeValue::Uuid(Uuid::from_bytes(*id.as_bytes())))
        }
        AttributeKind::Bool => value
            .as_bool()
            .map(AttributeValue::Bool)
            .ok_or_else(|| path.invalid("expected bool").sent(value, "true or false")),
        AttributeKind::Datetime => timestamp(value, path, now).map(AttributeValue::Datetime),
    }
}
