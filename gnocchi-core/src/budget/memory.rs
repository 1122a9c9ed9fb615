//! The memory of one query.

use std::sync::Arc;

use parking_lot::Mutex;

use super::{BudgetError, Pool};

/// What a query has for nothing, in bytes: small ones do not touch what all of them share.
const FREE_BYTES: usize = 256 << 10;

/// How much is taken from the pool at a time, in bytes.
const STEP_BYTES: usize = 1 << 20;

/// The account of one query. What is taken goes back when it is dropped.
#[derive(Debug)]
pub(super) struct Account {
    pool: Arc<Pool>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// What it has for nothing.
    free: usize,
    /// What the query uses.
    used: usize,
    /// What it has of the pool: as much as it uses beyond what is free, and at most two steps more.
    taken: usize,
}

/// Memory that a query holds; dropped, it is free again.
#[derive(Debug)]
pub struct Held {
    account: Arc<Account>,
    bytes: usize,
}

impl Account {
    pub(super) fn new(pool: Arc<Pool>) -> Self {
        Self {
            pool,
            state: Mutex::new(State {
                free: FREE_BYTES,
                used: 0,
                taken: 0,
            }),
        }
    }

    pub(super) fn used(&self) -> usize {
        self.state.lock().used
    }

    pub(super) fn hold(account: &Arc<Self>, bytes: usize) -> Result<Held, BudgetError> {
        let mut state = account.state.lock();
        let used = state.used.saturating_add(bytes);
        let missing = used.saturating_sub(state.free + state.taken);
        if missing > 0 {
            // What is left of the pool may be less than a whole step.
            let step = missing.next_multiple_of(STEP_BYTES);
            let taken = match account.pool.take(step, state.taken) {
                Ok(()) => step,
                Err(_) => account.pool.take(missing, state.taken).map(|()| missing)?,
            };
            state.taken += taken;
        }
        state.used = used;
        drop(state);
        Ok(Held {
            account: Arc::clone(account),
            bytes,
        })
    }

    /// Takes from the pool exactly what is used.
    pub(super) fn settle(&self) -> Result<(), BudgetError> {
        let mut state = self.state.lock();
        if let Some(missing) = state.used.checked_sub(state.taken) {
            self.pool.take(missing, state.taken)?;
        } else {
            self.pool.give_back(state.taken - state.used);
        }
        state.taken = state.used;
        state.free = 0;
        Ok(())
    }

    fn release(&self, bytes: usize) {
        let mut state = self.state.lock();
        state.used = state.used.saturating_sub(bytes);
        let needed = state.used.saturating_sub(state.free);
        let spare = state.taken.saturating_sub(needed);
        if spare > 2 * STEP_BYTES {
            self.pool.give_back(spare);
            state.taken = needed;
        }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.pool.give_back(self.state.get_mut().taken);
    }
}

impl Held {
    /// Leaves the memory taken until the query is over.
    pub(crate) fn keep(mut self) {
        self.bytes = 0;
    }

    /// Takes over what other memory of the same query is.
    pub(crate) fn add(&mut self, mut other: Self) {
        debug_assert!(
            Arc::ptr_eq(&self.account, &other.account),
            "each query has its own memory"
        );
        self.bytes += std::mem::take(&mut other.bytes);
    }

    /// Takes more.
    ///
    /// # Errors
    /// As [`Budget::hold`](super::Budget::hold).
    pub fn grow(&mut self, bytes: usize) -> Result<(), BudgetError> {
        let mut more = Account::hold(&self.account, bytes).map_err(super::refused)?;
        self.bytes += std::mem::take(&mut more.bytes);
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.account.release(self.bytes);
        }
    }
}
