//! What every [`Indexer`] must do.
#![expect(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "every function here panics when its property does not hold"
)]

mod archive_policies;
mod metrics;
mod paging;
mod reopening;
mod resource_metrics;
mod resource_type_changes;
mod resource_types;
mod resources;
mod revisions;
mod searching;
mod seen;
mod support;
mod texts;
mod visibility;

pub use archive_policies::*;
pub use metrics::*;
pub use paging::*;
pub use reopening::*;
pub use resource_metrics::*;
pub use resource_type_changes::*;
pub use resource_types::*;
pub use resources::*;
pub use revisions::*;
pub use searching::*;
pub use seen::*;
pub use texts::*;
pub use visibility::*;

use async_trait::async_trait;

use crate::driver::{Indexer, IndexerCounts};
use crate::model::{Change, GENERIC, ResourceUpdate};
use support::{create_metric, create_policy, create_resource, every_kind};

/// A private instance of an indexer, empty and upgraded.
#[async_trait]
pub trait IndexerFixture: Send + Sync {
    /// Returns the indexer.
    fn driver(&self) -> &dyn Indexer;

    /// Closes the indexer in good order and opens it again on what it has stored.
    async fn reopen(&mut self);
}

/// Returns the indexer of a fixture.
pub fn driver(fixture: &dyn IndexerFixture) -> &dyn Indexer {
    fixture.driver()
}

/// A second upgrade, also at the same time as another one, keeps everything.
pub async fn an_upgrade_can_be_repeated(indexer: &dyn Indexer) {
    create_policy(indexer, "low").await;
    let metric = create_metric(indexer, "low").await;
    let (first, second) = futures::join!(indexer.upgrade(), indexer.upgrade());
    first.unwrap();
    second.unwrap();
    assert_eq!(indexer.metrics(&[metric.id]).await.unwrap(), [Some(metric)]);
}

/// Counts follow what is created and deleted; past revisions and deleted metrics are not in them.
pub async fn counts_follow_what_is_there(indexer: &dyn Indexer) {
    let check = async |metrics, resources| {
        let expected = IndexerCounts { metrics, resources };
        assert_eq!(indexer.counts().await.unwrap(), expected);
    };
    check(0, 0).await;
    create_policy(indexer, "low").await;
    indexer
        .create_resource_type(&every_kind("server"))
        .await
        .unwrap();
    let first = create_metric(indexer, "low").await;
    create_metric(indexer, "low").await;
    let generic = create_resource(indexer, GENERIC).await;
    create_resource(indexer, "server").await;
    check(2, 2).await;
    let update = ResourceUpdate {
        project_id: Change::Set(Some("p".to_owned())),
        ..ResourceUpdate::default()
    };
    let now = generic.revision_start;
    indexer
        .update_resource(GENERIC, generic.id, &update, now)
        .await
        .unwrap();
    indexer.delete_metrics(&[first.id]).await.unwrap();
    check(1, 2).await;
    indexer.expunge_metrics(&[first.id]).await.unwrap();
    indexer.delete_resources(&[generic.id]).await.unwrap();
    check(1, 1).await;
}

/// What was stored is there after the process that stored it.
pub async fn everything_survives_reopening(fixture: &mut dyn IndexerFixture) {
    let policy = create_policy(fixture.driver(), "low").await;
    let metric = create_metric(fixture.driver(), "low").await;
    fixture
        .driver()
        .create_resource_type(&every_kind("server"))
        .await
        .unwrap();
    let resource = create_resource(fixture.driver(), "server").await;
    for _ in 0..2 {
        fixture.reopen().await;
        let indexer = fixture.driver();
        assert_eq!(
            indexer.archive_policies().await.unwrap(),
            std::slice::from_ref(&policy)
        );
        assert_eq!(
            indexer.metrics(&[metric.id]).await.unwrap(),
            [Some(metric.clone())]
        );
        assert_eq!(
            indexer.resource_type("server").await.unwrap(),
            every_kind("server")
        );
        assert_eq!(
            indexer.resources("server", &[resource.id]).await.unwrap(),
            [Some(resource.clone())]
        );
        indexer.upgrade().await.unwrap();
    }
}

/// Makes one test for every property of an [`Indexer`](crate::driver::Indexer).
///
/// Takes the name of an asynchronous function without arguments that returns an
/// [`IndexerFixture`](crate::conformance::indexer::IndexerFixture), and `durable` where everything survives the end of the process.
#[macro_export]
macro_rules! indexer_conformance {
    ($fixture:path) => {
        $crate::__conformance_tests!(
            indexer,
            $fixture,
            [
                an_upgrade_can_be_repeated,
                counts_follow_what_is_there,
                an_archive_policy_comes_back_as_it_was_stored,
                archive_policy_names_are_unique,
                archive_policies_are_listed_by_name,
                an_updated_archive_policy_is_seen_by_its_metrics,
                an_absent_archive_policy_is_an_error,
                an_archive_policy_in_use_stays,
                archive_policy_rules_are_listed_in_the_order_in_which_they_are_tried,
                an_archive_policy_rule_needs_its_policy,
                archive_policy_rules_can_be_renamed,
                an_absent_archive_policy_rule_is_an_error,
                metrics_are_created_in_order,
                metrics_come_back_in_the_order_asked,
                creating_metrics_is_all_or_nothing,
                a_metric_needs_its_policy_and_its_resource,
                metric_names_are_unique_on_their_resource,
                metric_names_are_compared_exactly,
                a_metric_id_is_taken_once,
                named_metrics_are_found,
                texts_are_found_as_they_were_stored,
                a_deleted_metric_frees_its_name,
                only_deleted_metrics_are_expunged,
                metrics_are_listed_by_filter,
                ten_thousand_metrics_are_no_problem,
                many_callers_create_metrics_at_once,
                one_of_many_callers_gets_a_name,
                pages_of_metrics_hold_each_metric_once,
                pages_of_resources_hold_each_resource_once,
                pages_of_typed_resources_hold_each_resource_once,
                pages_of_history_hold_each_revision_once,
                listings_go_by_id_or_by_revision_start,
                unusable_pages_are_refused,
                a_page_of_nothing_is_empty,
                a_resource_comes_back_as_it_was_stored,
                attributes_without_value_are_null,
                attribute_names_may_be_strange,
                resources_are_seen_through_their_type_and_the_generic_one,
                resource_ids_are_unique_across_types,
                a_resource_needs_its_type_and_a_possible_life,
                a_change_makes_a_revision,
                an_update_without_effect_makes_no_revision,
                an_update_is_all_or_nothing,
                an_absent_resource_cannot_be_updated,
                past_revisions_are_listed_on_request,
                deleted_resources_leave_nothing,
                resources_have_microseconds,
                a_resource_is_created_with_its_metrics,
                foreign_metrics_cannot_be_attached,
                metrics_of_a_resource_have_its_creator,
                an_update_replaces_metrics,
                an_update_adds_metrics,
                metrics_alone_make_no_revision,
                a_metric_under_two_names_gets_the_last_one,
                a_resource_type_comes_back_as_it_was_stored,
                resource_type_names_are_unique,
                the_generic_type_always_exists,
                a_resource_type_in_use_stays,
                conditions_select_what_they_mean,
                null_is_unknown_but_different,
                patterns_mean_themselves,
                revisions_are_searched_one_by_one,
                pages_of_a_search_hold_each_match_once,
                matching_resources_are_deleted_entirely,
                only_what_can_be_seen_is_listed_and_deleted,
                a_past_is_seen_as_long_as_the_present_is,
                metrics_are_seen_for_their_creator_or_their_resource,
                resources_come_with_the_metrics_asked_for,
                ten_thousand_resources_are_listed_at_once,
                a_changed_type_changes_its_resources_and_their_history,
                only_missing_values_are_filled,
                a_change_of_an_outdated_type_is_refused,
                a_change_that_is_too_large_is_refused,
                texts_that_would_be_too_long_keep_their_type,
                strange_attributes_are_filled_and_removed,
                an_update_of_an_outdated_revision_is_refused,
                only_the_revision_that_was_seen_is_deleted,
                a_resource_in_the_place_of_what_was_seen_is_left_alone,
                metrics_are_created_on_the_revision_that_was_seen,
                only_resources_that_were_seen_are_deleted,
                a_metric_is_taken_only_from_where_it_was_seen,
                no_metric_reaches_a_resource_that_takes_the_place_of_another,
                one_of_many_callers_changes_a_revision,
                revisions_begin_at_different_moments,
                the_revisions_of_a_resource_are_numbered_by_themselves,
                metrics_come_with_the_end_of_their_resource,
                a_resource_that_is_measured_after_its_end_goes_on,
                resources_that_are_not_measured_after_their_end_stay_as_they_are,
                one_of_many_callers_reopens_a_resource,
                a_resource_that_was_ended_again_stays_so,
            ]
        );
    };
    ($fixture:path, durable) => {
        $crate::indexer_conformance!($fixture);
        $crate::__conformance_tests!(indexer, $fixture, reopening[everything_survives_reopening]);
    };
}
