//! Back-ends that fail: the answer is clear, and nothing is acknowledged that is not durable.

use std::sync::Arc;

use async_trait::async_trait;
use carbonara::Series;
use gnocchi_core::driver::{
    Backlog, BacklogDetails, Claim, IncomingCapabilities, IncomingDriver, Receipt, SACKS_DEFAULT,
    Sack, SackCount,
};
use gnocchi_core::error::{BackendError, BackendErrorKind, IncomingError};
use gnocchi_core::memory::MemoryIncoming;
use gnocchi_core::model::{Measures, MetricId};
use gnocchi_core::{Drivers, Settings};
use serde_json::json;

use crate::support::{App, drivers};

/// What an append does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Append {
    Fails(BackendErrorKind),
    Panics,
}

/// An incoming driver that takes nothing.
#[derive(Debug)]
pub(crate) struct Refusing(pub(crate) Append);

impl Refusing {
    fn failure(&self) -> IncomingError {
        match self.0 {
            Append::Fails(kind) => BackendError::new("refusing", "append measures", kind).into(),
            Append::Panics => panic!("this is the defect that a test asked for"),
        }
    }
}

#[async_trait]
impl IncomingDriver for Refusing {
    fn capabilities(&self) -> IncomingCapabilities {
        IncomingCapabilities {
            durable: true,
            shared: false,
        }
    }

    fn sacks(&self) -> SackCount {
        SACKS_DEFAULT
    }

    async fn upgrade(&self) -> Result<(), IncomingError> {
        Ok(())
    }

    async fn accepts_writes(&self) -> Result<(), IncomingError> {
        Err(self.failure())
    }

    async fn append(&self, _: Vec<Measures>) -> Result<(), IncomingError> {
        Err(self.failure())
    }

    async fn claim(&self, _: Sack, _: usize) -> Result<Claim, IncomingError> {
        Ok(Claim::default())
    }

    async fn acknowledge(&self, _: Sack, _: &Receipt) -> Result<(), IncomingError> {
        Ok(())
    }

    async fn pending(&self, metrics: &[MetricId]) -> Result<Vec<Vec<Arc<Series>>>, IncomingError> {
        Ok(vec![Vec::new(); metrics.len()])
    }

    async fn discard(&self, _: &[MetricId]) -> Result<usize, IncomingError> {
        Ok(0)
    }

    async fn backlog(&self, _: BacklogDetails) -> Result<Backlog, IncomingError> {
        Err(self.failure())
    }

    async fn arrived(&self) -> Result<Vec<Sack>, IncomingError> {
        std::future::pending().await
    }
}

async fn send_to(append: Append) -> (App, crate::support::Answer) {
    let app = App::with(
        Drivers {
            incoming: Arc::new(Refusing(append)),
            ..drivers()
        },
        Settings::default(),
    );
    app.create_policy().await;
    let metric = app.create_metric().await;
    let body = json!([{"timestamp": 1, "value": 1}]);
    let answer = app
        .post(&format!("/v1/metric/{metric}/measures"), body)
        .await;
    (app, answer)
}

#[tokio::test]
async fn a_full_disk_is_told_as_such() {
    let (_, answer) = send_to(Append::Fails(BackendErrorKind::Full)).await;
    answer
        .is(507)
        .says("The disk of the server is full; nothing of this request was stored");
}

#[tokio::test]
async fn a_back_end_that_is_away_is_worth_another_try() {
    let (app, answer) = send_to(Append::Fails(BackendErrorKind::Unavailable)).await;
    let answer = answer
        .is(503)
        .says("The store of the server is not working (unavailable): try again later");
    assert_eq!(answer.header("retry-after"), "1");
    let status = app.call("GET", "/v1/status").user("admin").send().await;
    status
        .is(503)
        .says("Unable to generate status. Please retry.");
}

#[tokio::test]
async fn a_permanent_failure_says_who_can_help_and_no_more() {
    for kind in [
        BackendErrorKind::Corrupt,
        BackendErrorKind::Config,
        BackendErrorKind::Denied,
        BackendErrorKind::Unexpected,
    ] {
        let (_, answer) = send_to(Append::Fails(kind)).await;
        let answer = answer
            .is(503)
            .says("only after an administrator has repaired it");
        assert!(
            !answer.text().contains("append measures"),
            "{}",
            answer.text()
        );
    }
}

#[tokio::test]
async fn a_defect_is_contained() {
    let (app, answer) = send_to(Append::Panics).await;
    answer
        .is(500)
        .says("The server met a defect while it handled this request");
    app.get("/v1/metric").await.is(200);
}

#[tokio::test]
async fn a_full_backlog_asks_for_patience() {
    let drivers = drivers();
    let incoming =
        MemoryIncoming::new(SACKS_DEFAULT, Arc::clone(&drivers.clock)).with_pending_bytes_max(1000);
    let app = App::with(
        Drivers {
            incoming: Arc::new(incoming),
            ..drivers
        },
        Settings::default(),
    );
    app.create_policy().await;
    let metric = app.create_metric().await;
    let path = format!("/v1/metric/{metric}/measures");
    let list = json!(
        (0..100)
            .map(|second| json!({"timestamp": second, "value": 1}))
            .collect::<Vec<_>>()
    );
    let mut answer = app.post(&path, list.clone()).await;
    for _ in 0..3 {
        answer = app.post(&path, list.clone()).await;
    }
    let answer = answer.is(503).says(
        "bytes of measures are pending and the limit is 1000 (max_pending_bytes): try again later",
    );
    assert_eq!(answer.header("retry-after"), "1");
    app.gnocchi.process().await.unwrap();
    app.post(&path, json!([{"timestamp": 1, "value": 1}]))
        .await
        .is(202);
}
