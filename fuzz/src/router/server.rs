//! A store in memory with one thing of each kind, behind the router.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use carbonara::{Series, Timestamp};
use gnocchi_core::clock::ManualClock;
use gnocchi_core::model::{
    Attribute, AttributeKind, AttributeValue, Measures, NewMetric, NewResource, ResourceId,
    ResourceMetric, ResourceType,
};
use gnocchi_core::{DefaultPolicies, Drivers, Gnocchi, Settings, memory};
use gnocchi_server::api::{self, ApiSettings, ApiState};
use http::response::Parts;
use http::{Request, Response};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

/// 2015-06-06T14:00:00Z
const NOW_SECONDS: i64 = 1_433_599_200;

/// The metric that exists, of the user who sends the requests.
pub(super) const METRIC: &str = "6f5b4a1e-0000-4000-8000-000000000001";

/// The resource that exists, of the same user.
pub(super) const RESOURCE: &str = "6f5b4a1e-0000-4000-8000-000000000002";

/// The user of most requests.
pub(super) const USER: &str = "foobar";

/// The resource type that exists beside the generic one.
pub(super) const RESOURCE_TYPE: &str = "instance";

/// A server without sockets.
#[derive(Debug)]
pub(super) struct Server {
    gnocchi: Gnocchi,
    router: Router,
}

impl Server {
    pub(super) async fn start() -> Self {
        let now = Timestamp::from_second(NOW_SECONDS).expect("after the epoch");
        let drivers = Drivers {
            clock: Arc::new(ManualClock::new(now)),
            ..memory::drivers()
        };
        let gnocchi = Gnocchi::new(drivers, Settings::default());
        let settings = ApiSettings {
            max_limit: 7,
            points_max: 1000,
            metrics_max: 100,
            body_bytes_max: 100_000,
            proxy_headers: true,
            ..ApiSettings::default()
        };
        let router = api::router(ApiState::new(gnocchi.clone(), settings, None));
        let server = Self { gnocchi, router };
        server.fill(now).await.expect("an empty store takes these");
        server
    }

    async fn fill(&self, now: Timestamp) -> Result<(), Box<dyn std::error::Error>> {
        let store = &self.gnocchi;
        store.upgrade(DefaultPolicies::Create).await?;
        let optional = |kind| Attribute {
            kind,
            required: false,
        };
        let text = AttributeKind::String {
            min_length: 0,
            max_length: 255,
        };
        let number = AttributeKind::Number {
            min: None,
            max: None,
        };
        let attributes = [
            ("host", text),
            ("cores", number),
            ("image", AttributeKind::Uuid),
            ("spot", AttributeKind::Bool),
            ("launched_at", AttributeKind::Datetime),
        ];
        let attributes = attributes.map(|(name, kind)| (name.to_owned(), optional(kind)));
        store
            .create_resource_type(&ResourceType::new(
                RESOURCE_TYPE,
                BTreeMap::from(attributes),
            )?)
            .await?;
        let creator = Some(USER.to_owned());
        let mut metric = NewMetric::new(creator.clone(), "high", Some("cpu".into()), None, None)?;
        metric.id = METRIC.parse()?;
        let id = metric.id;
        let host = AttributeValue::String("compute1".into());
        store
            .create_resource(&NewResource {
                id: RESOURCE.parse::<ResourceId>()?,
                resource_type: RESOURCE_TYPE.into(),
                creator,
                original_resource_id: RESOURCE.into(),
                started_at: now,
                ended_at: None,
                user_id: None,
                project_id: Some("p".into()),
                attributes: BTreeMap::from([("host".to_owned(), Some(host))]),
                metrics: BTreeMap::from([("cpu".to_owned(), ResourceMetric::New(metric))]),
            })
            .await?;
        let seconds = (0..200).map(|index| (NOW_SECONDS - 7 * index) * 1_000_000_000);
        let values = (0..200_u32).map(f64::from);
        let series = Series::from_points(seconds.collect(), values.collect())?;
        store.append(vec![Measures { metric: id, series }]).await?;
        Ok(())
    }

    /// Returns what the API says of itself.
    pub(super) async fn operations(&self) -> Value {
        let request = Request::get("/v1/openapi.json");
        let request = request.body(Body::empty()).expect("a good request");
        let (_, body) = self.answer(request).await;
        serde_json::from_slice(&body).expect("the description is JSON")
    }

    /// Sends a request and waits for the whole answer.
    pub(super) async fn answer(&self, request: Request<Body>) -> (Parts, Bytes) {
        let answered: Result<Response<Body>, _> = self.router.clone().oneshot(request).await;
        let (parts, body) = answered.expect("the router cannot fail").into_parts();
        let body = body.collect().await.expect("answers end well").to_bytes();
        (parts, body)
    }

    /// Folds everything that was taken.
    pub(super) async fn process(&self) {
        self.gnocchi.process().await.expect("the store folds");
    }
}
