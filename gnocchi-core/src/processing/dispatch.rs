//! Handing sacks to a bounded number of tasks.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;
use tracing::{debug, error};

use super::Processor;
use super::turn::Progress;
use crate::driver::Sack;
use crate::log_limit::LogLimit;

/// How often failed turns are logged: while the store takes no writes, each sack fails once a second.
const FAILURE_LOG_INTERVAL: Duration = Duration::from_secs(10);

/// How long to wait before a sack is tried again after a failure.
const FAILURE_PAUSE: Duration = Duration::from_secs(1);

/// Hands sacks to a bounded number of tasks, each sack to one at a time, those that wait longest first.
pub(super) struct Dispatch {
    waiting: VecDeque<Sack>,
    /// Sacks in `waiting`.
    queued: BTreeSet<Sack>,
    running: JoinSet<Turned>,
    /// Sacks in `running`, by task.
    busy: BTreeMap<Id, Sack>,
    tasks_max: usize,
    failures: Arc<LogLimit>,
}

/// Whether a sack should be looked at again.
enum Turned {
    Done,
    Again,
}

impl Dispatch {
    pub(super) fn new(tasks_max: usize) -> Self {
        Self {
            waiting: VecDeque::new(),
            queued: BTreeSet::new(),
            running: JoinSet::new(),
            busy: BTreeMap::new(),
            tasks_max: tasks_max.max(1),
            failures: Arc::new(LogLimit::new(1, FAILURE_LOG_INTERVAL)),
        }
    }

    pub(super) fn enqueue(&mut self, sacks: impl IntoIterator<Item = Sack>) {
        for sack in sacks {
            if self.queued.insert(sack) {
                self.waiting.push_back(sack);
            }
        }
    }

    /// Starts turns as far as tasks are free.
    pub(super) fn start_turns(&mut self, processor: &Arc<Processor>) {
        let mut passed = Vec::new();
        while self.running.len() < self.tasks_max {
            let Some(sack) = self.waiting.pop_front() else {
                break;
            };
            if self.busy.values().any(|busy| *busy == sack) {
                passed.push(sack);
                continue;
            }
            self.queued.remove(&sack);
            let (processor, failures) = (Arc::clone(processor), Arc::clone(&self.failures));
            let task = self
                .running
                .spawn(async move { turn(&processor, sack, &failures).await });
            self.busy.insert(task.id(), sack);
        }
        self.waiting.extend(passed);
    }

    /// Waits until a turn ends; forever when none runs.
    ///
    /// # Cancel safety
    /// A dropped future loses nothing.
    pub(super) async fn turn_ended(&mut self) {
        match self.running.join_next_with_id().await {
            Some(ended) => self.finish(ended),
            None => std::future::pending().await,
        }
    }

    fn finish(&mut self, ended: Result<(Id, Turned), JoinError>) {
        let (task, again) = match ended {
            Ok((task, turned)) => (task, matches!(turned, Turned::Again)),
            Err(failure) => {
                error!(
                    error = &failure as &dyn std::error::Error,
                    "a turn ended in a panic"
                );
                (failure.id(), true)
            }
        };
        if let Some(sack) = self.busy.remove(&task)
            && again
        {
            self.enqueue([sack]);
        }
    }

    /// Waits for the turns in hand.
    pub(super) async fn finish_all(&mut self) {
        while let Some(ended) = self.running.join_next_with_id().await {
            self.finish(ended);
        }
    }
}

/// One turn; a failure is logged now and then, and the sack is tried again after a pause.
async fn turn(processor: &Processor, sack: Sack, failures: &LogLimit) -> Turned {
    let started = Instant::now();
    match processor.work(sack).await {
        Ok(Progress::Idle) => Turned::Done,
        Ok(Progress::Folded) => {
            debug!(%sack, elapsed_ms = started.elapsed().as_millis(), "folded");
            Turned::Again
        }
        Err(failure) => {
            if let Some(not_logged) = failures.pass() {
                error!(%sack, not_logged, error = &failure as &dyn std::error::Error, "cannot fold a sack; its measures stay pending");
            }
            tokio::time::sleep(FAILURE_PAUSE).await;
            Turned::Again
        }
    }
}
