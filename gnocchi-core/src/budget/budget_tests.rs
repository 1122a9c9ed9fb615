use super::*;
use crate::error::Error;

fn pool(limits: QueryLimits) -> Arc<Pool> {
    Arc::new(Pool::new(limits))
}

fn limits() -> QueryLimits {
    QueryLimits {
        timeout: Duration::from_mins(1),
        cells_max: 100,
        memory_bytes: 8 << 20,
        concurrency: 1,
        queue: 1,
        queue_timeout: Duration::from_secs(10),
    }
}

/// More cells than a small query computes.
const MANY: usize = 5_000_000;

#[tokio::test(start_paused = true)]
async fn cells_and_time_run_out() {
    let budget = Budget::new(&pool(limits()));
    assert_eq!(budget.spend(100), Ok(()));
    assert_eq!(budget.spend(0), Ok(()));
    let limit = 100;
    assert_eq!(budget.spend(1), Err(BudgetError::TooManyCells { limit }));
    let budget = Budget::new(&pool(limits()));
    tokio::time::advance(Duration::from_secs(59)).await;
    assert_eq!(budget.check(), Ok(()));
    tokio::time::advance(Duration::from_secs(1)).await;
    let limit = Duration::from_mins(1);
    assert_eq!(budget.check(), Err(BudgetError::Timeout { limit }));
}

#[test]
fn memory_is_shared_and_comes_back() {
    let pool = pool(limits());
    let (one, other) = (Budget::new(&pool), Budget::new(&pool));
    let limit_bytes = 8 << 20;
    let held = one.hold(6 << 20).unwrap();
    assert_eq!(
        other.hold(4 << 20).unwrap_err(),
        BudgetError::MemoryHeld { limit_bytes }
    );
    assert_eq!(
        other.hold(9 << 20).unwrap_err(),
        BudgetError::TooMuchMemory { limit_bytes }
    );
    // Small ones share nothing.
    let small = other.hold(100_000).unwrap();
    drop(held);
    assert_eq!(other.keep(7 << 20), Ok(()));
    drop(small);
    assert!(pool.usage().held_bytes >= 7 << 20);
    assert!(one.hold(2 << 20).is_err());
    drop(other);
    assert!(one.hold(6 << 20).is_ok());
    drop(one);
    assert_eq!(pool.usage().held_bytes, 0);
}

#[test]
fn what_grows_is_given_back_as_a_whole() {
    let pool = pool(limits());
    let budget = Budget::new(&pool);
    let mut held = budget.hold(1 << 20).unwrap();
    held.grow(5 << 20).unwrap();
    assert!(held.grow(4 << 20).is_err());
    assert_eq!(budget.held_bytes(), 6 << 20);
    drop(held);
    assert_eq!(budget.held_bytes(), 0);
}

#[test]
fn results_that_stay_have_no_free_part() {
    let pool = pool(limits());
    let budget = Budget::new(&pool);
    budget.keep(100_000).unwrap();
    assert_eq!(pool.usage().held_bytes, 0);
    budget.settle().unwrap();
    assert_eq!(pool.usage().held_bytes, 100_000);
    let large = Budget::new(&pool);
    large.keep(1 << 20).unwrap();
    large.settle().unwrap();
    assert_eq!(pool.usage().held_bytes, 100_000 + (1 << 20));
    let others = Reserved::take(&pool, 7 << 20).unwrap_err();
    let limit_bytes = 8 << 20;
    assert_eq!(others, BudgetError::MemoryHeld { limit_bytes });
    drop((budget, large));
    assert_eq!(pool.usage().held_bytes, 0);
}

#[test]
fn what_is_reserved_is_given_back_in_parts() {
    let pool = pool(limits());
    let held = || pool.usage().held_bytes;
    let mut reserved = Reserved::take(&pool, 1000).unwrap();
    reserved.resize(5000).unwrap();
    assert_eq!(held(), 5000);
    assert!(reserved.resize(9 << 20).is_err());
    reserved.resize(3000).unwrap();
    let part = reserved.split(1000);
    assert_eq!(held(), 3000);
    drop(reserved);
    assert_eq!(held(), 1000);
    // What has happened is reported, even beyond the limit; then nothing is left for others.
    let reported = Reserved::take_anyway(&pool, 8 << 20);
    assert!(Reserved::take(&pool, 1).is_err());
    drop((part, reported));
    assert_eq!(held(), 0);
}

#[test]
fn there_is_room_beyond_the_limit_for_what_is_short_or_has_happened() {
    const MIB: usize = 1 << 20;
    let pool = pool(limits());
    let queries = Reserved::take(&pool, 8 * MIB).unwrap();
    let short = Reserved::take_little(&pool, 2 * MIB).unwrap();
    let full = BudgetError::MemoryHeld {
        limit_bytes: 8 * MIB,
    };
    assert_eq!(Reserved::take_little(&pool, 1).unwrap_err(), full);
    assert_eq!(admit_report(&pool), Ok(()));
    let mut report = Reserved::take_anyway(&pool, 2 * MIB);
    assert_eq!(admit_report(&pool), Ok(()));
    report.resize_anyway(2 * MIB + 1);
    assert_eq!(admit_report(&pool), Err(full));
    drop((queries, short));
    assert_eq!(admit_report(&pool), Ok(()));
    report.resize_anyway(0);
    assert_eq!(pool.usage().held_bytes, 0);
}

#[tokio::test(start_paused = true)]
async fn large_queries_wait_for_each_other_in_a_short_queue() {
    let pool = pool(limits());
    let running = Budget::new(&pool);
    running.compute(MANY, || ()).await.unwrap();
    assert_eq!(pool.usage().running, 1);
    // It has its place.
    running.compute(MANY, || ()).await.unwrap();
    // Small ones need none.
    Budget::new(&pool).compute(30_000, || ()).await.unwrap();

    let waiting = Budget::new(&pool);
    let late = Budget::new(&pool);
    let both = async {
        tokio::join!(waiting.compute(MANY, || ()), async {
            tokio::task::yield_now().await;
            assert_eq!(pool.usage().waiting, 1);
            late.compute(MANY, || ()).await
        })
    };
    let (waited, refused) = both.await;
    let is = |error: Error, expected: BudgetError| {
        assert!(
            matches!(error, Error::Budget(found) if found == expected),
            "{error}"
        );
    };
    is(refused.unwrap_err(), BudgetError::QueueFull { limit: 1 });
    let timeout = BudgetError::QueueTimeout {
        concurrency: 1,
        waited: Duration::from_secs(10),
    };
    is(waited.unwrap_err(), timeout);
    assert_eq!(pool.usage().waiting, 0);
    running.computed();
    waiting.compute(MANY, || ()).await.unwrap();
}

#[tokio::test]
async fn what_nobody_waits_for_ends() {
    let budget = Budget::new(&pool(limits()));
    budget.run(async {}).await;
    assert_eq!(budget.check(), Ok(()));
    let never = Box::pin(budget.run(std::future::pending::<()>()));
    drop(tokio::time::timeout(Duration::ZERO, never).await);
    assert_eq!(budget.check(), Err(BudgetError::Abandoned));
    assert!(budget.compute(1, || ()).await.is_err());
}

#[tokio::test]
async fn a_part_that_fails_ends_the_others() {
    let budget = Budget::new(&pool(limits()));
    let other = budget.clone();
    let other = std::thread::spawn(move || {
        loop {
            if let Err(ended) = other.check() {
                return ended;
            }
            std::thread::yield_now();
        }
    });
    let failed = budget.finish(async { Err::<(), _>("a part") }).await;
    assert_eq!(failed, Ok(Err("a part")));
    assert_eq!(other.join().unwrap(), BudgetError::Abandoned);
}

#[test]
fn every_reason_is_listed() {
    let limit = Duration::from_secs(1);
    let errors = [
        BudgetError::TooManyCells { limit: 1 },
        BudgetError::TooMuchMemory { limit_bytes: 1 },
        BudgetError::MemoryHeld { limit_bytes: 1 },
        BudgetError::QueueFull { limit: 1 },
        BudgetError::QueueTimeout {
            concurrency: 1,
            waited: limit,
        },
        BudgetError::Timeout { limit },
        BudgetError::Abandoned,
    ];
    assert_eq!(errors.map(BudgetError::reason), BudgetError::REASONS);
}
