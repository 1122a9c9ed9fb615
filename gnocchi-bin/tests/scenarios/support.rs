//! A store in memory behind the router, and a client for it.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use carbonara::Timestamp;
use gnocchi_core::clock::ManualClock;
use gnocchi_core::{Drivers, Gnocchi, Settings, memory};
use gnocchi_server::api::auth::AccessControl;
use gnocchi_server::api::{self, ApiSettings, ApiState, CorsSettings};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::remote_write::{self, TimeSeries};

/// 2015-06-06T14:00:00Z, what the clock of the tests shows.
pub(crate) const NOW_SECONDS: i64 = 1_433_599_200;

/// A server without sockets.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) gnocchi: Gnocchi,
    pub(crate) router: Router,
}

/// What the server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// A request that is being put together.
pub(crate) struct Call<'a> {
    app: &'a App,
    request: http::request::Builder,
    body: Body,
}

/// Returns the settings that the stories are told with.
pub(crate) fn settings() -> ApiSettings {
    ApiSettings {
        max_limit: 7,
        proxy_headers: true,
        points_max: 1000,
        metrics_max: 500,
        body_bytes_max: 100_000,
        cors: CorsSettings {
            allowed_origins: vec!["http://foobar.com".to_owned()],
            ..CorsSettings::default()
        },
        ..ApiSettings::default()
    }
}

/// Returns drivers in memory whose clock stands still.
pub(crate) fn drivers() -> Drivers {
    let now = Timestamp::from_second(NOW_SECONDS).unwrap();
    Drivers {
        clock: Arc::new(ManualClock::new(now)),
        ..memory::drivers()
    }
}

impl App {
    /// Starts with an empty store.
    pub(crate) fn new() -> Self {
        Self::with(drivers(), Settings::default())
    }

    pub(crate) fn with(drivers: Drivers, store: Settings) -> Self {
        let gnocchi = Gnocchi::new(drivers, store);
        let router = api::router(ApiState::new(gnocchi.clone(), settings(), None));
        Self { gnocchi, router }
    }

    /// Starts with an empty store and this way of telling callers apart.
    pub(crate) fn with_access(access: AccessControl) -> Self {
        let gnocchi = Gnocchi::new(drivers(), Settings::default());
        let state = ApiState::with_access(gnocchi.clone(), settings(), access, None);
        let router = api::router(state);
        Self { gnocchi, router }
    }

    /// Starts with the archive policy `second`: a granularity of one second, back window of ten.
    pub(crate) async fn with_policy() -> Self {
        let app = Self::new();
        app.create_policy().await;
        app
    }

    pub(crate) async fn create_policy(&self) {
        let policy = json!({"name": "second", "back_window": 10, "definition": [{"granularity": "1 second"}]});
        self.admin("POST", "/v1/archive_policy", policy)
            .await
            .is(201);
    }

    /// Creates a metric of `foobar` and returns its id.
    pub(crate) async fn create_metric(&self) -> String {
        let created = self
            .post("/v1/metric", json!({"archive_policy_name": "second"}))
            .await
            .is(201)
            .json();
        created["id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn call(&self, method: &str, path: &str) -> Call<'_> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "example.org");
        Call {
            app: self,
            request,
            body: Body::empty(),
        }
    }

    /// Sends JSON as the administrator.
    pub(crate) async fn admin(&self, method: &str, path: &str, body: Value) -> Answer {
        self.call(method, path).user("admin").json(&body).await
    }

    /// Sends JSON as `foobar`.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path).user("foobar").json(&body).await
    }

    /// Sends JSON as `foobar`.
    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call("PATCH", path).user("foobar").json(&body).await
    }

    /// Posts no body as `foobar`.
    pub(crate) async fn post_nothing(&self, path: &str) -> Answer {
        self.call("POST", path).user("foobar").send().await
    }

    /// Reads as `foobar`.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path).user("foobar").send().await
    }

    /// Deletes as `foobar`.
    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path).user("foobar").send().await
    }
}

impl Call<'_> {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    pub(crate) fn user(self, name: &str) -> Self {
        let credentials = STANDARD.encode(format!("{name}:"));
        self.header("authorization", &format!("Basic {credentials}"))
    }

    /// Says who calls in the headers that a token layer in front of the server sets.
    pub(crate) fn identity(self, user: &str, project: &str, role: &str) -> Self {
        self.header("x-user-id", user)
            .header("x-project-id", project)
            .header("x-roles", role)
    }

    /// Wants errors as JSON.
    pub(crate) fn wants_json(self) -> Self {
        self.header("accept", "application/json")
    }

    pub(crate) fn body(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) async fn json(self, body: &Value) -> Answer {
        self.raw_json(body.to_string()).await
    }

    /// Sends a body that claims to be JSON.
    pub(crate) async fn raw_json(self, body: impl Into<Body>) -> Answer {
        self.header("content-type", "application/json")
            .body(body)
            .send()
            .await
    }

    pub(crate) async fn send(self) -> Answer {
        let request = self.request.body(self.body).unwrap();
        let (method, address) = (request.method().clone(), request.uri().to_string());
        let (parts, body) = self
            .app
            .router
            .clone()
            .oneshot(request)
            .await
            .unwrap()
            .into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        let answer = Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        };
        crate::openapi::check_described(method.as_str(), &address, &answer);
        answer
    }
}

impl Answer {
    /// Insists on a status.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        self
    }

    /// Insists that the body holds a text.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(
            self.text().contains(text),
            "`{text}` is not in `{}`",
            self.text()
        );
        self
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .unwrap_or_else(|| panic!("no {name} in {:?}", self.headers))
            .to_str()
            .unwrap()
    }

    /// Returns the description of an error in JSON, without what explains it to people.
    #[track_caller]
    pub(crate) fn description(&self) -> Value {
        let mut description = self.json()["description"].clone();
        if let Some(object) = description.as_object_mut() {
            object.remove("explanation");
        }
        description
    }
}

/// Returns the body of a remote write request of Prometheus.
pub(crate) fn remote_write_body(series: &[TimeSeries]) -> Vec<u8> {
    let message = remote_write::message(series.to_vec());
    snap::raw::Encoder::new().compress_vec(&message).unwrap()
}
