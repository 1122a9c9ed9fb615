//! What callers do: requests as data, the same in every world.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gnocchi_core::model::ResourceId;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::numbering::metric_id;

/// Who acts. The first two are of one tenant; the service works for the other one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    A1,
    A2,
    B1,
    B2,
    /// A service that fills what `B1` has.
    Service,
}

/// How callers say who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Names,
    Projects,
}

impl Who {
    pub(super) fn is_of_a(self) -> bool {
        matches!(self, Self::A1 | Self::A2)
    }

    /// Returns user, project and role.
    pub(super) fn identity(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::A1 => ("a1", "pa", "member"),
            Self::A2 => ("a2", "pa", "member"),
            Self::B1 => ("b1", "pb", "member"),
            Self::B2 => ("b2", "pb", "member"),
            Self::Service => ("service", "ps", "service"),
        }
    }

    fn creator(self, mode: Mode) -> String {
        let (user, project, _) = self.identity();
        match mode {
            Mode::Names => user.to_owned(),
            Mode::Projects => format!("{user}:{project}"),
        }
    }

    /// Returns whose things an act is about.
    fn meant(self, whose: Whose) -> Self {
        match (self, whose) {
            (Self::Service, _) => Self::B1,
            (own, Whose::Own) => own,
            (Self::A1, Whose::OfMate) => Self::A2,
            (Self::A2, Whose::OfMate) => Self::A1,
            (Self::B1, Whose::OfMate) => Self::B2,
            (Self::B2, Whose::OfMate) => Self::B1,
            (Self::A1 | Self::A2, Whose::Foreign) => Self::B1,
            (Self::B1 | Self::B2, Whose::Foreign) => Self::A1,
        }
    }
}

/// Whose things an act is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    Own,
    /// Those of another user of the same project.
    OfMate,
    /// Those of the other tenant.
    Foreign,
}

/// A resource: two have names that all callers use, the last one a UUID.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    whose: Whose,
    slot: u8,
}

/// A metric, which may or may not exist.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number {
    whose: Whose,
    number: u8,
}

/// Something that a caller does. Numbers choose among a few texts.
#[derive(Debug, Clone)]
pub(super) enum Act {
    Create {
        slot: u8,
        body: u8,
    },
    Patch {
        place: Place,
        body: u8,
    },
    Attach {
        place: Place,
        metric: Number,
        add: bool,
    },
    Delete {
        place: Place,
    },
    AddMetrics {
        place: Place,
        name: u8,
    },
    CreateMetric {
        on: Option<Place>,
        name: u8,
    },
    DeleteMetric {
        metric: Number,
    },
    DeleteNamed {
        place: Place,
        name: u8,
    },
    Send {
        metric: Number,
    },
    SendNamed {
        place: Place,
        name: u8,
    },
    SendMany {
        metrics: Vec<Number>,
    },
    SendManyNamed {
        places: Vec<Place>,
        name: u8,
        create: bool,
    },
    Line {
        slot: u8,
        name: u8,
    },
    RemoteWrite,
    Show {
        place: Place,
        part: u8,
    },
    ShowNamed {
        place: Place,
        name: u8,
        measures: bool,
    },
    ShowMetric {
        metric: Number,
        measures: bool,
    },
    List {
        listing: u8,
        page: u8,
    },
    Marked {
        listing: u8,
        place: Place,
        metric: Number,
    },
    Search {
        filter: Filter,
        history: bool,
    },
    BulkDelete {
        filter: Filter,
    },
    AcrossIds {
        metrics: Vec<Number>,
        details: bool,
    },
    AcrossResources {
        filter: Filter,
        query: u8,
        operations: u8,
    },
    Legacy {
        metrics: Vec<Number>,
    },
    LegacyResources {
        filter: Filter,
        name: u8,
        grouped: bool,
    },
    SearchValues {
        metrics: Vec<Number>,
    },
    Shared {
        document: u8,
    },
}

/// A filter of resources.
#[derive(Debug, Clone)]
pub(super) struct Filter {
    kind: u8,
    place: Place,
}

fn whose() -> impl Strategy<Value = Whose> {
    prop_oneof![
        4 => Just(Whose::Own),
        1 => Just(Whose::OfMate),
        2 => Just(Whose::Foreign),
    ]
}

fn place() -> impl Strategy<Value = Place> {
    (whose(), 0..3_u8).prop_map(|(whose, slot)| Place { whose, slot })
}

fn number() -> impl Strategy<Value = Number> {
    (whose(), 0..5_u8).prop_map(|(whose, number)| Number { whose, number })
}

fn numbers() -> impl Strategy<Value = Vec<Number>> {
    prop::collection::vec(number(), 1..4)
}

fn filter() -> impl Strategy<Value = Filter> {
    (0..8_u8, place()).prop_map(|(kind, place)| Filter { kind, place })
}

fn act() -> impl Strategy<Value = Act> {
    let making = prop_oneof![
        6 => (0..3_u8, 0..6_u8).prop_map(|(slot, body)| Act::Create { slot, body }),
        2 => (place(), 0..6_u8).prop_map(|(place, body)| Act::Patch { place, body }),
        2 => (place(), number(), any::<bool>())
            .prop_map(|(place, metric, add)| Act::Attach { place, metric, add }),
        1 => place().prop_map(|place| Act::Delete { place }),
        2 => (place(), 0..3_u8).prop_map(|(place, name)| Act::AddMetrics { place, name }),
        3 => (prop::option::of(place()), 0..3_u8)
            .prop_map(|(on, name)| Act::CreateMetric { on, name }),
        1 => number().prop_map(|metric| Act::DeleteMetric { metric }),
        1 => (place(), 0..3_u8).prop_map(|(place, name)| Act::DeleteNamed { place, name }),
        1 => filter().prop_map(|filter| Act::BulkDelete { filter }),
    ];
    let sending = prop_oneof![
        2 => number().prop_map(|metric| Act::Send { metric }),
        2 => (place(), 0..3_u8).prop_map(|(place, name)| Act::SendNamed { place, name }),
        2 => numbers().prop_map(|metrics| Act::SendMany { metrics }),
        3 => (prop::collection::vec(place(), 1..3), 0..3_u8, any::<bool>())
            .prop_map(|(places, name, create)| Act::SendManyNamed { places, name, create }),
        2 => (0..3_u8, 0..3_u8).prop_map(|(slot, name)| Act::Line { slot, name }),
        1 => Just(Act::RemoteWrite),
    ];
    let looking = prop_oneof![
        3 => (place(), 0..3_u8).prop_map(|(place, part)| Act::Show { place, part }),
        2 => (place(), 0..3_u8, any::<bool>())
            .prop_map(|(place, name, measures)| Act::ShowNamed { place, name, measures }),
        2 => (number(), any::<bool>())
            .prop_map(|(metric, measures)| Act::ShowMetric { metric, measures }),
        4 => (0..5_u8, 0..3_u8).prop_map(|(listing, page)| Act::List { listing, page }),
        2 => (0..4_u8, place(), number())
            .prop_map(|(listing, place, metric)| Act::Marked { listing, place, metric }),
        3 => (filter(), any::<bool>()).prop_map(|(filter, history)| Act::Search { filter, history }),
        2 => (numbers(), any::<bool>())
            .prop_map(|(metrics, details)| Act::AcrossIds { metrics, details }),
        4 => (filter(), 0..5_u8, 0..3_u8).prop_map(|(filter, query, operations)| {
            Act::AcrossResources { filter, query, operations }
        }),
        1 => numbers().prop_map(|metrics| Act::Legacy { metrics }),
        2 => (filter(), 0..3_u8, any::<bool>()).prop_map(|(filter, name, grouped)| {
            Act::LegacyResources { filter, name, grouped }
        }),
        1 => numbers().prop_map(|metrics| Act::SearchValues { metrics }),
        1 => (0..5_u8).prop_map(|document| Act::Shared { document }),
    ];
    prop_oneof![3 => making, 2 => sending, 4 => looking]
}

/// What somebody does.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) who: Who,
    pub(super) act: Act,
}

/// Returns what happens in a world.
pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = prop_oneof![
        4 => Just(Who::A1),
        2 => Just(Who::A2),
        4 => Just(Who::B1),
        1 => Just(Who::B2),
        1 => Just(Who::Service),
    ];
    let step = (who, act()).prop_map(|(who, act)| Step { who, act });
    prop::collection::vec(step, 1..60)
}

/// A request.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Request {
    pub(super) method: &'static str,
    pub(super) address: String,
    /// Content type and bytes.
    pub(super) body: Option<(&'static str, Vec<u8>)>,
    /// How many further pages are read.
    pub(super) pages: u8,
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
    pub(super) fn said_ids(&self) -> Vec<String> {
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
const METRICS: [&str; 3] = ["cpu", "disk.read", "disk.write"];

/// One series of no job and no instance, as in `tenants/default.txt`.
const REMOTE_WRITE: &str = "H3gKHQoOCghfX25hbWVfXxICdXASCwkAAAAAAAAAQBAB";

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
    match RESOURCES.get(usize::from(slot)) {
        Some(name) => (*name).to_owned(),
        None => {
            let (user, ..) = owner.identity();
            metric_id(user, 1000).to_string()
        }
    }
}

fn measures(value: u8) -> Value {
    json!([{"timestamp": "2015-06-06T14:00:00", "value": value}, {"timestamp": "2015-06-06T14:00:01", "value": 1}])
}

impl Step {
    /// Returns the request.
    pub(super) fn request(&self, mode: Mode) -> Request {
        let speaker = Speaker {
            who: self.who,
            mode,
        };
        let name = |name: &u8| METRICS[usize::from(*name)];
        let server = |place: &Place| format!("/v1/resource/server/{}", speaker.resource(*place));
        let named = |place: &Place, of: &u8| format!("{}/metric/{}", server(place), name(of));
        let metric = |metric: &Number| format!("/v1/metric/{}", speaker.metric(*metric));
        match &self.act {
            Act::Create { slot, body } => {
                let mut body = speaker.body(*body);
                body["id"] = json!(own_id(self.who, *slot));
                Request::new("POST", "/v1/resource/server").json(&body)
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
            Act::RemoteWrite => Request {
                body: Some((
                    "application/x-protobuf",
                    STANDARD.decode(REMOTE_WRITE).unwrap(),
                )),
                ..Request::new("POST", "/api/v1/write")
            },
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

    /// Returns whether it is a list of what everybody sees where callers are bare names.
    pub(super) fn lists(&self) -> bool {
        let lists = matches!(
            self.act,
            Act::List { .. } | Act::Marked { .. } | Act::Search { .. }
        );
        lists
    }

    /// Returns whether the response may say that something of the other tenant exists, because the caller has said its id: that is what
    /// the difference between 403 and 404, 400 or nothing tells.
    pub(super) fn may_tell_existence(&self, mode: Mode) -> bool {
        let is_foreign = |place: &Place| place.whose == Whose::Foreign;
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
            | Act::ShowMetric { metric, .. } => metric.whose == Whose::Foreign,
            Act::SendMany { metrics }
            | Act::AcrossIds { metrics, .. }
            | Act::Legacy { metrics }
            | Act::SearchValues { metrics } => {
                metrics.iter().any(|metric| metric.whose == Whose::Foreign)
            }
            // Bare names see in listings what exists.
            Act::Show { place, .. } => mode == Mode::Names && is_foreign(place),
            Act::BulkDelete { .. } | Act::AcrossResources { .. } | Act::LegacyResources { .. } => {
                mode == Mode::Names
            }
            Act::Create { .. }
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
