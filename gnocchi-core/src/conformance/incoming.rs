//! Properties of [`IncomingDriver`].
#![expect(
    clippy::missing_panics_doc,
    reason = "every function here panics when its property does not hold"
)]

mod appending;
mod claiming;
mod reopening;
mod watching;

pub use appending::*;
pub use claiming::*;
pub use reopening::*;
pub use watching::*;

use std::sync::Arc;

use async_trait::async_trait;
use carbonara::Series;

use crate::driver::{Backlog, BacklogDetails, Claim, IncomingDriver, Receipt};
use crate::model::{Measures, MetricId};

/// A private instance of a driver.
#[async_trait]
pub trait IncomingFixture: Send + Sync {
    /// Returns the driver.
    fn driver(&self) -> &dyn IncomingDriver;

    /// Closes the driver in good order and opens it again on what it has stored.
    async fn reopen(&mut self);
}

/// Returns the driver of a fixture.
pub fn driver(fixture: &dyn IncomingFixture) -> &dyn IncomingDriver {
    fixture.driver()
}

/// Makes one test for every property of an [`IncomingDriver`](crate::driver::IncomingDriver).
///
/// Takes the name of an asynchronous function without arguments that returns an
/// [`IncomingFixture`](crate::conformance::incoming::IncomingFixture), and `durable` where measures survive the end of the process.
#[macro_export]
macro_rules! incoming_conformance {
    ($fixture:path) => {
        $crate::__conformance_tests!(
            incoming,
            $fixture,
            [
                upgrade_may_be_repeated,
                an_empty_batch_is_fine,
                points_come_back_as_they_were,
                batches_come_in_order_of_receipt,
                a_metric_may_occur_twice_in_a_batch,
                unacknowledged_measures_come_back,
                acknowledged_measures_are_gone,
                an_acknowledgement_may_be_repeated,
                an_acknowledgement_covers_the_claims_before_it,
                a_foreign_receipt_removes_nothing,
                a_claim_takes_enough_and_not_everything,
                sacks_are_apart,
                pending_measures_are_seen_without_a_claim,
                discarded_measures_are_gone,
                a_metric_can_be_used_again_after_a_discard,
                the_backlog_is_counted,
                arrivals_are_announced,
                concurrent_appends_lose_nothing,
                ten_thousand_metrics_fit_in_a_batch,
            ]
        );
    };
    ($fixture:path, durable) => {
        $crate::incoming_conformance!($fixture);
        $crate::__conformance_tests!(
            incoming,
            $fixture,
            reopening [
                measures_survive_reopening,
                acknowledged_measures_stay_gone,
                discarded_measures_stay_gone,
                a_receipt_outlives_reopening,
                an_old_receipt_spares_new_measures,
            ]
        );
    };
}

const ALL: usize = usize::MAX;

fn metric(number: u128) -> MetricId {
    MetricId::from_u128(number)
}

/// Makes one point per value, a second apart.
fn series(first_second: i64, values: &[f64]) -> Series {
    let seconds = (first_second..).take(values.len());
    let timestamps_ns = seconds.map(|second| second * 1_000_000_000).collect();
    Series::from_points(timestamps_ns, values.to_vec()).expect("after the epoch")
}

fn measures(number: u128, first_second: i64, values: &[f64]) -> Measures {
    Measures {
        metric: metric(number),
        series: series(first_second, values),
    }
}

async fn append(driver: &dyn IncomingDriver, batch: Vec<Measures>) {
    driver.append(batch).await.expect("appends");
}

async fn claim(driver: &dyn IncomingDriver, number: u128) -> Claim {
    driver
        .claim(driver.sacks().sack_of(metric(number)), ALL)
        .await
        .expect("claims")
}

async fn acknowledge(driver: &dyn IncomingDriver, number: u128, receipt: &Receipt) {
    driver
        .acknowledge(driver.sacks().sack_of(metric(number)), receipt)
        .await
        .expect("acknowledges");
}

/// Returns the values of the batches of one metric.
fn batches_of(claim: &Claim, number: u128) -> Vec<Vec<f64>> {
    let found: Vec<_> = claim
        .measures
        .iter()
        .filter(|(id, _)| *id == metric(number))
        .collect();
    assert!(found.len() <= 1, "a metric stands once in a claim");
    found
        .iter()
        .flat_map(|(_, batches)| values(batches))
        .collect()
}

fn values(batches: &[Arc<Series>]) -> Vec<Vec<f64>> {
    batches
        .iter()
        .map(|series| series.values().to_vec())
        .collect()
}

async fn pending(driver: &dyn IncomingDriver, number: u128) -> Vec<Vec<f64>> {
    let mut answer = driver.pending(&[metric(number)]).await.expect("answers");
    assert_eq!(answer.len(), 1, "one answer for each metric");
    values(&answer.remove(0))
}

async fn backlog(driver: &dyn IncomingDriver) -> Backlog {
    driver
        .backlog(BacklogDetails::PerMetric)
        .await
        .expect("reports")
}
