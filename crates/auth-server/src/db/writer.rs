//! The one thread that writes to SQLite.
//!
//! SQLite has one writer at a time and a commit waits for the disk. So what waits is taken into one
//! transaction, each unit in a savepoint of its own, and nobody is answered before COMMIT has returned.
//! A unit that fails rolls back alone; a COMMIT that fails is everyone's failure, and the thread goes on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use diesel::Connection;
use tokio::sync::oneshot;
use tokio::time::timeout_at;

use super::connection::AnyConnection;
use super::groups::Groups;
use super::{DbError, Tx};
use crate::settings::DatabaseUrl;

/// Units that may wait. At some ten thousand a second this is a fraction of one.
const QUEUE: usize = 4096;
/// Units in one transaction: more gains nothing and makes the first wait.
const GROUP: usize = 256;

/// How long a request waits beyond its deadline: for a unit that began just in time. While another process
/// holds the file, nothing begins, and whoever waited longer would be told that the request took too long.
const LAST: Duration = Duration::from_secs(1);

/// Handle of the thread; it ends when the last clone is dropped.
#[derive(Clone)]
pub(super) struct Writer {
    jobs: SyncSender<Box<dyn Job>>,
    waiting: Arc<AtomicUsize>,
    groups: Arc<Groups>,
}

/// What is undone of a unit that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Undo {
    /// All its statements: it runs in a savepoint.
    Savepoint,
    /// It is one statement, which SQLite itself makes whole or not at all.
    Statement,
}

/// A unit with its answer, whatever its type.
trait Job: Send {
    /// Runs the unit and keeps its result; `false` if the connection is not to be trusted.
    fn run(&mut self, conn: &mut AnyConnection) -> bool;
    /// Answers: with the result if the group was committed, else with what went wrong.
    fn answer(self: Box<Self>, group: Result<(), &str>);
}

struct Unit<F, T> {
    work: F,
    undo: Undo,
    deadline: Instant,
    result: Result<T, DbError>,
    answer: oneshot::Sender<Result<T, DbError>>,
}

impl<F, T> Job for Unit<F, T>
where
    F: FnMut(&mut Tx<'_>) -> Result<T, DbError> + Send,
    T: Send,
{
    fn run(&mut self, conn: &mut AnyConnection) -> bool {
        if Instant::now() >= self.deadline {
            return true;
        }
        let (unit, undo) = (&mut self.work, self.undo);
        let run = AssertUnwindSafe(|| match undo {
            Undo::Savepoint => conn.transaction(|c| unit(&mut Tx(c))),
            Undo::Statement => unit(&mut Tx(conn)),
        });
        let Ok(result) = catch_unwind(run) else {
            self.result = Err(DbError::Unavailable("a write panicked".into()));
            return false;
        };
        // A full disk, for one, undoes the whole transaction: what follows would be outside of any.
        let trusted =
            undo == Undo::Savepoint || matches!(result, Ok(_) | Err(DbError::Unreadable(_)));
        self.result = result;
        trusted
    }

    fn answer(self: Box<Self>, group: Result<(), &str>) {
        let answer = match (self.result, group) {
            (Ok(_), Err(why)) => Err(DbError::Unavailable(why.to_owned())),
            (result, _) => result,
        };
        // Nobody listens any more: the client has gone, the work stands.
        let _ = self.answer.send(answer);
    }
}

impl Writer {
    /// Opens the connection and starts the thread.
    pub(super) fn start(url: DatabaseUrl) -> Result<Self, DbError> {
        let (jobs, queue) = sync_channel(QUEUE);
        let conn = connect(&url)?;
        let waiting = Arc::new(AtomicUsize::new(0));
        let taken = Arc::clone(&waiting);
        let groups = Arc::<Groups>::default();
        let committed = Arc::clone(&groups);
        thread::Builder::new()
            .name("sqlite-writer".into())
            .spawn(move || work(&url, conn, &queue, &taken, &committed))
            .map_err(|e| DbError::Unavailable(e.to_string()))?;
        Ok(Self {
            jobs,
            waiting,
            groups,
        })
    }

    /// Units that wait or run.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// How many units its commits have carried.
    pub(super) fn groups(&self) -> &Groups {
        &self.groups
    }

    pub(super) async fn submit<T: Send + 'static>(
        &self,
        deadline: Instant,
        undo: Undo,
        unit: impl FnMut(&mut Tx<'_>) -> Result<T, DbError> + Send + 'static,
    ) -> Result<T, DbError> {
        let (answer, result) = oneshot::channel();
        let job = Unit {
            work: unit,
            undo,
            deadline,
            result: Err(DbError::TooLate),
            answer,
        };
        // Before the job is there to be taken: the count never falls below zero.
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.jobs.try_send(Box::new(job)).map_err(|e| {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            match e {
                TrySendError::Full(_) => DbError::Busy,
                TrySendError::Disconnected(_) => {
                    DbError::Unavailable("the writer has stopped".into())
                }
            }
        })?;
        match timeout_at((deadline + LAST).into(), result).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(DbError::Unavailable("the writer has stopped".into())),
            // What has not begun by now never will.
            Err(_) => Err(DbError::Unavailable("it does not answer".into())),
        }
    }
}

fn connect(url: &DatabaseUrl) -> Result<AnyConnection, DbError> {
    AnyConnection::open(url).map_err(|e| DbError::Unavailable(e.to_string()))
}

fn work(
    url: &DatabaseUrl,
    first: AnyConnection,
    queue: &Receiver<Box<dyn Job>>,
    waiting: &AtomicUsize,
    groups: &Groups,
) {
    let mut conn = Some(first);
    while let Ok(job) = queue.recv() {
        let mut group = vec![job];
        let committed = match reconnected(&mut conn, url) {
            Ok(conn) => commit_group(conn, &mut group, queue),
            Err(error) => Err(error.to_string()),
        };
        if let Err(why) = &committed {
            log::error!("sqlite writer: {why}; {} writes were not made", group.len());
            // A connection in an unknown state is thrown away rather than reasoned about.
            conn = None;
        } else {
            groups.add(group.len());
        }
        waiting.fetch_sub(group.len(), Ordering::Relaxed);
        for job in group {
            job.answer(committed.as_ref().copied().map_err(String::as_str));
        }
    }
}

fn reconnected<'a>(
    conn: &'a mut Option<AnyConnection>,
    url: &DatabaseUrl,
) -> Result<&'a mut AnyConnection, DbError> {
    if conn.is_none() {
        // Not in a tight loop against a disk that is gone.
        thread::sleep(Duration::from_millis(20));
        *conn = Some(connect(url)?);
    }
    conn.as_mut().ok_or(DbError::Busy)
}

/// Runs the first job and all that wait with it in one transaction.
fn commit_group(
    conn: &mut AnyConnection,
    group: &mut Vec<Box<dyn Job>>,
    queue: &Receiver<Box<dyn Job>>,
) -> Result<(), String> {
    conn.begin_write().map_err(|e| e.to_string())?;
    let mut next = 0;
    while let Some(job) = group.get_mut(next) {
        if !job.run(conn) {
            return Err("a write failed in a way that undid its group".into());
        }
        next += 1;
        if next == group.len() && next < GROUP {
            group.extend(queue.try_recv());
        }
    }
    conn.commit().map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Db;
    use diesel::RunQueryDsl;
    use futures_util::FutureExt;
    use std::sync::Barrier;

    fn database() -> (tempfile::TempDir, Db, Writer) {
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::Sqlite(folder.path().join("test.db"));
        let db = Db::open(&url, Duration::ZERO).unwrap();
        let writer = Writer::start(url).unwrap();
        (folder, db, writer)
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    fn note(tx: &mut Tx<'_>, id: &str) -> Result<(), DbError> {
        diesel::sql_query("INSERT INTO audit (id, at, event) VALUES ($1, 0, 'x')")
            .bind::<diesel::sql_types::Text, _>(id)
            .execute(tx.0)?;
        Ok(())
    }

    async fn notes(db: &Db) -> Vec<String> {
        let mut ids: Vec<String> = db
            .read(|tx| {
                use diesel::prelude::*;
                Ok(crate::db::schema::audit::table
                    .select(crate::db::schema::audit::id)
                    .load(tx.0)?)
            })
            .await
            .unwrap();
        ids.sort();
        ids
    }

    #[tokio::test]
    async fn a_statement_that_fails_leaves_nothing_half_done_and_the_writer_goes_on() {
        let (_folder, db, writer) = database();
        let twice = |tx: &mut Tx<'_>| note(tx, "same");
        let first = writer.submit(soon(), Undo::Statement, twice).await;
        assert!(first.is_ok());
        let again = writer.submit(soon(), Undo::Statement, twice).await;
        assert!(again.is_err(), "{again:?}");
        let other = |tx: &mut Tx<'_>| note(tx, "other");
        writer.submit(soon(), Undo::Statement, other).await.unwrap();
        assert_eq!(notes(&db).await, ["other", "same"]);
        assert_eq!(
            (writer.groups().commits(), writer.groups().writes()),
            (2, 2)
        );
    }

    #[tokio::test]
    async fn a_unit_that_fails_rolls_back_alone() {
        let (_folder, db, writer) = database();
        // The first holds the writer until the others wait, so that they share its transaction.
        let gate = Arc::new(Barrier::new(2));
        let opens = Arc::clone(&gate);
        let first = writer.submit(soon(), Undo::Savepoint, move |tx| {
            opens.wait();
            note(tx, "first")
        });
        let good = writer.submit(soon(), Undo::Savepoint, |tx| note(tx, "good"));
        let bad = writer.submit(soon(), Undo::Savepoint, |tx| {
            note(tx, "half")?;
            note(tx, "good2")?;
            Err::<(), _>(DbError::Duplicate)
        });
        let last = writer.submit(soon(), Undo::Savepoint, |tx| note(tx, "last"));
        let open = tokio::task::spawn_blocking(move || gate.wait());
        let (a, b, c, d, _) = tokio::join!(first, good, bad, last, open);
        assert!(a.is_ok() && b.is_ok() && d.is_ok() && matches!(c, Err(DbError::Duplicate)));
        assert_eq!(notes(&db).await, ["first", "good", "last"]);
    }

    #[tokio::test]
    async fn a_unit_past_its_deadline_is_never_executed() {
        let (_folder, db, writer) = database();
        let late = writer
            .submit(Instant::now(), Undo::Savepoint, |tx| note(tx, "late"))
            .await;
        assert!(matches!(late, Err(DbError::TooLate)));
        assert!(notes(&db).await.is_empty());
    }

    #[tokio::test]
    async fn a_file_that_another_process_holds_is_not_waited_for_past_the_deadline() {
        let (folder, db, writer) = database();
        let url = DatabaseUrl::Sqlite(folder.path().join("test.db"));
        let mut other = connect(&url).unwrap();
        other.begin_write().unwrap();
        let began = Instant::now();
        let late = writer
            .submit(began, Undo::Savepoint, |tx| note(tx, "late"))
            .await;
        assert!(matches!(late, Err(DbError::Unavailable(_))));
        assert!(
            began.elapsed() < Duration::from_secs(4),
            "the file's own time-out is longer"
        );
        other.rollback().unwrap();
        writer
            .submit(soon(), Undo::Savepoint, |tx| note(tx, "after"))
            .await
            .unwrap();
        assert_eq!(notes(&db).await, ["after"]);
    }

    #[tokio::test]
    async fn a_panic_undoes_its_group_and_the_thread_goes_on() {
        let (_folder, db, writer) = database();
        let bad = writer
            .submit(soon(), Undo::Savepoint, |tx| {
                note(tx, "half")?;
                panic!("on purpose")
            })
            .await;
        assert!(matches!(bad, Err::<(), _>(DbError::Unavailable(_))));
        writer
            .submit(soon(), Undo::Savepoint, |tx| note(tx, "after"))
            .await
            .unwrap();
        assert_eq!(notes(&db).await, ["after"]);
    }

    #[tokio::test]
    async fn a_full_queue_says_busy() {
        let (_folder, _db, writer) = database();
        let gate = Arc::new(Barrier::new(2));
        let opens = Arc::clone(&gate);
        let holder = writer.clone();
        let (running, runs) = oneshot::channel();
        let mut running = Some(running);
        let held = tokio::spawn(async move {
            let unit = move |_: &mut Tx<'_>| {
                running.take().map(|running| running.send(()));
                opens.wait();
                Ok(())
            };
            holder.submit(soon(), Undo::Savepoint, unit).await
        });
        runs.await.unwrap();
        let mut waiting = Vec::new();
        let busy = loop {
            let mut one = Box::pin(writer.submit(soon(), Undo::Savepoint, |_| Ok(())));
            match one.as_mut().now_or_never() {
                Some(answer) => break answer,
                None => waiting.push(one),
            }
        };
        assert!(matches!(busy, Err(DbError::Busy)));
        tokio::task::spawn_blocking(move || gate.wait())
            .await
            .unwrap();
        held.await.unwrap().unwrap();
        for one in waiting {
            one.await.unwrap();
        }
    }
}
