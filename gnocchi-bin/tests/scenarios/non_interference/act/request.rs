//! The request that an act makes.

use gnocchi_core::model::ResourceId;
use serde_json::{Value, json};

use super::{Act, Filter, Mode, Number, Place, Step, Who, Whose};
use crate::non_interference::numbering::metric_id;
use crate::remote_write;
use crate::support::remote_write_body;

/// A request.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::non_interference) struct Request {
    pub(in crate::non_interference) method: &'static str,
    pub(in crate::non_interference) address: String,
    /// Content type and bytes.
    pub(in crate::non_interference) body: Option<(&'static str, Vec<u8>)>,
    /// How many further pages are read.
    pub(in crate::non_interference) pages: u8,
}

impl Request {
    fn new(method: &'static str, address: impl Into<String>) -> Self {
        Self {
            method,
            address: address.into(),
            body: None,
            pages: 0,
        }
    }

    /// Returns the ids that it says.
    pub(in crate::non_interference) fn said_ids(&self) -> Vec<String> {
        const ID_BYTES: usize = 36;
        let body = self
            .body
            .as_ref()
            .map(|(_, bytes)| String::from_utf8_lossy(bytes));
        let said = format!("{} {}", self.address, body.unwrap_or_default());
        let is_in_id = |c: char| c.is_ascii_hexdigit() || c == '-';
        let words = said.split(|c| !is_in_id(c));
        let ids = words.filter(|word| word.len() == ID_BYTES);
        ids.map(ToOwned::to_owned).collect()
    }

    fn json(self, body: &Value) -> Self {
        let bytes = body.to_string().into_bytes();
        Self {
            body: Some(("application/json", bytes)),
            ..self
        }
    }
}

/// The names of resources and metrics, which all callers use.
const RESOURCES: [&str; 2] = ["web", "db"];
pub(in crate::non_interference) const METRICS: [&str; 3] = ["cpu", "disk.read", "disk.write"];

/// One caller of one mode.
#[derive(Debug, Clone, Copy)]
struct Speaker {
    who: Who,
    mode: Mode,
}

impl Speaker {
    fn resource(self, place: Place) -> String {
        let owner = self.who.meant(place.whose);
        let original = own_id(owner, place.slot);
        let creator = owner.creator(self.mode);
        let id = ResourceId::from_original(&original, Some(&creator)).unwrap();
        id.to_string()
    }

    fn metric(self, metric: Number) -> String {
        let owner = self.who.meant(metric.whose);
        metric_id(&owner.creator(self.mode), metric.number.into()).to_string()
    }

    fn filter(self, filter: &Filter) -> Value {
        let id = self.resource(filter.place);
        match filter.kind {
            0 => json!({">": {"started_at": "2000-01-01"}}),
            1 => json!({"=": {"user_id": "u1"}}),
            2 => json!({"=": {"id": id}}),
            3 => json!({"in": {"id": [id, "web"]}}),
            4 => json!({"=": {"creator": self.who.meant(filter.place.whose).creator(self.mode)}}),
            5 => json!({"=": {"project_id": self.who.meant(filter.place.whose).identity().1}}),
            6 => json!({"not": {"=": {"original_resource_id": "db"}}}),
            _ => json!({"like": {"original_resource_id": "%"}}),
        }
    }

    fn body(self, body: u8) -> Value {
        let (_, project, _) = self.who.identity();
        match body {
            0 => json!({}),
            1 => json!({"user_id": "u1"}),
            2 => json!({"project_id": project, "metrics": {"cpu": {}}}),
            3 => {
                json!({"note": format!("of {project}"), "metrics": {"cpu": {}, "disk.read": {"unit": project}}})
            }
            4 => json!({"user_id": "u2", "project_id": null}),
            _ => json!({"note": "plain", "metrics": {"disk.write": {}}}),
        }
    }
}

/// Returns the id of a resource as its creator writes it.
fn own_id(owner: Who, slot: u8) -> String {
    if let Some(name) = RESOURCES.get(usize::from(slot)) {
        return (*name).to_owned();
    }
    if owner == Who::Service {
        // Where what it writes without job and instance comes to.
        return "none@none".to_owned();
    }
    let (user, ..) = owner.identity();
    metric_id(user, 1000).to_string()
}

fn measures(value: u8) -> Value {
    json!([{"timestamp": "2015-06-06T14:00:00", "value": value}, {"timestamp": "2015-06-06T14:00:01", "value": 1}])
}

impl Step {
    /// Returns the request.
    #[expect(clippy::too_many_lines, reason = "one short arm for each kind of act")]
    pub(in crate::non_interference) fn request(&self, mode: Mode) -> Request {
        let speaker = Speaker {
            who: self.who,
            mode,
        };
        let name = |name: &u8| METRICS[usize::from(*name)];
        let server = |place: &Place| {
            let through = match place.whose {
                Whose::OfService => "generic",
                _ => "server",
            };
            format!("/v1/resource/{through}/{}", speaker.resource(*place))
        };
        let named = |place: &Place, of: &u8| format!("{}/metric/{}", server(place), name(of));
        let metric = |metric: &Number| format!("/v1/metric/{}", speaker.metric(*metric));
        match &self.act {
            Act::Create { slot, body } => {
                let mut body = speaker.body(*body);
                body["id"] = json!(own_id(self.who, *slot));
                Request::new("POST", "/v1/resource/server").json(&body)
            }
            Act::TakeId { slot } => {
                let (whose, slot) = (Whose::OfService, *slot);
                let id = speaker.resource(Place { whose, slot });
                let none = "none";
                match slot {
                    2 => Request::new("POST", "/v1/resource/prometheus")
                        .json(&json!({"id": id, "job": none, "instance": none})),
                    _ => Request::new("POST", "/v1/resource/generic").json(&json!({"id": id})),
                }
            }
            Act::Patch { place, body } => {
                Request::new("PATCH", server(place)).json(&speaker.body(*body))
            }
            Act::Attach { place, metric, add } => {
                let metrics = json!({"attached": speaker.metric(*metric)});
                if *add {
                    Request::new("POST", format!("{}/metric", server(place))).json(&metrics)
                } else {
                    Request::new("PATCH", server(place)).json(&json!({"metrics": metrics}))
                }
            }
            Act::Delete { place } => Request::new("DELETE", server(place)),
            Act::AddMetrics { place, name: of } => {
                let path = format!("{}/metric", server(place));
                Request::new("POST", path).json(&json!({name(of): {}}))
            }
            Act::CreateMetric { on, name: of } => {
                let mut body = json!({"name": name(of)});
                if let Some(place) = on {
                    body["resource_id"] = json!(speaker.resource(*place));
                }
                Request::new("POST", "/v1/metric").json(&body)
            }
            Act::DeleteMetric { metric: of } => Request::new("DELETE", metric(of)),
            Act::DeleteNamed { place, name } => Request::new("DELETE", named(place, name)),
            Act::Send { metric: of } => {
                Request::new("POST", format!("{}/measures", metric(of))).json(&measures(of.number))
            }
            Act::SendNamed { place, name } => {
                let path = format!("{}/measures", named(place, name));
                Request::new("POST", path).json(&measures(10))
            }
            Act::SendMany { metrics } => {
                let batch: Value = (metrics.iter())
                    .map(|metric| (speaker.metric(*metric), measures(20)))
                    .collect::<serde_json::Map<_, _>>()
                    .into();
                Request::new("POST", "/v1/batch/metrics/measures").json(&batch)
            }
            Act::SendManyNamed {
                places,
                name: of,
                create,
            } => {
                let batch: Value = (places.iter())
                    .map(|place| (speaker.resource(*place), json!({name(of): measures(30)})))
                    .collect::<serde_json::Map<_, _>>()
                    .into();
                let path = "/v1/batch/resources/metrics/measures";
                Request::new("POST", format!("{path}?create_metrics={create}")).json(&batch)
            }
            Act::Line { slot, name: of } => {
                let line = format!("{},host={} value=5", name(of), own_id(self.who, *slot));
                Request {
                    body: Some(("text/plain", line.into_bytes())),
                    ..Request::new("POST", "/v1/influxdb/write?db=generic")
                }
            }
            Act::RemoteWrite => {
                // Of no job and no instance: its resource is `none@none`.
                let series = remote_write::series([("__name__", "up")], &[(1, 2.0)]);
                let body = remote_write_body(&[series]);
                Request {
                    body: Some(("application/x-protobuf", body)),
                    ..Request::new("POST", "/api/v1/write")
                }
            }
            Act::Show { place, part } => {
                let part = ["", "/history", "/metric"][usize::from(*part)];
                Request::new("GET", format!("{}{part}", server(place)))
            }
            Act::ShowNamed {
                place,
                name,
                measures,
            } => {
                let part = if *measures { "/measures" } else { "" };
                Request::new("GET", format!("{}{part}", named(place, name)))
            }
            Act::ShowMetric {
                metric: of,
                measures,
            } => {
                let part = if *measures { "/measures" } else { "" };
                Request::new("GET", format!("{}{part}", metric(of)))
            }
            Act::List { listing, page } => {
                let address = match listing {
                    0 => "/v1/resource/server?limit=",
                    1 => "/v1/resource/generic?details=true&limit=",
                    2 => "/v1/resource/generic?history=true&sort=revision:desc&limit=",
                    3 => "/v1/metric?limit=",
                    _ => "/v1/metric?sort=name&sort=resource_id:desc&limit=",
                };
                let limit = [1, 2, 1000][usize::from(*page)];
                Request {
                    pages: 6,
                    ..Request::new("GET", format!("{address}{limit}"))
                }
            }
            Act::Marked {
                listing,
                place,
                metric,
            } => {
                let (resource, metric) = (speaker.resource(*place), speaker.metric(*metric));
                let address = match listing {
                    0 => format!("/v1/resource/generic?marker={resource}"),
                    1 => format!("/v1/resource/server?history=true&marker={resource}@-1"),
                    2 => format!("/v1/resource/server?history=true&marker={resource}@1"),
                    _ => format!("/v1/metric?marker={metric}"),
                };
                Request::new("GET", address)
            }
            Act::Search { filter, history } => {
                let path = format!("/v1/search/resource/server?history={history}");
                Request::new("POST", path).json(&speaker.filter(filter))
            }
            Act::BulkDelete { filter } => {
                Request::new("DELETE", "/v1/resource/server").json(&speaker.filter(filter))
            }
            Act::AcrossIds { metrics, details } => {
                let references: Vec<Value> = (metrics.iter())
                    .map(|metric| json!([speaker.metric(*metric), "mean"]))
                    .collect();
                let mut operations = vec![json!("metric")];
                operations.extend(references);
                let path = format!("/v1/aggregates?details={details}");
                Request::new("POST", path).json(&json!({"operations": operations}))
            }
            Act::AcrossResources {
                filter,
                query,
                operations,
            } => {
                let query = [
                    "",
                    "?details=true",
                    "?groupby=user_id",
                    "?groupby=note&details=true",
                    "?groupby=note&use_history=true",
                ][usize::from(*query)];
                let operations = [
                    "(aggregate sum (metric cpu mean))",
                    "(metric * mean)",
                    "(aggregate max (metric disk.* mean))",
                ][usize::from(*operations)];
                let body = json!({"operations": operations, "resource_type": "server", "search": speaker.filter(filter)});
                Request::new("POST", format!("/v1/aggregates{query}")).json(&body)
            }
            Act::Legacy { metrics } => {
                let metrics: Vec<String> = (metrics.iter())
                    .map(|metric| format!("metric={}", speaker.metric(*metric)))
                    .collect();
                Request::new(
                    "GET",
                    format!("/v1/aggregation/metric?{}", metrics.join("&")),
                )
            }
            Act::LegacyResources {
                filter,
                name: of,
                grouped,
            } => {
                let query = if *grouped { "?groupby=note" } else { "" };
                let path = format!("/v1/aggregation/resource/server/metric/{}{query}", name(of));
                Request::new("POST", path).json(&speaker.filter(filter))
            }
            Act::SearchValues { metrics } => {
                let metrics: Vec<String> = (metrics.iter())
                    .map(|metric| format!("metric_id={}", speaker.metric(*metric)))
                    .collect();
                let path = format!("/v1/search/metric?{}", metrics.join("&"));
                Request::new("POST", path).json(&json!({"≥": 0}))
            }
            Act::Shared { document } => {
                let path = [
                    "/v1/resource",
                    "/v1/resource_type",
                    "/v1/archive_policy",
                    "/v1/status",
                    "/v1/capabilities",
                ][usize::from(*document)];
                Request::new("GET", path)
            }
        }
    }

    /// Returns whether it is a list of what every caller sees where callers are bare names.
    pub(in crate::non_interference) fn lists(&self) -> bool {
        let lists = matches!(
            self.act,
            Act::List { .. } | Act::Marked { .. } | Act::Search { .. }
        );
        lists
    }

    /// Returns whether the response may say that something of the other tenant exists, because the caller has said its id: that is what
    /// the difference between 403 and 404, 400 or nothing tells.
    pub(in crate::non_interference) fn may_tell_existence(&self, mode: Mode) -> bool {
        let is_foreign_one = |whose| matches!(whose, Whose::Foreign | Whose::OfService);
        let is_foreign = |place: &Place| is_foreign_one(place.whose);
        match &self.act {
            Act::Patch { place, .. }
            | Act::Attach { place, .. }
            | Act::Delete { place }
            | Act::AddMetrics { place, .. }
            | Act::CreateMetric {
                on: Some(place), ..
            }
            | Act::DeleteNamed { place, .. }
            | Act::SendNamed { place, .. }
            | Act::ShowNamed { place, .. } => is_foreign(place),
            Act::SendManyNamed { places, .. } => places.iter().any(is_foreign),
            Act::DeleteMetric { metric }
            | Act::Send { metric }
            | Act::ShowMetric { metric, .. } => is_foreign_one(metric.whose),
            Act::SendMany { metrics }
            | Act::AcrossIds { metrics, .. }
            | Act::Legacy { metrics }
            | Act::SearchValues { metrics } => {
                metrics.iter().any(|metric| is_foreign_one(metric.whose))
            }
            // Bare names see in listings what exists.
            Act::Show { place, .. } => mode == Mode::Names && is_foreign(place),
            Act::BulkDelete { .. } | Act::AcrossResources { .. } | Act::LegacyResources { .. } => {
                mode == Mode::Names
            }
            Act::Create { .. }
            | Act::TakeId { .. }
            | Act::CreateMetric { on: None, .. }
            | Act::Line { .. }
            | Act::RemoteWrite
            | Act::List { .. }
            | Act::Marked { .. }
            | Act::Search { .. }
            | Act::Shared { .. } => false,
        }
    }
}
