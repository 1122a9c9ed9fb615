//! What senders are told of points that arrive too early or too late.

use super::*;

#[tokio::test]
async fn points_too_far_ahead_are_left_out_and_reported() {
    let fixture = Fixture::new(Settings {
        max_future: Some(span(60)),
        ..Settings::default()
    })
    .await;
    let points = [(9_000, 1.0), (10_060, 2.0), (10_061, 3.0), (99_999, 4.0)];
    let rejection = Rejection {
        metric: fixture.metric.id,
        reason: RejectReason::TooFarAhead,
        points: 2,
    };
    assert_eq!(
        fixture
            .store
            .preview(&[fixture.measures(&points)])
            .await
            .unwrap(),
        [rejection]
    );
    assert_eq!(
        fixture.append(&points).await,
        Appended {
            accepted: 2,
            rejected: vec![rejection]
        }
    );
    assert_eq!(
        fixture.means().await,
        series(&[(9_000, 1.0), (10_020, 2.0)])
    );
}

#[tokio::test]
async fn a_preview_tells_what_folding_will_reject() {
    let fixture = Fixture::new(Settings::default()).await;
    fixture.append(&[(6_000, 1.0)]).await;
    let late = [(5_939, 1.0), (5_940, 1.0), (6_001, 1.0)];
    let expected = [Rejection {
        metric: fixture.metric.id,
        reason: RejectReason::TooLate,
        points: 1,
    }];
    assert_eq!(
        fixture
            .store
            .preview(&[fixture.measures(&late)])
            .await
            .unwrap(),
        expected,
        "while pending"
    );
    fixture.store.process().await.unwrap();
    assert_eq!(
        fixture
            .store
            .preview(&[fixture.measures(&late)])
            .await
            .unwrap(),
        expected,
        "when folded"
    );
    assert_eq!(
        fixture.append(&late).await,
        Appended {
            accepted: 2,
            rejected: expected.to_vec()
        }
    );
    assert_eq!(
        fixture.means().await.timestamps_ns(),
        series(&[(5_940, 1.0), (6_000, 1.0)]).timestamps_ns()
    );
}

#[tokio::test]
async fn a_point_three_hours_late_is_reported_by_whoever_asks() {
    let fixture = Fixture::new(Settings::default()).await;
    let now = [fixture.measures(&[(20_000, 1.0)])];
    let late = || vec![fixture.measures(&[(9_200, 1.0)])];
    let rejection = Rejection {
        metric: fixture.metric.id,
        reason: RejectReason::TooLate,
        points: 1,
    };
    // What stands before it in the same call closes the back window as well.
    let together = now.iter().cloned().chain(late()).collect();
    let appended = fixture.store.append(together).await.unwrap();
    assert_eq!((appended.accepted, appended.rejected), (1, vec![rejection]));
    let appended = fixture.store.append(late()).await.unwrap();
    assert_eq!((appended.accepted, appended.rejected), (0, vec![rejection]));
    let options = AppendOptions {
        reported: Reported::TooFarAhead,
        ..AppendOptions::default()
    };
    let appended = fixture.store.append_with(late(), options).await.unwrap();
    assert_eq!((appended.accepted, appended.rejected), (1, vec![]));
}
