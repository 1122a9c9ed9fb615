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

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn points_more_than_an_hour_ahead_are_logged_now_and_then_and_counted() {
    let (log, recorder) = (Log::default(), DebuggingRecorder::new());
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    let _recording = metrics::set_default_local_recorder(&recorder);
    let lines = || {
        let bytes = std::mem::take(&mut *log.0.lock().unwrap());
        let text = String::from_utf8(bytes).unwrap();
        text.lines().map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    // The clock shows 10 000.
    let unlimited = Fixture::new(Settings::default()).await;
    let options = AppendOptions {
        sender: Some(&"the cellar"),
        ..AppendOptions::default()
    };
    let send = async |fixture: &Fixture, points: &[(i64, f64)]| {
        let measures = vec![fixture.measures(points)];
        fixture.store.append_with(measures, options).await.unwrap()
    };
    assert_eq!(send(&unlimited, &[(13_600, 1.0)]).await.accepted, 1);
    assert_eq!(lines(), [""; 0]);
    assert_eq!(
        send(&unlimited, &[(13_600, 1.0), (13_601, 1.0), (90_000, 1.0)])
            .await
            .accepted,
        3
    );
    let logged = lines();
    let [line] = logged.as_slice() else {
        panic!("{logged:?}")
    };
    for part in [
        "WARN",
        "points more than an hour ahead of the clock",
        &unlimited.metric.id.to_string(),
        "\"the cellar\"",
        "1970-01-02T01:00:00Z",
        "points=2",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    send(&unlimited, &[(90_001, 1.0)]).await;
    assert_eq!(lines(), [""; 0], "one is logged for each interval");

    let limited = Fixture::new(Settings {
        max_future: Some(span(7200)),
        ..Settings::default()
    })
    .await;
    let appended = send(&limited, &[(17_200, 1.0), (17_201, 1.0)]).await;
    assert_eq!(appended.accepted, 1);
    assert_eq!(appended.rejected[0].reason, RejectReason::TooFarAhead);
    let logged = lines();
    let rejected = logged.iter().find(|line| line.contains("max_future"));
    assert!(rejected.unwrap().contains("points=1"), "{logged:?}");
    let counters: Vec<(String, DebugValue)> = recorder
        .snapshotter()
        .snapshot()
        .into_vec()
        .into_iter()
        .map(|(key, .., value)| (key.key().name().to_owned(), value))
        .collect();
    let counted = |name: &str| {
        let found = counters.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value)
    };
    assert_eq!(
        counted("gnocchi_measures_ahead_total"),
        Some(&DebugValue::Counter(4))
    );
    assert_eq!(
        counted("gnocchi_measures_rejected_total"),
        Some(&DebugValue::Counter(1))
    );
}
