use std::sync::atomic::{AtomicUsize, Ordering};

use carbonara::Timestamp;
use gnocchi_core::clock::ManualClock;
use tokio::time::{advance, sleep};

use super::*;

const LIFETIME: Duration = Duration::from_mins(5);
const NOW_SECONDS: i64 = 1_000_000;

/// Knows `good`, which lives for `left` seconds, and can tell nothing of `later`; takes a second for everything.
#[derive(Debug, Default)]
struct Slow {
    asked: AtomicUsize,
    left: i64,
}

#[async_trait]
impl TokenValidator for Slow {
    async fn validate(&self, token: &str, _: Expired) -> Result<Arc<Identity>, TokenError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        sleep(Duration::from_secs(1)).await;
        match token {
            "good" => Ok(Arc::new(Identity {
                user_id: Some("u".to_owned()),
                project_id: None,
                domain_id: None,
                roles: Vec::new(),
                expires_at: Timestamp::from_second(NOW_SECONDS + self.left).unwrap(),
            })),
            "later" => Err(TokenError::Unavailable),
            _ => Err(TokenError::Invalid),
        }
    }
}

fn cached(left: i64) -> (Arc<Slow>, CachedTokens) {
    let slow = Arc::new(Slow {
        left,
        ..Slow::default()
    });
    let now = Timestamp::from_second(NOW_SECONDS).unwrap();
    let inner: Arc<dyn TokenValidator> = Arc::<Slow>::clone(&slow);
    let clock = Arc::new(ManualClock::new(now));
    (slow, CachedTokens::new(inner, LIFETIME, clock))
}

async fn validate(tokens: &CachedTokens, token: &str) -> Result<Arc<Identity>, TokenError> {
    tokens.validate(token, Expired::Refused).await
}

/// Asks twice, `apart` from each other, and returns how often that reached the inner validator.
async fn asked_twice(token: &str, left: i64, apart: Duration) -> usize {
    let (slow, tokens) = cached(left);
    let first = validate(&tokens, token).await;
    advance(apart).await;
    assert_eq!(validate(&tokens, token).await, first);
    slow.asked.load(Ordering::Relaxed)
}

#[tokio::test(start_paused = true)]
async fn results_are_cached_for_a_while() {
    let seconds = Duration::from_secs;
    assert_eq!(asked_twice("good", 3600, seconds(299)).await, 1);
    assert_eq!(asked_twice("good", 3600, seconds(300)).await, 2);
    // No longer than the token lives.
    assert_eq!(asked_twice("good", 10, seconds(9)).await, 1);
    assert_eq!(asked_twice("good", 10, seconds(10)).await, 2);
    assert_eq!(asked_twice("bad", 0, seconds(29)).await, 1);
    assert_eq!(asked_twice("bad", 0, seconds(30)).await, 2);
    assert_eq!(asked_twice("later", 0, seconds(1)).await, 2);
}

#[tokio::test(start_paused = true)]
async fn many_requests_with_one_token_make_one_validation() {
    for token in ["good", "bad", "later"] {
        let (slow, tokens) = cached(3600);
        let requests = (0..100).map(|_| validate(&tokens, token));
        let answers = futures::future::join_all(requests).await;
        assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
        assert_eq!(slow.asked.load(Ordering::Relaxed), 1, "{token}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_given_up_does_not_block_others() {
    let (slow, tokens) = cached(3600);
    let given_up = tokio::time::timeout(Duration::from_millis(1), validate(&tokens, "good"));
    given_up.await.unwrap_err();
    validate(&tokens, "good").await.unwrap();
    assert_eq!(slow.asked.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn endless_tokens_are_not_looked_at() {
    let (slow, tokens) = cached(3600);
    let endless = "x".repeat(TOKEN_BYTES_MAX + 1);
    assert_eq!(validate(&tokens, &endless).await, Err(TokenError::Invalid));
    assert_eq!(slow.asked.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn expired_tokens_are_remembered_apart() {
    let (slow, tokens) = cached(-10);
    tokens.validate("good", Expired::Accepted).await.unwrap();
    tokens.validate("good", Expired::Accepted).await.unwrap();
    assert_eq!(slow.asked.load(Ordering::Relaxed), 1);
    validate(&tokens, "good").await.unwrap();
    assert_eq!(slow.asked.load(Ordering::Relaxed), 2);
}
