//! Whose password is checked next.
//!
//! A check takes a processor for some tens of milliseconds, so only a few run at once, and the others wait. Who has taken the
//! fewest checks lately goes first: a flood of wrong passwords from one address, or for one name, delays other logins by no
//! more than the checks that are already running.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

/// The most logins that wait; of more, those that have taken the most checks are sent away.
const WAITING_MAX: usize = 1024;

/// How long it takes until half of the checks that a client or a name has taken are forgotten.
const HALF_LIFE: Duration = Duration::from_secs(10);

/// The leading bits of an IPv6 address that one client can choose the rest of.
const CLIENT_PREFIX_BITS: u32 = 64;

/// Gives the room for checks to logins, one after the other.
pub(super) struct Turns {
    state: Arc<Mutex<State>>,
    /// Hashes clients and names with a random key, so that collisions cannot be provoked.
    numbers: RandomState,
}

struct State {
    free: usize,
    waiting: Vec<Waiting>,
    /// How many checks each client and each name of a client has taken.
    taken: HashMap<u64, u32>,
    halved_at: Instant,
    arrivals: u64,
}

struct Waiting {
    login: Login,
    arrival: u64,
    grant: oneshot::Sender<Turn>,
}

/// What a check is counted for: the client, and the name that this client logs in with.
#[derive(Debug, Clone, Copy)]
struct Login {
    client: u64,
    name: u64,
}

/// The right to check one password, until it is dropped.
pub(super) struct Turn {
    state: Arc<Mutex<State>>,
    login: Login,
}

impl Turns {
    /// Makes room for as many checks at once.
    pub(super) fn new(room: usize) -> Self {
        let state = State {
            free: room,
            waiting: Vec::new(),
            taken: HashMap::new(),
            halved_at: Instant::now(),
            arrivals: 0,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            numbers: RandomState::new(),
        }
    }

    /// Waits until it is the turn of a login; `None` when too many others are waiting.
    ///
    /// # Cancel safety
    /// May be dropped at any point.
    pub(super) async fn wait(&self, client: &str, name: &str) -> Option<Turn> {
        let client = network(client);
        let login = Login {
            client: self.numbers.hash_one(&client),
            name: self.numbers.hash_one((&client, name)),
        };
        let (grant, granted) = oneshot::channel();
        lock(&self.state).add(login, grant);
        State::grant(&self.state);
        granted.await.ok()
    }

    #[cfg(test)]
    pub(super) fn free(&self) -> usize {
        lock(&self.state).free
    }
}

impl Turn {
    /// Notes that the password was right: such a check does not count.
    pub(super) fn was_right(&self) {
        let mut state = lock(&self.state);
        for key in [self.login.client, self.login.name] {
            if let Some(taken) = state.taken.get_mut(&key) {
                *taken = taken.saturating_sub(1);
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        lock(&self.state).free += 1;
        State::grant(&self.state);
    }
}

impl State {
    fn add(&mut self, login: Login, grant: oneshot::Sender<Turn>) {
        self.waiting.retain(|waiting| !waiting.grant.is_closed());
        self.waiting.push(Waiting {
            login,
            arrival: self.arrivals,
            grant,
        });
        self.arrivals += 1;
        if self.waiting.len() > WAITING_MAX {
            let last = (0..self.waiting.len()).max_by_key(|index| self.rank(*index));
            last.map(|index| self.waiting.swap_remove(index));
        }
    }

    /// Gives free room to those whose turn it is.
    fn grant(shared: &Arc<Mutex<Self>>) {
        loop {
            let mut state = lock(shared);
            let Some(next) = state.next() else { return };
            state.free -= 1;
            for key in [next.login.client, next.login.name] {
                *state.taken.entry(key).or_default() += 1;
            }
            drop(state);
            let turn = Turn {
                state: Arc::clone(shared),
                login: next.login,
            };
            // A login that was given up just now drops its turn, which makes room again.
            let _ = next.grant.send(turn);
        }
    }

    /// Takes out the login whose turn it is, if there is room for it.
    fn next(&mut self) -> Option<Waiting> {
        if self.free == 0 {
            return None;
        }
        self.forget();
        self.waiting.retain(|waiting| !waiting.grant.is_closed());
        let first = (0..self.waiting.len()).min_by_key(|index| self.rank(*index))?;
        Some(self.waiting.swap_remove(first))
    }

    /// Orders those that wait: by what their client has taken, then their name, then by their arrival.
    fn rank(&self, index: usize) -> (u32, u32, u64) {
        let Waiting { login, arrival, .. } = &self.waiting[index];
        let taken = |key| self.taken.get(&key).copied().unwrap_or_default();
        (taken(login.client), taken(login.name), *arrival)
    }

    fn forget(&mut self) {
        let now = Instant::now();
        while now - self.halved_at >= HALF_LIFE && !self.taken.is_empty() {
            self.taken.retain(|_, taken| {
                *taken /= 2;
                *taken > 0
            });
            self.halved_at += HALF_LIFE;
        }
        if self.taken.is_empty() {
            self.halved_at = now;
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns what one client cannot easily change of its address.
fn network(client: &str) -> String {
    match client.parse() {
        Ok(IpAddr::V6(address)) => {
            let network = address.to_bits() >> (u128::BITS - CLIENT_PREFIX_BITS);
            format!("{network:x}::/{CLIENT_PREFIX_BITS}")
        }
        Ok(IpAddr::V4(_)) | Err(_) => client.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use futures::FutureExt;

    use super::*;

    type Arrival<'a> = Pin<Box<dyn Future<Output = Option<Turn>> + Send + 'a>>;

    /// Lets a login arrive, which waits from now on.
    fn arrive<'a>(turns: &'a Turns, client: &'a str, name: &'a str) -> Arrival<'a> {
        let mut arrival: Arrival<'a> = Box::pin(turns.wait(client, name));
        assert!((&mut arrival).now_or_never().is_none(), "there is no room");
        arrival
    }

    /// Returns which of those that wait has its turn now.
    fn turn(arrivals: &mut Vec<(&'static str, Arrival<'_>)>) -> Option<(&'static str, Turn)> {
        for index in 0..arrivals.len() {
            if let Some(turn) = (&mut arrivals[index].1).now_or_never() {
                let (label, _) = arrivals.remove(index);
                return turn.map(|turn| (label, turn));
            }
        }
        None
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_taken_the_least_goes_first() {
        let turns = Turns::new(1);
        let mut held = turns.wait("192.0.2.1", "u").await.unwrap();
        let mut waiting = vec![
            ("flood", arrive(&turns, "192.0.2.1", "u")),
            ("flood", arrive(&turns, "192.0.2.1", "u")),
            ("other name", arrive(&turns, "192.0.2.1", "v")),
            ("flood", arrive(&turns, "192.0.2.1", "u")),
            ("other client", arrive(&turns, "192.0.2.2", "u")),
        ];
        for expected in ["other client", "other name", "flood", "flood", "flood"] {
            drop(held);
            let (label, next) = turn(&mut waiting).unwrap();
            assert_eq!(label, expected);
            assert!(turn(&mut waiting).is_none(), "one at a time");
            held = next;
        }
        drop(held);
        assert_eq!(turns.free(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn right_passwords_and_old_checks_count_for_nothing() {
        let turns = Turns::new(1);
        for _ in 0..5 {
            turns.wait("a", "u").await.unwrap().was_right();
        }
        let first = |turns: &Turns| {
            let taken = turns.numbers.hash_one("a".to_owned());
            lock(&turns.state).taken.get(&taken).copied()
        };
        assert_eq!(first(&turns).unwrap_or_default(), 0);
        for _ in 0..4 {
            drop(turns.wait("a", "u").await.unwrap());
        }
        assert_eq!(first(&turns), Some(4));
        tokio::time::advance(HALF_LIFE).await;
        drop(turns.wait("b", "u").await.unwrap());
        assert_eq!(first(&turns), Some(2));
        tokio::time::advance(3 * HALF_LIFE).await;
        drop(turns.wait("b", "u").await.unwrap());
        assert_eq!(first(&turns), None);
    }

    #[tokio::test]
    async fn who_is_given_up_takes_no_turn() {
        let turns = Turns::new(1);
        let held = turns.wait("a", "u").await.unwrap();
        drop(arrive(&turns, "b", "u"));
        let mut waiting = vec![("c", arrive(&turns, "c", "u"))];
        drop(held);
        assert_eq!(turn(&mut waiting).unwrap().0, "c");
        assert_eq!(turns.free(), 1);
    }

    #[tokio::test]
    async fn a_flood_does_not_fill_the_queue_for_others() {
        let turns = Turns::new(1);
        let held = turns.wait("flood", "u").await.unwrap();
        let mut flood: Vec<_> = (0..WAITING_MAX)
            .map(|_| ("flood", arrive(&turns, "flood", "u")))
            .collect();
        let mut other = vec![("other", arrive(&turns, "other", "u"))];
        let sent_away = flood.iter_mut().filter_map(|(_, one)| one.now_or_never());
        assert_eq!(sent_away.filter(Option::is_none).count(), 1);
        drop(held);
        assert!(turn(&mut other).is_some());
    }

    #[test]
    fn clients_are_networks() {
        assert_eq!(network("192.0.2.1"), "192.0.2.1");
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:2"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("unknown"), "unknown");
    }
}
