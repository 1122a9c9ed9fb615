use std::sync::Arc;
use gnocchi_core::clock::SystemClock;
use gnocchi_core::driver::*;
use gnocchi_core::model::*;
use gnocchi_drivers::embedded::*;
fn rss() -> String { std::fs::read_to_string("/proc/self/status").unwrap().lines().filter(|l| l.starts_with("VmRSS")).collect() }
#[tokio::main]
async fn main() {
    let dir = std::path::PathBuf::from("/root/.cache/rss-db");
    if std::env::args().nth(1).is_some() { let t = std::time::Instant::now(); let e = Embedded::open(EmbeddedConfig::new(&dir), Arc::new(SystemClock)).await.unwrap(); println!("fresh process reopened in {:?} {}", t.elapsed(), rss()); drop(e); return; }
    let _ = std::fs::remove_dir_all(&dir);
    println!("start {}", rss());
    let e = Embedded::open(EmbeddedConfig::new(&dir), Arc::new(SystemClock)).await.unwrap();
    println!("open {}", rss());
    for s in 0..128 { e.storage.acquire(Sack::new(s), 1).await.unwrap(); }
    let series = carbonara::Series::from_points((0..60).map(|x| x * 1_000_000_000).collect(), vec![1.5; 60]).unwrap();
    for round in 0..200u64 {
        let batch: Vec<Measures> = (0..1000u128).map(|m| Measures { metric: MetricId::from_u128(m * 977), series: series.clone() }).collect();
        e.incoming.append(batch).await.unwrap();
        for s in e.incoming.sacks().sacks() {
            let c = e.incoming.claim(s, usize::MAX).await.unwrap();
            if c.is_empty() { continue }
            let metrics = c.measures.iter().map(|(m, _)| MetricChanges { metric: *m, removed: vec![], put: (1..4).map(|g| StoredFrame { key: FrameKey { stream: Stream::Level(carbonara::Timespan::from_second(g).unwrap()), block: 1, sequence: round + 1 }, bytes: vec![1; 150].into() }).collect() }).collect();
            e.storage.commit(s, 1, Commit { receipt: Some(c.receipt.clone()), sequence: round + 1, metrics }).await.unwrap();
            e.incoming.acknowledge(s, &c.receipt).await.unwrap();
        }
    }
    println!("after 200 rounds (12M points, 200k metric commits) {}", rss());
    drop(e);
    println!("dropped {}", rss());
    let t = std::time::Instant::now();
    let e = Embedded::open(EmbeddedConfig::new(&dir), Arc::new(SystemClock)).await.unwrap();
    println!("reopened {} in {:?}", rss(), t.elapsed());
    drop(e);
    if std::env::args().nth(1).is_some() { return; }
}
