use std::time::Duration;

use async_trait::async_trait;

use super::super::writing_options;
use super::*;
use crate::sql::database::Session;
use crate::sql::statement::Statement;

/// Writes a number into a table, then does what the test wants.
struct Insert {
    number: i64,
    then: Then,
    reply: Option<oneshot::Sender<Outcome>>,
}

#[derive(Clone, Copy)]
enum Then {
    Keep,
    RollBack,
    /// Ends the transaction of the whole group, as a full disk does.
    Break,
    Panic,
}

#[async_trait]
impl Job for Insert {
    async fn run(&mut self, session: &mut dyn Session) -> Verdict {
        session
            .run_script("CREATE TABLE IF NOT EXISTS numbers (number INTEGER)")
            .await
            .unwrap();
        session
            .execute(Statement::new("INSERT INTO numbers VALUES (?)").bind(self.number))
            .await
            .unwrap();
        match self.then {
            Then::Keep => Verdict::Keep,
            Then::RollBack => Verdict::RollBack,
            Then::Break => {
                session.run_script("ROLLBACK").await.unwrap();
                Verdict::RollBack
            }
            Then::Panic => panic!("a test"),
        }
    }

    fn finish(mut self: Box<Self>, transaction: Outcome) {
        self.reply.take().unwrap().send(transaction).unwrap();
    }
}

type Outcome = Result<(), Arc<SqlError>>;

fn insert(number: i64, then: Then) -> (Box<dyn Job>, oneshot::Receiver<Outcome>) {
    let (reply, replied) = oneshot::channel();
    let job = Insert {
        number,
        then,
        reply: Some(reply),
    };
    (Box::new(job), replied)
}

/// Runs jobs as one group. Returns for each whether its transaction was committed, and what is in the table afterwards.
async fn group(jobs: &[(Access, Then)]) -> (Vec<bool>, Vec<i64>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("numbers.db");
    let (sender, receiver) = mpsc::channel(16);
    let mut replies = Vec::new();
    for ((access, then), number) in jobs.iter().zip(1..) {
        let (job, outcome) = insert(number, *then);
        replies.push(outcome);
        assert!(sender.send(Message::Job(*access, job)).await.is_ok());
    }
    drop(sender);
    Writer::new(Some(path.clone()), writing_options(&path), receiver)
        .run()
        .await;
    let mut committed = Vec::new();
    for reply in replies {
        committed.push(reply.await.unwrap().is_ok());
    }
    let mut connection = writing_options(&path).connect().await.unwrap();
    let stored = sqlx::query_scalar("SELECT number FROM numbers ORDER BY number")
        .fetch_all(&mut connection)
        .await;
    (committed, stored.unwrap_or_default())
}

#[tokio::test]
async fn a_job_takes_only_its_own_changes_back() {
    let jobs = [
        (Access::Transaction, Then::RollBack),
        (Access::Write, Then::Keep),
        (Access::Transaction, Then::Keep),
        (Access::Transaction, Then::RollBack),
        (Access::Write, Then::Keep),
    ];
    assert_eq!(group(&jobs).await, (vec![true; 5], vec![2, 3, 5]));
}

#[tokio::test]
async fn nobody_is_told_of_success_when_the_transaction_is_gone() {
    for access in [Access::Write, Access::Transaction] {
        let jobs = [
            (Access::Write, Then::Keep),
            (access, Then::Break),
            (Access::Write, Then::Keep),
        ];
        let (committed, stored) = group(&jobs).await;
        // What came after the break ran in a group of its own.
        assert_eq!(committed, [false, false, true]);
        assert_eq!(stored, [3]);
    }
}

#[tokio::test]
async fn a_panic_fails_its_transaction_and_no_later_one() {
    for access in [Access::Write, Access::Transaction] {
        let jobs = [(Access::Write, Then::Keep), (access, Then::Panic)];
        let (committed, stored) = group(&jobs).await;
        assert_eq!(committed, [false, false]);
        assert_eq!(stored, [0_i64; 0]);
        let jobs = [(access, Then::Panic), (Access::Write, Then::Keep)];
        let (committed, stored) = group(&jobs).await;
        assert_eq!(committed, [false, true]);
        assert_eq!(stored, [2]);
    }
}

/// SQLite deletes the log with the last connection, and a missing log looks like damage after a crash.
#[tokio::test]
async fn the_log_stays_while_the_connection_cannot_be_renewed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("numbers.db");
    let log = folder.path().join("numbers.db-wal");
    let (_sender, messages) = mpsc::channel(1);
    let mut writer = Writer::new(Some(path.clone()), writing_options(&path), messages);
    let (job, replied) = insert(1, Then::Keep);
    assert!(writer.run_group(Access::Write, job).await.is_none());
    replied.await.unwrap().unwrap();
    let whole = std::fs::read(&log).unwrap();
    assert!(!whole.is_empty());

    // As when there are no more file descriptors.
    let openable = std::mem::replace(
        &mut writer.options,
        writing_options(&folder.path().join("missing").join("numbers.db")),
    );
    for number in [2, 3] {
        let (job, replied) = insert(number, Then::Panic);
        assert!(writer.run_group(Access::Write, job).await.is_none());
        assert!(replied.await.unwrap().is_err(), "{number}");
        assert!(writer.must_renew, "{number}");
        assert_eq!(std::fs::read(&log).unwrap(), whole, "{number}");
    }

    writer.options = openable;
    let (job, replied) = insert(4, Then::Keep);
    assert!(writer.run_group(Access::Write, job).await.is_none());
    replied.await.unwrap().unwrap();
    assert!(!writer.must_renew);
    // The header of the log is the same one: it was never begun anew.
    assert!(std::fs::read(&log).unwrap().starts_with(&whole));
    let connection = writer.connection.as_mut().unwrap();
    let stored: Vec<i64> = sqlx::query_scalar("SELECT number FROM numbers ORDER BY number")
        .fetch_all(connection)
        .await
        .unwrap();
    assert_eq!(stored, [1, 4]);
}

#[tokio::test]
async fn commits_are_flushed_and_references_checked() {
    let folder = tempfile::tempdir().unwrap();
    let mut connection = writing_options(&folder.path().join("x.db"))
        .connect()
        .await
        .unwrap();
    let pragmas = [
        ("journal_mode", "wal"),
        ("synchronous", "2"),
        ("foreign_keys", "1"),
    ];
    for (pragma, expected) in pragmas {
        let text = format!("SELECT CAST({pragma} AS TEXT) FROM pragma_{pragma}");
        let found: String = sqlx::query_scalar(sqlx::AssertSqlSafe(text))
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(found, expected, "{pragma}");
    }
}

#[tokio::test]
async fn a_full_group_does_not_wait_for_more() {
    let (sender, mut receiver) = mpsc::channel(1);
    let job = || Insert {
        number: 0,
        then: Then::Keep,
        reply: None,
    };
    let jobs: Vec<(Access, Box<dyn Job>)> = (0..GROUP_JOBS_MAX)
        .map(|_| (Access::Write, Box::new(job()) as Box<dyn Job>))
        .collect();
    assert!(
        sender
            .send(Message::Job(Access::Write, Box::new(job())))
            .await
            .is_ok()
    );
    let mut group = Group {
        jobs,
        closing: None,
    };
    let more = tokio::time::timeout(Duration::from_mins(1), group.receive(&mut receiver)).await;
    assert_eq!(more, Ok(false));
    group.jobs.pop();
    assert!(group.receive(&mut receiver).await);
}
